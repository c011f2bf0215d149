// layer: io
/* Selections: what is refused at once, what filters may take of the front's time, and who gives way when it is used up. */
#include "core/io/serve/selection.h"
#include "core/value/heap.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Thousands of steps for each frame, and known to be bounded. */
#define LIST  "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32]"
#define HEAVY LIST ".exists(a, " LIST ".exists(b, a * b == t + 1))"

static struct rx_sched *sched;
static struct rx_heap *heap;
static struct rx_filter_budget budget;
static struct rx_selections *set;

static void start(uint64_t each, uint64_t all)
{
    sched = rx_sched_create(0);
    heap = rx_heap_create(NULL);
    budget = (struct rx_filter_budget){.sched = sched, .each = each, .all = all};
    set = rx_selections_create(heap, &budget);
}

static void stop(void)
{
    rx_selections_destroy(set);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
    rx_sched_destroy(sched);
}

static struct rx_selection *get(const char *filter)
{
    struct rx_selection *s = NULL;
    struct rx_error error = {0};
    int r = rx_selection_get(set, NULL, filter, &s, &error);
    ck_assert_msg(r == 0 && s, "%s: %s", filter, error.message);
    return s;
}

static bool test_frame(struct rx_selection *s, uint64_t sequence)
{
    static const char json[] = "{\"t\":1000}";
    struct rx_frame_view f = {.sequence = sequence, .json = json, .json_length = sizeof json - 1};
    return rx_selection_test(s, &f);
}

/* Frames until it is exhausted, at most so many. */
static unsigned take(struct rx_selection *s, uint64_t from, unsigned most)
{
    unsigned n = 0;
    while (n < most && !rx_selection_exhausted(s)) {
        test_frame(s, from + n);
        n++;
    }
    return n;
}

static void expect_refusal(const char *filter, int code, const char *words)
{
    struct rx_selection *s = NULL;
    struct rx_error error = {0};
    int r = rx_selection_get(set, NULL, filter, &s, &error);
    ck_assert_msg(r == code && strstr(error.message, words), "%.80s: %d, %s", filter, r, error.message);
    ck_assert_ptr_null(s);
}

START_TEST(what_is_no_condition_or_may_take_too_long_is_refused)
{
    start(0, 0);
    expect_refusal("t + 1", -EINVAL, "not a condition");
    expect_refusal("'true'", -EINVAL, "not a condition");
    expect_refusal("", -EINVAL, "");
    expect_refusal("list.exists(a, list.exists(b, list.exists(c, a * b * c == 1)))", -EINVAL, "more than 100000 steps");
    struct rx_selection *s = get("list.exists(a, list.exists(b, a * b == 1))");
    rx_selection_unref(s);
    s = get("flag");
    rx_selection_unref(s);
    stop();
}
END_TEST

START_TEST(a_filter_has_a_greatest_length)
{
    start(0, 0);
    char *filter = malloc(RX_FILTER_LENGTH_MAX + 2);
    memset(filter, ' ', RX_FILTER_LENGTH_MAX + 1);
    filter[RX_FILTER_LENGTH_MAX + 1] = 0;
    memcpy(filter, "t > 1", 5);
    expect_refusal(filter, -EINVAL, "4097 bytes; at most 4096");
    filter[RX_FILTER_LENGTH_MAX] = 0;
    rx_selection_unref(get(filter));
    free(filter);
    stop();
}
END_TEST

START_TEST(distinct_selections_have_a_greatest_number)
{
    start(0, 0);
    struct rx_selection *all[RX_SELECTIONS_MAX], *one_more;
    char filter[40];
    for (unsigned i = 0; i < RX_SELECTIONS_MAX; i++) {
        snprintf(filter, sizeof filter, "t > %u", i);
        all[i] = get(filter);
    }
    expect_refusal("t > -1", -ENOSPC, "1000 different selections");
    ck_assert_int_eq(rx_selection_get(set, "key", NULL, &one_more, NULL), -ENOSPC);
    rx_selection_unref(get("t > 5")); /* one of them */
    for (unsigned i = 0; i < RX_SELECTIONS_MAX; i++)
        rx_selection_unref(all[i]);
    rx_selection_unref(get("t > -1"));
    stop();
}
END_TEST

START_TEST(a_filter_is_exhausted_when_it_has_had_its_second)
{
    start(1000000, 0);
    struct rx_selection *heavy = get(HEAVY), *light = get("t == 1000");
    unsigned n = take(heavy, 1, 100000);
    ck_assert_uint_gt(n, 10);
    ck_assert_uint_lt(n, 2000);
    ck_assert(!test_frame(heavy, n + 1));
    ck_assert(test_frame(light, n + 1));
    rx_sched_run_until(sched, RX_SEC, true);
    ck_assert(rx_selection_exhausted(heavy));
    struct rx_selection *again = get(HEAVY); /* not the one that is exhausted */
    ck_assert_ptr_ne(again, heavy);
    ck_assert_uint_eq(take(again, 1, n - 1), n - 1);
    ck_assert(!rx_selection_exhausted(again));
    rx_sched_run_until(sched, 2 * RX_SEC, true);
    take(again, n, n - 1);
    ck_assert(!rx_selection_exhausted(again));
    rx_selection_unref(heavy);
    rx_selection_unref(again);
    rx_selection_unref(light);
    stop();
}
END_TEST

START_TEST(a_verdict_that_is_known_costs_nothing)
{
    start(1000000, 0);
    struct rx_selection *heavy = get(HEAVY);
    test_frame(heavy, 1);
    uint64_t steps = rx_selection_steps(heavy);
    ck_assert_uint_gt(steps, 1000);
    for (unsigned i = 0; i < 100000; i++)
        test_frame(heavy, 1);
    ck_assert_uint_eq(rx_selection_steps(heavy), steps);
    rx_selection_unref(heavy);
    stop();
}
END_TEST

START_TEST(large_frames_count_by_their_bytes)
{
    start(1000000, 0);
    struct rx_selection *light = get("t == 1000");
    char *json = malloc(1 << 20);
    memset(json, ' ', 1 << 20);
    json[0] = '1';
    struct rx_frame_view f = {.json = json, .json_length = 1 << 20};
    while (!rx_selection_exhausted(light)) {
        f.sequence++;
        rx_selection_test(light, &f);
    }
    ck_assert_uint_lt(f.sequence, 10);
    free(json);
    rx_selection_unref(light);
    stop();
}
END_TEST

/* Two heavy ones use up what there is in all: they are over their share, and end; the light one goes on. */
START_TEST(when_all_is_used_up_who_is_within_an_equal_share_goes_on)
{
    start(1000000, 1500000);
    struct rx_selection *first = get(HEAVY), *second = get(HEAVY " || false"), *light = get("t == 1000");
    take(light, 1, 10);
    for (unsigned i = 1; !rx_selection_exhausted(second); i++) {
        ck_assert_uint_lt(i, 10000);
        take(first, i, 1);
        take(second, i, 1);
    }
    expect_refusal("t > 1", -EBUSY, "try again");
    unsigned more = 10000;
    ck_assert_uint_eq(take(light, 11, more), more);
    ck_assert(!rx_selection_exhausted(light));
    take(first, 100000, 1000);
    ck_assert(rx_selection_exhausted(first));
    rx_sched_run_until(sched, RX_SEC, true);
    rx_selection_unref(get("t > 1"));
    rx_selection_unref(first);
    rx_selection_unref(second);
    rx_selection_unref(light);
    stop();
}
END_TEST

static const char *const gated[] = {
    "t == 1",        "t == 2.0",   "'b' == t",        "t == 'a'",         "t == null",        "t == true",
    "t in [1, 'a']", "u == 1",     "t == 1 && u",     "u && t == 2",      "t == 1 || t == 2", "t == 1 && t == 1.0",
    "t == -0.0",     "value == 3", "t == 1 && u > 1", "t in [1, 1.0, 2]", "t == b'a'",        "t == 1 && t > 0.5",
};
static const char *const frames[] = {
    "{\"t\":1}",
    "{\"t\":1.0}",
    "{\"t\":2}",
    "{\"t\":\"a\"}",
    "{\"t\":\"b\"}",
    "{\"t\":null}",
    "{\"t\":true}",
    "{\"t\":[1]}",
    "{\"t\":{}}",
    "{}",
    "{\"t\":1,\"u\":true}",
    "{\"t\":2,\"u\":true}",
    "{\"u\":1}",
    "3",
    "{\"value\":3}",
    "\"a\"",
    "{\"t\":0}",
    "{\"t\":1,\"u\":2}",
    "{\"t\":1e400}",
    "{\"t\":1.5}",
};
enum { GATED = sizeof gated / sizeof *gated, FRAMES = sizeof frames / sizeof *frames };

static struct rx_frame_view frame(uint64_t sequence)
{
    const char *json = frames[sequence % FRAMES];
    return (struct rx_frame_view){.sequence = sequence, .json = json, .json_length = strlen(json)};
}

/* The same condition where there is no look-up. */
static struct rx_selection *get_plain(const char *filter)
{
    char text[100];
    snprintf(text, sizeof text, "(%s) || false", filter);
    return get(text);
}

static void expect_alike(struct rx_selection *s, struct rx_selection *plain, uint64_t sequence, const char *filter)
{
    struct rx_frame_view f = frame(sequence);
    bool wanted = rx_selection_test(s, &f);
    ck_assert_msg(wanted == rx_selection_test(plain, &f), "%s of %s: %d", filter, f.json, wanted);
    ck_assert_int_eq(wanted, rx_selection_test(s, &f));
}

/* Whoever comes and goes, and in which order frames are asked for. */
START_TEST(what_is_looked_up_is_what_would_have_been_evaluated)
{
    start(0, 0);
    budget.each = budget.all = UINT64_MAX / 2;
    struct rx_selection *s[GATED] = {0}, *plain[GATED];
    unsigned wanted = 0;
    for (unsigned i = 0; i < GATED; i++)
        plain[i] = get_plain(gated[i]);
    for (uint64_t round = 0; round < 2000; round++) {
        uint64_t sequence = round % 3 ? 1 + round : 1 + (round * 131) % (round + 1);
        struct rx_selection **changed = &s[round / 10 * 7 % GATED];
        if (round % 10 == 0) {
            rx_selection_unref(*changed);
            *changed = *changed ? NULL : get(gated[changed - s]);
        }
        for (unsigned i = 0; i < GATED; i++)
            if (s[i])
                expect_alike(s[i], plain[i], sequence, gated[i]);
        struct rx_frame_view f = frame(sequence);
        wanted += rx_selection_test(plain[0], &f);
    }
    ck_assert_uint_gt(wanted, 100);
    for (unsigned i = 0; i < GATED; i++) {
        rx_selection_unref(s[i]);
        rx_selection_unref(plain[i]);
    }
    stop();
}
END_TEST

START_TEST(of_a_thousand_filters_those_are_evaluated_that_a_frame_may_concern)
{
    start(0, 0);
    struct rx_selection *all[RX_SELECTIONS_MAX];
    char filter[40];
    for (unsigned i = 0; i < RX_SELECTIONS_MAX; i++) {
        snprintf(filter, sizeof filter, "t == %u", i + 1);
        all[i] = get(filter);
    }
    for (uint64_t sequence = 1; sequence <= 10; sequence++)
        for (unsigned i = 0; i < RX_SELECTIONS_MAX; i++)
            ck_assert_int_eq(test_frame(all[i], sequence), i + 1 == 1000);
    for (unsigned i = 0; i < RX_SELECTIONS_MAX; i++) {
        if (i + 1 == 1000)
            ck_assert_uint_ge(rx_selection_steps(all[i]), 200);
        else
            ck_assert_uint_eq(rx_selection_steps(all[i]), 10);
        rx_selection_unref(all[i]);
    }
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("selection");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, what_is_no_condition_or_may_take_too_long_is_refused);
    tcase_add_test(t, a_filter_has_a_greatest_length);
    tcase_add_test(t, distinct_selections_have_a_greatest_number);
    tcase_add_test(t, a_filter_is_exhausted_when_it_has_had_its_second);
    tcase_add_test(t, a_verdict_that_is_known_costs_nothing);
    tcase_add_test(t, large_frames_count_by_their_bytes);
    tcase_add_test(t, when_all_is_used_up_who_is_within_an_equal_share_goes_on);
    tcase_add_test(t, what_is_looked_up_is_what_would_have_been_evaluated);
    tcase_add_test(t, of_a_thousand_filters_those_are_evaluated_that_a_frame_may_concern);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
