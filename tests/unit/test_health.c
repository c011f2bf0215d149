// layer: daemon
/* Conditions: begin and end, counts, what is listed, and what two threads tell of the same subject. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/health.h"

static struct rx_health *h;
static struct rx_conditions copy;
static rx_time now;
static FILE *log_file;
static int own_stderr;

/* The log goes to stderr: a file in its place. */
static void setup(void)
{
    h = rx_health_create();
    now = 1000 * RX_SEC;
    copy = (struct rx_conditions){0};
    log_file = tmpfile();
    own_stderr = dup(STDERR_FILENO);
    ck_assert(h && log_file && own_stderr >= 0);
    dup2(fileno(log_file), STDERR_FILENO);
}

static void teardown(void)
{
    dup2(own_stderr, STDERR_FILENO);
    close(own_stderr);
    fclose(log_file);
    rx_conditions_finish(&copy);
    rx_health_destroy(h);
}

/* How many lines with this text were logged so far. */
static unsigned logged(const char *text)
{
    char line[4096];
    unsigned n = 0;
    rewind(log_file);
    while (fgets(line, sizeof line, log_file))
        n += strstr(line, text) != NULL;
    return n;
}

static void round_begin(rx_time later)
{
    now += later;
    rx_health_begin(h, now, now + 1000000 * RX_SEC);
}

static void broker_down(rx_time later, const char *reason)
{
    round_begin(later);
    rx_health_holds(h, RX_CONDITION_BROKER_DOWN, "home", "", reason, 3);
    rx_health_end(h);
}

static void all_well(rx_time later)
{
    round_begin(later);
    rx_health_end(h);
}

START_TEST(a_condition_is_logged_when_it_begins_and_when_it_ends)
{
    broker_down(0, "Connection refused");
    for (int i = 0; i < 100; i++)
        broker_down(RX_SEC, "Connection refused");
    ck_assert_uint_eq(logged("broker=home reason=\"Connection refused\""), 1);
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.count, 1);
    ck_assert_str_eq(copy.list[0].reason, "Connection refused");
    ck_assert_int_eq(copy.list[0].since, 1001000 * RX_SEC);
    ck_assert(rx_conditions_fault(&copy));
    all_well(RX_SEC);
    ck_assert_uint_eq(logged("connected to the broker\" condition=broker_down broker=home lasted=101.0s"), 1);
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.count, 0);
    ck_assert(!rx_conditions_fault(&copy));
}
END_TEST

START_TEST(another_reason_is_logged_but_not_more_than_once_a_minute)
{
    broker_down(0, "Connection refused");
    for (int i = 0; i < 59; i++)
        broker_down(RX_SEC, i % 2 ? "timed out" : "no route");
    ck_assert_uint_eq(logged("condition=broker_down"), 1);
    broker_down(RX_SEC, "bad password");
    ck_assert_uint_eq(logged("bad password"), 1);
    ck_assert_uint_eq(logged("condition=broker_down"), 2);
}
END_TEST

START_TEST(without_a_reason_it_stands_unlogged)
{
    broker_down(0, "");
    rx_health_copy(h, &copy);
    ck_assert(rx_conditions_fault(&copy));
    all_well(RX_SEC);
    ck_assert_uint_eq(logged("broker"), 0);
    broker_down(0, "");
    broker_down(RX_SEC, "it does not answer");
    ck_assert_uint_eq(logged("it does not answer"), 1);
}
END_TEST

static void drops(rx_time later, uint64_t total)
{
    round_begin(later);
    rx_health_counts(h, RX_CONDITION_SINK_DROPS, "pipe", "file", total, "full");
    rx_health_end(h);
}

START_TEST(what_is_counted_stands_until_nothing_was_added_for_a_while)
{
    drops(0, 0);
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.count, 0);
    drops(RX_SEC, 5);
    drops(20 * RX_SEC, 7);
    drops(20 * RX_SEC, 7);
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.count, 1);
    ck_assert_uint_eq(copy.list[0].count, 7);
    ck_assert_str_eq(copy.list[0].part, "file");
    drops(11 * RX_SEC, 7);
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.count, 0);
    drops(RX_SEC, 8);
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.list[0].count, 1);
    ck_assert_uint_eq(copy.begun[RX_CONDITION_SINK_DROPS], 2);
    drops(RX_SEC, 1); /* a reload: counted anew */
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.list[0].count, 1);
    ck_assert_uint_eq(logged("reason=full"), 2);
}
END_TEST

static void bad_events(rx_time later, uint64_t total)
{
    round_begin(later);
    rx_health_counts(h, RX_CONDITION_BAD_EVENTS, "pipe", "", total, "no number");
    rx_health_end(h);
}

START_TEST(a_kind_may_take_more_than_one_to_begin)
{
    for (uint64_t i = 1; i < 10; i++)
        bad_events(RX_SEC, i);
    for (uint64_t i = 10; i < 30; i++)
        bad_events(31 * RX_SEC, i);
    ck_assert_uint_eq(logged("no number"), 0);
    for (uint64_t i = 30; i < 40; i++)
        bad_events(RX_SEC, i);
    ck_assert_uint_eq(logged("no number"), 1);
    rx_health_copy(h, &copy);
    ck_assert(!rx_conditions_fault(&copy));
}
END_TEST

START_TEST(many_conditions_are_listed_up_to_a_bound_and_counted_beyond)
{
    char name[32];
    for (int round = 0; round < 3; round++) {
        round_begin(RX_SEC);
        for (int i = 0; i < RX_CONDITIONS_MAX + 5; i++) {
            snprintf(name, sizeof name, "p%d", i);
            rx_health_holds(h, RX_CONDITION_PIPELINE_FAILING, name, "", "it failed", 1);
        }
        rx_health_end(h);
    }
    ck_assert_int_eq(rx_health_copy(h, &copy), 0);
    ck_assert_uint_eq(copy.count, RX_CONDITIONS_MAX);
    ck_assert_uint_eq(copy.unlisted[RX_FAULT], 5);
    ck_assert_uint_eq(logged("condition=pipeline_failing"), 10);
    ck_assert(rx_conditions_fault(&copy));
}
END_TEST

START_TEST(the_version_changes_with_what_stands)
{
    uint64_t at_first = rx_health_version(h), down, other;
    all_well(RX_SEC);
    ck_assert_uint_eq(rx_health_version(h), at_first);
    broker_down(RX_SEC, "a");
    down = rx_health_version(h);
    ck_assert_uint_ne(down, at_first);
    broker_down(RX_SEC, "a");
    ck_assert_uint_eq(rx_health_version(h), down);
    broker_down(RX_SEC, "b");
    other = rx_health_version(h);
    ck_assert_uint_ne(other, down);
    all_well(RX_SEC);
    ck_assert_uint_ne(rx_health_version(h), other);
}
END_TEST

START_TEST(what_two_threads_tell_of_one_subject_is_one_condition)
{
    struct rx_conditions all = {0};
    broker_down(0, "Connection refused");
    rx_health_copy(h, &all);
    broker_down(RX_SEC, "Connection refused");
    rx_health_copy(h, &copy);
    copy.list[0].since -= RX_SEC;
    ck_assert_int_eq(rx_conditions_merge(&all, &copy), 0);
    ck_assert_uint_eq(all.count, 1);
    ck_assert_uint_eq(all.list[0].count, 6);
    ck_assert_int_eq(all.list[0].since, copy.list[0].since);
    strcpy(copy.list[0].subject, "away");
    ck_assert_int_eq(rx_conditions_merge(&all, &copy), 0);
    ck_assert_uint_eq(all.count, 2);
    rx_conditions_finish(&all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health");
    TCase *t = tcase_create("health");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_condition_is_logged_when_it_begins_and_when_it_ends);
    tcase_add_test(t, another_reason_is_logged_but_not_more_than_once_a_minute);
    tcase_add_test(t, without_a_reason_it_stands_unlogged);
    tcase_add_test(t, what_is_counted_stands_until_nothing_was_added_for_a_while);
    tcase_add_test(t, a_kind_may_take_more_than_one_to_begin);
    tcase_add_test(t, many_conditions_are_listed_up_to_a_bound_and_counted_beyond);
    tcase_add_test(t, the_version_changes_with_what_stands);
    tcase_add_test(t, what_two_threads_tell_of_one_subject_is_one_condition);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
