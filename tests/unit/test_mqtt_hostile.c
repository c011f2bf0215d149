// layer: mqtt
/* What a broker must not send: each case is a connection that ends with a reason, or goes on unharmed; the same whether
 * the bytes come at once or one by one. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/session.h"

static char written[4096];
static size_t written_length;
static unsigned opened, messages, oversized;

static void on_write(void *arg, const void *bytes, size_t length)
{
    (void)arg;
    ck_assert_uint_le(written_length + length, sizeof written);
    memcpy(written + written_length, bytes, length);
    written_length += length;
}

static void on_opened(void *arg, bool present) { (void)arg, (void)present, opened++; }
static void on_messages(void *arg, struct rx_mqtt_message *message, size_t count)
{
    (void)arg, (void)message;
    messages += (unsigned)count;
}
static void on_published(void *arg, struct rx_outgoing *o, uint8_t reason) { (void)arg, (void)o, (void)reason; }
static void on_granted(void *arg, uint16_t id, uint8_t reason) { (void)arg, (void)id, (void)reason; }

static void on_oversized(void *arg, const char *topic, size_t topic_length, size_t size)
{
    (void)arg, (void)topic, (void)topic_length, (void)size;
    oversized++;
}

static const struct rx_session_host host = {.write = on_write,
                                            .opened = on_opened,
                                            .messages = on_messages,
                                            .oversized = on_oversized,
                                            .published = on_published,
                                            .granted = on_granted};

#define ACK311 "\x20\x02\0\0"
#define ACK5   "\x20\x03\0\0\0"
/* `bytes` without the terminator. */
#define CASE(v5_, bytes_, why_)                                                                                        \
    {                                                                                                                  \
        v5_, bytes_, sizeof(bytes_) - 1, why_, __LINE__                                                                \
    }
#define OLD(bytes_, why_) CASE(false, ACK311 bytes_, why_)
#define NEW(bytes_, why_) CASE(true, ACK5 bytes_, why_)

static const struct {
    bool v5;
    const char *bytes;
    size_t length;
    const char *why; /* NULL: goes on */
    int line;
} cases[] = {
    /* Fixed headers. */
    OLD("\x00\x00", "must not send"),
    OLD("\x10\x00", "must not send"),
    OLD("\x82\x00", "must not send"),
    OLD("\xA2\x00", "must not send"),
    OLD("\xC0\x00", "must not send"),
    OLD("\xF0\x00", "AUTH"),
    NEW("\xF0\x00", "AUTH"),
    OLD("\xD1\x00", "wrong flags"),
    OLD("\x41\x02\0\x01", "wrong flags"),
    OLD("\x5F\x02\0\x01", "wrong flags"),
    OLD("\x60\x02\0\x01", "wrong flags"),
    OLD("\x72\x02\0\x01", "wrong flags"),
    OLD("\x92\x03\0\x01\0", "wrong flags"),
    OLD("\xB1\x02\0\x01", "wrong flags"),
    NEW("\xE1\x00", "wrong flags"),
    OLD("\x30\xff\xff\xff\xff\x01", "more than four bytes"),
    OLD("\x30\x80\x80\x80\x80\x01", "more than four bytes"),
    OLD("\x40\x82\x00\0\x01", "longer than it need be"),
    OLD("\xD0\x80\x00", "longer than it need be"),
    OLD("\xD0\x01x", "something in it"),
    OLD("\xD0\x00", NULL),
    OLD("\x20\x02\0\0", "second CONNACK"),
    NEW("\x20\x03\0\0\0", "second CONNACK"),
    /* PUBLISH. */
    OLD("\x30\x00", "too short"),
    OLD("\x30\x01\0", "too short"),
    OLD("\x30\x02\0\x05", "beyond its packet"),
    OLD("\x30\x04\xff\xffxx", "beyond its packet"),
    OLD("\x30\x02\0\0", "without a topic"),
    OLD("\x30\x03\0\x01+", "+, # or NUL"),
    OLD("\x30\x03\0\x01#", "+, # or NUL"),
    OLD("\x30\x05\0\x03"
        "a/#",
        "+, # or NUL"),
    OLD("\x30\x03\0\x01\0", "+, # or NUL"),
    OLD("\x30\x03\0\x01\xff", "not UTF-8"),
    OLD("\x30\x05\0\x03\xed\xa0\x80", "not UTF-8"),
    OLD("\x30\x04\0\x02\xc0\x80", "not UTF-8"),
    OLD("\x36\x05\0\x01t\0\x01", "QoS of 3"),
    OLD("\x38\x03\0\x01t", "duplicate"),
    OLD("\x32\x03\0\x01t", "too short"),
    OLD("\x32\x04\0\x01t\0", "too short"),
    OLD("\x32\x05\0\x01t\0\0", "identifier of 0"),
    OLD("\x34\x05\0\x01t\0\0", "identifier of 0"),
    OLD("\x30\x03\0\x01t", NULL),
    OLD("\x32\x05\0\x01t\0\x01", NULL),
    OLD("\x3d\x06\0\x01t\xff\xffx", NULL),
    /* PUBLISH, properties. */
    NEW("\x30\x03\0\x01t", "too short"),
    NEW("\x30\x04\0\x01t\x05", "beyond their packet"),
    NEW("\x30\x05\0\x01t\x80\0", "longer than it need be"),
    NEW("\x30\x08\0\x01t\xff\xff\xff\xff\x01", "more than four bytes"),
    NEW("\x30\x06\0\x01t\x02\x7f\x01", "no place"),
    NEW("\x30\x06\0\x01t\x02\x00\x01", "no place"),
    NEW("\x30\x07\0\x01t\x03\x21\0\x05", "no place"),
    NEW("\x30\x07\0\x01t\x03\x1f\0\0", "no place"),
    NEW("\x30\x07\0\x01t\x03\xff\x7f\0", "no place"),
    NEW("\x30\x08\0\x01t\x04\x01\x01\x01\x01", "comes twice"),
    NEW("\x30\x0a\0\x01t\x06\x23\0\x01\x23\0\x01", "comes twice"),
    NEW("\x30\x0a\0\x01t\x06\x03\0\0\x03\0\0", "comes twice"),
    NEW("\x30\x06\0\x01t\x02\x01\x02", "0 or 1"),
    NEW("\x30\x05\0\x01t\x01\x01", "too short"),
    NEW("\x30\x07\0\x01t\x03\x23\0\0", "must not be 0"),
    NEW("\x30\x07\0\x01t\x03\x23\0\x41", "above the maximum"),
    NEW("\x30\x07\0\x01t\x03\x23\xff\xff", "above the maximum"),
    NEW("\x30\x06\0\0\x03\x23\0\x01", "stands for nothing"),
    NEW("\x30\x03\0\0\0", "without a topic"),
    NEW("\x30\x06\0\x01t\x02\x0b\0", "must not be 0"),
    NEW("\x30\x06\0\x01t\x02\x0b\x80", "too short"),
    NEW("\x30\x09\0\x01t\x05\x0b\xff\xff\xff\xff", "more than four bytes"),
    NEW("\x30\x08\0\x01t\x04\x03\0\x01\xff", "not UTF-8"),
    NEW("\x30\x08\0\x01t\x04\x03\0\x01\0", "not UTF-8, or holds NUL"),
    NEW("\x30\x07\0\x01t\x03\x03\0\x05", "beyond its packet"),
    NEW("\x30\x08\0\x01t\x04\x26\0\x01x", "too short"),
    NEW("\x30\x0b\0\x01t\x07\x26\0\x01x\0\x01\0", "NUL"),
    NEW("\x30\x07\0\x01t\x03\x02\0\0", "too short"),
    NEW("\x30\x07\0\x01t\x03\x09\0\x09", "beyond its packet"),
    NEW("\x30\x07\0\x01t\x03\x08\xff\xff", "beyond its packet"),
    NEW("\x30\x04\0\x01t\0", NULL),
    NEW("\x30\x07\0\x01t\x03\x23\0\x40", NULL),
    NEW("\x30\x08\0\x01t\x04\x0b\x01\x0b\x02", NULL),
    NEW("\x30\x10\0\x01t\x0c\x26\0\x01x\0\0\x26\0\x01x\0\0", NULL),
    /* Answers. */
    OLD("\x40\x00", "too short"),
    OLD("\x40\x01\0", "too short"),
    OLD("\x40\x02\0\0", "identifier of 0"),
    OLD("\x50\x02\0\0", "identifier of 0"),
    OLD("\x62\x02\0\0", "identifier of 0"),
    OLD("\x70\x02\0\0", "identifier of 0"),
    OLD("\x40\x03\0\x01\0", "behind its end"),
    OLD("\x62\x04\0\x01\0\0", "behind its end"),
    NEW("\x40\x06\0\x01\0\x02\x7f\x01", "no place"),
    NEW("\x40\x0a\0\x01\0\x06\x1f\0\0\x1f\0\0", "comes twice"),
    NEW("\x40\x07\0\x01\0\x03\x21\0\x01", "no place"),
    NEW("\x40\x04\0\x01\0\x07", "beyond their packet"),
    NEW("\x40\x05\0\x01\0\0\0", "behind its end"),
    NEW("\x62\x08\0\x01\0\x04\x1f\0\x01\xff", "not UTF-8"),
    OLD("\x40\x02\xff\xff", NULL),
    OLD("\x50\x02\0\x09", NULL),
    OLD("\x62\x02\0\x09", NULL),
    OLD("\x70\x02\0\x09", NULL),
    NEW("\x40\x03\0\x09\x87", NULL),
    /* SUBACK, UNSUBACK. */
    OLD("\x90\x00", "too short"),
    OLD("\x90\x03\0\0\0", "identifier of 0"),
    OLD("\x90\x02\0\x01", "wrong number"),
    OLD("\xB0\x03\0\x01\0", "wrong number"),
    NEW("\xB0\x03\0\x01\0", "wrong number"),
    NEW("\x90\x02\0\x01", "too short"),
    NEW("\x90\x04\0\x01\x09\0", "beyond their packet"),
    NEW("\x90\x06\0\x01\x02\x0b\x01\0", "no place"),
    OLD("\x90\x03\0\x01\0", NULL),
    OLD("\x90\x03\xfd\xe9\0", NULL),
    /* DISCONNECT. */
    OLD("\xE0\x00", "must not send"),
    NEW("\xE0\x00", "ends the connection"),
    NEW("\xE0\x01\x8e", "another client took over"),
    NEW("\xE0\x09\x97\x07\x1f\0\x04"
        "full",
        "quota exceeded (full)"),
    NEW("\xE0\x05\0\x03\x21\0\x01", "no place"),
    NEW("\xE0\x03\0\0\0", "behind its end"),
    NEW("\xE0\x01\x55", "an unknown reason"),
    /* Before CONNACK, and it. */
    CASE(false, "\x30\x03\0\x01t", "before CONNACK"),
    CASE(false, "\xD0\x00", "before CONNACK"),
    CASE(false, "\x90\x03\0\x01\0", "before CONNACK"),
    CASE(true, "\xE0\x01\x87", "before CONNACK"),
    CASE(false, "\x20\x00", "too short"),
    CASE(false, "\x20\x01\0", "too short"),
    CASE(false, "\x20\x03\0\0\0", "behind its end"),
    CASE(false, "\x20\x02\x02\0", "wrong flags"),
    CASE(false, "\x20\x02\x01\0", "did not ask for"),
    CASE(false, "\x20\x02\x01\x05", "speaks of a session"),
    CASE(false, "\x20\x02\0\x01", "this version"),
    CASE(false, "\x20\x02\0\x04", "wrong user or password"),
    CASE(false, "\x20\x02\0\x05", "not authorized"),
    CASE(false, "\x20\x02\0\x09", "unknown reason"),
    CASE(true, "\x20\x02\0\0", "too short"),
    CASE(true,
         "\x20\x0b\0\x86\x08\x1f\0\x05"
         "nope!",
         "wrong user or password (nope!)"),
    CASE(true, "\x20\x06\0\0\x03\x21\0\0", "must not be 0"),
    CASE(true, "\x20\x08\0\0\x05\x27\0\0\0\0", "must not be 0"),
    CASE(true, "\x20\x05\0\0\x02\x24\x02", "0 or 1"),
    CASE(true, "\x20\x05\0\0\x02\x7f\x01", "no place"),
    CASE(true, "\x20\x06\0\0\x03\x23\0\x01", "no place"),
    CASE(true, "\x20\x09\0\0\x06\x21\0\x05\x21\0\x05", "comes twice"),
    CASE(true, "\x20\x04\0\0\0\0", "behind its end"),
    /* Size: the limit of these sessions is 1,000 bytes. */
    NEW("\x30\xe7\x07", "larger than max_packet"),
    OLD("\x90\xe7\x07", "larger than max_packet"),
    CASE(false, "\x20\xff\xff\xff\x7f", "larger than max_packet"),
};

static struct rx_session *make(bool v5)
{
    struct rx_session *session = NULL;
    struct rx_session_options options = {
        .connect = {.v5 = v5, .clean = true, .client_id = "x", .keep_alive = 10, .receive_maximum = 10},
        .inflight_maximum = 10,
        .packet_maximum = 1000};
    ck_assert_int_eq(rx_session_create(&options, &host, NULL, &session), 0);
    written_length = 0;
    rx_session_connect(session, 1);
    return session;
}

/* Feeds in pieces, as a transport does: what is left comes again. */
static int feed(struct rx_session *session, const char *bytes, size_t length, size_t piece)
{
    size_t begin = 0;
    for (size_t end = 0; end < length;) {
        end = end + piece < length ? end + piece : length;
        /* A copy of its own size, so that a sanitizer sees every byte that is read beyond it. */
        unsigned char *copy = malloc(end - begin);
        memcpy(copy, bytes + begin, end - begin);
        ssize_t used = rx_session_feed(session, copy, end - begin, 2);
        free(copy);
        if (used < 0)
            return (int)used;
        begin += (size_t)used;
    }
    return 0;
}

START_TEST(a_broker_that_breaks_the_protocol_is_left_with_a_reason)
{
    size_t piece = _i % 2 ? 1 : 4096;
    size_t i = (size_t)_i / 2;
    struct rx_session *session = make(cases[i].v5);
    int r = feed(session, cases[i].bytes, cases[i].length, piece);
    const char *why = rx_session_why(session);
    if (cases[i].why)
        ck_assert_msg(r == -EBADMSG && strstr(why, cases[i].why), "line %d: %d, \"%s\"", cases[i].line, r, why);
    else
        ck_assert_msg(r == 0 && why[0] == '\0', "line %d: %d, \"%s\"", cases[i].line, r, why);
    rx_session_lost(session);
    /* It is as good as new. */
    rx_session_connect(session, 3);
    ck_assert_int_eq(feed(session, cases[i].v5 ? ACK5 : ACK311, cases[i].v5 ? 5 : 4, piece), 0);
    rx_session_destroy(session);
}
END_TEST

/* Over 3.1.1 a broker cannot know the limit: were the connection ended, it would send the message again for ever. */
START_TEST(a_message_that_is_too_large_is_passed_over_and_answered)
{
    static const char head[] = ACK311 "\x32\xe8\x87\x01\0\x01t\0\x07", tail[] = "\x30\x04\0\x01t!";
    struct rx_session *session = make(false);
    size_t rest = 0x43e8 - 5; /* of the body */
    char *bytes = calloc(1, sizeof head + rest + sizeof tail);
    memcpy(bytes, head, sizeof head - 1);
    memcpy(bytes + sizeof head - 1 + rest, tail, sizeof tail - 1);
    oversized = messages = 0;
    ck_assert_int_eq(feed(session, bytes, sizeof head - 1 + rest + sizeof tail - 1, _i ? 3 : 4096), 0);
    ck_assert_uint_eq(oversized, 1);
    ck_assert_uint_eq(messages, 1);
    written_length = 0;
    rx_session_ack(session, UINT64_MAX);
    rx_session_flush(session, 3);
    ck_assert_uint_eq(written_length, 4);
    ck_assert_int_eq(memcmp(written, "\x40\x02\0\x07", 4), 0);
    free(bytes);
    rx_session_destroy(session);
}
END_TEST

START_TEST(more_messages_than_the_receive_maximum_end_a_session_of_version_5)
{
    struct rx_session *session = make(true);
    ck_assert_int_eq(feed(session, ACK5, 5, 5), 0);
    for (char id = 1; id <= 11; id++) {
        char bytes[] = {0x32, 6, 0, 1, 't', 0, id, 0};
        int r = feed(session, bytes, sizeof bytes, sizeof bytes);
        ck_assert_int_eq(r, id <= 10 ? 0 : -EBADMSG);
    }
    ck_assert_ptr_nonnull(strstr(rx_session_why(session), "receive maximum"));
    ck_assert_int_eq(memcmp(written + written_length - 3, "\xE0\x01\x93", 3), 0);
    rx_session_destroy(session);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_hostile");
    TCase *t = tcase_create("mqtt_hostile");
    suite_add_tcase(suite, t);
    tcase_add_loop_test(t, a_broker_that_breaks_the_protocol_is_left_with_a_reason, 0,
                        2 * (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(t, a_message_that_is_too_large_is_passed_over_and_answered, 0, 2);
    tcase_add_test(t, more_messages_than_the_receive_maximum_end_a_session_of_version_5);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, getenv("CK_FORK") ? srunner_fork_status(runner) : CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
