/* Calls out of the graph: who waits for which answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/graph_private.h"

/* The list of an op's calls: the first one's `previous` is the last one, so that both ends are at hand. */
static void unlink(struct rx_call *call)
{
    struct rx_call **first = &call->op->calls, *next = call->next;
    if (*first == call)
        *first = next;
    else
        call->previous->next = next;
    if (next)
        next->previous = call->previous;
    else if (*first)
        (*first)->previous = call->previous;
}

static void append(struct rx_op *op, struct rx_call *call)
{
    struct rx_call *first = op->calls;
    call->previous = first ? first->previous : call;
    *(first ? &first->previous->next : &op->calls) = call;
    if (first)
        first->previous = call;
}

static void destroy(struct rx_call *call)
{
    rx_sched_stop(rx_op_engine(call->op)->sched, &call->later);
    rx_value_unref(call->request);
    rx_value_unref(call->answer);
    free(call);
}

static struct rx_call *add(struct rx_op *op, uint64_t tag, struct rx_value request)
{
    struct rx_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    *call = (struct rx_call){.op = op, .tag = tag, .request = rx_value_ref(request)};
    append(op, call);
    return call;
}

static int ask(struct rx_call *call, struct rx_error *reterr)
{
    const struct rx_caller *caller = &rx_op_engine(call->op)->caller;
    if (!caller->begin)
        return rx_error_set(reterr, -ENOTCONN, "nobody here can ask the outside");
    return caller->begin(caller->arg, call, reterr);
}

/* What could not be asked is answered on the spot, with the error. */
void rx_call_begin(struct rx_op *op, uint64_t tag, struct rx_value request)
{
    struct rx_error error = {0};
    if (op->state != RX_OP_LIVE)
        return;
    struct rx_call *call = add(op, tag, request);
    if (!call)
        rx_error_set(&error, -ENOMEM, "out of memory");
    else if (ask(call, &error) == 0)
        return;
    if (call) {
        unlink(call);
        destroy(call);
    }
    op->class->answer(op, tag, NULL, &error);
}

void rx_call_answer(struct rx_call *call, const struct rx_value *answer, const struct rx_error *error)
{
    struct rx_op *op = call->op;
    struct rx_engine *engine = rx_op_engine(op);
    uint64_t tag = call->tag;
    unlink(call);
    rx_engine_enter(engine);
    rx_pass_begin(engine);
    op->busy = true;
    op->class->answer(op, tag, answer, error);
    op->busy = false;
    rx_op_drain(op);
    destroy(call);
    rx_pass_end(engine);
    rx_engine_leave(engine);
}

/* ---- answers that are known beforehand ---- */

static void on_later(struct rx_timer *timer)
{
    struct rx_call *call = (struct rx_call *)(void *)((char *)timer - offsetof(struct rx_call, later));
    struct rx_error error;
    if (call->answer.kind == RX_STRING)
        rx_error_set(&error, -ECONNABORTED, "%.*s", (int)call->answer.aux, call->answer.u.text);
    rx_call_answer(call, call->answer.kind == RX_STRING ? NULL : &call->answer, &error);
}

int rx_call_answer_later(struct rx_call *call, rx_time wait, struct rx_value answer)
{
    struct rx_sched *sched = rx_op_engine(call->op)->sched;
    call->later.fire = on_later;
    call->answer = rx_value_ref(answer);
    call->planned = true;
    return rx_sched_arm(sched, &call->later, rx_sched_now(sched) + wait);
}

/* ---- cancelling ---- */

static void cancel(struct rx_call *call)
{
    const struct rx_caller *caller = &rx_op_engine(call->op)->caller;
    unlink(call);
    if (caller->cancel && !call->planned)
        caller->cancel(caller->arg, call);
    destroy(call);
}

void rx_call_cancel(struct rx_op *op, uint64_t tag)
{
    struct rx_call *call = op->calls;
    while (call && call->tag != tag)
        call = call->next;
    if (call)
        cancel(call);
}

void rx_calls_cancel_all(struct rx_op *op)
{
    while (op->calls)
        cancel(op->calls);
}

static size_t pending(const struct rx_op *op)
{
    size_t n = 0;
    for (const struct rx_call *call = op->calls; call; call = call->next)
        n++;
    return n;
}

/* ---- state ---- */

void rx_calls_save(const struct rx_op *op, struct rx_writer *w)
{
    rx_write_uint(w, pending(op));
    for (const struct rx_call *call = op->calls; call; call = call->next) {
        rx_write_uint(w, call->tag);
        rx_write_value(w, call->request);
        rx_write_bool(w, call->planned);
        if (!call->planned)
            continue;
        rx_write_value(w, call->answer);
        rx_timer_save(&call->later, w);
    }
}

static void load_planned(struct rx_op *op, uint64_t tag, struct rx_value request, struct rx_reader *r)
{
    struct rx_value answer = rx_read_value(r);
    struct rx_call *call = rx_reader_failed(r) ? NULL : add(op, tag, request);
    if (call) {
        call->later.fire = on_later;
        call->answer = rx_value_ref(answer);
        call->planned = true;
    }
    if (!call || rx_timer_load(rx_op_engine(op)->sched, &call->later, r) < 0)
        rx_reader_fail(r, -ENOMEM);
    rx_value_unref(answer);
}

/* Nothing is answered while the graph is being loaded: what cannot be asked hears of it at the same instant, by a timer. */
static void ask_again(struct rx_op *op, uint64_t tag, struct rx_value request, struct rx_reader *r)
{
    struct rx_error error = {0};
    struct rx_call *call = add(op, tag, request);
    if (!call) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    if (ask(call, &error) == 0)
        return;
    struct rx_value refusal = rx_string(op->instance->engine->heap, error.message, strlen(error.message));
    if (refusal.kind != RX_STRING || rx_call_answer_later(call, 0, refusal) < 0)
        rx_reader_fail(r, -ENOMEM);
    rx_value_unref(refusal);
}

void rx_calls_load(struct rx_op *op, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        uint64_t tag = rx_read_uint(r);
        struct rx_value request = rx_read_value(r);
        bool planned = rx_read_bool(r);
        if (planned)
            load_planned(op, tag, request, r);
        else if (!rx_reader_failed(r))
            ask_again(op, tag, request, r);
        rx_value_unref(request);
    }
}
