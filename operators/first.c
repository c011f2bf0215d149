/* first, last, single, find: one event of all for which a condition holds. */
#include <errno.h>

#include "core/graph/operator.h"

struct first {
    struct rx_op op;
    struct rx_expr *where;
    struct rx_value fallback; /* of first and last */
    bool fallback_given;

    struct rx_event kept; /* last, single: so far */
    bool found;
    bool any; /* single: there was an event */
};

#define WHERE                                                                                                          \
    {                                                                                                                  \
        .name = "where", .help = "only an event for which it is true", .type = RX_OPTION_EXPR,                         \
        .offset = RX_AT(struct first, where, struct rx_expr *), .flags = RX_POSITIONAL                                 \
    }

static const struct rx_option options[] = {
    WHERE,
    {.name = "default",
     .help = "put out at the end when there is none; without it that is an error, and inside a window nothing",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct first, fallback, struct rx_value),
     .given = RX_AT(struct first, fallback_given, bool)},
    {0},
};

static const struct rx_option single_options[] = {WHERE, {0}};

static const struct rx_option find_options[] = {
    {.name = "where",
     .help = "what is looked for",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct first, where, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static bool suits(struct first *f, const struct rx_event *event)
{
    int result = f->where ? rx_op_test(&f->op, f->where, event) : 1;
    rx_count(&f->op, RX_FILTERED, result == 0);
    return result > 0;
}

static void next_first(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (!suits((struct first *)op, &span[i]))
            continue;
        rx_count(op, RX_USED, 1);
        rx_emit(op, &span[i], 1);
        rx_finish(op);
    }
}

static void forget(struct first *f, enum rx_account account)
{
    if (!f->found)
        return;
    rx_event_unref(&f->kept);
    f->found = false;
    rx_hold(&f->op, -1);
    rx_count(&f->op, account, 1);
}

static void next_last(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct first *f = (struct first *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (!suits(f, &span[i]))
            continue;
        forget(f, RX_SUPERSEDED);
        f->kept = rx_event_ref(&span[i]);
        f->found = true;
        rx_hold(op, 1);
    }
}

static void fail(struct rx_op *op, int code, const char *why)
{
    struct rx_error error;
    rx_error_set(&error, code, "%s", why);
    rx_fail(op, &error);
}

static void next_single(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct first *f = (struct first *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        f->any = true;
        if (!suits(f, &span[i]))
            continue;
        if (f->found) {
            rx_count(op, RX_USED, 1);
            forget(f, RX_SUPERSEDED);
            fail(op, -EEXIST, "too many");
            return;
        }
        f->kept = rx_event_ref(&span[i]);
        f->found = true;
        rx_hold(op, 1);
    }
}

/* Without one it is an error, as in RxJS; inside a window there is then nothing to put out. */
static void finish_without(struct rx_op *op, const char *why)
{
    const struct first *f = (const struct first *)op;
    if (f->fallback_given)
        rx_emit_result_take(op, rx_value_ref(f->fallback));
    if (f->fallback_given || rx_mark_has_window(rx_op_mark(op)))
        rx_finish(op);
    else
        fail(op, -ENOENT, why);
}

/* Of a window it is the result: the bounds are those that the window has by now. */
static struct rx_event result_of(const struct first *f)
{
    struct rx_event out = f->kept;
    if (rx_mark_has_window(rx_op_mark(&f->op)))
        out.mark = rx_op_mark(&f->op);
    return rx_event_ref(&out);
}

static void peek_last(struct rx_op *op, rx_time at)
{
    struct first *f = (struct first *)op;
    (void)at;
    if (!f->found)
        return;
    struct rx_event out = result_of(f);
    rx_emit(op, &out, 1);
    rx_event_unref(&out);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct first *f = (struct first *)op;
    (void)port;
    if (!f->found) {
        finish_without(op, f->any ? "none suits" : "empty");
        return;
    }
    struct rx_event out = result_of(f);
    forget(f, RX_USED);
    rx_emit(op, &out, 1);
    rx_event_unref(&out);
    rx_finish(op);
}

static void complete_find(struct rx_op *op, unsigned port)
{
    (void)port;
    rx_emit_result_take(op, rx_null());
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct first *f = (struct first *)op;
    rx_write_bool(w, f->found);
    if (f->found)
        rx_write_event(w, &f->kept);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct first *f = (struct first *)op;
    f->found = rx_read_bool(r);
    if (!f->found)
        return 0;
    f->kept = rx_read_event(r);
    rx_hold(op, 1);
    return 0;
}

static int save_single(struct rx_op *op, struct rx_writer *w)
{
    rx_write_bool(w, ((struct first *)op)->any);
    return save(op, w);
}

static int load_single(struct rx_op *op, struct rx_reader *r)
{
    ((struct first *)op)->any = rx_read_bool(r);
    return load(op, r);
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct first *)op)->kept); }

static void describe(const void *image, struct rx_facts *facts)
{
    (void)image;
    facts->events = 1;
}

const struct rx_operator_class rx_operator_first = {
    .base = {.name = "first",
             .summary = "let the first event through, then complete",
             .options = options,
             .state_size = sizeof(struct first),
             .flags = RX_REDUCES | RX_PASSES | RX_ENDS_EARLY,
             .example = "first: {where: value > 30, default: none}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_first,
    .describe = describe,
    .complete = complete,
};

const struct rx_operator_class rx_operator_last = {
    .base = {.name = "last",
             .summary = "put out the last event at the end",
             .options = options,
             .state_size = sizeof(struct first),
             .flags = RX_REDUCES | RX_PASSES,
             .example = "last"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_last,
    .describe = describe,
    .complete = complete,
    .peek = peek_last,
    .save = save,
    .load = load,
    .dispose = dispose,
};

const struct rx_operator_class rx_operator_single = {
    .base = {.name = "single",
             .summary = "put out the one event that there is, at the end; none, or another one, is an error",
             .options = single_options,
             .state_size = sizeof(struct first),
             .flags = RX_REDUCES | RX_PASSES,
             .example = "single: device == 'd3'"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_single,
    .describe = describe,
    .complete = complete,
    .save = save_single,
    .load = load_single,
    .dispose = dispose,
};

const struct rx_operator_class rx_operator_find = {
    .base = {.name = "find",
             .summary = "let the first event through for which a condition holds, then complete; null at the end where "
                        "there was none",
             .options = find_options,
             .state_size = sizeof(struct first),
             .flags = RX_REDUCES | RX_ENDS_EARLY,
             .example = "find: value > 30"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next_first,
    .complete = complete_find,
};
