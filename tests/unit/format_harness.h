/* What a format makes of a message, as lines: a value as JSON, or "!", a place and what is wrong. */
#ifndef RX_TESTS_FORMAT_HARNESS_H
#define RX_TESTS_FORMAT_HARNESS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/format.h"
#include "core/feed/items.h"

struct reading {
    enum rx_format format;
    struct rx_format_options options;
    bool body, lines;
    const char *fields; /* that the plan asks for, a letter each; NULL: all */
    uint64_t max_piece;
};

static struct rx_heap *heap;

static inline void set_up(void) { heap = rx_heap_create(NULL); }

static inline void tear_down(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static inline struct rx_format_state *format_of(const struct reading *how)
{
    struct rx_error error;
    struct rx_format_state *state = rx_format_create(how->format, heap, &how->options, &error);
    ck_assert_msg(state != NULL, "%s", error.message);
    return state;
}

static inline void write_line(struct rx_buffer *out, int r, struct rx_value value, const struct rx_error *error)
{
    if (r < 0 && error->at.line)
        rx_buffer_printf(out, "!%u:%u ", error->at.line, error->at.column);
    else if (r < 0)
        rx_buffer_printf(out, "!");
    if (r < 0)
        rx_buffer_text(out, error->message);
    else
        rx_json_write(out, value);
    rx_buffer_append(out, "\n", 1);
    rx_value_unref(value);
}

/* The bytes lie in a block of their own, so that a sanitizer sees one read too many. */
static inline void read_into(struct rx_buffer *out, struct rx_format_state *state, const struct reading *how,
                             const char *bytes, size_t length, bool stream)
{
    char *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    struct rx_format_cursor cursor = {.start = exact,
                                      .at = exact,
                                      .end = exact + length,
                                      .body = how->body,
                                      .lines = how->lines,
                                      .stream = stream,
                                      .max_piece = how->max_piece};
    struct rx_value value = rx_null();
    struct rx_error error = {0};
    for (int r; (r = state->class->next(state, &cursor, &value, &error)) != 0; value = rx_null()) {
        ck_assert(cursor.piece >= exact && cursor.piece + cursor.piece_length <= exact + length);
        write_line(out, r, value, &error);
    }
    free(exact);
}

/* All lines of a message; good until the next call. */
static inline const char *read_all(const struct reading *how, const char *bytes, size_t length)
{
    static char text[1 << 16];
    struct rx_buffer out = {0};
    struct rx_format_state *state = format_of(how);
    struct rx_fields *fields = how->fields ? rx_fields_create(heap) : NULL;
    for (size_t i = 0; fields && how->fields[i]; i++)
        ck_assert_int_eq(rx_fields_add(fields, &how->fields[i], 1), 0);
    state->fields = fields;
    read_into(&out, state, how, bytes, length, false);
    ck_assert_uint_lt(out.length, sizeof text);
    memcpy(text, out.length ? out.data : "", out.length);
    text[out.length] = '\0';
    rx_buffer_finish(&out);
    rx_format_destroy(state);
    rx_fields_destroy(fields);
    return text;
}

/* The one value of a message, or what is wrong with it. */
static inline const char *read_one(enum rx_format format, const char *bytes, size_t length)
{
    static char text[1 << 16];
    struct rx_buffer out = {0};
    struct rx_error error = {0};
    struct rx_value value = rx_null();
    struct rx_format_state *state = format_of(&(struct reading){.format = format});
    char *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    write_line(&out, state->class->value(state, exact, length, &value, &error), value, &error);
    free(exact);
    out.data[out.length - 1] = '\0';
    snprintf(text, sizeof text, "%s", out.data);
    rx_buffer_finish(&out);
    rx_format_destroy(state);
    return text;
}

static inline size_t from_hex(const char *hex, char *out)
{
    size_t length = 0;
    for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2 + strspn(hex + 2, " "))
        out[length++] = (char)byte;
    return length;
}

static inline int run_cases(const char *name, TCase *cases)
{
    Suite *suite = suite_create(name);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
