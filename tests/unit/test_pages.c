// layer: core
/* docs/metrics.md and docs/operations.md show exactly the tables of metrics and conditions that the daemon has. */
#include "core/base/buffer.h"
#include "tests/unit/page.h"

START_TEST(the_page_of_metrics)
{
    struct rx_buffer table = {0};
    rx_buffer_text(&table, "<!-- metrics: begin -->\n| metric | type | labels | what it says |\n|---|---|---|---|\n");
#define RX_METRIC(symbol_, name_, type_, labels_, help_)                                                               \
    rx_buffer_printf(&table, "| `%s` | %s | %s | %s |\n", name_, type_, labels_, help_);
#include "daemon/metrics.def"
#undef RX_METRIC
    rx_buffer_text(&table, "<!-- metrics: end -->\n");
    rx_buffer_append(&table, "", 1);
    page_holds("docs/metrics.md", "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n", table.data);
    rx_buffer_finish(&table);
}
END_TEST

START_TEST(the_page_of_conditions)
{
    struct rx_buffer table = {0};
    enum { WARNING, FAULT };
    static const char *const severities[] = {"warning", "**fault**"};
    rx_buffer_text(&table, "<!-- conditions: begin -->\n| condition | severity | it stands while | what to do |\n"
                           "|---|---|---|---|\n");
#define RX_CONDITION(symbol_, name_, severity_, subject_, least_, begins_, ends_, remedy_)                             \
    rx_buffer_printf(&table, "| `%s` (of a %s) | %s | %s | %s |\n", name_, subject_, severities[severity_], begins_,   \
                     remedy_);
#include "daemon/conditions.def"
#undef RX_CONDITION
    rx_buffer_text(&table, "<!-- conditions: end -->\n");
    rx_buffer_append(&table, "", 1);
    page_holds("docs/operations.md", "<!-- conditions: begin -->\n", "<!-- conditions: end -->\n", table.data);
    rx_buffer_finish(&table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pages");
    TCase *t = tcase_create("pages");
    suite_add_tcase(suite, t);
    tcase_add_test(t, the_page_of_metrics);
    tcase_add_test(t, the_page_of_conditions);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
