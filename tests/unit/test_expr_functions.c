/* Every function's example gives the value it states, and docs/expressions.md shows exactly the table of functions. */
#include "core/expr/functions.h"
#include "tests/unit/expr_table.h"
#include "tests/unit/page.h"

#define PAGE  "docs/expressions.md"
#define BEGIN "<!-- functions: begin -->\n"
#define END   "<!-- functions: end -->\n"

START_TEST(examples_hold)
{
    for (size_t t = 0; rx_function_tables[t]; t++)
        for (const struct rx_function *f = rx_function_tables[t]; f->name; f++) {
            struct expr_case c = {f->example, f->value, NULL, 0};
            expr_check_all(&c, 1);
        }
}
END_TEST

static void write_cell(struct rx_buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            rx_buffer_text(out, "\\");
        rx_buffer_append(out, text, 1);
    }
}

static void write_table(struct rx_buffer *out)
{
    rx_buffer_text(out, BEGIN "| function | does | example | gives |\n|---|---|---|---|\n");
    for (size_t t = 0; rx_function_tables[t]; t++)
        for (const struct rx_function *f = rx_function_tables[t]; f->name; f++) {
            rx_buffer_printf(out, "| `%s` | ", f->signature);
            write_cell(out, f->help);
            rx_buffer_text(out, " | `` ");
            write_cell(out, f->example);
            rx_buffer_printf(out, " `` | `` %s `` |\n", f->value);
        }
    rx_buffer_text(out, END);
    rx_buffer_append(out, "", 1);
}

START_TEST(lists_at_their_edges)
{
    static const struct expr_case cases[] = {
        {"lists.range(n - 1)", "[]", "{\"n\":1}", 0},
        {"lists.range(n - 2)", NULL, "{\"n\":1}", -ERANGE},
        {"[n].sort()", "[1]", "{\"n\":1}", 0},
        {"[[n]].sort()", NULL, "{\"n\":1}", -EINVAL},
        {"[[n], [n]].sort()", NULL, "{\"n\":1}", -EINVAL},
    };
    EXPR_CHECK(cases);
}
END_TEST

START_TEST(page_lists_the_table)
{
    struct rx_buffer table = {0};
    write_table(&table);
    page_holds(PAGE, BEGIN, END, table.data);
    rx_buffer_finish(&table);
}
END_TEST

/* Lines "    EXPRESSION  ->  JSON" in the page are examples too. */
START_TEST(examples_of_the_page_hold)
{
    unsigned count = 0;
    for (char *line = strtok(page_read(PAGE), "\n"); line; line = strtok(NULL, "\n")) {
        char *arrow = strstr(line, "  ->  ");
        if (strncmp(line, "    ", 4) != 0 || !arrow)
            continue;
        while (arrow[-1] == ' ')
            arrow--;
        char *want = strstr(arrow, "->  ") + 4;
        *arrow = '\0';
        struct expr_case c = {
            line + 4, strcmp(want, "error") == 0 ? NULL : want,
            "{\"t\":21.5,\"n\":21,\"s\":\"ok\",\"list\":[1,2,3],\"o\":{\"a\":1},\"battery-level\":80}", 0};
        expr_check_all(&c, 1);
        count++;
    }
    ck_assert_uint_gt(count, 20);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, examples_hold);
    tcase_add_test(tests, lists_at_their_edges);
    tcase_add_test(tests, page_lists_the_table);
    tcase_add_test(tests, examples_of_the_page_hold);
}

int main(void) { return expr_main("expr_functions", add); }
