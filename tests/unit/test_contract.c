// layer: pipelines
/* The Rx contract, held against every operator of the registry, and against a few chains: the grammar, no overlap, silence
 * after the end and after cancel, the upstream released, nothing leaked, and every event accounted for. */
#include "tests/unit/contract_harness.h"

START_TEST(completion_ends_it_once_and_releases_everything)
{
    struct run r;
    if (!run_init(&r, _i, false))
        return;
    begin(&r);
    drive(&r, 0, EVENTS);
    complete_all(&r);
    ck_assert_uint_eq(r.ends, 1);
    ck_assert_uint_eq(listeners(&r), 0);
    unsigned notes = r.notes;
    drive(&r, EVENTS, EVENTS + 5);
    ck_assert_uint_eq(r.notes, notes);
    run_finish(&r);
}
END_TEST

START_TEST(an_error_goes_through_or_is_answered_by_a_new_subscription)
{
    struct run r;
    struct rx_error error;
    if (!run_init(&r, _i, false))
        return;
    begin(&r);
    drive(&r, 0, EVENTS / 2);
    if (r.ends) {
        run_finish(&r);
        return;
    }
    rx_error_set(&error, -5, "broken");
    rx_hub_error(r.plan->sources[0].hub, &error);
    rx_sched_run_until(r.sched, rx_sched_now(r.sched) + 10 * RX_SEC, true);
    ck_assert_msg(r.ends == 1 || listeners(&r) > 0, "neither ended nor subscribed anew");
    if (r.ends)
        ck_assert_uint_eq(listeners(&r), 0);
    run_finish(&r);
}
END_TEST

START_TEST(cancel_inside_a_notification_is_silence_from_then_on)
{
    for (unsigned after = 1; after <= 9; after += 4) {
        struct run r;
        if (!run_init(&r, _i, after == 5))
            return;
        r.cancel_after = after;
        begin(&r);
        drive(&r, 0, EVENTS);
        if (r.cancelled)
            ck_assert_uint_eq(listeners(&r), 0);
        complete_all(&r);
        run_finish(&r);
    }
}
END_TEST

START_TEST(cancel_from_outside_releases_the_upstream_and_the_timers)
{
    struct run r;
    if (!run_init(&r, _i, false))
        return;
    begin(&r);
    drive(&r, 0, EVENTS / 3);
    rx_graph_stop(r.instance);
    r.instance = NULL;
    r.cancelled = true;
    ck_assert_uint_eq(listeners(&r), 0);
    drive(&r, EVENTS / 3, EVENTS);
    complete_all(&r);
    run_finish(&r);
}
END_TEST

START_TEST(every_event_is_accounted_for_in_mid_stream_and_at_the_end)
{
    for (int fused = 0; fused < 2; fused++) {
        struct run r;
        if (!run_init(&r, _i, !fused))
            return;
        begin(&r);
        drive(&r, 0, EVENTS / 2);
        check_ledgers(r.plan, r.instance);
        drive(&r, EVENTS / 2, EVENTS);
        rx_graph_stop(r.instance);
        r.instance = NULL;
        check_ledgers(r.plan, r.instance);
        run_finish(&r);
    }
}
END_TEST

/* A step keeps the same account whether it runs alone or in one node with others. */
START_TEST(fused_steps_keep_the_accounts_of_single_ones)
{
    struct run fused, single;
    if (!run_init(&fused, _i, false) || !run_init(&single, _i, true))
        return;
    begin(&fused);
    begin(&single);
    drive(&fused, 0, EVENTS);
    drive(&single, 0, EVENTS);
    complete_all(&fused);
    complete_all(&single);
    for (size_t k = 0; k < single.logical->step_count; k++) {
        const struct rx_step *step = single.plan->steps[k];
        if (step->class->base.flags & RX_INTERNAL)
            continue;
        const struct rx_ledger *a = &single.plan->ledgers[k], *b = &fused.plan->ledgers[k];
        const struct rx_request_counts *x = a->requests, *y = b->requests;
        ck_assert_str_eq(fused.plan->steps[k]->id, step->id);
        ck_assert((x == NULL) == (y == NULL));
        ck_assert(!x || (memcmp(x, y, offsetof(struct rx_request_counts, breaker_open)) == 0 &&
                         x->breaker_open == y->breaker_open));
        ck_assert_msg(memcmp(a, b, offsetof(struct rx_ledger, requests)) == 0,
                      "%s: alone in %llu out %llu, fused in %llu out %llu", step->id, (unsigned long long)a->in,
                      (unsigned long long)a->out, (unsigned long long)b->in, (unsigned long long)b->out);
    }
    run_finish(&fused);
    run_finish(&single);
}
END_TEST

int main(void)
{
    return contract_main("contract", (const TTest *const[]){
                                         completion_ends_it_once_and_releases_everything,
                                         an_error_goes_through_or_is_answered_by_a_new_subscription,
                                         cancel_inside_a_notification_is_silence_from_then_on,
                                         cancel_from_outside_releases_the_upstream_and_the_timers,
                                         every_event_is_accounted_for_in_mid_stream_and_at_the_end,
                                         fused_steps_keep_the_accounts_of_single_ones,
                                         NULL,
                                     });
}
