/* timer, interval: numbers at instants that are counted from each subscription, from: {interval: 1s}; RxJS's. */
#include <errno.h>

#include "core/graph/operator.h"

struct timer {
    struct rx_op op;
    rx_time due, period, every;
    int64_t count;
    bool due_given;

    const struct rx_shape *shape; /* {value}, of `every`; NULL: bare numbers */
    int64_t next;
};

static const struct rx_option timer_options[] = {
    {.name = "due",
     .help = "when it puts out 0; without a period that is all",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct timer, due, rx_time),
     .given = RX_AT(struct timer, due_given, bool),
     .max = 1e9,
     .flags = RX_POSITIONAL},
    {.name = "period",
     .help = "how far behind it 1 comes, then 2, and so on",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct timer, period, rx_time),
     .min = 1e-6,
     .max = 1e9},
    {.name = "every",
     .help = "instead of both, as the source of that name: {value: 0}, {value: 1} ... one a period, the first after "
             "one",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct timer, every, rx_time),
     .min = 1e-6,
     .max = 1e9},
    {.name = "count",
     .help = "completes after so many; without it one that has a period never ends",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct timer, count, int64_t),
     .min = 1,
     .max = 9e15},
    {0},
};

static const struct rx_option interval_options[] = {
    {.name = "period",
     .help = "it puts out 0 after so long, then 1, and so on",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct timer, period, rx_time),
     .min = 1e-6,
     .max = 1e9,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static int check_timer(const void *image, struct rx_error *reterr)
{
    const struct timer *t = image;
    if (t->every ? !t->due_given && !t->period : t->due_given)
        return 0;
    rx_error_set(reterr, -EINVAL, "a timer says when it is due, and perhaps a period from then on; or `every`");
    rx_error_hint(reterr, "timer: 5s, or timer: {due: 0s, period: 1s}, or timer: {every: 1s}");
    return -EINVAL;
}

/* How far apart its events come; 0: there is one. */
static rx_time period_of(const struct timer *t) { return t->every ? t->every : t->period; }

static bool ends(const struct timer *t) { return t->count || !period_of(t); }

static void describe_timer(const void *image, struct rx_facts *facts)
{
    const struct timer *t = image;
    facts->ends_early = ends(t);
    facts->wait = t->every ? t->every : t->due;
    facts->spacing = facts->rhythm = period_of(t);
}

static void describe_interval(const void *image, struct rx_facts *facts)
{
    facts->wait = facts->spacing = facts->rhythm = period_of(image);
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct timer *t = (struct timer *)op;
    struct rx_heap *heap = rx_op_heap(op);
    const struct rx_shape *empty = t->every ? rx_shape_empty(heap) : NULL;
    rx_timer_endless(op, 0, !ends(t));
    if (!t->every)
        return 0;
    t->shape = empty ? rx_shape_with(heap, empty, rx_key_known(heap, RX_KEY_VALUE)) : NULL;
    return t->shape ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

static void start_timer(struct rx_op *op)
{
    const struct timer *t = (const struct timer *)op;
    rx_timer_arm(op, 0, rx_now(op) + (t->every ? t->every : t->due));
}

static void start_interval(struct rx_op *op) { rx_timer_arm(op, 0, rx_now(op) + ((struct timer *)op)->period); }

/* As in RxJS the next has its place in the order of time when this one has gone out. */
static void on_timer(struct rx_op *op, unsigned slot)
{
    struct timer *t = (struct timer *)op;
    struct rx_value number = rx_json_int(t->next++);
    struct rx_value value = t->shape ? rx_record_take(rx_op_heap(op), t->shape, &number) : number;
    if (rx_op_made(op, NULL, &value))
        rx_emit_own(op, value);
    rx_value_unref(value);
    if (!period_of(t) || t->next == t->count)
        rx_finish(op);
    else
        rx_timer_arm(op, slot, rx_now(op) + period_of(t));
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    rx_write_int(w, ((struct timer *)op)->next);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct timer *)op)->next = rx_read_int(r);
    return 0;
}

#define COUNTS(name_, summary_, check_, example_)                                                                      \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .options = name_##_options,                                                                           \
                 .state_size = sizeof(struct timer),                                                                   \
                 .flags = RX_CREATES | RX_REPLACES,                                                                    \
                 .check = check_,                                                                                      \
                 .example = example_},                                                                                 \
        .timer_slots = 1,                                                                                              \
        .init = init,                                                                                                  \
        .start = start_##name_,                                                                                        \
        .timer = on_timer,                                                                                             \
        .save = save,                                                                                                  \
        .load = load,                                                                                                  \
        .describe = describe_##name_,                                                                                  \
    }

COUNTS(timer, "0 after a time, and the end; or numbers from then on, one a period", check_timer,
       "from: {timer: {due: 2s, period: 1s}}");
COUNTS(interval, "numbers from 0 on, one a period", NULL, "from: {interval: 1s}");
