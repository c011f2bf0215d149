// layer: pipelines
/* The http step under a virtual clock, with answers that are known beforehand: modes, order, tries, timeouts, the breaker, limits,
 * event time, what is asked, batches, and answers that are kept. */
#include <errno.h>

#include "core/graph/graph.h"
#include "core/graph/request.h"
#include "notes_harness.h"

enum { TRIES_MAX = 8, KINDS = 10 };

/* What is answered to v, by try: the last goes on. After 0 ms: never. */
struct plan {
    int after, status; /* ms; status 0: no answer but an error */
    int retry_after;   /* s */
    int parts;         /* to a batch: so many, 0, 1, 2 ...; 0: ten times v */
};

struct outside {
    struct rx_heap *heap;
    struct plan plans[KINDS][TRIES_MAX];
    unsigned tries[KINDS], asked, cancelled;
    struct rx_buffer log;
};
static struct outside outside;

static struct rx_value body_of(struct rx_heap *heap, const struct plan *plan, unsigned v)
{
    struct rx_value parts[16];
    for (int i = 0; i < plan->parts; i++)
        parts[i] = rx_int(i);
    return plan->parts ? rx_list_take(heap, parts, (uint32_t)plan->parts) : rx_int(v * 10);
}

static int ask(void *arg, struct rx_call *call, struct rx_error *reterr)
{
    struct rx_request request;
    struct outside *o = arg;
    ck_assert(rx_request_read(call->request, &request));
    rx_buffer_printf(&o->log, "%s %.*s%s", request.method, (int)request.url.aux, request.url.u.text,
                     request.trusted ? "" : " guarded");
    if (request.body.kind == RX_STRING)
        rx_buffer_printf(&o->log, " %.*s", (int)request.body.aux, request.body.u.text);
    if (rx_object_count(request.headers))
        rx_buffer_text(&o->log, " ");
    if (rx_object_count(request.headers))
        rx_json_write(&o->log, request.headers);
    rx_buffer_text(&o->log, "\n");
    unsigned v = (unsigned)(request.url.u.text[request.url.aux - 1] - '0') % KINDS;
    unsigned try = o->tries[v] < TRIES_MAX - 1 ? o->tries[v]++ : TRIES_MAX - 1;
    struct plan plan = o->plans[v][try];
    o->asked++;
    if (plan.after < 0)
        return rx_error_set(reterr, -ECONNREFUSED, "refused");
    if (!plan.after)
        return 0;
    struct rx_reply reply = {
        .status = plan.status, .body = body_of(o->heap, &plan, v), .retry_after = plan.retry_after * RX_SEC};
    struct rx_value answer = plan.status ? rx_reply_value(o->heap, &reply) : rx_string(o->heap, "hung up", 7);
    int r = rx_call_answer_later(call, plan.after * RX_MSEC, answer);
    rx_value_unref(answer);
    rx_value_unref(reply.body);
    return r;
}

static void cancel(void *arg, struct rx_call *call)
{
    (void)call;
    ((struct outside *)arg)->cancelled++;
}

static void begin_step(struct run *r, const char *options)
{
    char pipe[500];
    snprintf(pipe, sizeof pipe,
             "[{http: {get: 'http://h/{v}', into: r, %s}}, {map: '{\"v\": v, \"r\": r, \"s\": meta.status}'}]",
             options);
    begin(r, pipe);
    outside = (struct outside){.heap = r->world.heap};
    r->world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
}

static void answers(int v, int try, int after, int status)
{
    for (; try < TRIES_MAX; try++)
        outside.plans[v][try] = (struct plan){.after = after, .status = status};
}

static void run_to(struct run *r, int ms) { rx_sched_run_until(r->world.sched, ms * RX_MSEC, true); }

static const struct rx_ledger *ledger(const struct run *r)
{
    const struct rx_plan *plan = r->world.plan;
    for (size_t i = 0; i < plan->logical->step_count; i++)
        if (strcmp(plan->steps[i]->class->base.name, "http") == 0)
            return &plan->ledgers[i];
    ck_abort_msg("no http step");
    return NULL;
}

static void finish(struct run *r)
{
    const struct rx_ledger *l = ledger(r);
    uint64_t sum = (uint64_t)l->held;
    for (int i = 0; i < RX_ACCOUNTS; i++)
        sum += i == RX_ABSENT ? 0 : l->accounts[i];
    ck_assert_uint_eq(sum, l->in);
    rx_buffer_finish(&outside.log);
    end(r);
}

static void push_three(struct run *r)
{
    answers(1, 0, 300, 200);
    answers(2, 0, 100, 200);
    answers(3, 0, 200, 200);
    for (int v = 1; v <= 3; v++)
        push(r, 'a', v, 0);
}

#define LINE(v_, at_) "{\"v\":" #v_ ",\"r\":" #v_ "0,\"s\":200} at " #at_ "\n"

START_TEST(results_come_as_the_answers_do)
{
    struct run r;
    begin_step(&r, "concurrency: 3");
    push_three(&r);
    rx_hub_complete(source(&r, 'a'));
    run_to(&r, 1000);
    expect(&r, LINE(2, 100) LINE(3, 200) LINE(1, 300) "complete\n");
    finish(&r);
}
END_TEST

START_TEST(results_come_in_order_where_that_is_asked_for)
{
    struct run r;
    begin_step(&r, "ordered: true");
    push_three(&r);
    run_to(&r, 1000);
    expect(&r, LINE(1, 300) LINE(2, 300) LINE(3, 300));
    finish(&r);
}
END_TEST

START_TEST(a_place_that_is_free_is_for_the_next_in_line)
{
    struct run r;
    begin_step(&r, "concurrency: 2");
    push_three(&r);
    ck_assert_uint_eq(outside.asked, 2);
    run_to(&r, 1000);
    expect(&r, LINE(2, 100) LINE(1, 300) LINE(3, 300));
    finish(&r);
}
END_TEST

START_TEST(concat_asks_one_after_the_other)
{
    struct run r;
    begin_step(&r, "mode: concat");
    push_three(&r);
    ck_assert_uint_eq(outside.asked, 1);
    run_to(&r, 1000);
    expect(&r, LINE(1, 300) LINE(2, 400) LINE(3, 600));
    finish(&r);
}
END_TEST

START_TEST(switch_gives_up_what_is_older)
{
    struct run r;
    begin_step(&r, "mode: switch");
    push_three(&r);
    ck_assert_uint_eq(outside.asked, 3);
    run_to(&r, 1000);
    expect(&r, LINE(3, 200));
    ck_assert_uint_eq(ledger(&r)->accounts[RX_SUPERSEDED], 2);
    finish(&r);
}
END_TEST

START_TEST(exhaust_leaves_out_what_comes_meanwhile)
{
    struct run r;
    begin_step(&r, "mode: exhaust");
    push_three(&r);
    run_to(&r, 1000);
    expect(&r, LINE(1, 300));
    ck_assert_uint_eq(ledger(&r)->accounts[RX_FILTERED], 2);
    finish(&r);
}
END_TEST

START_TEST(more_than_may_wait_is_evicted)
{
    struct run r;
    begin_step(&r, "concurrency: 1, queue: 1");
    push_three(&r);
    run_to(&r, 1000);
    expect(&r, LINE(1, 300) LINE(2, 400));
    ck_assert_uint_eq(ledger(&r)->accounts[RX_EVICTED], 1);
    finish(&r);
}
END_TEST

START_TEST(it_is_tried_again_after_what_may_pass_and_heeds_retry_after)
{
    struct run r;
    begin_step(&r, "retry: {count: 3, delay: 100ms, backoff: 2}");
    answers(1, 0, 10, 503);
    answers(1, 1, 10, 0);
    answers(1, 2, 10, 429);
    outside.plans[1][2].retry_after = 2;
    answers(1, 3, 10, 200);
    push(&r, 'a', 1, 0);
    run_to(&r, 10000);
    expect(&r, LINE(1, 2340)); /* 10 + 100 + 10 + 200 + 10 + 2000 + 10 */
    ck_assert_uint_eq(outside.asked, 4);
    finish(&r);
}
END_TEST

START_TEST(what_asking_again_does_not_change_is_an_error_of_the_event_at_once)
{
    struct run r;
    begin_step(&r, "retry: 3");
    answers(1, 0, 10, 404);
    answers(2, 0, 10, 302);
    push(&r, 'a', 1, 0);
    push(&r, 'a', 2, 0);
    run_to(&r, 10000);
    ck_assert_uint_eq(outside.asked, 2);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 2);
    finish(&r);
}
END_TEST

START_TEST(no_answer_in_time_is_a_failure_and_the_call_is_cancelled)
{
    struct run r;
    begin_step(&r, "timeout: 500ms, retry: {count: 1, delay: 100ms}");
    answers(1, 0, 0, 0);
    answers(1, 1, 10, 200);
    answers(2, 0, 0, 0);
    push(&r, 'a', 1, 0);
    push(&r, 'a', 2, 0);
    run_to(&r, 10000);
    expect(&r, LINE(1, 610));
    ck_assert_uint_eq(outside.cancelled, 3);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 1);
    finish(&r);
}
END_TEST

/* Of thousands that begin at one instant 256 time out in a millisecond, in order. */
START_TEST(not_all_time_out_at_one_instant)
{
    struct run r;
    begin_step(&r, "concurrency: 1000, timeout: 1s");
    answers(1, 0, 0, 0);
    for (int i = 0; i < 600; i++)
        push(&r, 'a', 1, 0);
    run_to(&r, 999);
    ck_assert_uint_eq(outside.cancelled, 0);
    for (unsigned i = 0; i < 3; i++) {
        run_to(&r, 1000 + (int)i);
        ck_assert_uint_eq(outside.cancelled, i < 2 ? 256 * (i + 1) : 600);
    }
    push(&r, 'a', 1, 0);
    run_to(&r, 2001);
    ck_assert_uint_eq(outside.cancelled, 600);
    run_to(&r, 2002);
    ck_assert_uint_eq(outside.cancelled, 601);
    finish(&r);
}
END_TEST

START_TEST(the_breaker_opens_lets_one_through_and_closes)
{
    struct run r;
    begin_step(&r, "concurrency: 1, breaker: {failures: 2, cooldown: 1s}");
    answers(1, 0, 10, 500);
    answers(2, 0, 10, 200);
    push(&r, 'a', 1, 0);
    push(&r, 'a', 1, 0);
    run_to(&r, 100);
    ck_assert_uint_eq(outside.asked, 2);
    push(&r, 'a', 2, 0); /* open: not asked */
    run_to(&r, 1100);
    ck_assert_uint_eq(outside.asked, 2);
    push(&r, 'a', 1, 0); /* half open, and it fails */
    run_to(&r, 1200);
    push(&r, 'a', 2, 0);
    ck_assert_uint_eq(outside.asked, 3);
    run_to(&r, 2300);
    push(&r, 'a', 2, 0); /* half open, and well */
    push(&r, 'a', 2, 0);
    run_to(&r, 2400);
    ck_assert_uint_eq(outside.asked, 5);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 5);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_USED], 2);
    finish(&r);
}
END_TEST

START_TEST(who_leaves_cancels_what_is_under_way)
{
    struct run r;
    begin_step(&r, "concurrency: 2");
    for (int i = 0; i < 5; i++)
        push(&r, 'a', i, 0);
    rx_hub_unsubscribe(&r.output);
    ck_assert_uint_eq(outside.cancelled, 2);
    finish(&r);
}
END_TEST

START_TEST(places_are_the_steps_and_go_round_the_groups)
{
    struct run r;
    begin(&r, "[{group_by: k}, {http: {get: 'http://h/{v}', into: r, concurrency: 1}}, {map: v}]");
    outside = (struct outside){.heap = r.world.heap};
    r.world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
    for (int v = 0; v < 6; v++) {
        answers(v, 0, 100, 200);
        push(&r, 'a', v, 0);
    }
    ck_assert_uint_eq(outside.asked, 1);
    run_to(&r, 1000);
    expect(&r, "0 at 100\n1 at 200\n2 at 300\n3 at 400\n4 at 500\n5 at 600\n");
    finish(&r);
}
END_TEST

START_TEST(what_cannot_be_asked_is_an_error_of_each_event_however_many_there_are)
{
    struct run r;
    begin_step(&r, "concurrency: 1");
    answers(1, 0, 100, 200);
    answers(2, 0, -1, 0);
    push(&r, 'a', 1, 0);
    for (int i = 0; i < 9000; i++)
        push(&r, 'a', 2, 0);
    run_to(&r, 1000);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 9000);
    expect(&r, LINE(1, 100));
    finish(&r);
}
END_TEST

START_TEST(requests_say_what_the_step_says)
{
    struct run r;
    begin(&r, "[{http: {post: 'http://h/a b/{k + \"/ä\"}/{v}', headers: {X-V: '{v}'}}}]");
    outside = (struct outside){.heap = r.world.heap};
    r.world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
    answers(1, 0, 10, 200);
    push(&r, 'a', 1, 0);
    run_to(&r, 100);
    rx_buffer_append(&outside.log, "", 1);
    ck_assert_str_eq(outside.log.data, "POST http://h/a b/x%2F%C3%A4/1 {\"k\":\"x\",\"v\":1} "
                                       "{\"X-V\":\"1\",\"Content-Type\":\"application/json\"}\n");
    expect(&r, "10 at 10\n");
    finish(&r);
}
END_TEST

START_TEST(a_host_that_comes_with_the_event_is_guarded_and_no_more_than_a_host)
{
    struct run r;
    begin(&r, "[{http: {get: 'http://{k}/{v}'}}]");
    outside = (struct outside){.heap = r.world.heap};
    r.world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
    answers(1, 0, 10, 200);
    push(&r, 'a', 1, 0);
    rx_buffer_append(&outside.log, "", 1);
    ck_assert_str_eq(outside.log.data, "GET http://x/1 guarded\n");
    finish(&r);
    begin(&r, "[{http: {get: 'http://{k + \"@h/\"}:80/{v}'}}]");
    outside = (struct outside){.heap = r.world.heap};
    r.world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
    push(&r, 'a', 1, 0);
    ck_assert_uint_eq(outside.asked, 0);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 1);
    finish(&r);
}
END_TEST

START_TEST(a_value_makes_no_step_to_another_path)
{
    static const struct {
        const char *url;
        unsigned asked;
    } urls[] = {
        {"http://h/{k + \"/..\"}/{v}", 1},  {"http://h/rooms/{k == \"x\" ? \"..\" : k}/{v}", 0},
        {"http://h/{\".\"}{\".\"}?{v}", 0}, {"http://h/a/.{\".\"}", 0},
        {"http://h/a/{\".\"}#x", 0},        {"http://h/../a/.{k}/{v}", 1},
        {"http://h/?x={\"..\"}/../{v}", 1}, {"http://h/{\"..\"}", 0},
        {"http://h/{\"...\"}/{v}", 1},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct run r;
        char pipe[200];
        snprintf(pipe, sizeof pipe, "[{http: {get: '%s'}}]", urls[i].url);
        begin(&r, pipe);
        outside = (struct outside){.heap = r.world.heap};
        r.world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
        push(&r, 'a', 1, 0);
        ck_assert_msg(outside.asked == urls[i].asked, "%s", urls[i].url);
        ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 1 - urls[i].asked);
        finish(&r);
    }
}
END_TEST

/* ---- event time ---- */

static void begin_told(struct run *r, const char *options)
{
    char pipe[300];
    snprintf(pipe, sizeof pipe, "[{http: {%s}}, {map: v}]", options);
    begin_of(r, "{a: {http: {}, event_time: t}, b: {http: {}}}", pipe, false);
    rx_hub_subscribe(r->world.plan->pipelines[1].hub, &r->output);
    outside = (struct outside){.heap = r->world.heap};
    r->world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
    answers(1, 0, 300, 200);
    answers(2, 0, 100, 200);
    answers(3, 0, 200, 200);
    expect(r, "mark -9223372036854\n"); /* no event time yet */
}

static void push_told(struct run *r)
{
    for (int v = 1; v <= 3; v++) {
        push(r, 'a', v, v * 1000);
        mark(r, 'a', v * 1000);
    }
}

START_TEST(event_time_waits_for_all_that_came_before_it)
{
    struct run r;
    begin_told(&r, "get: 'http://h/{v}', into: r");
    push_told(&r);
    expect(&r, "");
    run_to(&r, 250);
    expect(&r, "2 at 2000\n3 at 3000\n");
    run_to(&r, 400);
    expect(&r, "1 at 1000\nmark 3000\n");
    mark(&r, 'a', 4000);
    expect(&r, "mark 4000\n");
    finish(&r);
}
END_TEST

START_TEST(event_time_comes_behind_results_in_order)
{
    struct run r;
    begin_told(&r, "get: 'http://h/{v}', into: r, ordered: true");
    push_told(&r);
    run_to(&r, 400);
    expect(&r, "1 at 1000\nmark 1000\n2 at 2000\nmark 2000\n3 at 3000\nmark 3000\n");
    finish(&r);
}
END_TEST

START_TEST(event_time_goes_on_where_the_newest_takes_the_place_of_others)
{
    struct run r;
    begin_told(&r, "get: 'http://h/{v}', into: r, mode: switch");
    push_told(&r);
    expect(&r, "mark 1000\nmark 2000\n");
    run_to(&r, 400);
    expect(&r, "3 at 3000\nmark 3000\n");
    finish(&r);
}
END_TEST

START_TEST(event_time_waits_for_a_batch)
{
    struct run r;
    begin_told(&r, "post: 'http://h/5', into: r, batch: 3");
    for (int i = 0; i < TRIES_MAX; i++)
        outside.plans[5][i] = (struct plan){.after = 100, .status = 200, .parts = 3};
    push_told(&r);
    expect(&r, "");
    run_to(&r, 400);
    expect(&r, "1 at 1000\n2 at 2000\n3 at 3000\nmark 3000\n");
    finish(&r);
}
END_TEST

START_TEST(what_is_asked_is_counted)
{
    struct run r;
    begin_step(&r, "timeout: 1s, retry: {count: 1, delay: 100ms}, cache: 1h, breaker: {failures: 3, cooldown: 10s}");
    const struct rx_request_counts *c = ledger(&r)->requests;
    answers(1, 0, 10, 503);
    answers(1, 1, 10, 200);
    answers(2, 0, 0, 0);
    push(&r, 'a', 1, 0);
    ck_assert_int_eq(c->under_way, 1);
    run_to(&r, 500);
    push(&r, 'a', 1, 0);
    ck_assert_uint_eq(c->good, 1);
    ck_assert_uint_eq(c->bad, 1);
    ck_assert_uint_eq(c->again, 1);
    ck_assert_uint_eq(c->kept, 1);
    for (int i = 0; i < 2; i++)
        push(&r, 'a', 2, 0);
    run_to(&r, 2700);
    ck_assert_uint_eq(c->failed, 4);
    ck_assert(c->breaker_open);
    push(&r, 'a', 3, 0);
    answers(4, 0, 0, 0);
    run_to(&r, 13000);
    push(&r, 'a', 4, 0);
    ck_assert_int_eq(c->under_way, 1);
    rx_hub_unsubscribe(&r.output);
    ck_assert_uint_eq(c->cancelled, 1);
    ck_assert_int_eq(c->under_way, 0);
    finish(&r);
}
END_TEST

/* ---- batches ---- */

static void begin_batch(struct run *r, const char *options)
{
    char pipe[500];
    snprintf(pipe, sizeof pipe,
             "[{http: {post: 'http://h/5', body: '{v}', into: r, %s}}, {map: '{\"v\": v, \"r\": r}'}]", options);
    begin(r, pipe);
    outside = (struct outside){.heap = r->world.heap};
    r->world.engine->caller = (struct rx_caller){.begin = ask, .cancel = cancel, .arg = &outside};
}

static void answers_of_parts(int after, int status, int parts)
{
    for (int i = 0; i < TRIES_MAX; i++)
        outside.plans[5][i] = (struct plan){.after = after, .status = status, .parts = parts};
}

#define PART(v_, r_, at_) "{\"v\":" #v_ ",\"r\":" #r_ "} at " #at_ "\n"

START_TEST(a_batch_goes_when_it_is_full_and_its_answers_go_to_their_events)
{
    struct run r;
    begin_batch(&r, "batch: {count: 2, every: 1h}");
    answers_of_parts(100, 200, 2);
    for (int v = 1; v <= 4; v++)
        push(&r, 'a', v, 0);
    ck_assert_uint_eq(outside.asked, 2);
    run_to(&r, 1000);
    rx_buffer_append(&outside.log, "", 1);
    ck_assert_ptr_nonnull(strstr(outside.log.data, "POST http://h/5 [1,2] "));
    ck_assert_ptr_nonnull(strstr(outside.log.data, "POST http://h/5 [3,4] "));
    expect(&r, PART(1, 0, 100) PART(2, 1, 100) PART(3, 0, 100) PART(4, 1, 100));
    finish(&r);
}
END_TEST

START_TEST(a_batch_that_is_not_full_goes_when_its_time_has_come_or_its_input_has_ended)
{
    struct run r;
    begin_batch(&r, "batch: {count: 10, every: 500ms}");
    answers_of_parts(100, 200, 1);
    push(&r, 'a', 1, 0);
    run_to(&r, 499);
    ck_assert_uint_eq(outside.asked, 0);
    run_to(&r, 800);
    ck_assert_uint_eq(outside.asked, 1);
    push(&r, 'a', 2, 0);
    rx_hub_complete(source(&r, 'a'));
    ck_assert_uint_eq(outside.asked, 2);
    run_to(&r, 2000);
    expect(&r, PART(1, 0, 600) PART(2, 0, 100) "complete\n");
    finish(&r);
}
END_TEST

START_TEST(an_answer_that_does_not_fit_its_batch_is_an_error_of_each_of_its_events)
{
    struct run r;
    begin_batch(&r, "batch: 3");
    answers_of_parts(100, 200, 2);
    for (int v = 1; v <= 3; v++)
        push(&r, 'a', v, 0);
    run_to(&r, 1000);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 3);
    answers_of_parts(100, 500, 0);
    for (int v = 1; v <= 3; v++)
        push(&r, 'a', v, 0);
    run_to(&r, 2000);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_ERRORED], 6);
    finish(&r);
}
END_TEST

START_TEST(events_that_gather_count_as_waiting_and_leave_with_the_step)
{
    struct run r;
    begin_batch(&r, "batch: {count: 10, every: 1h}, queue: 3");
    for (int v = 1; v <= 5; v++)
        push(&r, 'a', v, 0);
    ck_assert_uint_eq(ledger(&r)->accounts[RX_EVICTED], 2);
    ck_assert_int_eq(ledger(&r)->held, 3);
    rx_hub_unsubscribe(&r.output);
    ck_assert_uint_eq(outside.asked, 0);
    finish(&r);
}
END_TEST

/* ---- answers that are kept ---- */

START_TEST(what_was_asked_lately_is_not_asked_again)
{
    struct run r;
    begin_step(&r, "cache: {ttl: 1s}");
    answers(1, 0, 100, 200);
    push(&r, 'a', 1, 0);
    run_to(&r, 500);
    push(&r, 'a', 1, 0);
    run_to(&r, 1100);
    ck_assert_uint_eq(outside.asked, 1);
    push(&r, 'a', 1, 0); /* the answer came at 100 */
    run_to(&r, 2000);
    ck_assert_uint_eq(outside.asked, 2);
    expect(&r, LINE(1, 100) LINE(1, 0) LINE(1, 100)); /* an event keeps its time where it does not wait */
    finish(&r);
}
END_TEST

START_TEST(an_answer_that_is_no_good_is_not_kept)
{
    struct run r;
    begin_step(&r, "cache: 1h");
    answers(1, 0, 10, 404);
    push(&r, 'a', 1, 0);
    run_to(&r, 100);
    push(&r, 'a', 1, 0);
    ck_assert_uint_eq(outside.asked, 2);
    run_to(&r, 200);
    finish(&r);
}
END_TEST

START_TEST(beyond_the_bound_the_answer_that_was_used_longest_ago_goes)
{
    struct run r;
    static const int in_turn[] = {1, 2, 1, 3, 1, 2};
    begin_step(&r, "cache: {ttl: 1h, max: 2}");
    for (int v = 1; v <= 3; v++)
        answers(v, 0, 10, 200);
    for (int i = 0; i < 6; i++) {
        push(&r, 'a', in_turn[i], 0);
        run_to(&r, 100 * (i + 1));
    }
    ck_assert_uint_eq(outside.asked, 4); /* 1, 2, 3 in the place of 2, and 2 again */
    finish(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_step");
    TCase *t = tcase_create("http_step");
    suite_add_tcase(suite, t);
    tcase_add_test(t, results_come_as_the_answers_do);
    tcase_add_test(t, results_come_in_order_where_that_is_asked_for);
    tcase_add_test(t, a_place_that_is_free_is_for_the_next_in_line);
    tcase_add_test(t, concat_asks_one_after_the_other);
    tcase_add_test(t, switch_gives_up_what_is_older);
    tcase_add_test(t, exhaust_leaves_out_what_comes_meanwhile);
    tcase_add_test(t, more_than_may_wait_is_evicted);
    tcase_add_test(t, it_is_tried_again_after_what_may_pass_and_heeds_retry_after);
    tcase_add_test(t, what_asking_again_does_not_change_is_an_error_of_the_event_at_once);
    tcase_add_test(t, no_answer_in_time_is_a_failure_and_the_call_is_cancelled);
    tcase_add_test(t, not_all_time_out_at_one_instant);
    tcase_add_test(t, the_breaker_opens_lets_one_through_and_closes);
    tcase_add_test(t, who_leaves_cancels_what_is_under_way);
    tcase_add_test(t, places_are_the_steps_and_go_round_the_groups);
    tcase_add_test(t, what_cannot_be_asked_is_an_error_of_each_event_however_many_there_are);
    tcase_add_test(t, requests_say_what_the_step_says);
    tcase_add_test(t, a_host_that_comes_with_the_event_is_guarded_and_no_more_than_a_host);
    tcase_add_test(t, a_value_makes_no_step_to_another_path);
    tcase_add_test(t, event_time_waits_for_all_that_came_before_it);
    tcase_add_test(t, event_time_comes_behind_results_in_order);
    tcase_add_test(t, event_time_goes_on_where_the_newest_takes_the_place_of_others);
    tcase_add_test(t, event_time_waits_for_a_batch);
    tcase_add_test(t, what_is_asked_is_counted);
    tcase_add_test(t, a_batch_goes_when_it_is_full_and_its_answers_go_to_their_events);
    tcase_add_test(t, a_batch_that_is_not_full_goes_when_its_time_has_come_or_its_input_has_ended);
    tcase_add_test(t, an_answer_that_does_not_fit_its_batch_is_an_error_of_each_of_its_events);
    tcase_add_test(t, events_that_gather_count_as_waiting_and_leave_with_the_step);
    tcase_add_test(t, what_was_asked_lately_is_not_asked_again);
    tcase_add_test(t, an_answer_that_is_no_good_is_not_kept);
    tcase_add_test(t, beyond_the_bound_the_answer_that_was_used_longest_ago_goes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
