// layer: pipelines
/* The state of a worker as bytes: damaged, cut off, of another config or of a newer rxd, it is refused in words, and
 * nothing of what was made stays behind. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/pipeline_run.h"
#include "pipelines/run/state.h"
#include "pipelines/run/world.h"

static const char config[] = "sources: {a: {http: {}}, b: {http: {}}}\n"
                             "pipelines:\n"
                             "  sums: {from: a, pipe: [{group_by: k}, {window: 1s}, {aggregate: {n: sum(v)}}]}\n"
                             "  late: {from: sums, pipe: [{delay: 500ms}]}\n"
                             "  both: {from: a, pipe: [{combine_latest: b}, {retry: {count: 2}}]}\n";
static const char other[] = "sources: {a: {http: {}}, b: {http: {}}}\n"
                            "pipelines:\n"
                            "  sums: {from: a, pipe: [{group_by: k}, {window: 2s}, {aggregate: {n: sum(v)}}]}\n"
                            "  late: {from: sums, pipe: [{delay: 500ms}]}\n"
                            "  both: {from: a, pipe: [{combine_latest: b}, {retry: {count: 2}}]}\n";

struct run {
    struct rx_logical *logical;
    struct rx_forest *forest;
    struct rx_world world;
    struct rx_observer outputs[3];
};

static void ignore(struct rx_observer *o, const struct rx_note *note) { (void)o, (void)note; }

static void begin(struct run *r, const char *text)
{
    struct rx_diagnostics *d = rx_diagnostics_create();
    struct rx_error error = {0};
    *r = (struct run){0};
    ck_assert_int_eq(rx_forest_read_text(text, strlen(text), "test", 0, d, &r->forest), 0);
    ck_assert_int_eq(rx_logical_create(r->forest, &(struct rx_logical_options){.replay = true}, d, &r->logical), 0);
    rx_diagnostics_destroy(d);
    ck_assert_int_eq(rx_world_create(r->logical, &(struct rx_plan_options){0}, &r->world, &error), 0);
    for (int i = 0; i < 3; i++)
        r->outputs[i] = (struct rx_observer){.note = ignore};
}

static void end(struct run *r)
{
    rx_engine_enter(r->world.engine);
    for (int i = 0; i < 3; i++)
        rx_hub_unsubscribe(&r->outputs[i]);
    rx_plan_discard(r->world.plan);
    rx_engine_leave(r->world.engine);
    rx_world_destroy(&r->world); /* asserts that no block of its heap is left */
    rx_logical_destroy(r->logical);
    rx_forest_destroy(r->forest);
}

static void push(struct run *r, int source, const char *json)
{
    struct rx_event event = {.time = rx_sched_now(r->world.sched)};
    ck_assert_int_eq(rx_json_decode(r->world.heap, NULL, NULL, json, strlen(json), &event.value, NULL), 0);
    rx_hub_next(r->world.plan->sources[source].hub, &event, 1);
    rx_event_unref(&event);
}

static struct rx_writer saved_state(void)
{
    struct run r;
    struct rx_writer w = {0};
    begin(&r, config);
    for (size_t i = 0; i < 3; i++)
        rx_hub_subscribe(r.world.plan->pipelines[i].hub, &r.outputs[i]);
    push(&r, 0, "{\"k\": \"x\", \"v\": 1}");
    push(&r, 1, "{\"k\": \"y\", \"v\": 2}");
    rx_sched_run_until(r.world.sched, 1200 * RX_MSEC, true);
    push(&r, 0, "{\"k\": \"z\", \"v\": 3}");
    rx_state_begin(&w, r.world.sched);
    rx_plan_save(r.world.plan, &w);
    ck_assert(!w.buffer.failed);
    end(&r);
    return w;
}

static int load(struct run *r, const char *data, size_t length, size_t *ret_kept, struct rx_error *error)
{
    struct rx_reader reader = {.data = (const unsigned char *)data, .length = length, .heap = r->world.heap};
    struct rx_state *state = NULL;
    int result = rx_state_open(&reader, &state, error);
    if (result == 0) {
        rx_state_restore_sched(state, r->world.sched);
        result = rx_plan_load(r->world.plan, state, ret_kept, error);
    }
    rx_state_close(state);
    return result;
}

START_TEST(saving_what_was_loaded_gives_the_same_bytes)
{
    struct rx_writer first = saved_state(), second = {0};
    struct rx_error error = {0};
    struct run r;
    size_t kept = 0;
    begin(&r, config);
    ck_assert_int_eq(load(&r, first.buffer.data, first.buffer.length, &kept, &error), 0);
    ck_assert_uint_eq(kept, 3);
    rx_state_begin(&second, r.world.sched);
    rx_plan_save(r.world.plan, &second);
    ck_assert_uint_eq(second.buffer.length, first.buffer.length);
    ck_assert_mem_eq(second.buffer.data, first.buffer.data, first.buffer.length);
    end(&r);
    rx_buffer_finish(&first.buffer);
    rx_buffer_finish(&second.buffer);
}
END_TEST

START_TEST(a_pipeline_whose_options_have_changed_begins_anew_and_the_others_go_on)
{
    struct rx_writer saved = saved_state();
    struct rx_error error = {0};
    struct run r;
    size_t kept = 0;
    begin(&r, other);
    ck_assert_int_eq(load(&r, saved.buffer.data, saved.buffer.length, &kept, &error), 0);
    ck_assert_uint_eq(kept, 2);
    end(&r);
    rx_buffer_finish(&saved.buffer);
}
END_TEST

START_TEST(a_state_that_is_cut_off_anywhere_is_refused_and_leaves_nothing)
{
    struct rx_writer saved = saved_state();
    size_t refused = 0;
    for (size_t length = 0; length < saved.buffer.length; length++) {
        struct rx_error error = {0};
        struct run r;
        size_t kept = 0;
        char *copy = malloc(length + 1); /* of its own size, so that a sanitizer sees a read behind it */
        memcpy(copy, saved.buffer.data, length);
        begin(&r, config);
        int result = load(&r, copy, length, &kept, &error);
        ck_assert(result == -EBADMSG || (result == 0 && kept < 3)); /* cut between two sections */
        refused += result < 0 && error.message[0];
        end(&r);
        free(copy);
    }
    ck_assert_uint_gt(refused, saved.buffer.length / 2);
    rx_buffer_finish(&saved.buffer);
}
END_TEST

/* Any byte may be anything: what loads all the same must still be able to end in order. */
START_TEST(a_state_with_a_damaged_byte_does_no_harm)
{
    struct rx_writer saved = saved_state();
    for (size_t at = 0; at < saved.buffer.length; at++) {
        struct rx_error error = {0};
        struct run r;
        size_t kept = 0;
        char before = saved.buffer.data[at];
        saved.buffer.data[at] = (char)(before ^ (1 << (at % 8)));
        begin(&r, config);
        load(&r, saved.buffer.data, saved.buffer.length, &kept, &error);
        end(&r);
        saved.buffer.data[at] = before;
    }
    rx_buffer_finish(&saved.buffer);
}
END_TEST

START_TEST(a_state_of_a_newer_rxd_and_what_is_no_state_are_told_apart)
{
    struct rx_writer w = {0};
    struct rx_error error = {0};
    struct run r;
    begin(&r, config);
    ck_assert_int_eq(load(&r, "hello, world", 12, NULL, &error), -EBADMSG);
    ck_assert_str_eq(error.message, "this is no state of rxd");
    rx_write_text(&w, "rxd state", 9);
    rx_write_uint(&w, RX_STATE_FORMAT + 1);
    ck_assert_int_eq(load(&r, w.buffer.data, w.buffer.length, NULL, &error), -EPROTO);
    ck_assert_ptr_nonnull(strstr(error.message, "of a newer rxd"));
    rx_buffer_finish(&w.buffer);
    end(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("state");
    TCase *t = tcase_create("state");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, saving_what_was_loaded_gives_the_same_bytes);
    tcase_add_test(t, a_pipeline_whose_options_have_changed_begins_anew_and_the_others_go_on);
    tcase_add_test(t, a_state_that_is_cut_off_anywhere_is_refused_and_leaves_nothing);
    tcase_add_test(t, a_state_with_a_damaged_byte_does_no_harm);
    tcase_add_test(t, a_state_of_a_newer_rxd_and_what_is_no_state_are_told_apart);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
