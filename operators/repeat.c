/* repeat: subscribes again after completion; RxJS's repeat. */
#include "core/graph/operator.h"

struct repeat {
    struct rx_op op;
    int64_t count;
    rx_time delay;
    bool delay_given;

    int64_t so_far;
    bool subscribing, again;
};

static const struct rx_option options[] = {
    {.name = "count",
     .help = "how often in all; -1: without end",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct repeat, count, int64_t),
     .fallback = "-1",
     .min = -1,
     .max = 1e15,
     .flags = RX_POSITIONAL},
    {.name = "delay",
     .help = "how long to wait before each but the first; 0s: what that instant has first",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct repeat, delay, rx_time),
     .given = RX_AT(struct repeat, delay_given, bool),
     .max = 31536000},
    {0},
};

/* A loop, not a recursion, where the upstream completes before its subscription returns. */
static void subscribe(struct repeat *r)
{
    do {
        r->again = false;
        r->subscribing = true;
        rx_subscribe_last(&r->op, 0);
        r->subscribing = false;
    } while (r->again && rx_op_live(&r->op));
}

/* None at all completes without subscribing, as RxJS does. */
static void start(struct rx_op *op)
{
    struct repeat *r = (struct repeat *)op;
    if (r->count == 0)
        rx_finish(op);
    else
        subscribe(r);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static bool is_enough(struct repeat *r)
{
    r->so_far++;
    return r->count >= 0 && r->so_far >= r->count;
}

static void complete(struct rx_op *op, unsigned port)
{
    struct repeat *r = (struct repeat *)op;
    (void)port;
    if (is_enough(r))
        rx_finish(op);
    else if (!rx_op_again(op, "subscribed again", NULL))
        return;
    else if (r->delay_given)
        rx_timer_arm(op, 0, rx_now(op) + r->delay);
    else if (r->subscribing)
        r->again = true;
    else
        subscribe(r);
}

static void timer(struct rx_op *op, unsigned slot)
{
    (void)slot;
    subscribe((struct repeat *)op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct repeat *)op)->so_far);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct repeat *)op)->so_far = rx_read_int(r);
    return 0;
}

const struct rx_operator_class rx_operator_repeat = {
    .base = {.name = "repeat",
             .summary = "subscribe again after completion",
             .options = options,
             .state_size = sizeof(struct repeat),
             .flags = RX_PASSES | RX_AT_END | RX_RESUBSCRIBES,
             .example = "repeat: {count: 3, delay: 1s}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = 1,
    .start = start,
    .next = next,
    .complete = complete,
    .timer = timer,
    .save = save,
    .load = load,
};
