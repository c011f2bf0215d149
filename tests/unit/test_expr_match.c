/* Regular expressions: bounded whatever the pattern, linear on ordinary text, and both matchers of one mind. */
#include <stdlib.h>

#include "tests/unit/expr_table.h"

/* Short texts that backtracking cannot settle are settled by the DFA matcher, at a cost that is counted. */
START_TEST(backtracking_counts_in_short_texts)
{
    static const struct expr_case cases[] = {
        {"lists.range(9000).all(x, !('aaaaaaaaaaac' + string(x)).matches('(a+)+[bd]'))", NULL, NULL, -ETIME},
        {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac'.matches('(a|aa)+[bd]')", "false", NULL, 0},
        {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad'.matches('(a|aa)+[bd]')", "true", NULL, 0},
        {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac'.matches('(?x)(a|aa)+[bd] # more')", NULL, NULL, -ETIME},
        {"lists.range(900).all(x, !('sensor-' + string(x)).matches('^sensor-[a-z]+$'))", "true", NULL, 0},
        {"'hello world, hello words and more of them!'.matches(r'^(\\w+\\s?)+$')", "false", NULL, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* n is 1: constant parts are computed at load, under a smaller budget. */
#define TEXT(n, word) "cel.bind(t, lists.range(n * " #n ").map(x, '" word "').join() + ' 1', "
#define N             "{\"n\":1}"

START_TEST(ordinary_patterns_are_linear)
{
    static const struct expr_case cases[] = {
        {TEXT(5000, "aaaa") "t.matches('[a-z]*1'))", "true", N, 0},
        {TEXT(2000, "aaaa") "t.matches(r'^(\\w+\\s?)+$'))", "true", N, 0},
        {TEXT(2000, "aaaa") "t.matches(r'^(\\w+\\s?)+[xy]$'))", "false", N, 0},
        {TEXT(2000, "ab c") "t.matches(r'^([a-z]+ ?){2,}[xy]$'))", "false", N, 0},
        {TEXT(500, "abcd") "t.matches('d 1$'))", "true", N, 0},
        {TEXT(500, "abcd") "t.matches('^(abcd)+ 1$'))", "true", N, 0},
        {TEXT(25000, "abcd") "t.matches('error|failure'))", "false", N, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* Many states at each character, more than may be followed, look-ahead at each place, recursion. */
START_TEST(hostile_patterns_end_by_the_budget)
{
    static const struct expr_case cases[] = {
        {TEXT(2000, "aaaa") "t.matches('(a?){20}(b?){20}[19][yz]'))", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "t.matches('(.{1,20}a){1,12}[19][yz]'))", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "t.matches('[a-z ]{400}[a-z ]{400}[19][yz]'))", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "t.matches('((?=.*[19][yz])a)+[19][yz]'))", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "t.matches('(a|(?R)a)+[19][yz]'))", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "regex.extract(t, '[a-z]*[19][yz]').hasValue())", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "regex.extractAll(t, '(a+)+[19][yz]'))", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "regex.replace(t, '(a|aa)+[19][yz]', ''))", NULL, N, -ETIME},
        {TEXT(2000, "aaaa") "regex.replace(regex.replace(t, 'a', t), 'a', t))", NULL, N, -ETIME},
        {"lists.range(n * 20000).all(x, !'a'.matches('(((a{1,9}){1,9}){1,9}){1,9}' + string(x)))", NULL, N, -ETIME},
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
        {"regex.extract('aa', '(a)\\\\1')", NULL, NULL, -EINVAL},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* The regex extension of cel-go, by the examples of its documentation. */
START_TEST(matches_are_extracted_and_replaced)
{
    static const struct expr_case cases[] = {
        {"regex.extract('hello world', 'hello(.*)').value()", "\" world\"", NULL, 0},
        {"regex.extract('item-A, item-B', r'item-(\\w+)').value()", "\"A\"", NULL, 0},
        {"regex.extract('HELLO', 'hello').hasValue()", "false", NULL, 0},
        {"regex.extract('ac', 'a(b)?c').hasValue()", "false", NULL, 0},
        {"regex.extract('abc', '').value()", "\"\"", NULL, 0},
        {"regex.extract('testuser@testdomain', '(.*)@([^.]*)')", NULL, NULL, -EINVAL},
        {"regex.extract('x=1', r'(?P<name>\\w)=').value()", "\"x\"", NULL, 0},
        {"regex.extractAll('id:123, id:456', r'id:\\d+')", "[\"id:123\",\"id:456\"]", NULL, 0},
        {"regex.extractAll('id:123, id:456', 'assa')", "[]", NULL, 0},
        {"regex.extractAll('ac abc', 'a(b)?c')", "[\"b\"]", NULL, 0},
        {"regex.extractAll('a1b22', r'\\d*')", "[\"\",\"1\",\"22\"]", NULL, 0},
        {"regex.extractAll('\xC3\xA4\xC3\xB6', '')", "[\"\",\"\",\"\"]", NULL, 0},
        {"regex.extractAll('testuser@testdomain', '(.*)@([^.]*)')", NULL, NULL, -EINVAL},
        {"regex.replace('hello world hello', 'hello', 'hi')", "\"hi world hi\"", NULL, 0},
        {"regex.replace('banana', 'a', 'x', 0)", "\"banana\"", NULL, 0},
        {"regex.replace('banana', 'a', 'x', 1)", "\"bxnana\"", NULL, 0},
        {"regex.replace('banana', 'a', 'x', -12)", "\"bxnxnx\"", NULL, 0},
        {"regex.replace('foo bar', '(fo)o (ba)r', r'\\2 \\1')", "\"ba fo\"", NULL, 0},
        {"regex.replace('a1', r'(\\d)', r'<\\0\\\\>')", "\"a<1\\\\>\"", NULL, 0},
        {"regex.replace('ab', '(x)?b', r'[\\1]')", "\"a[]\"", NULL, 0},
        {"regex.replace('abc', '', '-')", "\"-a-b-c-\"", NULL, 0},
        {"regex.replace('abc', 'b*', '-')", "\"-a-c-\"", NULL, 0},
        {"regex.replace('x', '(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)|(x)', r'\\9')", "\"\"", NULL, 0},
        {"regex.replace('test', '(.)', r'\\2')", NULL, NULL, -EINVAL},
        {"regex.replace('test', '(.)', r'\\x')", NULL, NULL, -EINVAL},
        {"regex.replace('test', '(.)', '\\\\')", NULL, NULL, -EINVAL},
        {"regex.replace('foo bar', '(', '1')", NULL, NULL, -EINVAL},
        {"regex.replace(1, 'a', 'b')", NULL, NULL, -ENOEXEC},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* ---- both matchers ---- */

static unsigned random_below(unsigned n)
{
    static uint64_t seed = 1;
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void put_pattern(struct rx_buffer *out, unsigned depth)
{
    static const char *const atoms[] = {"a",   "b",     ".",   "[ab]",         "[^a\\]+]",
                                        "\\w", "\\x61", "\\.", "[[:alpha:]+]", "\\pL"};
    static const char *const turns[] = {"",      "",     "",      "*",  "+",      "?",    "{2}",
                                        "{1,3}", "{2,}", "{0,2}", "+?", "{1,2}?", "{,2}", "*+"};
    for (unsigned i = 0, n = 1 + random_below(3); i < n; i++) {
        if (depth && random_below(3) == 0) {
            rx_buffer_text(out, "(?:");
            put_pattern(out, depth - 1);
            if (random_below(2)) {
                rx_buffer_text(out, "|");
                put_pattern(out, depth - 1);
            }
            rx_buffer_text(out, ")");
            rx_buffer_text(out, turns[random_below(10)]);
        } else if (random_below(12) == 0) {
            rx_buffer_text(out, random_below(2) ? "\\b" : "(?=a)");
        } else {
            rx_buffer_text(out, atoms[random_below(sizeof atoms / sizeof *atoms)]);
            rx_buffer_text(out, turns[random_below(sizeof turns / sizeof *turns)]);
        }
    }
}

/* Behind 40 a's that make backtracking give up, the DFA matcher must find what extract finds without them. */
START_TEST(the_matchers_agree)
{
    static const char text[] =
        "('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' + t).matches('^(?:(?:a|aa)+[xy]|a{40}-(?:' + p + '))$') == "
        "regex.extract(t, '^-(?:' + p + ')$').hasValue()";
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_expr_options options = {.heap = heap};
    struct rx_expr *expr;
    struct rx_error error = {0};
    ck_assert_int_eq(rx_expr_compile(text, sizeof text - 1, &options, &expr, &error), 0);
    unsigned agreed = 0;
    for (unsigned round = 0; round < 5000; round++) {
        struct rx_buffer pattern = {0};
        char subject[12] = "-";
        size_t length = 1;
        for (size_t n = random_below(9); n; n--)
            subject[length++] = "ab.a+"[random_below(5)];
        put_pattern(&pattern, 2);
        struct rx_value values[2] = {rx_string(heap, subject, length), rx_string(heap, pattern.data, pattern.length)},
                        value;
        const struct rx_shape *shape = rx_shape_empty(heap);
        shape = rx_shape_with(heap, shape, rx_key_intern(heap, "t", 1));
        shape = rx_shape_with(heap, shape, rx_key_intern(heap, "p", 1));
        struct rx_event event = {.value = rx_record_take(heap, shape, values)};
        int r = rx_expr_eval(expr, &(struct rx_expr_env){.event = &event}, &value, &error);
        ck_assert_msg(r == 0 || r == -ETIME, "%.*s: %s", (int)pattern.length, pattern.data, error.message);
        ck_assert_msg(r < 0 || value.u.b, "%.*s on %.*s", (int)pattern.length, pattern.data, (int)length, subject);
        agreed += r == 0;
        rx_event_unref(&event);
        rx_buffer_finish(&pattern);
    }
    ck_assert_uint_gt(agreed, 4500);
    rx_expr_destroy(expr);
    rx_heap_destroy(heap);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, backtracking_counts_in_short_texts);
    tcase_add_test(tests, ordinary_patterns_are_linear);
    tcase_add_test(tests, hostile_patterns_end_by_the_budget);
    tcase_add_test(tests, what_re2_lacks_is_refused);
    tcase_add_test(tests, matches_are_extracted_and_replaced);
    tcase_add_test(tests, the_matchers_agree);
}

int main(void) { return expr_main("expr_match", add); }
