// layer: sources
/* MQTT connections: passwords, TLS, the will, brokers that fall silent, and options that cannot be. */
#include <errno.h>

#include "tests/unit/mqtt_harness.h"

static struct harness h;
static struct server server;
static struct client client;
static struct rx_publisher publisher;

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    harness_init(&h);
    server_init(&server, NULL);
    memset(&publisher, 0, sizeof publisher);
    client = (struct client){0};
}

static void teardown(void)
{
    client_destroy(&client);
    server_finish(&server);
    harness_finish(&h);
}

static void run(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static const char *url_of(const char *scheme)
{
    static char url[64];
    snprintf(url, sizeof url, "%s://localhost:%u", scheme, server.port);
    return url;
}

START_TEST(a_user_needs_the_right_password)
{
    run("mosquitto_passwd -b -c %s/users ann secret 2>/dev/null", server.folder);
    run("sed -i 's/allow_anonymous true/allow_anonymous false/' %s/mosquitto.conf", server.folder);
    run("echo password_file %s/users >> %s/mosquitto.conf", server.folder, server.folder);
    server_start(&server);
    client = client_create(&h, url_of("mqtt"), "user", "ann", "password", "wrong", NULL);
    rx_broker_publisher_join(client.broker, &publisher);
    harness_until(&h, status_of(&client).failures > 0);
    ck_assert_ptr_nonnull(strstr(status_of(&client).last_error, "the broker refuses us"));
    rx_broker_publisher_leave(client.broker, &publisher);
    client_destroy(&client);
    client = client_create(&h, url_of("mqtt"), "user", "ann", "password", "secret", NULL);
    rx_broker_publisher_join(client.broker, &publisher);
    harness_until(&h, status_of(&client).connected);
    ck_assert_str_eq(status_of(&client).last_error, "");
    rx_broker_publisher_leave(client.broker, &publisher);
}
END_TEST

static void serve_tls(const char *host)
{
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=%s "
        "-addext subjectAltName=DNS:%s -keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
        host, host, server.folder, server.folder);
    run("cd %s && printf 'certfile %s/cert.pem\\nkeyfile %s/key.pem\\n' >> mosquitto.conf", server.folder,
        server.folder, server.folder);
    server_start(&server);
}

static void expect_tls(const char *ca, const char *insecure, bool accepted)
{
    client = ca ? client_create(&h, url_of("mqtts"), "tls.insecure", insecure, "tls.ca", ca, NULL)
                : client_create(&h, url_of("mqtts"), "tls.insecure", insecure, NULL);
    rx_broker_publisher_join(client.broker, &publisher);
    if (accepted) {
        client_send(&client, &publisher, "t/a", "1", 1, false);
        harness_until(&h, publisher.delivered > 0);
    } else {
        harness_until(&h, status_of(&client).failures > 0);
        ck_assert_uint_eq(status_of(&client).connects, 0);
        ck_assert_str_ne(status_of(&client).last_error, "");
    }
    rx_broker_publisher_leave(client.broker, &publisher);
    client_destroy(&client);
    client = (struct client){0};
}

START_TEST(tls_takes_a_certificate_that_it_trusts_and_no_other)
{
    char ca[128];
    serve_tls("localhost");
    snprintf(ca, sizeof ca, "%s/cert.pem", server.folder);
    expect_tls(ca, "false", true);
    expect_tls(NULL, "false", false);
}
END_TEST

START_TEST(tls_refuses_a_certificate_for_another_host_unless_told)
{
    char ca[128];
    serve_tls("elsewhere.example");
    snprintf(ca, sizeof ca, "%s/cert.pem", server.folder);
    expect_tls(ca, "false", false);
    expect_tls(ca, "true", true);
}
END_TEST

/* A broker that is only a listening socket: what it is sent can be looked at, and it can fall silent. */
static int listen_on(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    return fd;
}

START_TEST(the_will_is_left_with_the_broker)
{
    static struct rx_value will;
    char seen[512];
    int fd = -1, listener = listen_on(server.port);
    ssize_t length = -1;
    static const char text[] = "{\"topic\":\"last/words\",\"payload\":\"gone\",\"qos\":1,\"retain\":true}";
    ck_assert_int_eq(rx_json_decode(h.heap, NULL, NULL, text, sizeof text - 1, &will, NULL), 0);
    struct rx_broker_options *options = harness_image(&h, &rx_broker_class, "url", url_of("mqtt"), NULL);
    struct rx_error error;
    options->will = will;
    ck_assert_int_eq(rx_broker_create(h.loop, "test", options, &client.broker, &error), 0);
    client.options = options;
    rx_broker_publisher_join(client.broker, &publisher);
    harness_until(&h, (fd = accept(listener, NULL, NULL)) >= 0);
    harness_until(&h, (length = recv(fd, seen, sizeof seen, MSG_DONTWAIT)) > 0);
    ck_assert_ptr_nonnull(memmem(seen, (size_t)length, "\0\x0Alast/words\0\x04gone", 18));
    ck_assert_int_eq(seen[9], 0x2E); /* retained, QoS 1, a will, clean */
    rx_broker_publisher_leave(client.broker, &publisher);
    rx_value_unref(will);
    close(fd);
    close(listener);
}
END_TEST

START_TEST(a_broker_that_falls_silent_is_given_up_within_two_keep_alives)
{
    int fd = -1, listener = listen_on(server.port);
    client = client_create(&h, url_of("mqtt"), "keep_alive", "5s", NULL);
    rx_broker_publisher_join(client.broker, &publisher);
    harness_until(&h, (fd = accept(listener, NULL, NULL)) >= 0);
    ck_assert_int_eq(write(fd, "\x20\x02\0\0", 4), 4);
    harness_until(&h, status_of(&client).connected);
    time_t start = time(NULL);
    harness_until(&h, !status_of(&client).connected);
    ck_assert_int_le(time(NULL) - start, 12);
    ck_assert_uint_eq(status_of(&client).disconnects, 1);
    rx_broker_publisher_leave(client.broker, &publisher);
    close(fd);
    close(listener);
}
END_TEST

START_TEST(a_broker_may_be_destroyed_while_it_connects)
{
    client = client_create(&h, "mqtt://no-such-host.invalid", NULL);
    rx_broker_publisher_join(client.broker, &publisher);
    rx_broker_publisher_leave(client.broker, &publisher);
}
END_TEST

START_TEST(options_that_cannot_be_are_refused)
{
    static const struct {
        struct rx_broker_options options;
        const char *says;
    } cases[] = {
        {{.url = "http://x", .clean_start = true}, "expected mqtt://"},
        {{.url = "mqtt://", .clean_start = true}, "no host"},
        {{.url = "mqtt://[::1", .clean_start = true}, "no host"},
        {{.url = "mqtt://x:0", .clean_start = true}, "port"},
        {{.url = "mqtt://x:65536", .clean_start = true}, "port"},
        {{.url = "mqtt://x:1883/path", .clean_start = true}, "nothing may follow"},
        {{.url = "mqtt://ann:secret@x", .clean_start = true}, "user and password"},
        {{.url = "mqtt://x"}, "client_id"},
        {{.url = "mqtt://x", .clean_start = true, .tls.ca = "f"}, "mqtts"},
        {{.url = "mqtts://x", .clean_start = true, .tls.cert = "f"}, "together"},
        {{.url = "mqtt://x", .clean_start = true, .password = "p"}, "user"},
    };
    struct rx_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(rx_broker_check(&cases[i].options, &error), -EINVAL);
        ck_assert_msg(strstr(error.message, cases[i].says) != NULL, "%s", error.message);
    }
    struct rx_broker_options fine = {.url = "mqtts://[::1]:8883/", .clean_start = true};
    ck_assert_int_eq(rx_broker_check(&fine, &error), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_secure");
    TCase *t = tcase_create("mqtt_secure");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_user_needs_the_right_password);
    tcase_add_test(t, tls_takes_a_certificate_that_it_trusts_and_no_other);
    tcase_add_test(t, tls_refuses_a_certificate_for_another_host_unless_told);
    tcase_add_test(t, the_will_is_left_with_the_broker);
    tcase_add_test(t, a_broker_that_falls_silent_is_given_up_within_two_keep_alives);
    tcase_add_test(t, a_broker_may_be_destroyed_while_it_connects);
    tcase_add_test(t, options_that_cannot_be_are_refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
