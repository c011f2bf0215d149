/* The language definition, case by case: tests/expr/langdef.txt, by its sections. */
#include <stdlib.h>

#include "core/base/utf8.h"
#include "tests/unit/expr_table.h"

#define FILE_NAME "tests/expr/langdef.txt"
#define EVENT                                                                                                          \
    "{\"d\":21.5,\"n\":21,\"s\":\"ok\",\"b\":true,\"nul\":null,\"list\":[1,2,3],\"o\":{\"a\":{\"b\":7},\"z\":null},"   \
    "\"big\":9007199254740993,\"e\":[],\"m\":{}}"

/* "EXPR  ->  JSON" or "EXPR  ->  error"; lines that start with # name the section. Answers false at other lines. */
static bool parse_line(char *line, struct expr_case *ret)
{
    char *arrow = NULL;
    for (char *next = line; (next = strstr(next, "  ->  ")); next++)
        arrow = next;
    if (line[0] == '#' || !arrow)
        return false;
    line[strcspn(line, "\n")] = '\0';
    *arrow = '\0';
    *ret = (struct expr_case){line, strcmp(arrow + 6, "error") == 0 ? NULL : arrow + 6, EVENT, 0};
    return true;
}

START_TEST(every_case_holds)
{
    char line[4096], section[200] = "";
    struct rx_heap *heap = rx_heap_create(NULL);
    unsigned count = 0, failed = 0;
    FILE *file = fopen(FILE_NAME, "r");
    ck_assert_msg(file, "cannot read " FILE_NAME);
    while (fgets(line, sizeof line, file)) {
        struct expr_case c;
        struct expr_outcome out;
        if (line[0] == '#')
            snprintf(section, sizeof section, "%.190s", line);
        if (!parse_line(line, &c))
            continue;
        expr_run(heap, c.text, c.event, NULL, &out);
        const char *got = out.value.data ? out.value.data : "error";
        if (strcmp(got, c.want ? c.want : "error") != 0) {
            printf("%s  %s\n  got %s, want %s\n  %s\n", section, c.text, got, c.want ? c.want : "error",
                   out.error.message);
            fflush(stdout);
            failed++;
        }
        ck_assert_msg(got[0] != 'e' || out.error.at.line, "%s: a failure without a place", c.text);
        ck_assert_msg(rx_utf8_valid(out.error.message, strlen(out.error.message)), "%s: a torn message", c.text);
        rx_buffer_finish(&out.value);
        count++;
        ck_assert_msg(rx_heap_live_blocks(heap) == 0, "%s: leaks", c.text);
    }
    fclose(file);
    rx_heap_destroy(heap);
    ck_assert_uint_eq(failed, 0);
    ck_assert_uint_gt(count, 300);
}
END_TEST

static void add(TCase *tests) { tcase_add_test(tests, every_case_holds); }

int main(void) { return expr_main("expr_langdef", add); }
