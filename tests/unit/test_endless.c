// layer: core
/* Work without end at one instant: rounds are counted from what came from outside on, or from the clock's last step, for each op and for
 * all; and a timer that is set for its own instant for ever. By an operator in a graph made by hand. */
#include <check.h>
#include <string.h>

#include "core/graph/graph.h"

/* Goes so many rounds for each event, or sets its timer as often, as the event says. */
struct worker {
    struct rx_op op;

    int64_t left;
};

static bool by_timers;

static void work(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct worker *w = (struct worker *)op;
    (void)port, (void)n;
    w->left = span->value.u.i;
    if (by_timers)
        rx_timer_arm(op, 0, rx_now(op));
    else
        while (w->left > 0 && rx_op_again(op, "worked", NULL))
            w->left--;
}

static void work_on(struct rx_op *op, unsigned slot)
{
    struct worker *w = (struct worker *)op;
    if (--w->left > 0)
        rx_timer_arm(op, slot, rx_now(op));
}

static const struct rx_operator_class worker_class = {.base = {.name = "worker", .state_size = sizeof(struct worker)},
                                                      .min_inputs = 1,
                                                      .max_inputs = 1,
                                                      .timer_slots = 1,
                                                      .next = work,
                                                      .timer = work_on};

struct world {
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_hub *hub;
    struct rx_step steps[2];
    const struct rx_step *step_lists[2];
    struct rx_ledger ledgers[2], *ledger_lists[2];
    struct rx_node_run runs[2];
    struct rx_node nodes[2];
    struct rx_subgraph graph;
    struct rx_instance *instance[RX_ROUNDS_ALL_MAX / RX_ROUNDS_MAX + 1];
    unsigned failed;
    char error[480];
};

static void on_note(void *arg, const struct rx_note *note)
{
    struct world *w = arg;
    if (note->kind != RX_ERROR)
        return;
    w->failed++;
    memcpy(w->error, note->error->message, sizeof w->error);
}

static void make_node(struct world *w, uint16_t i)
{
    static const uint16_t inputs[] = {0};
    const struct rx_operator_class *class = i == 0 ? &rx_operator_subscription : &worker_class;
    w->steps[i] = (struct rx_step){.id = class->base.name, .label = "2.worker", .class = class};
    w->step_lists[i] = &w->steps[i];
    w->ledger_lists[i] = &w->ledgers[i];
    w->nodes[i] = (struct rx_node){.class = class,
                                   .step = &w->steps[i],
                                   .ledger = &w->ledgers[i],
                                   .steps = &w->step_lists[i],
                                   .ledgers = &w->ledger_lists[i],
                                   .step_count = 1,
                                   .index = i,
                                   .inputs = inputs,
                                   .input_count = (uint8_t)i,
                                   .down = i == 0 ? 1 : -1,
                                   .hub = i == 0 ? w->hub : NULL,
                                   .run = &w->runs[i]};
}

/* So many pipelines of one worker each, all fed by one hub. */
static void begin(struct world *w, size_t pipelines)
{
    *w = (struct world){.heap = rx_heap_create(NULL), .sched = rx_sched_create(0)};
    w->engine = rx_engine_create(w->heap, w->sched);
    w->hub = rx_hub_create(w->engine, "in");
    make_node(w, 0);
    make_node(w, 1);
    w->graph = (struct rx_subgraph){.nodes = w->nodes, .count = 2};
    for (size_t i = 0; i < pipelines; i++)
        w->instance[i] = rx_graph_start(w->engine, &w->graph, on_note, w);
}

/* The last ones are those that have failed. */
static void end(struct world *w, size_t pipelines)
{
    for (size_t i = 0; i + w->failed < pipelines; i++)
        rx_graph_stop(w->instance[i]);
    rx_hub_destroy(w->hub);
    rx_engine_destroy(w->engine);
    rx_sched_destroy(w->sched);
    rx_heap_destroy(w->heap);
}

static void tell(struct world *w, int64_t rounds)
{
    struct rx_event event = {.value = rx_int(rounds)};
    rx_hub_next(w->hub, &event, 1);
}

START_TEST(one_op_may_go_so_many_rounds_for_each_event_and_no_more)
{
    struct world w;
    by_timers = false;
    begin(&w, 1);
    tell(&w, RX_ROUNDS_MAX);
    tell(&w, RX_ROUNDS_MAX);
    ck_assert_uint_eq(w.failed, 0);
    tell(&w, RX_ROUNDS_MAX + 1);
    ck_assert_uint_eq(w.failed, 1);
    ck_assert_str_eq(w.error,
                     "the step 2.worker goes on without end: it has worked more than 1000000 times at one instant");
    end(&w, 1);
}
END_TEST

START_TEST(all_together_have_a_limit_and_what_ended_is_not_laid_to_the_charge_of_others)
{
    struct world w;
    const size_t pipelines = RX_ROUNDS_ALL_MAX / RX_ROUNDS_MAX + 1;
    by_timers = false;
    begin(&w, pipelines - 1);
    tell(&w, RX_ROUNDS_MAX);
    ck_assert_uint_eq(w.failed, 0);
    end(&w, pipelines - 1);
    begin(&w, pipelines);
    tell(&w, RX_ROUNDS_MAX);
    ck_assert_uint_eq(w.failed, 1);
    ck_assert_ptr_nonnull(strstr(w.error, "more than 10000000 times at one instant"));
    tell(&w, 1);
    ck_assert_uint_eq(w.failed, 1);
    end(&w, pipelines);
}
END_TEST

START_TEST(a_timer_that_is_set_for_its_own_instant_for_ever_fails_its_step)
{
    struct world w;
    by_timers = true;
    begin(&w, 1);
    tell(&w, RX_TIMER_REPEATS_MAX);
    rx_sched_run_until(w.sched, RX_MSEC, true);
    ck_assert_uint_eq(w.failed, 0);
    tell(&w, RX_TIMER_REPEATS_MAX + 2);
    rx_sched_run_until(w.sched, RX_SEC, true);
    ck_assert_uint_eq(w.failed, 1);
    ck_assert_str_eq(
        w.error, "the step 2.worker goes on without end: it has set its timer more than 100000 times at one instant");
    end(&w, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endless");
    TCase *t = tcase_create("endless");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, one_op_may_go_so_many_rounds_for_each_event_and_no_more);
    tcase_add_test(t, all_together_have_a_limit_and_what_ended_is_not_laid_to_the_charge_of_others);
    tcase_add_test(t, a_timer_that_is_set_for_its_own_instant_for_ever_fails_its_step);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
