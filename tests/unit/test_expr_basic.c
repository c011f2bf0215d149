/* Literals, operators, logic, fields, has, coalesce, lists and maps: value or failure of each. */
#include "tests/unit/expr_table.h"

#define EVENT                                                                                                          \
    "{\"t\":21.5,\"n\":21,\"s\":\"ok\",\"b\":true,\"nothing\":null,\"list\":[1,2,3],\"o\":{\"a\":{\"b\":7}},\"a-b\":"  \
    "5,\"in\":1,\"type\":\"x\"}"

/* langdef, "Syntax" and "Numeric Values" */
START_TEST(literals)
{
    static const struct expr_case cases[] = {
        {"1", "1", NULL, 0},
        {"-1", "-1", NULL, 0},
        {"0x1F", "31", NULL, 0},
        {"-0xF", "-15", NULL, 0},
        {"9223372036854775807", "9223372036854775807", NULL, 0},
        {"-9223372036854775808", "-9223372036854775808", NULL, 0},
        {"9223372036854775808", NULL, NULL, -ENOEXEC},
        {"18446744073709551615u", "18446744073709551615", NULL, 0},
        {"18446744073709551616u", NULL, NULL, -ENOEXEC},
        {"1.5", "1.5", NULL, 0},
        {".5", "0.5", NULL, 0},
        {"1e3", "1000", NULL, 0},
        {"-1.5e-2", "-0.015", NULL, 0},
        {"true", "true", NULL, 0},
        {"null", "null", NULL, 0},
        {"'a' + \"b\"", "\"ab\"", NULL, 0},
        {"'\\x41\\u00e9\\U0001F600\\101'", "\"A\xC3\xA9\xF0\x9F\x98\x80\x41\"", NULL, 0},
        {"r'\\d' + R\"\\n\"", "\"\\\\d\\\\n\"", NULL, 0},
        {"'''a\n'b'''", "\"a\\n'b\"", NULL, 0},
        {"b'\\xff' + b'a'", "\"/2E=\"", NULL, 0},
        {"'\\ud800'", NULL, NULL, -ENOEXEC},
        {"'\\q'", NULL, NULL, -ENOEXEC},
        {"'open", NULL, NULL, -ENOEXEC},
        {"1 // a comment", "1", NULL, 0},
        {"1 // a comment\n + 2", "3", NULL, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* langdef, "Overflow" and the number rules of LANGUAGE */
START_TEST(arithmetic)
{
    static const struct expr_case cases[] = {
        {"1 + 2 * 3 - 4", "3", NULL, 0},
        {"7 / 2", "3", NULL, 0},
        {"-7 / 2", "-3", NULL, 0},
        {"-7 % 3", "-1", NULL, 0},
        {"7 / 0", NULL, NULL, -EDOM},
        {"7 % 0", NULL, NULL, -EDOM},
        {"n / 0 > 1.0", "true", EVENT, 0},
        {"n % 0", NULL, EVENT, -EDOM},
        {"9223372036854775807 + 1", NULL, NULL, -ERANGE},
        {"-9223372036854775808 - 1", NULL, NULL, -ERANGE},
        {"-(-9223372036854775808)", NULL, NULL, -ERANGE},
        {"-9223372036854775808 / -1", NULL, NULL, -ERANGE},
        {"1u - 2u", NULL, NULL, -ERANGE},
        {"1 + 1u", NULL, NULL, -ENOEXEC},
        {"1 + 1.5", "2.5", NULL, 0},
        {"n / 2", "10.5", EVENT, 0},
        {"(n + 1) / 4", "5.5", EVENT, 0},
        {"n % 4", "1", EVENT, 0},
        {"n * 2 + 1", "43", EVENT, 0},
        {"t * 1.8 + 32", "70.7", EVENT, 0},
        {"n * 1.8 + 32", "69.80000000000001", EVENT, 0},
        {"-n", "-21", EVENT, 0},
        {"x + 1", "9223372036854776000", "{\"x\":9223372036854775807}", 0},
        {"x - 1", "9223372036854775806", "{\"x\":9223372036854775807}", 0},
        {"s + 1", NULL, EVENT, -EINVAL},
        {"'a' + 1", NULL, NULL, -ENOEXEC},
        {"[1] + [2, 3]", "[1,2,3]", NULL, 0},
        {"missing + 1", NULL, EVENT, -ENODATA},
        {"nothing + 1", NULL, EVENT, -ENODATA},
        {"1 - -1", "2", NULL, 0},
        {"1--1", "2", NULL, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* langdef, "Equality and Ordering" */
START_TEST(comparison)
{
    static const struct expr_case cases[] = {
        {"1 == 1.0", "true", NULL, 0},
        {"1 == 1u", "true", NULL, 0},
        {"n == 21", "true", EVENT, 0},
        {"n < 21.5 && t > 21", "true", EVENT, 0},
        {"s == 'ok'", "true", EVENT, 0},
        {"s != \"ok\"", "false", EVENT, 0},
        {"s == 1", "false", EVENT, 0},
        {"s < 1", NULL, EVENT, -EINVAL},
        {"nothing == null", "true", EVENT, 0},
        {"s == null", "false", EVENT, 0},
        {"nothing < 1", NULL, EVENT, -ENODATA},
        {"missing == null", NULL, EVENT, -ENODATA},
        {"'a' < 'b' && b'a' < b'b' && false < true", "true", NULL, 0},
        {"[1, 2] == [1.0, 2u]", "true", NULL, 0},
        {"{'a': 1} == {'a': 1.0}", "true", NULL, 0},
        {"o == {'a': {'b': 7}}", "true", EVENT, 0},
        {"1 < 'a'", NULL, NULL, -ENOEXEC},
        {"1 == 'a'", "false", NULL, 0},
        {"size(s) == 'a'", NULL, EVENT, -ENOEXEC},
        {"2 in list", "true", EVENT, 0},
        {"2.0 in list", "true", EVENT, 0},
        {"9 in list", "false", EVENT, 0},
        {"'a' in o", "true", EVENT, 0},
        {"1 in s", NULL, EVENT, -EINVAL},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* langdef, "Logical Operators" */
START_TEST(logic)
{
    static const struct expr_case cases[] = {
        {"b && t > 20", "true", EVENT, 0},
        {"!b || n == 21", "true", EVENT, 0},
        {"missing > 1 && false", "false", EVENT, 0},
        {"missing > 1 && b == false", "false", EVENT, 0},
        {"b == false && missing > 1", "false", EVENT, 0},
        {"missing > 1 || b", "true", EVENT, 0},
        {"b || missing > 1", "true", EVENT, 0},
        {"missing > 1 || !b", NULL, EVENT, -ENODATA},
        {"missing > 1 && b", NULL, EVENT, -ENODATA},
        {"b && missing > 1", NULL, EVENT, -ENODATA},
        {"s && b", NULL, EVENT, -EINVAL},
        {"s && !b", "false", EVENT, 0},
        {"32 && false", "false", NULL, 0},
        {"1 / 0 != 0 || true", "true", NULL, 0},
        {"'a' && 'b'", NULL, NULL, -ENOEXEC},
        {"(missing > 1 || (s > 1 || missing2)) && !b", "false", EVENT, 0},
        {"b ? 1 : 2", "1", EVENT, 0},
        {"if(t > 30, 'hot', 'cold')", "\"cold\"", EVENT, 0},
        {"t > 30 ? 'hot' : t > 20 ? 'warm' : 'cold'", "\"warm\"", EVENT, 0},
        {"s ? 1 : 2", NULL, EVENT, -EINVAL},
        {"b ? 1 : missing", "1", EVENT, 0},
        {"!s", NULL, EVENT, -EINVAL},
        {"!!b", "true", EVENT, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* LANGUAGE, "Expressions": names */
START_TEST(names)
{
    static const struct expr_case cases[] = {
        {"o.a.b", "7", EVENT, 0},
        {"o.a.c", NULL, EVENT, -ENODATA},
        {"o.c.b", NULL, EVENT, -ENODATA},
        {"s.a", NULL, EVENT, -EINVAL},
        {"event.s", "\"ok\"", EVENT, 0},
        {"event[\"a-b\"]", "5", EVENT, 0},
        {"`a-b` + 1", "6", EVENT, 0},
        {"event.`a-b`", "5", EVENT, 0},
        {"`in`", "1", EVENT, 0},
        {"in", NULL, EVENT, -ENOEXEC},
        {"type", "\"x\"", EVENT, 0},
        {"type(n) == double", "true", EVENT, 0},
        {"type", "\"type\"", NULL, 0},
        {"event", "{\"x\":1}", "{\"x\":1}", 0},
        {"'s' in event", "true", EVENT, 0},
        {"'z' in event", "false", EVENT, 0},
        {"has(s) && !has(z)", "true", EVENT, 0},
        {"has(o.a.b) && !has(o.a.c)", "true", EVENT, 0},
        {"has(z.a)", "false", EVENT, 0},
        {"has(nothing)", "true", EVENT, 0},
        {"coalesce(z, nothing, n, 1)", "21", EVENT, 0},
        {"coalesce(z.q, 4)", "4", EVENT, 0},
        {"coalesce(z)", "null", EVENT, 0},
        {"coalesce(s + 1, 4)", NULL, EVENT, -EINVAL},
        {"list[0]", "1", EVENT, 0},
        {"list[n - 19]", "3", EVENT, 0},
        {"list[3]", NULL, EVENT, -ERANGE},
        {"list[-1]", NULL, EVENT, -ERANGE},
        {"list['a']", NULL, EVENT, -EINVAL},
        {"o['a']['b']", "7", EVENT, 0},
        {"event_time > timestamp_is_no_name", NULL, EVENT, -ENODATA},
        {"meta", "{}", EVENT, 0},
        {"meta.nope", NULL, EVENT, -ENOEXEC},
        {"outer", NULL, EVENT, -ENODATA},
        {"nope(1)", NULL, EVENT, -ENOEXEC},
        {"size(list) + size(s) + size(o)", "6", EVENT, 0},
        {"size(n)", NULL, EVENT, -EINVAL},
        {"size(1)", NULL, NULL, -ENOEXEC},
        {"size()", NULL, NULL, -ENOEXEC},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* langdef, "Aggregate Values" */
START_TEST(literals_of_many)
{
    static const struct expr_case cases[] = {
        {"[1, t, s, [b],]", "[1,21.5,\"ok\",[true]]", EVENT, 0},
        {"{'a': t, 'b': [n]}", "{\"a\":21.5,\"b\":[21]}", EVENT, 0},
        {"{s: 1}", "{\"ok\":1}", EVENT, 0},
        {"{1: 'a', 2: 'b'}[2]", "\"b\"", NULL, 0},
        {"{1: 'a'}[1.0]", "\"a\"", NULL, 0},
        {"{1: 'a'}[5]", NULL, NULL, -EINVAL},
        {"{'a': 1, 'a': 2}", NULL, NULL, -ENOEXEC},
        {"{s: 1, 'ok': 2}", NULL, EVENT, -EINVAL},
        {"{t: 1}", NULL, EVENT, -EINVAL},
        {"{}", "{}", NULL, 0},
        {"[]", "[]", NULL, 0},
    };
    EXPR_CHECK(cases);
}
END_TEST

/* langdef, "Macros" */
START_TEST(macros)
{
    static const struct expr_case cases[] = {
        {"list.all(x, x > 0)", "true", EVENT, 0},
        {"list.all(x, x > 1)", "false", EVENT, 0},
        {"list.exists(x, x > 2)", "true", EVENT, 0},
        {"list.exists(x, missing)", NULL, EVENT, -ENODATA},
        {"[1, 'a', 3].exists(x, x > 2)", "true", NULL, 0},
        {"[1, 'a', 3].all(x, x > 2)", "false", NULL, 0},
        {"[3, 'a'].all(x, x > 2)", NULL, NULL, 0},
        {"list.exists_one(x, x > 2)", "true", EVENT, 0},
        {"list.filter(x, x > 1)", "[2,3]", EVENT, 0},
        {"list.map(x, x * 2)", "[2,4,6]", EVENT, 0},
        {"list.map(x, x > 1, x * 2)", "[4,6]", EVENT, 0},
        {"o.map(k, k)", "[\"a\"]", EVENT, 0},
        {"list.map(x, list.map(y, x * y))", "[[1,2,3],[2,4,6],[3,6,9]]", EVENT, 0},
        {"list.map(x, s + 'x').size()", "3", EVENT, 0},
        {"list.transformList(i, x, i + x)", "[1,3,5]", EVENT, 0},
        {"o.transformMap(k, v, v.b)", "{\"a\":7}", EVENT, 0},
        {"list.all(i, x, x == i + 1)", "true", EVENT, 0},
        {"[3, 1, 2].sortBy(x, -x)", "[3,2,1]", NULL, 0},
        {"cel.bind(y, t + 1, y * y)", "506.25", EVENT, 0},
        {"t.all(x, x)", NULL, EVENT, -EINVAL},
        {"list.map(1, 2)", NULL, EVENT, -ENOEXEC},
        {"list.all(x)", NULL, EVENT, -ENOEXEC},
        {"list.filter(x, x)", NULL, EVENT, -EINVAL},
    };
    EXPR_CHECK(cases);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, literals);
    tcase_add_test(tests, arithmetic);
    tcase_add_test(tests, comparison);
    tcase_add_test(tests, logic);
    tcase_add_test(tests, names);
    tcase_add_test(tests, literals_of_many);
    tcase_add_test(tests, macros);
}

int main(void) { return expr_main("expr_basic", add); }
