/* matches: hostile patterns end by the budget, whether one match is long or many are short. */
#include "tests/unit/expr_table.h"

/* Many short matches, each of which backtracks some ten thousand times. */
START_TEST(backtracking_counts_in_short_texts)
{
    static const struct expr_case cases[] = {
        {"lists.range(9000).all(x, !('aaaaaaaaaaac' + string(x)).matches('(a+)+[bd]'))", NULL, NULL, -ETIME},
        {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac'.matches('(a|aa)+[bd]')", NULL, NULL, -ETIME},
        {"lists.range(900).all(x, !('sensor-' + string(x)).matches('^sensor-[a-z]+$'))", "true", NULL, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* Every place of the text scans the rest of it: quadratic without one step back. */
START_TEST(scanning_counts_in_long_texts)
{
    static const struct expr_case cases[] = {
        {"cel.bind(t, lists.range(5000).map(x, 'aaaa').join() + ' 1', t.matches('[a-z]*1'))", NULL, NULL, -ETIME},
        {"cel.bind(t, lists.range(500).map(x, 'abcd').join() + ' 1', t.matches('d 1$'))", "true", NULL, 0},
        {"cel.bind(t, lists.range(500).map(x, 'abcd').join(), t.matches('^(abcd)+$'))", "true", NULL, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

START_TEST(what_re2_lacks_is_refused)
{
    static const struct expr_case cases[] = {
        {"'aa'.matches('(?<x>a)\\\\k<x>')", NULL, NULL, -EINVAL},
        {"'ab'.matches('(?<=ac)b')", NULL, NULL, -EINVAL},
        {"'a'.matches('(')", NULL, NULL, -EINVAL},
        {"'d\xC3\xADx'.matches('^d.x$')", "true", NULL, 0},
        {"'a\\nb'.matches('a$')", "false", NULL, 0},
        {"'abc'.matches('') && matches('abc', 'b')", "true", NULL, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, backtracking_counts_in_short_texts);
    tcase_add_test(tests, scanning_counts_in_long_texts);
    tcase_add_test(tests, what_re2_lacks_is_refused);
}

int main(void) { return expr_main("expr_match", add); }
