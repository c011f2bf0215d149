/* Calls out of the graph: who waits for which answer. */
#include <errno.h>
#include <stdlib.h>

#include "core/graph/graph_private.h"

static void unlink(struct rx_call *call)
{
    struct rx_call **link = &call->op->calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
}

static void destroy(struct rx_call *call)
{
    rx_value_unref(call->request);
    free(call);
}

static struct rx_call *add(struct rx_op *op, uint64_t tag, struct rx_value request)
{
    struct rx_call *call = calloc(1, sizeof *call), **link = &op->calls;
    if (!call)
        return NULL;
    *call = (struct rx_call){.op = op, .tag = tag, .request = rx_value_ref(request)};
    while (*link)
        link = &(*link)->next;
    *link = call;
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
    op->busy = true;
    op->class->answer(op, tag, answer, error);
    op->busy = false;
    rx_op_drain(op);
    rx_engine_leave(engine);
    destroy(call);
}

static void cancel(struct rx_call *call)
{
    const struct rx_caller *caller = &rx_op_engine(call->op)->caller;
    unlink(call);
    if (caller->cancel)
        caller->cancel(caller->arg, call);
    destroy(call);
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
    }
}

void rx_calls_load(struct rx_op *op, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        uint64_t tag = rx_read_uint(r);
        struct rx_value request = rx_read_value(r);
        if (!rx_reader_failed(r))
            rx_call_begin(op, tag, request);
        rx_value_unref(request);
    }
}
