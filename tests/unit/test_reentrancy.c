// layer: pipelines
/* An operator whose output comes back to its own input: the nested notes wait in a queue of bounded length, come in order
 * when the outer one is through, and are counted where there is no room. */
#include "tests/unit/contract_harness.h"

enum { ROOM = 65536 }; /* QUEUE_MAX in core/graph/deliver.c */

/* On its first event it sends `more` others into the source that it hears, and then perhaps the source's end. */
struct echo {
    struct run run;
    int more;
    enum { GOES_ON, COMPLETES, FAILS } then;
    uint64_t heard, next_value;
    bool inside, ended, failed;
};

static void send(struct echo *e, int64_t value)
{
    struct rx_event event = {.value = rx_int(value), .time = rx_sched_now(e->run.sched)};
    rx_hub_next(e->run.plan->sources[0].hub, &event, 1);
}

static void send_back(struct echo *e)
{
    struct rx_hub *hub = e->run.plan->sources[0].hub;
    struct rx_error error;
    rx_error_set(&error, -5, "broken");
    for (int i = 1; i <= e->more; i++)
        send(e, i);
    if (e->then == COMPLETES)
        rx_hub_complete(hub);
    else if (e->then == FAILS)
        rx_hub_error(hub, &error);
}

static void hear(void *arg, const struct rx_note *note)
{
    struct echo *e = arg;
    ck_assert_msg(!e->inside, "a notification inside another");
    ck_assert_msg(!e->ended, "a notification after the end");
    if (note->kind != RX_NEXT) {
        e->ended = true;
        e->failed = note->kind == RX_ERROR;
        return;
    }
    e->inside = true;
    for (size_t i = 0; i < note->count; i++)
        ck_assert_int_eq(note->span[i].value.u.i, (int64_t)e->next_value++);
    if (e->heard == 0)
        send_back(e);
    e->heard += note->count;
    e->inside = false;
}

static int tap(void)
{
    for (int i = 0;; i++)
        if (strcmp(rx_registry_operators()[i]->base.name, "tap") == 0)
            return i;
}

/* The ledger of the step: what came in is used or evicted. */
static struct rx_ledger echo(struct echo *e)
{
    ck_assert(run_init(&e->run, tap(), false));
    rx_engine_enter(e->run.engine);
    struct rx_instance *instance = rx_graph_start(e->run.engine, e->run.plan->pipelines[0].graph, hear, e);
    rx_engine_leave(e->run.engine);
    send(e, 0);
    check_ledgers(e->run.plan, e->ended ? NULL : instance);
    struct rx_ledger ledger = {0};
    for (size_t k = 0; k < e->run.logical->step_count; k++)
        if (strcmp(e->run.plan->steps[k]->class->base.name, "tap") == 0)
            ledger = e->run.plan->ledgers[k];
    if (!e->ended)
        rx_graph_stop(instance);
    run_finish(&e->run);
    return ledger;
}

START_TEST(what_comes_back_is_heard_afterwards_and_in_order)
{
    struct echo e = {.more = 100};
    struct rx_ledger ledger = echo(&e);
    ck_assert_uint_eq(e.heard, 101);
    ck_assert_uint_eq(ledger.in, 101);
    ck_assert_uint_eq(ledger.accounts[RX_EVICTED], 0);
    ck_assert(!e.ended);
}
END_TEST

START_TEST(an_end_waits_for_what_came_before_it)
{
    struct echo completes = {.more = 3, .then = COMPLETES}, fails = {.more = 3, .then = FAILS};
    echo(&completes);
    ck_assert_uint_eq(completes.heard, 4);
    ck_assert(completes.ended && !completes.failed);
    echo(&fails);
    ck_assert_uint_eq(fails.heard, 4);
    ck_assert(fails.ended && fails.failed);
}
END_TEST

START_TEST(beyond_its_room_events_are_counted_and_the_end_still_comes)
{
    struct echo e = {.more = ROOM + 5000, .then = COMPLETES};
    struct rx_ledger ledger = echo(&e);
    ck_assert_uint_eq(e.heard, 1 + ROOM);
    ck_assert_uint_eq(ledger.in, 1 + ROOM + 5000);
    ck_assert_uint_eq(ledger.accounts[RX_EVICTED], 5000);
    ck_assert(e.ended);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reentrancy");
    TCase *t = tcase_create("reentrancy");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 20); /* a queue whose length is counted at each note takes longer */
    tcase_add_test(t, what_comes_back_is_heard_afterwards_and_in_order);
    tcase_add_test(t, an_end_waits_for_what_came_before_it);
    tcase_add_test(t, beyond_its_room_events_are_counted_and_the_end_still_comes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
