// layer: pipelines
/* Lanes on threads: the same for each key as without them, whatever crosses when; ends, errors, barriers, state, and full lanes. */
#include "notes_harness.h"

#include <errno.h>
#include <pthread.h>

#include "core/graph/lanes.h"
#include "pipelines/run/lanes.h"
#include "pipelines/run/state.h"

/* A run whose lanes are on threads; the clock is moved by hand. */
struct rig {
    struct run run;
    struct rx_loop *loop;
    struct rx_crew *crew;
    struct rx_lane_host *host;
    bool full;
};

static void on_press(void *arg, const char *pipeline, bool full)
{
    ck_assert_str_eq(pipeline, "out");
    ((struct rig *)arg)->full = full;
}

static void make(struct rig *r, const char *pipe, bool threads)
{
    *r = (struct rig){.full = false};
    begin_plan(&r->run, pipe, false);
    if (!threads)
        return;
    ck_assert_int_eq(rx_loop_create(&r->loop), 0);
    r->crew = rx_crew_create();
    ck_assert_int_eq(rx_lane_host_create(r->crew, r->loop, r->run.world.engine, &r->host), 0);
    rx_lane_host_use(r->host, r->run.world.plan, on_press, r);
}

static void subscribe(struct rig *r) { rx_hub_subscribe(r->run.world.plan->pipelines[1].hub, &r->run.output); }

static void start(struct rig *r, const char *pipe, bool threads)
{
    make(r, pipe, threads);
    subscribe(r);
}

static void settle(struct rig *r)
{
    if (!r->host)
        return;
    rx_lane_host_settle(r->host, RX_TIME_NEVER);
    ck_assert(!r->run.world.engine->lanes->gathered);
}

/* What came in is accounted for once, in the lanes too. */
static void check_accounts(const struct rx_plan *plan)
{
    for (size_t k = 0; k < plan->logical->step_count; k++) {
        const struct rx_ledger *l = &plan->ledgers[k];
        uint64_t sum = (uint64_t)l->held;
        for (int i = 0; i < RX_ACCOUNTS; i++)
            sum += i == RX_ABSENT ? 0 : l->accounts[i];
        ck_assert_msg(sum == l->in, "%s: %llu came in, %llu accounted for", plan->steps[k]->id,
                      (unsigned long long)l->in, (unsigned long long)sum);
    }
}

static void finish(struct rig *r)
{
    rx_hub_unsubscribe(&r->run.output);
    check_accounts(r->run.world.plan);
    rx_lane_host_destroy(r->host);
    r->host = NULL;
    end(&r->run);
    rx_crew_destroy(r->crew);
    if (r->loop)
        rx_loop_destroy(r->loop);
}

static void put(struct rig *r, unsigned key, int v, rx_time ms)
{
    char json[60];
    struct rx_event event = {.time = ms * RX_MSEC};
    int length = snprintf(json, sizeof json, "{\"k\":\"k%u\",\"v\":%d}", key, v);
    ck_assert_int_eq(rx_json_decode(r->run.world.heap, NULL, NULL, json, (size_t)length, &event.value, NULL), 0);
    rx_hub_next(source(&r->run, 'a'), &event, 1);
    rx_event_unref(&event);
}

/* Timers one by one; before the next what they caused in the lanes is back, where `settled`. */
static void run_to(struct rig *r, rx_time ms, bool through, bool settled)
{
    struct rx_sched *sched = r->run.world.sched;
    if (settled)
        settle(r);
    while (rx_sched_step(sched, ms * RX_MSEC, through))
        if (settled)
            settle(r);
    rx_sched_run_until(sched, ms * RX_MSEC, false);
}

/* ---- the same as without ---- */

static int compare_lines(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Lines by key, those of one key in order: each line has "k":"kN". Notes that are no events are left out, but the last. */
static char *by_key(struct rx_buffer *out)
{
    struct rx_buffer sorted = {0};
    char *lines[4000], numbered[64];
    size_t n = 0;
    rx_buffer_append(out, "", 1);
    for (char *line = strtok(out->data, "\n"); line; line = strtok(NULL, "\n")) {
        const char *key = strstr(line, "\"k\":");
        if (!key && strncmp(line, "complete", 8) != 0 && strncmp(line, "error", 5) != 0)
            continue;
        snprintf(numbered, sizeof numbered, "%.8s %06zu ", key ? key : "~end", n);
        lines[n] = malloc(strlen(numbered) + strlen(line) + 1);
        sprintf(lines[n++], "%s%s", numbered, line);
        ck_assert_uint_lt(n, 4000);
    }
    qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < n; i++) {
        rx_buffer_printf(&sorted, "%s\n", strchr(lines[i], ' ') + 8);
        free(lines[i]);
    }
    rx_buffer_append(&sorted, "", 1);
    return sorted.data;
}

static uint32_t next_random(uint32_t *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

static const char *const pipes[] = {
    "[parallel: {by: k, lanes: 3}, {set: {r: math.sqrt(v)}}]",
    "[parallel: {by: k, lanes: 2}, {filter: v > 3}, {map: {k: k, v: v * 2}}]",
    "[parallel: {by: k, lanes: 2}, {map: '{\"k\": k, \"v\": 10 / int(v - 3)}'}]",
    "[parallel: {by: k, lanes: 4}, group_by: k, {scan: {expr: '{\"k\": k, \"s\": acc.s + v}', seed: {s: 0}}}]",
    "[parallel: {by: k, lanes: 2}, group_by: k, window: 1s, aggregate: {n: count(), s: sum(v)}]",
    "[parallel: {by: k, lanes: 2}, group_by: k, debounce: 200ms]",
    "[parallel: {by: k, lanes: 2}, group_by: k, delay: 300ms, merge, map: {k: k, v: v}]",
    "[parallel: {by: k, lanes: 2}, group_by: k, silence: 400ms]",
    "[parallel: {by: k, lanes: 2}, {set: {r: v + 1}}, merge, group_by: k, window: 1s, aggregate: {n: count(), s: "
    "sum(r)}]",
    "[parallel: {by: k, lanes: 3}, group_by: k, window: 500ms, aggregate: {n: count()}, merge, merge, group_by: k, "
    "window: 2s, aggregate: {n: sum(n), w: count()}]",
    "[parallel: {by: k, lanes: 2}, {set: {r: v + 1}}, merge, {filter: v > 2}, parallel: {by: k, lanes: 2}, {set: {q: "
    "r}}]",
};
enum { PIPES = sizeof pipes / sizeof *pipes, SEEDS = 6, EVENTS = 300 };

/* `told`: events have times of their own, with watermarks; else they are stamped as they come. `settled`: what crosses is back
 * before the clock goes on. */
static char *random_run(const char *pipe, uint32_t seed, bool told, bool threads, bool settled)
{
    struct rig r;
    uint32_t state = seed;
    rx_time now = 0;
    start(&r, pipe, threads);
    if (told)
        mark(&r.run, 'a', 0);
    for (int i = 0; i < EVENTS; i++) {
        now += next_random(&state) % 4 * 37;
        run_to(&r, now, false, settled);
        rx_time time = told ? now + next_random(&state) % 100 : now;
        rx_engine_enter(r.run.world.engine); /* several in a turn, at times */
        for (uint32_t n = next_random(&state) % 8 == 0 ? 9 : 1; n > 0; n--)
            put(&r, next_random(&state) % 20, (int)(next_random(&state) % 50), time);
        rx_engine_leave(r.run.world.engine);
        if (told && next_random(&state) % 5 == 0)
            mark(&r.run, 'a', now);
        if (next_random(&state) % 16 == 0)
            rx_hub_link(source(&r.run, 'a'), !rx_hub_is_away(source(&r.run, 'a')));
        run_to(&r, now, true, settled);
    }
    rx_hub_complete(source(&r.run, 'a'));
    settle(&r);
    run_to(&r, now + 10000, true, true);
    char *text = by_key(&r.run.out);
    finish(&r);
    return text;
}

static void compare(const char *pipe, uint32_t seed, bool told, bool settled)
{
    char *expected = random_run(pipe, seed, told, false, true), *came = random_run(pipe, seed, told, true, settled);
    size_t same = 0, line = 0;
    for (; expected[same] && expected[same] == came[same]; same++)
        line = expected[same] == '\n' ? same + 1 : line;
    ck_assert_msg(strcmp(expected, came) == 0, "%s, seed %u%s%s\n--- expected\n%.400s\n--- came\n%.400s", pipe, seed,
                  told ? ", told" : "", settled ? ", settled" : "", expected + line, came + line);
    ck_assert_ptr_nonnull(strstr(came, "complete"));
    ck_assert_uint_gt(strlen(came), 200);
    free(expected);
    free(came);
}

START_TEST(for_each_key_it_is_as_without_lanes)
{
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        for (int how = 0; how < 4; how++)
            compare(pipes[_i], seed, how & 1, how & 2);
}
END_TEST

/* ---- ends ---- */

START_TEST(an_error_of_the_input_comes_behind_what_came_before)
{
    struct rig r;
    struct rx_error error;
    start(&r, "[parallel: {by: k, lanes: 2}, {map: v}]", true);
    put(&r, 1, 7, 0);
    rx_error_set(&error, -EIO, "gone");
    rx_hub_error(source(&r.run, 'a'), &error);
    settle(&r);
    rx_buffer_append(&r.run.out, "", 1);
    const char *seven = strstr(r.run.out.data, "7 at 0"), *gone = strstr(r.run.out.data, "error gone");
    ck_assert(seven && gone && seven < gone);
    ck_assert_ptr_null(strstr(gone + 1, "error"));
    finish(&r);
}
END_TEST

START_TEST(an_error_in_a_lane_ends_the_pipeline)
{
    struct rig r;
    start(&r, "[parallel: {by: k, lanes: 2}, {map: 10 / int(v), on_error: fail}]", true);
    for (unsigned i = 0; i < 8; i++)
        put(&r, i, i == 5 ? 0 : 1, 0);
    settle(&r);
    rx_buffer_append(&r.run.out, "", 1);
    ck_assert_ptr_nonnull(strstr(r.run.out.data, "error 10 / int(v): division by zero"));
    ck_assert_uint_eq(rx_hub_subscribers(source(&r.run, 'a')), 0);
    finish(&r);
}
END_TEST

START_TEST(what_is_left_in_mid_flight_is_accounted_for)
{
    struct rig r;
    start(&r, "[parallel: {by: k, lanes: 3}, group_by: k, delay: 1s]", true);
    for (unsigned i = 0; i < 2000; i++)
        put(&r, i % 30, (int)(i % 1000), 0);
    finish(&r);
}
END_TEST

START_TEST(a_bad_event_goes_to_the_errors)
{
    struct rig r;
    struct run errors = {.output = {.note = write_note}};
    start(&r, "[parallel: {by: k, lanes: 2}, {map: v.x}]", true);
    rx_hub_subscribe(r.run.world.plan->pipelines[1].errors, &errors.output);
    put(&r, 1, 1, 0);
    settle(&r);
    rx_buffer_append(&errors.out, "", 1);
    ck_assert_ptr_nonnull(strstr(errors.out.data, "\"step\":\"2.map\""));
    rx_hub_unsubscribe(&errors.output);
    rx_buffer_finish(&errors.out);
    finish(&r);
}
END_TEST

/* ---- barriers ---- */

/* Each event before a barrier comes out before it, whichever lane it is in, and each behind it after it. */
START_TEST(a_barrier_is_aligned_over_the_lanes)
{
    struct rig r;
    unsigned before = 0, barriers = 0, number = 0;
    start(&r, "[parallel: {by: k, lanes: 4}, {map: v}]", true);
    for (int i = 0; i < 900; i++) {
        put(&r, (unsigned)i % 17, i, 0);
        if (i % 100 == 99)
            rx_hub_barrier(source(&r.run, 'a'), (uint64_t)i / 100 + 1);
    }
    settle(&r);
    rx_buffer_append(&r.run.out, "", 1);
    for (char *line = strtok(r.run.out.data, "\n"); line; line = strtok(NULL, "\n")) {
        if (sscanf(line, "barrier %u", &number) == 1) {
            ck_assert_uint_eq(number, ++barriers);
            ck_assert_uint_eq(before, barriers * 100);
        } else if (sscanf(line, "%u at", &number) == 1) {
            ck_assert_uint_eq(number / 100, barriers);
            before++;
        }
    }
    ck_assert_uint_eq(barriers, 9);
    finish(&r);
}
END_TEST

/* ---- the clock is set ---- */

static rx_time tomorrow(void *arg)
{
    (void)arg;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return ((rx_time)t.tv_sec + 86400) * RX_SEC;
}

START_TEST(lanes_that_have_nothing_to_do_learn_that_the_clock_was_set)
{
    struct rig r;
    start(&r, "[parallel: {by: k, lanes: 2}, group_by: k, window: 1h, count]", true);
    put(&r, 1, 1, 0);
    settle(&r);
    rx_loop_set_wall(r.loop, tomorrow, NULL);
    rx_sched_set_drift(r.run.world.sched, 86400 * RX_SEC);
    rx_loop_look_at_clock(r.loop);
    settle(&r);
    run_to(&r, 10, true, true);
    settle(&r);
    rx_buffer_append(&r.run.out, "", 1);
    ck_assert_msg(strstr(r.run.out.data, "1 at 3599999"), "%s", r.run.out.data);
    finish(&r);
}
END_TEST

/* ---- full lanes ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void slow_log(void *arg, int level, const char *step, const char *text)
{
    (void)arg, (void)level, (void)step, (void)text;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

START_TEST(full_lanes_ask_for_a_pause_and_then_drop)
{
    struct rig r;
    make(&r, "[parallel: {by: k, lanes: 1}, log: '{v}']", true);
    r.run.world.engine->log = slow_log;
    subscribe(&r);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 4000; i++)
        put(&r, 1, 1, 0);
    ck_assert(!r.full);
    for (int i = 0; i < 1000; i++)
        put(&r, 1, 1, 0);
    ck_assert(r.full);
    for (int i = 0; i < 69000; i++)
        put(&r, 1, 1, 0);
    pthread_mutex_unlock(&gate);
    settle(&r);
    ck_assert(!r.full);
    const struct rx_plan_pipeline *p = &r.run.world.plan->pipelines[1];
    const struct rx_ledger *l = &r.run.world.plan->ledgers[p->first_step + 1];
    ck_assert_uint_eq(l->in, 74000);
    ck_assert_uint_gt(l->accounts[RX_EVICTED], 0);
    ck_assert_uint_eq(l->accounts[RX_EVICTED] + l->accounts[RX_USED], 74000);
    ck_assert_int_eq(l->held, 0);
    finish(&r);
}
END_TEST

/* ---- state ---- */

static const char *const kept[] = {
    "[parallel: {by: k, lanes: %d}, group_by: k, {scan: {expr: '{\"k\": k, \"s\": acc.s + v}', seed: {s: 0}}}]",
    "[parallel: {by: k, lanes: %d}, group_by: k, window: 1s, aggregate: {n: count(), s: sum(v)}]",
    "[parallel: {by: k, lanes: %d}, group_by: k, delay: 300ms]",
};
enum { KEPT = sizeof kept / sizeof *kept };

/* What was saved goes on in another world, with another number of lanes. */
static void move_on(struct rig *from, struct rig *to, const char *pipe)
{
    struct rx_writer w = {0};
    struct rx_error error;
    struct rx_state *state;
    size_t pipelines = 0;
    settle(from);
    rx_state_begin(&w, from->run.world.sched);
    rx_plan_save(from->run.world.plan, &w);
    struct rx_writer seat = {0};
    rx_observer_save(&from->run.output, &seat);
    make(to, pipe, true);
    struct rx_reader r = {
        .data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = to->run.world.heap};
    ck_assert_int_eq(rx_state_open(&r, &state, &error), 0);
    rx_state_restore_sched(state, to->run.world.sched);
    ck_assert_msg(rx_plan_load(to->run.world.plan, state, &pipelines, &error) == 0, "%s", error.message);
    ck_assert_uint_eq(pipelines, 2);
    struct rx_reader s = {
        .data = (const unsigned char *)seat.buffer.data, .length = seat.buffer.length, .heap = to->run.world.heap};
    rx_observer_load(to->run.world.plan->pipelines[1].hub, &to->run.output, &s);
    rx_state_close(state);
    to->run.out = from->run.out;
    from->run.out = (struct rx_buffer){0};
    rx_buffer_finish(&w.buffer);
    rx_buffer_finish(&seat.buffer);
    finish(from);
}

static char *kept_run(const char *pipe, bool restarts)
{
    struct rig rigs[7];
    char text[300];
    unsigned at = 0;
    uint32_t state = 5;
    rx_time now = 0;
    static const int lanes[] = {2, 3, 1, 4, 4, 2, 16};
    snprintf(text, sizeof text, pipe, 2);
    start(&rigs[0], text, true);
    for (int i = 0; i < EVENTS; i++) {
        now += next_random(&state) % 4 * 37;
        run_to(&rigs[at], now, false, true);
        put(&rigs[at], next_random(&state) % 20, (int)(next_random(&state) % 50), now);
        run_to(&rigs[at], now, true, true);
        if (!restarts || i % 50 != 25)
            continue;
        snprintf(text, sizeof text, pipe, lanes[at + 1]);
        move_on(&rigs[at], &rigs[at + 1], text);
        at++;
    }
    rx_hub_complete(source(&rigs[at].run, 'a'));
    run_to(&rigs[at], now + 10000, true, true);
    char *out = by_key(&rigs[at].run.out);
    finish(&rigs[at]);
    return out;
}

START_TEST(another_number_of_lanes_goes_on_from_what_was_saved)
{
    char *expected = kept_run(kept[_i], false), *came = kept_run(kept[_i], true);
    ck_assert_str_eq(came, expected);
    free(expected);
    free(came);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lanes");
    TCase *t = tcase_create("lanes");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, for_each_key_it_is_as_without_lanes, 0, PIPES);
    tcase_add_test(t, an_error_of_the_input_comes_behind_what_came_before);
    tcase_add_test(t, an_error_in_a_lane_ends_the_pipeline);
    tcase_add_test(t, what_is_left_in_mid_flight_is_accounted_for);
    tcase_add_test(t, a_bad_event_goes_to_the_errors);
    tcase_add_test(t, a_barrier_is_aligned_over_the_lanes);
    tcase_add_test(t, lanes_that_have_nothing_to_do_learn_that_the_clock_was_set);
    tcase_add_test(t, full_lanes_ask_for_a_pause_and_then_drop);
    tcase_add_loop_test(t, another_number_of_lanes_goes_on_from_what_was_saved, 0, KEPT);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
