/* hysteresis: the event that turned a state on or off, as two conditions say; nothing while it stays.
 *
 * It begins, silently, at off. With `for` the condition must hold so long: the first event for which it holds is kept, an
 * event against it starts over, and at the deadline the kept one is put out with the deadline's time. Deadlines and order are
 * in_order.h's; without `for` events are taken as they come. An event in which the condition at hand has no operand says
 * nothing. */
#include <errno.h>
#include <string.h>

#include "core/graph/in_order.h"

/* A wait of each condition, or of both. */
struct waits {
    rx_time both, on, off;
};

struct hysteresis {
    struct rx_op op;
    struct rx_expr *on, *off; /* off: NULL where `on` no longer holds */
    struct waits wait;
    const char *into;
    int64_t max_waiting;

    const struct rx_key *field;
    struct rx_in_order order;
    bool is_on;
    bool pending;          /* the condition that would turn it holds, since: */
    rx_time since;         /* by event time or the clock */
    struct rx_event cause; /* the event that began it */
};

static const struct rx_option wait_options[] = {
    {.name = "both",
     .help = "how long either must hold",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct waits, both, rx_time),
     .max = 31536000,
     .flags = RX_POSITIONAL},
    {.name = "on",
     .help = "how long `on` must hold",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct waits, on, rx_time),
     .max = 31536000},
    {.name = "off",
     .help = "how long `off` must hold",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct waits, off, rx_time),
     .max = 31536000},
    {0},
};

static int check_waits(const void *image, struct rx_error *reterr)
{
    const struct waits *w = image;
    if (!w->both || (!w->on && !w->off))
        return 0;
    rx_error_set(reterr, -EINVAL, "`both` says how long either must hold, and stands alone");
    rx_error_hint(reterr, "write for: 10m, or for: {on: 10m, off: 0s}");
    return -EINVAL;
}

static const struct rx_class wait_class = {
    .name = "for", .options = wait_options, .state_size = sizeof(struct waits), .check = check_waits};

static const struct rx_option options[] = {
    {.name = "on",
     .help = "turns it on",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct hysteresis, on, struct rx_expr *),
     .flags = RX_REQUIRED},
    {.name = "off",
     .help = "turns it off; without it, that `on` does not hold any more",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct hysteresis, off, struct rx_expr *)},
    {.name = "for",
     .help = "how long the condition must hold before it counts: a duration, or {on: 10m, off: 0s}",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct hysteresis, wait, struct waits),
     .group = &wait_class},
    {.name = "into",
     .help = "the field that says true or false",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct hysteresis, into, const char *),
     .fallback = "on"},
    {.name = "max_waiting",
     .help = "events that wait for event time at once; past it the earliest does not wait",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct hysteresis, max_waiting, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e6},
    {0},
};

/* ---- the state ---- */

static bool waits(const struct hysteresis *h) { return h->wait.both || h->wait.on || h->wait.off; }

/* How long the condition that would turn it must hold. */
static rx_time wait_of(const struct hysteresis *h)
{
    return h->wait.both ? h->wait.both : h->is_on ? h->wait.off : h->wait.on;
}

static void start_over(struct hysteresis *h, enum rx_account account)
{
    if (!h->pending)
        return;
    h->pending = false;
    rx_event_unref(&h->cause);
    rx_hold(&h->op, -1);
    rx_count(&h->op, account, 1);
}

static void turn(struct hysteresis *h, const struct rx_event *cause, rx_time at)
{
    struct rx_event out = *cause;
    struct rx_heap *heap = rx_op_heap(&h->op);
    h->is_on = !h->is_on;
    out.value = rx_object_with_take(heap, cause->value, h->field, rx_bool(h->is_on));
    out.time = at;
    if (rx_op_made(&h->op, cause, &out.value)) {
        rx_count(&h->op, RX_USED, 1);
        rx_emit(&h->op, &out, 1);
    }
    rx_value_unref(out.value);
}

static rx_time deadline(const struct rx_op *op)
{
    const struct hysteresis *h = (const struct hysteresis *)op;
    return h->pending ? h->since + wait_of(h) : RX_TIME_NEVER;
}

static void due(struct rx_op *op, rx_time at)
{
    struct hysteresis *h = (struct hysteresis *)op;
    struct rx_event cause = h->cause;
    h->cause = (struct rx_event){0};
    h->pending = false;
    rx_hold(op, -1);
    turn(h, &cause, at);
    rx_event_unref(&cause);
}

/* ---- events ---- */

enum { SAYS_NOTHING = 2 };

/* As rx_op_test, but an absent operand is neither true nor false. */
static int judge(struct hysteresis *h, struct rx_expr *condition, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&h->op, event);
    int result = rx_expr_test(condition, &env, NULL);
    if (result >= 0)
        return result;
    if (result != -ENODATA)
        return rx_op_test(&h->op, condition, event);
    rx_count(&h->op, RX_ABSENT, 1);
    return SAYS_NOTHING;
}

/* Whether it should turn: 1, 0, SAYS_NOTHING, or -1: a bad event. */
static int turns(struct hysteresis *h, const struct rx_event *event)
{
    if (h->is_on && h->off)
        return judge(h, h->off, event);
    int result = judge(h, h->on, event);
    return h->is_on && (result == 0 || result == 1) ? !result : result;
}

static void take(struct rx_op *op, const struct rx_event *event, rx_time at)
{
    struct hysteresis *h = (struct hysteresis *)op;
    int result = turns(h, event);
    if (result < 0)
        return;
    if (result == 1 && !h->pending && wait_of(h) == 0) {
        turn(h, event, event->time);
        return;
    }
    if (result == 1 && !h->pending) {
        h->pending = true;
        h->since = at;
        h->cause = rx_event_ref(event);
        rx_hold(op, 1);
        return;
    }
    rx_count(op, RX_FILTERED, 1);
    if (result == 0)
        start_over(h, RX_FILTERED);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct hysteresis *h = (struct hysteresis *)op;
    (void)port;
    if (waits(h)) {
        rx_in_order_next(&h->order, span, n);
        return;
    }
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take(op, &span[i], span[i].time);
}

static void watermark(struct rx_op *op, rx_time t)
{
    struct hysteresis *h = (struct hysteresis *)op;
    if (waits(h))
        rx_in_order_reached(&h->order);
    rx_pass_watermark(op, t);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct hysteresis *h = (struct hysteresis *)op;
    (void)port;
    if (waits(h))
        rx_in_order_complete(&h->order);
    start_over(h, RX_FILTERED);
    rx_finish(op);
}

/* ---- life ---- */

static const struct rx_in_order_class in_order = {.take = take, .deadline = deadline, .due = due};

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct hysteresis *h = (struct hysteresis *)op;
    rx_in_order_init(&h->order, op, &in_order, (size_t)h->max_waiting);
    h->field = rx_key_intern(rx_op_heap(op), h->into, strlen(h->into));
    return h->field ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct hysteresis *h = (struct hysteresis *)op;
    rx_write_bool(w, h->is_on);
    rx_write_bool(w, h->pending);
    if (h->pending) {
        rx_write_int(w, h->since);
        rx_write_event(w, &h->cause);
    }
    rx_in_order_save(&h->order, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct hysteresis *h = (struct hysteresis *)op;
    h->is_on = rx_read_bool(r);
    if (rx_read_bool(r)) {
        h->since = rx_read_int(r);
        h->cause = rx_read_event(r);
        h->pending = true;
        rx_hold(op, 1);
    }
    return rx_in_order_load(&h->order, r);
}

static void dispose(struct rx_op *op)
{
    struct hysteresis *h = (struct hysteresis *)op;
    rx_event_unref(&h->cause);
    rx_in_order_finish(&h->order);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct hysteresis *h = image;
    facts->lates = waits(h);
    facts->waiting = waits(h) ? (uint64_t)h->max_waiting : 0;
    facts->events = facts->waiting + 1;
    facts->values = 0;
    facts->wait = h->wait.both ? h->wait.both : h->wait.on;
}

const struct rx_operator_class rx_operator_hysteresis = {
    .base = {.name = "hysteresis",
             .summary = "put out the events that turn a state on and off, and none while it stays",
             .options = options,
             .state_size = sizeof(struct hysteresis),
             .flags = RX_EDITS | RX_TOLD_WHEN_WANTED,
             .example = "hysteresis: {on: avg > 5, off: avg < 3, into: hot}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .next = next,
    .watermark = watermark,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
