// layer: pipelines
/* What must not show, held against every operator and a few chains: how long spans are, what else ran on the engine before; and what must do no harm: no more keys, no more memory. */
#include "tests/unit/contract_harness.h"

enum { BURST = 21, BURSTS = 8, KEYS = 200 };

/* BURST events of the main source at one instant, in spans of `most`, and one of each other source. */
static void burst(struct run *r, int i, size_t most)
{
    struct rx_event events[BURST];
    struct rx_plan_source *main_source = &r->plan->sources[0];
    for (int k = 0; k < BURST; k++)
        events[k] = event_of(r, main_source, i * BURST + k);
    for (size_t k = 0; k < BURST; k += most)
        rx_hub_next(main_source->hub, &events[k], BURST - k < most ? BURST - k : most);
    for (int k = 0; k < BURST; k++)
        rx_event_unref(&events[k]);
    for (size_t s = 1; s < r->plan->source_count; s++) {
        struct rx_event event = event_of(r, &r->plan->sources[s], i);
        rx_hub_next(r->plan->sources[s].hub, &event, 1);
        rx_event_unref(&event);
    }
}

static void run_bursts(struct run *r, size_t span)
{
    begin(r);
    for (int i = 0; i < BURSTS; i++) {
        rx_time at = (rx_time)i * 5 * STEP_MS * RX_MSEC;
        ck_assert_int_ge(rx_sched_run_until(r->sched, at, false), 0);
        burst(r, i, span);
        ck_assert_int_ge(rx_sched_run_until(r->sched, at, true), 0);
    }
    complete_all(r);
}

/* NULL: not a step that a user writes. */
static char *bursts_of(int which, const struct variant *variant, size_t span)
{
    struct run r;
    if (!run_init_variant(&r, which, variant))
        return NULL;
    run_bursts(&r, span);
    char *text = text_of(&r);
    run_finish(&r);
    return text;
}

static void compare(int which, const struct variant *variant, size_t span, const char *expected)
{
    char *text = bursts_of(which, variant, span);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(the_length_of_spans_does_not_show)
{
    for (int fused = 0; fused < 2; fused++) {
        struct variant variant = {.no_fusion = !fused};
        char *expected = bursts_of(_i, &variant, 1);
        if (!expected)
            return;
        compare(_i, &variant, 7, expected);
        compare(_i, &variant, RX_SPAN_MAX, expected);
        free(expected);
    }
}
END_TEST

START_TEST(two_engines_side_by_side_agree_on_ties)
{
    struct run first, second;
    if (!run_init(&first, _i, false))
        return;
    run_init_variant(&second, _i, &(struct variant){.sequence = 1000});
    run_bursts(&first, 7);
    run_bursts(&second, 7);
    ck_assert_uint_eq(first.out.length, second.out.length);
    if (first.out.length)
        ck_assert_mem_eq(first.out.data, second.out.data, first.out.length);
    run_finish(&second);
    run_finish(&first);
}
END_TEST

/* More names than are kept have come in with payloads: objects are maps from then on, and nothing else is different. */
static void use_up_keys(struct run *r, struct rx_value *held)
{
    for (int i = 0; i < 2 * KEYS; i++) {
        char json[64];
        int length = snprintf(json, sizeof json, "{\"name%d\":1}", i);
        ck_assert_int_eq(rx_json_decode(r->heap, NULL, NULL, json, (size_t)length, &held[i], NULL), 0);
    }
}

START_TEST(when_no_more_keys_are_kept_nothing_shows)
{
    struct run r;
    struct rx_value held[2 * KEYS];
    char *expected = bursts_of(_i, &(struct variant){0}, 1);
    if (!expected)
        return;
    run_init_variant(&r, _i, &(struct variant){.limits = {.max_keys = KEYS}});
    use_up_keys(&r, held);
    run_bursts(&r, 1);
    char *text = text_of(&r);
    ck_assert_str_eq(text, expected);
    free(text);
    for (int i = 0; i < 2 * KEYS; i++)
        rx_value_unref(held[i]);
    run_finish(&r);
    free(expected);
}
END_TEST

/* The heap is full from some event on: events are lost and steps fail, in order, and everything is given back. */
static void run_in(int which, size_t room)
{
    struct run r;
    struct variant variant = {.limits = {.max_bytes = room}};
    if (!run_init_variant(&r, which, &variant))
        return;
    begin(&r);
    for (int i = 0; i < EVENTS; i++) {
        char json[100];
        struct rx_event event = {.time = (rx_time)i * STEP_MS * RX_MSEC};
        rx_sched_run_until(r.sched, event.time, true);
        int length =
            snprintf(json, sizeof json, "{\"device\":\"d%d\",\"city\":\"c%d\",\"value\":%d,\"avg\":1.5}", i, i % 2, i);
        if (rx_json_decode(r.heap, NULL, NULL, json, (size_t)length, &event.value, NULL) == 0)
            rx_hub_next(source_of(&r, i)->hub, &event, 1);
        rx_event_unref(&event);
    }
    complete_all(&r);
    run_finish(&r);
}

START_TEST(a_full_heap_does_no_harm)
{
    struct run r;
    if (!run_init(&r, _i, false))
        return;
    size_t planned = rx_heap_live_bytes(r.heap);
    run_finish(&r);
    for (size_t room = 256; room < 16384; room += room / 3)
        run_in(_i, planned + room);
}
END_TEST

int main(void)
{
    return contract_main("contract_limits", (const TTest *const[]){
                                                the_length_of_spans_does_not_show,
                                                two_engines_side_by_side_agree_on_ties,
                                                when_no_more_keys_are_kept_nothing_shows,
                                                a_full_heap_does_no_harm,
                                                NULL,
                                            });
}
