/* retry: subscribes again after an error; RxJS's retry. */
#include <errno.h>

#include "core/graph/operator.h"

#define HOUR (3600 * RX_SEC)

struct retry {
    struct rx_op op;
    int64_t count;
    rx_time delay, max_delay;
    double backoff;
    bool reset_on_success, delay_given;

    int64_t so_far;
    bool subscribing, again;
};

static const struct rx_option options[] = {
    {.name = "count",
     .help = "tries after the first; -1: without end",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct retry, count, int64_t),
     .fallback = "-1",
     .min = -1,
     .max = 1e15,
     .flags = RX_POSITIONAL},
    {.name = "delay",
     .help = "how long to wait before each; 0s: what that instant has first",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct retry, delay, rx_time),
     .given = RX_AT(struct retry, delay_given, bool),
     .max = 31536000},
    {.name = "backoff",
     .help = "the wait grows by this factor each time",
     .type = RX_OPTION_DOUBLE,
     .offset = RX_AT(struct retry, backoff, double),
     .fallback = "1",
     .min = 1,
     .max = 1000},
    {.name = "max_delay",
     .help = "the longest wait; default: 1h, or delay where that is longer",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct retry, max_delay, rx_time),
     .max = 31536000},
    {.name = "reset_on_success",
     .help = "start counting anew after an event",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct retry, reset_on_success, bool),
     .fallback = "false"},
    {0},
};

/* A loop, not a recursion, where the upstream fails before its subscription returns. */
static void subscribe(struct retry *r)
{
    do {
        r->again = false;
        r->subscribing = true;
        rx_subscribe_last(&r->op, 0);
        r->subscribing = false;
    } while (r->again && rx_op_live(&r->op));
}

static void start(struct rx_op *op) { subscribe((struct retry *)op); }

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct retry *r = (struct retry *)op;
    (void)port;
    if (r->reset_on_success)
        r->so_far = 0;
    rx_count(op, RX_USED, n);
    rx_emit(op, span, n);
}

static rx_time wait_of(const struct retry *r)
{
    rx_time longest = r->max_delay ? r->max_delay : r->delay > HOUR ? r->delay : HOUR;
    double wait = (double)r->delay;
    for (int64_t i = 1; i < r->so_far && wait < (double)longest; i++)
        wait *= r->backoff;
    return wait < (double)longest ? (rx_time)wait : longest;
}

static void error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    struct retry *r = (struct retry *)op;
    (void)port;
    if (r->count >= 0 && r->so_far >= r->count) {
        rx_fail(op, e);
        return;
    }
    if (!rx_op_again(op, "subscribed again after an error", e))
        return;
    r->so_far++;
    if (r->delay_given)
        rx_timer_arm(op, 0, rx_now(op) + wait_of(r));
    else if (r->subscribing)
        r->again = true;
    else
        subscribe(r);
}

static void timer(struct rx_op *op, unsigned slot)
{
    (void)slot;
    subscribe((struct retry *)op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct retry *)op)->so_far);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct retry *)op)->so_far = rx_read_int(r);
    return 0;
}

const struct rx_operator_class rx_operator_retry = {
    .base = {.name = "retry",
             .summary = "subscribe again after an error",
             .options = options,
             .state_size = sizeof(struct retry),
             .flags = RX_PASSES | RX_RESUBSCRIBES | RX_CATCHES,
             .example = "retry: {count: 5, delay: 1s, backoff: 2, max_delay: 30s}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = 1,
    .start = start,
    .next = next,
    .error = error,
    .timer = timer,
    .save = save,
    .load = load,
};
