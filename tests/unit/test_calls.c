// layer: core
/* Calls out of the graph: answered, refused, cancelled with their operator, and asked again by who loads them; by an operator
 * that asks for each event, in a graph made by hand. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/graph/graph.h"
#include "core/json/json.h"

/* Puts out the answer to each event; an error of a call is the text of an event. */
struct asker {
    struct rx_op op;
    uint64_t next_tag;
};

static void ask_for_each(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct asker *a = (struct asker *)op;
    (void)port;
    for (size_t i = 0; i < n; i++) {
        rx_hold(op, 1);
        rx_call_begin(op, a->next_tag++, span[i].value);
    }
}

static void on_answer(struct rx_op *op, uint64_t tag, const struct rx_value *answer, const struct rx_error *error)
{
    struct rx_value value =
        answer ? rx_value_ref(*answer) : rx_string(rx_op_heap(op), error->message, strlen(error->message));
    struct rx_event event = {.value = value, .time = (rx_time)tag};
    rx_hold(op, -1);
    rx_count(op, RX_USED, 1);
    rx_emit(op, &event, 1);
    rx_value_unref(value);
}

static int save_asker(struct rx_op *op, struct rx_writer *w)
{
    rx_write_uint(w, ((struct asker *)op)->next_tag);
    return 0;
}

static int load_asker(struct rx_op *op, struct rx_reader *r)
{
    ((struct asker *)op)->next_tag = rx_read_uint(r);
    return r->failed;
}

static const struct rx_operator_class asker_class = {.base = {.name = "asker", .state_size = sizeof(struct asker)},
                                                     .min_inputs = 1,
                                                     .max_inputs = 1,
                                                     .next = ask_for_each,
                                                     .answer = on_answer,
                                                     .save = save_asker,
                                                     .load = load_asker};

/* The graph: a subscription to one hub, and the asker. */
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
    struct rx_instance *instance;
    struct rx_call *asked[16]; /* what the outside was asked, NULL once cancelled */
    size_t asked_count, cancelled;
    bool refuse;
    struct rx_buffer out;
};

static int begin_call(void *arg, struct rx_call *call, struct rx_error *reterr)
{
    struct world *w = arg;
    if (w->refuse)
        return rx_error_set(reterr, -ECONNREFUSED, "refused");
    call->ticket = (void *)w->asked_count;
    w->asked[w->asked_count++] = call;
    return 0;
}

static void cancel_call(void *arg, struct rx_call *call)
{
    struct world *w = arg;
    w->asked[(size_t)call->ticket] = NULL;
    w->cancelled++;
}

static void write_note(void *arg, const struct rx_note *note)
{
    struct world *w = arg;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++) {
        rx_json_write(&w->out, note->span[i].value);
        rx_buffer_text(&w->out, " ");
    }
}

static void begin(struct world *w)
{
    *w = (struct world){.heap = rx_heap_create(NULL), .sched = rx_sched_create(0)};
    w->engine = rx_engine_create(w->heap, w->sched);
    w->engine->caller = (struct rx_caller){.begin = begin_call, .cancel = cancel_call, .arg = w};
    static const uint16_t inputs[] = {0};
    w->hub = rx_hub_create(w->engine, "in");
    for (int i = 0; i < 2; i++) {
        const struct rx_operator_class *class = i == 0 ? &rx_operator_subscription : &asker_class;
        w->steps[i] = (struct rx_step){.id = class->base.name, .label = class->base.name, .class = class};
        w->step_lists[i] = &w->steps[i];
        w->ledger_lists[i] = &w->ledgers[i];
        w->nodes[i] = (struct rx_node){.class = class,
                                       .step = &w->steps[i],
                                       .ledger = &w->ledgers[i],
                                       .steps = &w->step_lists[i],
                                       .ledgers = &w->ledger_lists[i],
                                       .step_count = 1,
                                       .index = (uint16_t)i,
                                       .inputs = inputs,
                                       .input_count = (uint8_t)i,
                                       .down = i == 0 ? 1 : -1,
                                       .hub = i == 0 ? w->hub : NULL,
                                       .run = &w->runs[i]};
    }
    w->graph = (struct rx_subgraph){.nodes = w->nodes, .count = 2};
}

static void end(struct world *w)
{
    rx_graph_stop(w->instance);
    rx_hub_destroy(w->hub);
    rx_engine_destroy(w->engine);
    rx_sched_destroy(w->sched);
    rx_heap_destroy(w->heap);
    rx_buffer_finish(&w->out);
}

static void push(struct world *w, int64_t n)
{
    struct rx_event event = {.value = rx_int(n)};
    rx_hub_next(w->hub, &event, 1);
}

static void answer(struct world *w, size_t i, int64_t n)
{
    struct rx_value value = rx_int(n);
    rx_call_answer(w->asked[i], &value, NULL);
}

static const char *written(struct world *w)
{
    rx_buffer_append(&w->out, "", 1);
    return w->out.data;
}

START_TEST(answers_come_in_any_order_and_reach_who_asked)
{
    struct world w;
    begin(&w);
    w.instance = rx_graph_start(w.engine, &w.graph, write_note, &w);
    push(&w, 1);
    push(&w, 2);
    ck_assert_uint_eq(w.asked_count, 2);
    ck_assert_int_eq(w.asked[1]->request.u.i, 2);
    ck_assert_int_eq(w.ledgers[1].held, 2);
    answer(&w, 1, 20);
    answer(&w, 0, 10);
    ck_assert_str_eq(written(&w), "20 10 ");
    ck_assert_int_eq(w.ledgers[1].held, 0);
    end(&w);
}
END_TEST

START_TEST(what_cannot_be_asked_and_what_fails_is_an_error_to_who_asked)
{
    struct world w;
    struct rx_error error;
    begin(&w);
    w.instance = rx_graph_start(w.engine, &w.graph, write_note, &w);
    w.refuse = true;
    push(&w, 1);
    w.refuse = false;
    push(&w, 2);
    rx_error_set(&error, -ETIMEDOUT, "too late");
    rx_call_answer(w.asked[0], NULL, &error);
    w.engine->caller = (struct rx_caller){0};
    push(&w, 3);
    ck_assert_str_eq(written(&w), "\"refused\" \"too late\" \"nobody here can ask the outside\" ");
    end(&w);
}
END_TEST

START_TEST(what_is_pending_is_cancelled_with_its_operator)
{
    struct world w;
    begin(&w);
    w.instance = rx_graph_start(w.engine, &w.graph, write_note, &w);
    for (int i = 0; i < 3; i++)
        push(&w, i);
    answer(&w, 1, 1);
    rx_graph_stop(w.instance);
    w.instance = NULL;
    ck_assert_uint_eq(w.cancelled, 2);
    ck_assert_ptr_null(w.asked[0]);
    ck_assert_ptr_null(w.asked[2]);
    ck_assert_uint_eq(w.ledgers[1].accounts[RX_UNHEARD], 2); /* held when it ended: accounted for */
    end(&w);
}
END_TEST

START_TEST(what_is_pending_is_asked_again_by_who_loads_it)
{
    struct world first, second;
    struct rx_writer saved = {0};
    begin(&first);
    first.instance = rx_graph_start(first.engine, &first.graph, write_note, &first);
    for (int i = 0; i < 3; i++)
        push(&first, i * 10);
    answer(&first, 0, 0);
    ck_assert_int_eq(rx_instance_save(first.instance, &saved), 0);
    begin(&second);
    struct rx_reader reader = {
        .data = (const unsigned char *)saved.buffer.data, .length = saved.buffer.length, .heap = second.heap};
    second.instance = rx_graph_load(second.engine, &second.graph, write_note, &second, &reader);
    ck_assert_ptr_nonnull(second.instance);
    ck_assert_uint_eq(second.asked_count, 2);
    ck_assert_int_eq(second.asked[0]->request.u.i, 10);
    ck_assert_uint_eq(second.asked[0]->tag, 1);
    answer(&second, 1, 2);
    answer(&second, 0, 1);
    ck_assert_str_eq(written(&second), "2 1 ");
    rx_buffer_finish(&saved.buffer);
    end(&first);
    end(&second);
}
END_TEST

START_TEST(one_call_is_cancelled_and_the_others_go_on)
{
    struct world w;
    begin(&w);
    w.instance = rx_graph_start(w.engine, &w.graph, write_note, &w);
    for (int i = 0; i < 3; i++)
        push(&w, i);
    struct rx_op *op = w.asked[0]->op;
    rx_call_cancel(op, 1);
    rx_call_cancel(op, 7);
    ck_assert_uint_eq(w.cancelled, 1);
    ck_assert_ptr_null(w.asked[1]);
    rx_call_cancel(op, 2);
    rx_call_cancel(op, 0);
    push(&w, 3);
    answer(&w, 3, 30);
    ck_assert_str_eq(written(&w), "30 ");
    end(&w);
}
END_TEST

START_TEST(answers_known_beforehand_come_at_their_instants_over_a_restart_too)
{
    struct world first, second;
    struct rx_writer saved = {0};
    begin(&first);
    first.instance = rx_graph_start(first.engine, &first.graph, write_note, &first);
    for (int i = 0; i < 3; i++)
        push(&first, i);
    struct rx_value refusal = rx_string(first.heap, "hung up", 7);
    ck_assert_int_eq(rx_call_answer_later(first.asked[0], 300, rx_int(10)), 0);
    ck_assert_int_eq(rx_call_answer_later(first.asked[1], 100, refusal), 0);
    ck_assert_int_eq(rx_call_answer_later(first.asked[2], 300, rx_int(12)), 0);
    rx_value_unref(refusal);
    rx_sched_run_until(first.sched, 150, true);
    ck_assert_str_eq(written(&first), "\"hung up\" ");
    ck_assert_int_eq(rx_instance_save(first.instance, &saved), 0);
    begin(&second);
    rx_sched_run_until(second.sched, 150, true);
    struct rx_reader reader = {
        .data = (const unsigned char *)saved.buffer.data, .length = saved.buffer.length, .heap = second.heap};
    second.instance = rx_graph_load(second.engine, &second.graph, write_note, &second, &reader);
    ck_assert_ptr_nonnull(second.instance);
    ck_assert_uint_eq(second.asked_count, 0);
    rx_sched_run_until(second.sched, 299, true);
    ck_assert_uint_eq(second.out.length, 0);
    rx_sched_run_until(second.sched, 300, true);
    ck_assert_str_eq(written(&second), "10 12 ");
    rx_buffer_finish(&saved.buffer);
    end(&first);
    ck_assert_uint_eq(first.cancelled, 0);
    end(&second);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calls");
    TCase *t = tcase_create("calls");
    suite_add_tcase(suite, t);
    tcase_add_test(t, answers_come_in_any_order_and_reach_who_asked);
    tcase_add_test(t, what_cannot_be_asked_and_what_fails_is_an_error_to_who_asked);
    tcase_add_test(t, what_is_pending_is_cancelled_with_its_operator);
    tcase_add_test(t, what_is_pending_is_asked_again_by_who_loads_it);
    tcase_add_test(t, one_call_is_cancelled_and_the_others_go_on);
    tcase_add_test(t, answers_known_beforehand_come_at_their_instants_over_a_restart_too);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
