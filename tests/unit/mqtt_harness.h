/* A mosquitto of one's own on loopback, started and stopped by the test; and brokers of rxd's that reach it. */
#ifndef RX_TESTS_MQTT_HARNESS_H
#define RX_TESTS_MQTT_HARNESS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io/mqtt/mqtt.h"
#include "tests/unit/source_harness.h"

struct server {
    char folder[64];
    unsigned port;
    pid_t pid; /* 0: not running */
};

static inline unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Files of the server; `extra` is added to its config. */
static inline void server_init(struct server *server, const char *extra)
{
    char path[128];
    memset(server, 0, sizeof *server);
    strcpy(server->folder, "/tmp/rxd-mqtt-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    server->port = free_port();
    snprintf(path, sizeof path, "%s/mosquitto.conf", server->folder);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "user root\nmax_queued_messages 0\nlistener %u 127.0.0.1\n%s", server->port,
            extra ? extra : "allow_anonymous true\n");
    fclose(file);
}

static inline bool answers(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return up;
}

static inline void server_start(struct server *server)
{
    char path[128];
    snprintf(path, sizeof path, "%s/mosquitto.conf", server->folder);
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("mosquitto", "mosquitto", "-c", path, NULL);
        execl("/usr/sbin/mosquitto", "mosquitto", "-c", path, NULL);
        _exit(127);
    }
    for (time_t end = time(NULL) + 20; !answers(server->port);)
        ck_assert_msg(time(NULL) < end && waitpid(server->pid, NULL, WNOHANG) == 0, "mosquitto does not start");
}

static inline void server_stop(struct server *server, int signal_number)
{
    if (server->pid == 0)
        return;
    kill(server->pid, signal_number);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline void server_finish(struct server *server)
{
    char command[128];
    server_stop(server, SIGKILL);
    snprintf(command, sizeof command, "rm -rf %s", server->folder);
    ck_assert_int_eq(system(command), 0);
}

/* Who speaks MQTT, for a second run of the suites; NULL: rxd. */
static inline const char *other_client(void) { return getenv("RXD_TEST_CLIENT"); }

/* A connection and the options that it borrows. */
struct client {
    struct rx_broker *broker;
    struct rx_broker_options *options;
};

static inline struct client client_create(struct harness *h, const char *url, const char *name, ...)
{
    struct client client;
    struct rx_error error = {0};
    char const *pairs[10] = {"url", url};
    va_list args;
    va_start(args, name);
    int i = 2;
    for (; name && i < 8; i += 2, name = va_arg(args, const char *)) {
        pairs[i] = name;
        pairs[i + 1] = va_arg(args, const char *);
    }
    va_end(args);
    if (other_client()) {
        pairs[i] = "client";
        pairs[i + 1] = other_client();
    }
    client.options = harness_image(h, &rx_broker_class, pairs[0], pairs[1], pairs[2], pairs[3], pairs[4], pairs[5],
                                   pairs[6], pairs[7], pairs[8], pairs[9], NULL);
    ck_assert_msg(rx_broker_create(h->loop, "test", client.options, &client.broker, &error) == 0, "%s", error.message);
    return client;
}

static inline void client_destroy(struct client *client)
{
    rx_broker_destroy(client->broker);
    free(client->options);
}

static inline struct rx_broker_status status_of(const struct client *client)
{
    struct rx_broker_status status;
    rx_broker_status(client->broker, &status);
    return status;
}

static inline void client_send(struct client *client, struct rx_publisher *publisher, const char *topic,
                               const char *payload, int qos, bool retain)
{
    ck_assert_int_eq(
        rx_broker_publish(client->broker, publisher, topic, strlen(topic), payload, strlen(payload), qos, retain), 0);
    rx_broker_flush(client->broker);
}

#endif
