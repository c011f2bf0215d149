// layer: pipelines
/* The pattern of `match`: what it is read as, and what is said of one that is none, with its place. */
#include "operators/match_pattern.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/config/config_read.h"

static struct rx_heap *heap;
static struct rx_plan_arena *arena;
static struct rx_diagnostics *diagnostics;
static struct rx_forest *forest;
static struct rx_keys *where;

static void set_up(void)
{
    static const char text[] = "sources: {fail: 'true', ok: 'true', b: 'true'}";
    heap = rx_heap_create(NULL);
    arena = rx_plan_arena_create(heap);
    diagnostics = rx_diagnostics_create();
    ck_assert_int_eq(rx_forest_read_text(text, sizeof text - 1, "test", 0, diagnostics, &forest), 0);
    ck_assert_int_eq(rx_keys_compile(rx_forest_section(forest, "sources"), arena, &where, diagnostics), 0);
}

static void tear_down(void)
{
    rx_forest_destroy(forest);
    rx_diagnostics_destroy(diagnostics);
    rx_plan_arena_destroy(arena);
    rx_heap_destroy(heap);
}

/* "0{3,*} 1{1,1} !2 60000": names by number, times, what must not follow and for how many ms. */
static const char *read_as(const char *text)
{
    static char out[1000];
    struct rx_pattern p;
    struct rx_error error;
    size_t n = 0;
    if (rx_pattern_parse(text, where, &p, &error) < 0) {
        snprintf(out, sizeof out, "%u: %s | %s", error.at.column, error.message, error.hint);
        return out;
    }
    for (unsigned i = 0; i < p.count; i++) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%u{%u,", i ? " " : "", p.symbols[i].name, p.symbols[i].min);
        if (p.symbols[i].max == UINT32_MAX)
            n += (size_t)snprintf(out + n, sizeof out - n, "*}");
        else
            n += (size_t)snprintf(out + n, sizeof out - n, "%u}", p.symbols[i].max);
    }
    if (p.without >= 0)
        snprintf(out + n, sizeof out - n, " !%d %lld", p.without, (long long)(p.without_for / RX_MSEC));
    return out;
}

static const struct {
    const char *text, *expected;
} rows[] = {
    {"fail", "0{1,1}"},
    {"fail{3,} -> !ok", "0{3,*} !1 0"},
    {" fail{ 3 , }->! ok ", "0{3,*} !1 0"},
    {"fail{3} -> !ok for 60s", "0{3,3} !1 60000"},
    {"fail -> !ok for 1m30s ", "0{1,1} !1 90000"},
    {"fail? -> b* -> ok+", "0{0,1} 2{0,*} 1{1,*}"},
    {"fail{2,5} -> fail", "0{2,5} 0{1,1}"},
    {"fail{0,2} -> ok", "0{0,2} 1{1,1}"},
    {"b\n-> fail", "2{1,1} 0{1,1}"},
    /* and what is none */
    {"", "1: expected a name of `where`, but the pattern ends here | a pattern is such as \"fail{3,} -> !ok\""},
    {"fial", "1: `where` does not say what `fial` is | did you mean \"fail\"?"},
    {"fail -> zebra", "9: `where` does not say what `zebra` is | where: {zebra: CONDITION}"},
    {"fail ok", "6: expected `->`, not `o` | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail, ok", "5: expected `->`, not `,` | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail \xE2\x86\x92 ok", "6: expected `->`, not `\xE2\x86\x92` | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail ->", "8: expected a name of `where`, but the pattern ends here | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail -> 3", "9: expected a name of `where`, not `3` | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail{", "6: expected a number, but the pattern ends here | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail{3", "7: expected `}`, but the pattern ends here | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail{a}", "6: expected a number, not `a` | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail{5,3}", "6: no count is in this range | {2} is twice, {2,} twice or more often, {2,5} up to five times"},
    {"fail{0}", "6: no count is in this range | {2} is twice, {2,} twice or more often, {2,5} up to five times"},
    {"fail{10001}", "6: a symbol comes at most 10000 times | "},
    {"fail{99999999999999999999}", "6: a symbol comes at most 10000 times | "},
    {"!ok", "1: a pattern cannot begin with what must not follow | put what comes before it: \"fail{3} -> !ok\""},
    {"fail -> !ok -> b", "9: what must not follow can only stand last | take what comes behind it away"},
    {"fail -> !ok{2}", "12: what must not follow has no count: one is too many | leave it out"},
    {"fail -> !ok for", "16: expected a duration such as 60s, but the pattern ends here | a pattern is such as "
                        "\"fail{3,} -> !ok\""},
    {"fail -> !ok for ever", "17: expected a duration such as 60s, not `e` | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail -> !ok for 0s", "17: expected a duration such as 60s, not `0` | a pattern is such as \"fail{3,} -> !ok\""},
    {"fail for 3s", "6: only what must not follow has a `for` | how long all may take is `within`"},
    {"fail -> ok*", "9: the last symbol takes its least count, and of this that is none | leave it out, or say that it "
                    "must come: +"},
    {"fail? -> !ok",
     "1: the last symbol takes its least count, and of this that is none | leave it out, or say that it "
     "must come: +"},
    {"b->b->b->b->b->b->b->b->b->b->b->b->b->b->b->b->b", "49: a pattern has at most 16 symbols | "},
};

START_TEST(a_pattern_is_read_or_refused_with_its_place) { ck_assert_str_eq(read_as(rows[_i].text), rows[_i].expected); }
END_TEST

/* Nothing that begins like a pattern, or is not one, reaches outside of its text. */
START_TEST(whatever_is_cut_or_changed_is_read_or_refused)
{
    static const char whole[] = "fail{3,} -> b* -> ok{1,2} -> !ok for 60s";
    static const char other[] = "{},!?*+-> 9a\xC3";
    for (size_t at = 0; at < sizeof whole - 1; at++) {
        char text[sizeof whole];
        memcpy(text, whole, sizeof whole);
        for (size_t k = 0; k < sizeof other; k++) {
            text[at] = other[k];
            read_as(text);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("match_pattern");
    TCase *t = tcase_create("match_pattern");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, a_pattern_is_read_or_refused_with_its_place, 0, (int)(sizeof rows / sizeof *rows));
    tcase_add_test(t, whatever_is_cut_or_changed_is_read_or_refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
