// layer: io
/* What a WebSocket client may say, frame by frame, and what it is told for a mistake; UTF-8 in pieces. */
#include "core/base/utf8.h"
#include "core/io/serve/websocket_input.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 0x80, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9 };

struct frame {
    unsigned first; /* FIN and opcode */
    const char *payload;
};

struct script {
    const char *name;
    struct frame frames[5]; /* up to one without payload */
    int verdict;
    unsigned controls;
};

static const struct script scripts[] = {
    {"a text in two fragments", {{TEXT, "a"}, {FIN, "b"}}, 0, 0},
    {"a ping between fragments", {{TEXT, "a"}, {FIN | PING, "p"}, {FIN, "b"}}, 0, 1},
    {"two messages", {{TEXT, "a"}, {FIN, "b"}, {BINARY, "c"}, {FIN, "d"}}, 0, 0},
    {"a continuation of nothing", {{FIN, "x"}}, -EPROTO, 0},
    {"a first fragment that continues", {{0, "x"}}, -EPROTO, 0},
    {"a continuation after the end", {{TEXT, "a"}, {FIN, "b"}, {FIN, "c"}}, -EPROTO, 0},
    {"a text inside a text", {{TEXT, "a"}, {FIN | TEXT, "b"}}, -EPROTO, 0},
    {"a fragmented ping", {{PING, "a"}, {FIN, "b"}}, -EPROTO, 0},
    {"text cut inside a code point", {{TEXT, "\xCE"}, {FIN, "\xBA"}}, 0, 0},
    {"text that ends inside a code point", {{TEXT, "a"}, {FIN, "\xE1\xBD"}}, -EILSEQ, 0},
    {"a surrogate", {{FIN | TEXT, "\xED\xA0\x80"}}, -EILSEQ, 0},
    {"bytes that are no text, before the message ends", {{TEXT, "\xCE\xBA\xE1\xBD"}, {0, "\xFF"}}, -EILSEQ, 0},
    {"the same as binary", {{BINARY, "\xCE\xBA\xE1\xBD"}, {FIN, "\xFF"}}, 0, 0},
    {"text after a binary that would be no text", {{FIN | BINARY, "\xE1"}, {FIN | TEXT, "a"}}, 0, 0},
    {"a close with its reason", {{FIN | CLOSE, "\003\350bye"}}, 0, 1},
    {"a close whose reason is no text", {{FIN | CLOSE, "\x03\xE8\xCE\xBA\xFF"}}, -EILSEQ, 0},
    {"a mistake after the close", {{FIN | CLOSE, "\x03\xE8"}, {FIN, "x"}}, 0, 1},
};

static void on_control(void *arg, unsigned opcode, const uint8_t *payload, size_t length)
{
    unsigned *count = arg;
    ck_assert(opcode == CLOSE || opcode == PING);
    ck_assert(payload && length <= RX_WS_CONTROL_MAX);
    ++*count;
}

static size_t put_frame(unsigned char *out, unsigned first, const void *payload, size_t length)
{
    size_t n = 2;
    out[0] = (unsigned char)first;
    out[1] = (unsigned char)(0x80 | (length < 126 ? length : length < 65536 ? 126 : 127));
    for (size_t bytes = length < 126 ? 0 : length < 65536 ? 2 : 8; bytes > 0; bytes--)
        out[n++] = (unsigned char)((uint64_t)length >> (8 * (bytes - 1)));
    memset(out + n, 0, 4); /* the mask */
    memcpy(out + n + 4, payload, length);
    return n + 4 + length;
}

static int feed(struct rx_ws_input **state, const unsigned char *data, size_t length, size_t piece, unsigned *controls)
{
    for (size_t at = 0; at < length; at += piece) {
        int r = rx_ws_input_feed(state, data + at, length - at < piece ? length - at : piece, on_control, controls);
        if (r < 0)
            return r;
    }
    return 0;
}

START_TEST(frames_are_held_to_the_protocol_whole_and_byte_by_byte)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        for (size_t piece = 1; piece <= 1000; piece += 999) {
            struct rx_ws_input *state = NULL;
            unsigned char data[200];
            unsigned controls = 0;
            size_t length = 0;
            for (const struct frame *f = scripts[i].frames; f->payload; f++)
                length += put_frame(data + length, f->first, f->payload, strlen(f->payload));
            int r = feed(&state, data, length, piece, &controls);
            ck_assert_msg(r == scripts[i].verdict, "%s, %zu at a time: %d", scripts[i].name, piece, r);
            ck_assert_msg(controls == scripts[i].controls, "%s: %u controls", scripts[i].name, controls);
            rx_ws_input_destroy(state);
        }
}
END_TEST

START_TEST(memory_is_kept_only_in_the_middle_of_a_message)
{
    struct rx_ws_input *state = NULL;
    unsigned char data[20];
    unsigned controls = 0;
    ck_assert_int_eq(feed(&state, data, put_frame(data, TEXT, "a", 1), 20, &controls), 0);
    ck_assert_ptr_nonnull(state);
    ck_assert_int_eq(feed(&state, data, put_frame(data, FIN, "b", 1), 20, &controls), 0);
    ck_assert_ptr_null(state);
    ck_assert_int_eq(feed(&state, data, put_frame(data, FIN | PING, "p", 1), 20, &controls), 0);
    ck_assert_ptr_null(state);
}
END_TEST

/* The largest message is one frame of 64 KiB with its header of 8. */
START_TEST(a_message_is_limited_in_bytes_and_so_in_fragments)
{
    enum { LARGEST = RX_WS_MESSAGE_MAX - 8 };
    char *payload = calloc(1, LARGEST + 1);
    unsigned char *data = malloc(LARGEST + 100), header[] = {0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct rx_ws_input *state = NULL;
    unsigned controls = 0;
    ck_assert_int_eq(feed(&state, data, put_frame(data, FIN | BINARY, payload, LARGEST), 4096, &controls), 0);
    ck_assert_ptr_null(state);
    size_t length = put_frame(data, FIN | BINARY, payload, LARGEST + 1);
    ck_assert_int_eq(feed(&state, data, length, 4096, &controls), -EMSGSIZE);
    rx_ws_input_destroy(state);
    state = NULL;
    ck_assert_int_eq(feed(&state, header, sizeof header, 4096, &controls), -EMSGSIZE);
    rx_ws_input_destroy(state);
    state = NULL;
    ck_assert_int_eq(feed(&state, data, put_frame(data, BINARY, "", 0), 4096, &controls), 0);
    unsigned fragments = 1;
    int r = 0;
    for (length = put_frame(data, 0, "", 0); r == 0 && fragments < RX_WS_MESSAGE_MAX; fragments++)
        r = feed(&state, data, length, 4096, &controls);
    ck_assert_int_eq(r, -EMSGSIZE);
    ck_assert_uint_eq(fragments, RX_WS_MESSAGE_MAX / 6 + 1);
    rx_ws_input_destroy(state);
    free(payload);
    free(data);
}
END_TEST

/* Every sequence of four bytes at the edges of the table. */
START_TEST(utf8_in_pieces_agrees_with_the_whole)
{
    static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2,
                                          0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5};
    enum { N = sizeof edges };
    unsigned valid = 0;
    for (unsigned i = 0; i < N * N * N * N; i++) {
        char text[] = {(char)edges[i % N], (char)edges[i / N % N], (char)edges[i / N / N % N],
                       (char)edges[i / N / N / N]};
        struct rx_utf8_check check = {0};
        bool fed = rx_utf8_feed(&check, text, 1) && rx_utf8_feed(&check, text + 1, 3) && !check.need;
        ck_assert_msg(fed == rx_utf8_valid(text, 4), "case %u", i);
        valid += fed;
    }
    ck_assert_uint_gt(valid, 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("websocket_input");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, frames_are_held_to_the_protocol_whole_and_byte_by_byte);
    tcase_add_test(t, memory_is_kept_only_in_the_middle_of_a_message);
    tcase_add_test(t, a_message_is_limited_in_bytes_and_so_in_fragments);
    tcase_add_test(t, utf8_in_pieces_agrees_with_the_whole);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
