/* What holds of every format, whatever the bytes: reading comes to an end, places lie in the message, asking for fewer fields
 * changes nothing else, and what a value is written as is JSON. */
#ifndef RX_TESTS_FORMAT_FUZZ_H
#define RX_TESTS_FORMAT_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* One letter for each piece: a value, or a mistake. */
static inline void fuzz_read(struct rx_format_state *state, const char *bytes, size_t size, bool body, bool stream,
                             struct rx_buffer *ret_outcome)
{
    struct rx_format_cursor c = {.start = bytes,
                                 .at = bytes,
                                 .end = bytes + size,
                                 .body = body,
                                 .stream = stream,
                                 .max_piece = size > 3 ? size - 3 : 0};
    struct rx_error error = {0};
    struct rx_value value = rx_null();
    struct rx_buffer text = {0};
    if (state->class->restart)
        state->class->restart(state);
    for (int r; (r = state->class->next(state, &c, &value, &error)) != 0; value = rx_null()) {
        REQUIRE(c.piece >= bytes && c.piece + c.piece_length <= bytes + size);
        REQUIRE(r > 0 || (error.code == r && error.at.offset <= size));
        rx_buffer_append(ret_outcome, r > 0 ? "v" : "!", 1);
        REQUIRE(ret_outcome->length <= size + 2);
        rx_buffer_clear(&text);
        rx_json_write(&text, value);
        rx_value_unref(value);
        if (r > 0)
            REQUIRE(rx_json_decode(state->heap, NULL, NULL, text.data, text.length, &value, NULL) == 0);
        rx_value_unref(r > 0 ? value : rx_null());
    }
    rx_buffer_finish(&text);
    REQUIRE(c.at <= bytes + size);
}

static inline void fuzz_pruned(struct rx_format_state *state, const char *bytes, size_t size, bool body, bool stream)
{
    struct rx_buffer all = {0}, some = {0};
    struct rx_fields *fields = rx_fields_create(state->heap);
    REQUIRE(fields && rx_fields_add(fields, "a", 1) == 0 && rx_fields_add(fields, "time", 4) == 0);
    fuzz_read(state, bytes, size, body, stream, &all);
    state->fields = fields;
    fuzz_read(state, bytes, size, body, stream, &some);
    REQUIRE(all.length == some.length && (all.length == 0 || memcmp(all.data, some.data, all.length) == 0));
    state->fields = NULL;
    rx_fields_destroy(fields);
    rx_buffer_finish(&all);
    rx_buffer_finish(&some);
}

/* What the slot `lines` takes at once is what `next` makes of each line. */
static inline void fuzz_lines(struct rx_format_state *state, const char *bytes, size_t size)
{
    if (state->class->restart)
        state->class->restart(state);
    for (const char *at = bytes, *end = bytes + size, *newline;
         at < end && (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        struct rx_value one = rx_null(), other = rx_null();
        struct rx_error error = {0};
        const char *behind = at;
        size_t taken = state->class->lines(state, &behind, end, 0, 1, &one), length = (size_t)(newline - at);
        REQUIRE(behind == (taken ? newline + 1 : at));
        char *line = malloc(length ? length : 1);
        REQUIRE(line);
        memcpy(line, at, length);
        struct rx_format_cursor c = {.start = line, .at = line, .end = line + length, .stream = true};
        int r = state->class->next(state, &c, &other, &error);
        REQUIRE(!taken || (r == 1 && rx_value_equal(one, other) && one.kind == other.kind));
        rx_value_unref(taken ? one : rx_null()); /* nothing is said of values beyond those taken */
        rx_value_unref(other);
        free(line);
    }
}

static inline void fuzz_format(enum rx_format format, const uint8_t *data, size_t size)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_format_options options = {.split = size % 2};
    struct rx_format_state *state = rx_format_create(format, heap, &options, NULL);
    char *bytes = malloc(size ? size : 1); /* so that a byte read too many is seen */
    REQUIRE(heap && state && bytes);
    if (size)
        memcpy(bytes, data, size);
    for (unsigned how = 0; how < 4; how++)
        fuzz_pruned(state, bytes, size, how & 1, how & 2);
    if (state->class->message_end)
        for (const char *at = bytes; at && at < bytes + size;) {
            const char *behind = state->class->message_end(state, at, bytes + size);
            REQUIRE(!behind || (behind > at && behind <= bytes + size));
            at = behind;
        }
    if (state->class->lines && !options.split)
        fuzz_lines(state, bytes, size);
    free(bytes);
    rx_format_destroy(state);
    REQUIRE(rx_heap_live_blocks(heap) == 0);
    rx_heap_destroy(heap);
}

#endif
