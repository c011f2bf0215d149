/* Typical slips and what is said to each: tests/expr/slips.txt. RXD_UPDATE=1 writes what is said now. */
#include <stdlib.h>

#include "tests/unit/expr_table.h"

#define FILE_NAME "tests/expr/slips.txt"
#define EVENT     "{\"t\":21.5,\"n\":21,\"s\":\"ok\",\"b\":true,\"list\":[1,2,3],\"battery-level\":80}"

static void write_error(struct rx_buffer *out, const struct rx_error *error)
{
    rx_buffer_printf(out, "%*s^ %s\n", (int)error->at.column - 1 + 2, "", error->message);
    if (error->hint[0])
        rx_buffer_printf(out, "    hint: %s\n", error->hint);
}

/* What the checker wonders about, then the failure. */
static void write_answer(struct rx_heap *heap, const char *text, struct rx_buffer *out)
{
    struct rx_expr_options options = {.heap = heap};
    struct expr_outcome outcome;
    struct rx_expr *expr;
    rx_buffer_printf(out, "> %s\n", text);
    if (rx_expr_compile(text, strlen(text), &options, &expr, NULL) == 0) {
        for (size_t i = 0; i < rx_expr_hint_count(expr); i++)
            write_error(out, rx_expr_hint(expr, i));
        if (rx_expr_hint_count(expr)) {
            rx_expr_destroy(expr);
            return;
        }
        rx_expr_destroy(expr);
    }
    expr_run(heap, text, EVENT, NULL, &outcome);
    if (outcome.value.data)
        rx_buffer_printf(out, "    gives %s\n", outcome.value.data);
    else
        write_error(out, &outcome.error);
    rx_buffer_finish(&outcome.value);
}

static char *read_all(void)
{
    static char text[1 << 16];
    FILE *file = fopen(FILE_NAME, "r");
    ck_assert_msg(file, "cannot read " FILE_NAME);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

START_TEST(each_slip_gets_its_answer)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_buffer said = {0};
    char *want = read_all(), line[1024];
    unsigned count = 0;
    for (const char *p = want; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        if (p[0] != '>')
            continue;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(p + 2, "\n"), p + 2);
        write_answer(heap, line, &said);
        count++;
    }
    rx_buffer_append(&said, "", 1);
    rx_heap_destroy(heap);
    bool same = strcmp(said.data, want) == 0;
    if (!same && getenv("RXD_UPDATE")) {
        FILE *file = fopen(FILE_NAME, "w");
        ck_assert(file);
        fputs(said.data, file);
        fclose(file);
        same = true;
    }
    ck_assert_msg(same, "what is said differs from " FILE_NAME "; RXD_UPDATE=1 writes it:\n%s", said.data);
    rx_buffer_finish(&said);
    ck_assert_uint_ge(count, 20);
}
END_TEST

static void add(TCase *tests) { tcase_add_test(tests, each_slip_gets_its_answer); }

int main(void) { return expr_main("expr_slips", add); }
