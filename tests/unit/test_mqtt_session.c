// layer: mqtt
/* A session against a peer that the test plays: what is said, in what order, and what is remembered. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/session.h"

static struct rx_session *session;
static char said[1 << 16]; /* packets since it was last looked at, as hex with a blank between */
static char heard[4096];   /* messages */
static char done[4096];    /* published: payload and reason */
static uint64_t position;
static size_t filters_told; /* of the last message */
static uint32_t last_filter;

static void on_write(void *arg, const void *bytes, size_t length)
{
    struct rx_buffer text = {0};
    const unsigned char *b = bytes;
    (void)arg;
    rx_buffer_printf(&text, "%s", said);
    for (size_t at = 0; at < length;) {
        size_t size = 2u + b[at + 1]; /* the packets of these tests are short */
        ck_assert_uint_lt(b[at + 1], 128);
        for (size_t i = 0; i < size; i++)
            rx_buffer_printf(&text, "%02x", b[at + i]);
        rx_buffer_text(&text, " ");
        at += size;
    }
    snprintf(said, sizeof said, "%.*s", (int)text.length, text.data);
    rx_buffer_finish(&text);
}

static void on_opened(void *arg, bool present) { (void)arg, strcat(heard, present ? "present " : "new "); }

static void on_message(void *arg, const struct rx_mqtt_message *m)
{
    char text[128];
    (void)arg;
    snprintf(text, sizeof text, "%.*s=%.*s@%d ", (int)m->topic_length, m->topic, (int)m->length, m->payload, m->qos);
    strcat(heard, text);
    filters_told = m->filter_count;
    last_filter = m->filter_count ? m->filters[m->filter_count - 1] : 0;
    if (m->position)
        ck_assert_uint_eq(m->position, ++position);
}

static void on_messages(void *arg, struct rx_mqtt_message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        on_message(arg, &messages[i]);
}

static void on_oversized(void *arg, const char *topic, size_t topic_length, size_t size)
{
    (void)arg, (void)topic, (void)topic_length, (void)size;
}

static void on_published(void *arg, struct rx_outgoing *o, uint8_t reason)
{
    char text[32];
    (void)arg;
    snprintf(text, sizeof text, "%.*s:%02x ", (int)o->payload_length, o->data + o->topic_length + 1, reason);
    strcat(done, text);
    free(o);
}

static void on_granted(void *arg, uint16_t id, uint8_t reason)
{
    char text[32];
    (void)arg;
    snprintf(text, sizeof text, "granted %04x:%02x ", id, reason);
    strcat(heard, text);
}

static const struct rx_session_host host = {.write = on_write,
                                            .opened = on_opened,
                                            .messages = on_messages,
                                            .oversized = on_oversized,
                                            .published = on_published,
                                            .granted = on_granted};

static void expect(char *what, const char *text)
{
    ck_assert_str_eq(what, text);
    what[0] = '\0';
}

static void expect_said(const char *text)
{
    rx_session_flush(session, RX_SEC);
    expect(said, text);
}

static void begin(bool v5, size_t inflight)
{
    struct rx_session_options options = {
        .connect = {.v5 = v5, .client_id = "x", .keep_alive = 10, .receive_maximum = 100},
        .inflight_maximum = inflight,
        .packet_maximum = 1000};
    said[0] = heard[0] = done[0] = '\0';
    position = 0;
    ck_assert_int_eq(rx_session_create(&options, &host, NULL, &session), 0);
}

/* Bytes given as hex. */
static int hear(const char *hex)
{
    unsigned char bytes[512];
    size_t length = 0;
    for (unsigned byte; *hex; hex += *hex == ' ' ? 1 : 2)
        if (*hex != ' ') {
            ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
            bytes[length++] = (unsigned char)byte;
        }
    ssize_t used = rx_session_feed(session, bytes, length, RX_SEC);
    ck_assert(used < 0 || (size_t)used == length);
    return used < 0 ? (int)used : 0;
}

static void connect_as(const char *connack)
{
    rx_session_connect(session, RX_SEC);
    said[0] = '\0';
    ck_assert_int_eq(hear(connack), 0);
}

static int publish(const char *payload, int qos)
{
    struct rx_outgoing *o = calloc(1, sizeof *o + 8);
    *o = (struct rx_outgoing){.topic_length = 1, .payload_length = (uint32_t)strlen(payload), .qos = (uint8_t)qos};
    o->data[0] = 't';
    memcpy(o->data + 2, payload, strlen(payload));
    int r = rx_session_publish(session, o);
    if (r != 0 || qos == 0)
        free(o);
    return r;
}

static void teardown(void)
{
    rx_session_destroy(session);
    session = NULL;
}

START_TEST(connect_says_what_was_asked)
{
    begin(false, 10);
    rx_session_connect(session, RX_SEC);
    expect_said("100d00044d51545404"
                "00"
                "000a"
                "000178 ");
    teardown();
    begin(true, 10);
    rx_session_connect(session, RX_SEC);
    expect_said("101400044d51545405"
                "00"
                "000a"
                "06"
                "210064"
                "220040"
                "000178 ");
}
END_TEST

START_TEST(messages_are_answered_once_they_are_safe_and_in_order)
{
    begin(false, 10);
    connect_as("20020000");
    hear("3205000174"
         "0007"
         "3205000174"
         "0008"
         "3405000174"
         "0009"
         "3003000174");
    expect(heard, "new t=@1 t=@1 t=@2 t=@0 ");
    expect_said("");
    rx_session_ack(session, 1);
    expect_said("40020007 ");
    ck_assert_uint_eq(rx_session_unanswered(session), 2);
    rx_session_ack(session, 3);
    expect_said("40020008 50020009 ");
    hear("62020009");
    expect_said("70020009 ");
    rx_session_ack(session, UINT64_MAX); /* all there is; not what is to come */
    hear("3205000174"
         "000a");
    rx_session_ack(session, 3);
    expect_said("");
    rx_session_ack(session, 4);
    expect_said("4002000a ");
}
END_TEST

/* What comes in one piece is taken in runs, what comes byte by byte is not: nobody may see a difference. */
static void hear_in_pieces(const char *hex, size_t piece)
{
    unsigned char bytes[1024];
    size_t length = 0, fed = 0, kept = 0;
    for (unsigned byte; sscanf(hex + 2 * length, "%2x", &byte) == 1; length++)
        bytes[length] = (unsigned char)byte;
    while (fed < length) {
        fed = fed + piece < length ? fed + piece : length;
        ssize_t used = rx_session_feed(session, bytes + kept, fed - kept, RX_SEC);
        if (used < 0) {
            strcat(heard, rx_session_why(session));
            return;
        }
        kept += (size_t)used;
    }
}

START_TEST(runs_of_messages_are_what_each_of_them_is_alone)
{
    static const char hex[] = "300400017461"       /* t=a */
                              "310400017462"       /* retained */
                              "3007000474616e7a63" /* tanz=c */
                              "300300017a"         /* z= */
                              "30050002c3a464"     /* a topic beyond ASCII */
                              "32060001740007"
                              "65" /* QoS 1 */
                              "300400017466"
                              "d000" /* PINGRESP */
                              "300400017467"
                              "34060001740008"
                              "68" /* QoS 2 */
                              "300400017469"
                              "308003000174" /* 384 bytes: the rest is to come */;
    char once[sizeof heard];
    for (size_t piece = sizeof hex; piece > 0; piece = piece == sizeof hex ? 40 : piece - 1) {
        begin(false, 10);
        connect_as("20020000");
        hear_in_pieces(hex, piece);
        if (piece == sizeof hex)
            strcpy(once, heard);
        ck_assert_str_eq(heard, once);
        teardown();
    }
    ck_assert_str_eq(once, "new t=a@0 t=b@0 tanz=c@0 z=@0 \xC3\xA4=d@0 t=e@1 t=f@0 t=g@0 t=h@2 t=i@0 ");
    begin(false, 10); /* what came before a mistake is as good as ever */
    connect_as("20020000");
    hear_in_pieces("300400017461"
                   "300400012b62"
                   "300400017463",
                   100);
    expect(heard, "new t=a@0 the broker sent a topic that is not UTF-8, or holds +, # or NUL");
}
END_TEST

START_TEST(runs_of_version_5_say_which_subscription_a_message_is_for)
{
    begin(true, 10);
    connect_as("2003010000");
    hear("30050001740061"); /* no properties */
    ck_assert_uint_eq(filters_told, 0);
    hear("3007000174020b0561");
    ck_assert_uint_eq(filters_told, 1);
    ck_assert_uint_eq(last_filter, 5);
    hear("300a000174050bffffff7f61");
    ck_assert_uint_eq(last_filter, 268435455);
    hear("3009000174040b050b0661"); /* two */
    ck_assert_uint_eq(filters_told, 2);
    ck_assert_uint_eq(last_filter, 6);
    hear("3007000174020100"
         "61"); /* another property */
    ck_assert_uint_eq(filters_told, 0);
    expect(heard, "present t=a@0 t=a@0 t=a@0 t=a@0 t=a@0 ");
    ck_assert_int_eq(hear("3007000174020b0061"), -EBADMSG); /* a subscription of 0 */
    teardown();
    begin(true, 10);
    connect_as("2003010000");
    ck_assert_int_eq(hear("3008000174030b850061"), -EBADMSG); /* a number that is longer than it need be */
}
END_TEST

START_TEST(a_message_at_qos_2_is_taken_once)
{
    begin(true, 10);
    connect_as("2003010000");
    hear("3406000174"
         "000900");
    hear("3c06000174"
         "000900"); /* again before it is safe */
    rx_session_ack(session, 2);
    expect_said("50020009 50020009 ");
    rx_session_lost(session);
    connect_as("2003010000");
    hear("3c06000174"
         "000900"); /* and on the next connection: our PUBREC was lost */
    expect(heard, "present t=@2 present ");
    position = 3;
    rx_session_ack(session, 3);
    expect_said("50020009 ");
    hear("62020009"
         "62020009");
    expect_said("70020009 7003000992 ");
    hear("3406000174"
         "000900"); /* the identifier is free again */
    expect(heard, "t=@2 ");
}
END_TEST

START_TEST(what_was_not_answered_is_not_answered_on_another_connection)
{
    begin(false, 10);
    connect_as("20020100");
    hear("3205000174"
         "0007");
    rx_session_lost(session);
    connect_as("20020100");
    rx_session_ack(session, 1);
    expect_said("");
    hear("3a05000174"
         "0007");
    rx_session_ack(session, 2);
    expect_said("40020007 ");
}
END_TEST

START_TEST(identifiers_of_qos_2_survive_in_a_snapshot)
{
    struct rx_writer writer = {0};
    begin(false, 10);
    connect_as("20020100");
    hear("3405000174"
         "0009"
         "3405000174"
         "ffff");
    rx_session_save(session, &writer);
    teardown();
    begin(false, 10);
    for (size_t n = 0; n <= writer.buffer.length; n++) {
        struct rx_reader reader = {.data = (unsigned char *)writer.buffer.data, .length = n};
        rx_session_load(session, &reader);
        ck_assert_int_eq(rx_reader_failed(&reader), n < writer.buffer.length);
    }
    connect_as("20020100");
    position = 2; /* the repeated ones take their places too */
    hear("3c05000174"
         "0009"
         "3c05000174"
         "ffff"
         "3405000174"
         "0008");
    expect(heard, "present t=@2 ");
    rx_buffer_finish(&writer.buffer);
}
END_TEST

START_TEST(messages_sent_are_kept_until_they_are_acknowledged)
{
    begin(false, 10);
    connect_as("20020000");
    ck_assert_int_eq(publish("a", 0) | publish("b", 1) | publish("c", 2), 0);
    expect_said("300400017461 32060001740001"
                "62 34060001740002"
                "63 ");
    rx_session_lost(session);
    connect_as("20020100");
    expect_said("3a060001740001"
                "62 3c060001740002"
                "63 ");
    hear("40020001"
         "50020002");
    expect(done, "b:00 ");
    expect_said("62020002 ");
    rx_session_lost(session);
    connect_as("20020100"); /* from PUBREC on only the release is said again */
    expect_said("62020002 ");
    hear("70020002");
    expect(done, "c:00 ");
    ck_assert_uint_eq(rx_session_inflight(session), 0);
}
END_TEST

START_TEST(a_broker_that_forgot_is_sent_everything_as_new)
{
    begin(false, 10);
    connect_as("20020000");
    publish("b", 1);
    publish("c", 2);
    hear("50020002");
    rx_session_flush(session, RX_SEC);
    rx_session_lost(session);
    connect_as("20020000");
    expect_said("32060001740001"
                "62 34060001740002"
                "63 ");
}
END_TEST

START_TEST(no_more_are_in_flight_than_the_broker_allows)
{
    begin(true, 10);
    connect_as("20060000"
               "03"
               "210002");
    ck_assert_int_eq(publish("a", 1), 0);
    ck_assert_int_eq(publish("b", 2), 0);
    ck_assert_int_eq(publish("c", 1), -EAGAIN);
    ck_assert_int_eq(publish("d", 0), 0);
    hear("40020001");
    ck_assert_int_eq(publish("c", 1), 0);
    rx_session_lost(session);
    connect_as("20060100"
               "03"
               "210001"); /* now fewer: one after the other */
    expect_said("3c07000174000200"
                "62 ");
    ck_assert_int_eq(publish("e", 1), -EAGAIN);
    hear("50020002"
         "70020002");
    expect_said("62020002 3a0700017400030063 ");
    hear("40020003");
    expect(done, "a:00 b:00 c:00 ");
}
END_TEST

static void on_given_back(void *arg, struct rx_outgoing *o, uint8_t reason)
{
    (void)arg, (void)reason;
    free(o);
}

START_TEST(so_many_are_in_flight_whatever_is_asked_for)
{
    enum { MOST = 65000 };
    struct rx_session_host quiet = host;
    struct rx_session_options options = {
        .connect = {.client_id = "x"}, .inflight_maximum = 65535, .packet_maximum = 1000};
    quiet.published = on_given_back;
    ck_assert_int_eq(rx_session_create(&options, &quiet, NULL, &session), 0);
    connect_as("20020000");
    for (size_t i = 0; i <= MOST; i++) {
        struct rx_outgoing *o = calloc(1, sizeof *o + 8);
        *o = (struct rx_outgoing){.qos = 1, .topic_length = 1};
        o->data[0] = 't';
        ck_assert_int_eq(rx_session_publish(session, o), i < MOST ? 0 : -EAGAIN);
        if (i == MOST)
            free(o);
    }
    ck_assert_uint_eq(rx_session_inflight(session), MOST);
    teardown();
}
END_TEST

START_TEST(twenty_are_in_flight_at_qos_2_over_3_1_1)
{
    begin(false, 100);
    connect_as("20020000");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(publish("a", 2), 0);
    ck_assert_int_eq(publish("a", 2), -EAGAIN);
    teardown();
    begin(true, 100);
    connect_as("2003000000");
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(publish("a", 2), 0);
    ck_assert_int_eq(publish("a", 2), -EAGAIN);
}
END_TEST

START_TEST(refusals_are_told)
{
    begin(true, 10);
    connect_as("20110000"
               "0e"
               "2500"
               "2401"
               "270000000c"
               "2100ff"
               "2900");
    publish("a", 1);
    hear("4003000187");
    expect(done, "a:87 ");
    ck_assert_int_eq(publish("abcdef", 1), RX_REASON_TOO_LARGE);
    ck_assert_int_eq(publish("b", 2), 0x9B);
    uint16_t id;
    said[0] = '\0';
    rx_session_flush(session, RX_SEC);
    said[0] = '\0';
    ck_assert_int_eq(rx_session_subscribe(session, "f", 1, 77, true, &id), 0);
    expect_said("8207fde9"
                "00"
                "000166"
                "11 "); /* no identifier: it does not take them */
    hear("9004fde9"
         "00"
         "87");
    expect(heard, "new granted fde9:87 ");
}
END_TEST

START_TEST(a_topic_alias_stands_for_its_topic)
{
    begin(true, 10);
    connect_as("2003000000");
    hear("300800017403"
         "230001"
         "31");
    hear("3007000003"
         "230001"
         "32");
    hear("300800017503"
         "230001"
         "33");
    hear("3007000003"
         "230001"
         "34");
    expect(heard, "new t=1@0 t=2@0 u=3@0 u=4@0 ");
    rx_session_lost(session);
    connect_as("2003000000");
    ck_assert_int_eq(hear("3007000003"
                          "230001"
                          "32"),
                     -EBADMSG);
}
END_TEST

/* Sixty-four, as the CONNECT says. */
START_TEST(a_topic_alias_has_a_bound)
{
    begin(true, 10);
    connect_as("2003000000");
    ck_assert_int_eq(hear("300800017403"
                          "230040"
                          "31"),
                     0);
    ck_assert_int_eq(hear("3007000003"
                          "230040"
                          "32"),
                     0);
    expect(heard, "new t=1@0 t=2@0 ");
    ck_assert_int_eq(hear("300800017403"
                          "230041"
                          "33"),
                     -EBADMSG);
    ck_assert_ptr_nonnull(strstr(rx_session_why(session), "a topic alias above the maximum"));
    expect(heard, "");
}
END_TEST

/* A message for more subscriptions than are told arrives nevertheless. */
START_TEST(a_message_tells_so_many_subscriptions_at_the_most)
{
    char hex[400] = "3088010001748201";
    begin(true, 10);
    connect_as("2003000000");
    for (int i = 1; i <= RX_PACKET_SUBSCRIPTIONS_MAX + 1; i++)
        snprintf(hex + strlen(hex), 5, "0b%02x", (unsigned)i);
    strcat(hex, "31");
    ck_assert_int_eq(hear(hex), 0);
    expect(heard, "new t=1@0 ");
    ck_assert_uint_eq(filters_told, RX_PACKET_SUBSCRIPTIONS_MAX);
    ck_assert_uint_eq(last_filter, RX_PACKET_SUBSCRIPTIONS_MAX);
}
END_TEST

START_TEST(so_many_subscriptions_are_asked_for_at_once)
{
    uint16_t first, id;
    begin(true, 10);
    connect_as("2003000000");
    ck_assert_int_eq(rx_session_subscribe(session, "f", 1, 1, true, &first), 0);
    for (int i = 1; i < 256; i++) { /* RX_ASKED_MAX */
        ck_assert_int_eq(rx_session_subscribe(session, "f", 1, 1, true, &id), 0);
        ck_assert_uint_ne(id, first);
    }
    ck_assert_int_eq(rx_session_subscribe(session, "f", 1, 1, true, &id), -EAGAIN);
    ck_assert_int_eq(rx_session_unsubscribe(session, "f", &id), -EAGAIN);
    hear("9004fde9"
         "00"
         "00");
    ck_assert_int_eq(rx_session_subscribe(session, "f", 1, 1, true, &id), 0);
    ck_assert_uint_eq(id, first);
}
END_TEST

START_TEST(a_broker_that_is_silent_is_asked_and_then_given_up)
{
    begin(false, 10);
    ck_assert_int_eq(rx_session_due(session), RX_TIME_NEVER);
    connect_as("20020000");
    ck_assert_int_eq(rx_session_due(session), 11 * RX_SEC);
    ck_assert_int_eq(rx_session_tick(session, 11 * RX_SEC), 0);
    expect(said, "c000 ");
    ck_assert_int_eq(rx_session_due(session), 21 * RX_SEC);
    ck_assert_int_eq(rx_session_tick(session, 21 * RX_SEC), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(rx_session_why(session), "two keep-alives"));
}
END_TEST

/* A commit that takes long holds the answers back, not the PINGREQ. */
START_TEST(a_ping_waits_for_no_acknowledgement)
{
    begin(false, 10);
    connect_as("20020000");
    hear("3205000174"
         "0007");
    ck_assert_int_eq(rx_session_tick(session, 11 * RX_SEC), 0);
    expect(said, "c000 ");
    ck_assert_int_eq(hear("d000"), 0);
    ck_assert_int_gt(rx_session_due(session), RX_SEC);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_session");
    TCase *t = tcase_create("mqtt_session");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, connect_says_what_was_asked);
    tcase_add_test(t, messages_are_answered_once_they_are_safe_and_in_order);
    tcase_add_test(t, a_message_at_qos_2_is_taken_once);
    tcase_add_test(t, runs_of_messages_are_what_each_of_them_is_alone);
    tcase_add_test(t, runs_of_version_5_say_which_subscription_a_message_is_for);
    tcase_add_test(t, what_was_not_answered_is_not_answered_on_another_connection);
    tcase_add_test(t, identifiers_of_qos_2_survive_in_a_snapshot);
    tcase_add_test(t, messages_sent_are_kept_until_they_are_acknowledged);
    tcase_add_test(t, a_broker_that_forgot_is_sent_everything_as_new);
    tcase_add_test(t, no_more_are_in_flight_than_the_broker_allows);
    tcase_add_test(t, so_many_are_in_flight_whatever_is_asked_for);
    tcase_add_test(t, twenty_are_in_flight_at_qos_2_over_3_1_1);
    tcase_add_test(t, refusals_are_told);
    tcase_add_test(t, a_topic_alias_stands_for_its_topic);
    tcase_add_test(t, a_topic_alias_has_a_bound);
    tcase_add_test(t, so_many_subscriptions_are_asked_for_at_once);
    tcase_add_test(t, a_message_tells_so_many_subscriptions_at_the_most);
    tcase_add_test(t, a_broker_that_is_silent_is_asked_and_then_given_up);
    tcase_add_test(t, a_ping_waits_for_no_acknowledgement);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
