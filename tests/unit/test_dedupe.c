/* Repeats: what is one, what is forgotten, and that a saved memory remembers. */
#include "core/feed/dedupe.h"
#include "core/json/json.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rx_heap *heap;
static struct rx_dedupe_options options;
static struct rx_dedupe *dedupe;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    options = (struct rx_dedupe_options){.max = 1000, .within = 10 * RX_SEC};
    ck_assert_int_eq(rx_expr_compile("id", 2, &(struct rx_expr_options){.heap = heap}, &options.by, NULL), 0);
    dedupe = rx_dedupe_create(&options);
}

static void tear_down(void)
{
    rx_dedupe_destroy(dedupe);
    rx_expr_destroy(options.by);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static int test_json(const char *json, rx_time now)
{
    struct rx_event event = {0};
    struct rx_error error;
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, json, strlen(json), &event.value, NULL), 0);
    int r = rx_dedupe_test(dedupe, &event, now, &error);
    rx_event_unref(&event);
    return r;
}

static int test_id(int64_t id, rx_time now)
{
    char json[64];
    snprintf(json, sizeof json, "{\"id\":%lld}", (long long)id);
    return test_json(json, now);
}

START_TEST(an_event_whose_key_came_before_is_a_repeat)
{
    ck_assert_int_eq(test_json("{\"id\":\"a\",\"v\":1}", 0), 0);
    ck_assert_int_eq(test_json("{\"id\":\"b\",\"v\":1}", 0), 0);
    ck_assert_int_eq(test_json("{\"id\":\"a\",\"v\":2}", 0), 1);
    ck_assert_int_eq(test_json("{\"id\":1}", 0), 0);
    ck_assert_int_eq(test_json("{\"id\":1.0}", 0), 1);
    ck_assert_int_eq(test_json("{\"id\":[1,2]}", 0), 0);
    ck_assert_int_eq(test_json("{\"id\":[1,2]}", 0), 1);
}
END_TEST

START_TEST(without_a_key_nothing_is_a_repeat)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(test_json("{\"v\":1}", 0), 0);
        ck_assert_int_eq(test_json("{\"id\":null}", 0), 0);
    }
    ck_assert_uint_eq(rx_dedupe_count(dedupe), 0);
}
END_TEST

START_TEST(a_key_that_cannot_be_computed_is_an_error_of_the_event)
{
    rx_expr_destroy(options.by);
    ck_assert_int_eq(rx_expr_compile("id + 1", 6, &(struct rx_expr_options){.heap = heap}, &options.by, NULL), 0);
    ck_assert_int_eq(test_json("{\"id\":\"a\"}", 0), -EINVAL);
}
END_TEST

START_TEST(a_key_is_new_again_after_its_time_which_repeats_do_not_prolong)
{
    ck_assert_int_eq(test_id(1, 0), 0);
    ck_assert_int_eq(test_id(1, 6 * RX_SEC), 1);
    ck_assert_int_eq(test_id(1, 10 * RX_SEC), 1);
    ck_assert_int_eq(test_id(1, 10 * RX_SEC + 1), 0);
    ck_assert_int_eq(test_id(1, 20 * RX_SEC), 1);
}
END_TEST

START_TEST(past_the_limit_the_oldest_key_is_forgotten)
{
    for (int i = 0; i < 1001; i++)
        ck_assert_int_eq(test_id(i, i), 0);
    ck_assert_uint_eq(rx_dedupe_count(dedupe), 1000);
    ck_assert_int_eq(test_id(1, 2000), 1);
    ck_assert_int_eq(test_id(0, 2000), 0);
    ck_assert_int_eq(test_id(1, 2000), 0);
}
END_TEST

/* Against a list that is searched from its end, through growth, expiry and eviction. */
START_TEST(it_is_as_a_plain_list_would_have_it)
{
    enum { EVENTS = 20000 };
    int64_t *ids = malloc(EVENTS * sizeof *ids);
    rx_time *times = malloc(EVENTS * sizeof *times);
    size_t kept = 0;
    options.max = 300;
    srand(7);
    for (int i = 0; i < EVENTS; i++) {
        rx_time now = i * (RX_SEC / (i < EVENTS / 2 ? 100 : 10));
        int64_t id = rand() % (i % 3 ? 200 : 4000);
        bool repeat = false;
        for (size_t k = kept; k-- > 0 && kept - k <= 300 && now - times[k] <= options.within && !repeat;)
            repeat = ids[k] == id;
        ck_assert_msg(test_id(id, now) == repeat, "event %d, id %lld", i, (long long)id);
        if (!repeat) {
            ids[kept] = id;
            times[kept++] = now;
        }
    }
    free(ids);
    free(times);
}
END_TEST

START_TEST(a_saved_memory_remembers_and_a_torn_one_is_refused)
{
    struct rx_writer w = {0};
    for (int i = 0; i < 100; i++)
        test_id(i, i * RX_SEC / 20);
    rx_dedupe_save(dedupe, &w);
    for (size_t length = 0; length <= w.buffer.length; length++) {
        rx_dedupe_destroy(dedupe);
        dedupe = rx_dedupe_create(&options);
        struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = length, .heap = heap};
        ck_assert_int_eq(rx_dedupe_load(dedupe, &r), length == w.buffer.length ? 0 : -EBADMSG);
    }
    ck_assert_int_eq(test_id(0, 11 * RX_SEC), 0);
    ck_assert_int_eq(test_id(99, 11 * RX_SEC), 1);
    struct rx_dedupe_options less = options;
    less.max = 10;
    struct rx_dedupe *small = rx_dedupe_create(&less);
    struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = heap};
    ck_assert_int_eq(rx_dedupe_load(small, &r), 0);
    ck_assert_uint_eq(rx_dedupe_count(small), 10);
    rx_dedupe_destroy(small);
    rx_buffer_finish(&w.buffer);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dedupe");
    TCase *t = tcase_create("dedupe");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, an_event_whose_key_came_before_is_a_repeat);
    tcase_add_test(t, without_a_key_nothing_is_a_repeat);
    tcase_add_test(t, a_key_that_cannot_be_computed_is_an_error_of_the_event);
    tcase_add_test(t, a_key_is_new_again_after_its_time_which_repeats_do_not_prolong);
    tcase_add_test(t, past_the_limit_the_oldest_key_is_forgotten);
    tcase_add_test(t, it_is_as_a_plain_list_would_have_it);
    tcase_add_test(t, a_saved_memory_remembers_and_a_torn_one_is_refused);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
