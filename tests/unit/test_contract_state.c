// layer: pipelines
/* Saved state, held against every operator and a few chains: it goes on as if nothing had happened; cut off or damaged it is
 * refused, and whatever had been made of it is gone. */
#include "tests/unit/contract_harness.h"

/* False: refused. The bytes are copied to a block of just their size, so that a sanitizer sees a read behind them. */
static bool load(struct run *r, const char *data, size_t length)
{
    unsigned char *copy = malloc(length ? length : 1);
    memcpy(copy, data, length);
    struct rx_reader reader = {.data = copy, .length = length, .heap = r->heap};
    r->instance = rx_graph_load(r->engine, r->plan->pipelines[0].graph, on_note, r, &reader);
    ck_assert(!r->instance || reader.position == length);
    free(copy);
    return r->instance != NULL;
}

/* Stops after `cut` events, saves, loads on a new engine at the same time, and goes on. */
static char *interrupted_run(int which, bool no_fusion, int cut)
{
    struct run first, second;
    struct rx_writer saved = {0};
    run_init(&first, which, no_fusion);
    begin(&first);
    drive(&first, 0, cut);
    if (!first.instance) {
        run_finish(&first);
        return NULL;
    }
    ck_assert_int_eq(rx_instance_save(first.instance, &saved), 0);
    run_init(&second, which, no_fusion);
    rx_buffer_append(&second.out, first.out.data, first.out.length);
    rx_sched_run_until(second.sched, rx_sched_now(first.sched), true);
    ck_assert_msg(load(&second, saved.buffer.data, saved.buffer.length), "what was saved does not load");
    drive(&second, cut, EVENTS);
    complete_all(&second);
    char *text = text_of(&second);
    rx_buffer_finish(&saved.buffer);
    run_finish(&first);
    run_finish(&second);
    return text;
}

START_TEST(a_saved_state_goes_on_as_if_nothing_had_happened)
{
    for (int fused = 0; fused < 2; fused++) {
        char *whole = whole_run(_i, !fused, false);
        for (int cut = 1; whole && cut < EVENTS; cut += 7) {
            char *interrupted = interrupted_run(_i, !fused, cut);
            if (interrupted)
                ck_assert_str_eq(interrupted, whole);
            free(interrupted);
        }
        free(whole);
    }
}
END_TEST

/* The state after a third of the run; false: it had ended by then. */
static bool saved_state(int which, bool no_fusion, struct rx_writer *ret)
{
    struct run r;
    if (!run_init(&r, which, no_fusion))
        return false;
    begin(&r);
    drive(&r, 0, EVENTS / 3);
    bool running = r.instance != NULL;
    *ret = (struct rx_writer){0};
    if (running)
        ck_assert_int_eq(rx_instance_save(r.instance, ret), 0);
    run_finish(&r);
    return running;
}

START_TEST(a_state_that_is_cut_off_anywhere_is_refused_and_leaves_nothing)
{
    for (int fused = 0; fused < 2; fused++) {
        struct rx_writer saved;
        struct run r;
        if (!saved_state(_i, !fused, &saved))
            return;
        run_init(&r, _i, !fused);
        rx_sched_run_until(r.sched, (EVENTS / 3) * STEP_MS * RX_MSEC, false);
        size_t blocks = rx_heap_live_blocks(r.heap);
        for (size_t length = 0; length < saved.buffer.length; length++) {
            ck_assert_msg(!load(&r, saved.buffer.data, length), "%zu of %zu bytes load", length, saved.buffer.length);
            ck_assert_uint_eq(rx_sched_armed(r.sched), 0);
            ck_assert_uint_eq(rx_heap_live_blocks(r.heap), blocks);
            ck_assert_uint_eq(listeners(&r), 0);
        }
        ck_assert_msg(load(&r, saved.buffer.data, saved.buffer.length), "the whole state does not load after that");
        run_finish(&r);
        rx_buffer_finish(&saved.buffer);
    }
}
END_TEST

/* Any byte may be anything: what loads all the same must go on in order, and end. */
START_TEST(a_damaged_state_does_no_harm)
{
    struct rx_writer saved;
    if (!saved_state(_i, false, &saved))
        return;
    for (size_t at = 0; at < saved.buffer.length; at++) {
        struct run r;
        char before = saved.buffer.data[at];
        saved.buffer.data[at] = (char)(before ^ (1 << (at % 8)));
        run_init(&r, _i, false);
        if (load(&r, saved.buffer.data, saved.buffer.length))
            drive(&r, EVENTS / 3, EVENTS / 2);
        run_finish(&r);
        saved.buffer.data[at] = before;
    }
    rx_buffer_finish(&saved.buffer);
}
END_TEST

int main(void)
{
    return contract_main("contract_state", (const TTest *const[]){
                                               a_saved_state_goes_on_as_if_nothing_had_happened,
                                               a_state_that_is_cut_off_anywhere_is_refused_and_leaves_nothing,
                                               a_damaged_state_does_no_harm,
                                               NULL,
                                           });
}
