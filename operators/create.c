/* range, of, defer, empty, never, throw: streams that are written where they are read, from: {range: [1, 3]}. Each subscription
 * begins anew; what they have comes while it is made, as in RxJS. */
#include <errno.h>

#include "core/base/buffer.h"
#include "core/graph/operator.h"

/* The event that expressions see: there is none, but the time at which they are asked. */
static struct rx_event nothing(const struct rx_op *op)
{
    return (struct rx_event){.value = rx_null(), .time = rx_wall(op), .mark = rx_op_mark(op)};
}

/* ---- of ---- */

struct of {
    struct rx_op op;
    struct rx_value values;
};

static const struct rx_option of_options[] = {
    {.name = "values",
     .help = "a literal value, or a list of them",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct of, values, struct rx_value),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {0},
};

static void start_of(struct rx_op *op)
{
    struct rx_value values = ((struct of *)op)->values;
    if (values.kind == RX_LIST)
        rx_emit_own_list(op, values);
    else
        rx_emit_own(op, values);
    rx_finish(op);
}

/* ---- range ---- */

/* All of it comes at one instant, in which nothing else runs. */
#define RANGE_MAX 1000000

struct range {
    struct rx_op op;
    struct rx_value numbers; /* as written bare: COUNT, or [START, COUNT] */
    int64_t start, count;
    bool count_given;
};

static const struct rx_option range_options[] = {
    {.name = "numbers",
     .help = "how many, from 0 on; or [START, COUNT]",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct range, numbers, struct rx_value),
     .flags = RX_POSITIONAL},
    {.name = "start",
     .help = "the first number",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct range, start, int64_t),
     .min = -9e15,
     .max = 9e15},
    {.name = "count",
     .help = "how many there are",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct range, count, int64_t),
     .given = RX_AT(struct range, count_given, bool),
     .min = 0,
     .max = RANGE_MAX},
    {0},
};

static bool is_whole(struct rx_value v, int64_t least, int64_t most)
{
    return v.kind == RX_INT && v.u.i >= least && v.u.i <= most;
}

static const struct rx_list *pair_of(const struct range *r)
{
    return r->numbers.kind == RX_LIST && r->numbers.u.list->count == 2 ? r->numbers.u.list : NULL;
}

static bool is_bare(const struct range *r)
{
    const struct rx_list *pair = pair_of(r);
    if (pair)
        return is_whole(pair->items[0], -(int64_t)9e15, (int64_t)9e15) && is_whole(pair->items[1], 0, RANGE_MAX);
    return is_whole(r->numbers, 0, RANGE_MAX);
}

static int check_range(const void *image, struct rx_error *reterr)
{
    const struct range *r = image;
    bool bare = r->numbers.kind != RX_NULL;
    if (bare ? is_bare(r) && !r->count_given && !r->start : r->count_given)
        return 0;
    rx_error_set(reterr, -EINVAL, "a range is a count of numbers, at most %d, or where they start and their count",
                 RANGE_MAX);
    rx_error_hint(reterr, "range: 3, or range: [10, 3], or range: {start: 10, count: 3}");
    return -EINVAL;
}

static int init_range(struct rx_op *op, struct rx_error *reterr)
{
    struct range *r = (struct range *)op;
    const struct rx_list *pair = pair_of(r);
    (void)reterr;
    if (r->numbers.kind == RX_NULL)
        return 0;
    r->start = pair ? pair->items[0].u.i : 0;
    r->count = pair ? pair->items[1].u.i : r->numbers.u.i;
    return 0;
}

static void start_range(struct rx_op *op)
{
    const struct range *r = (const struct range *)op;
    for (int64_t i = 0; i < r->count && rx_op_live(op); i++)
        rx_emit_own(op, rx_json_int(r->start + i));
    rx_finish(op);
}

/* ---- defer ---- */

struct defer {
    struct rx_op op;
    struct rx_expr *list;
};

static const struct rx_option defer_options[] = {
    {.name = "list",
     .help = "the list of its events, asked for at each subscription; `outer` is at hand in it, and `event_time`, the "
             "time of the subscription",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct defer, list, struct rx_expr *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void start_defer(struct rx_op *op)
{
    struct defer *d = (struct defer *)op;
    struct rx_event event = nothing(op);
    struct rx_expr_env env = rx_op_env(op, &event);
    struct rx_value list = rx_null();
    struct rx_error error;
    int r = rx_expr_eval(d->list, &env, &list, &error);
    if (r == 0 && list.kind != RX_LIST)
        r = rx_error_set(&error, -EINVAL, "%s is no list, but %s", rx_expr_text(d->list),
                         rx_kind_name((enum rx_kind)list.kind));
    if (r == 0)
        rx_emit_own_list(op, list);
    rx_value_unref(list);
    if (r == 0)
        rx_finish(op);
    else
        rx_fail(op, &error);
}

/* ---- empty, never, throw ---- */

struct plain {
    struct rx_op op;
};

static void start_empty(struct rx_op *op) { rx_finish(op); }
static void start_never(struct rx_op *op) { (void)op; }

struct throw
{
    struct rx_op op;
    struct rx_shaper *message;
};

static const struct rx_option throw_options[] = {
    {.name = "message",
     .help = "what the error says; {EXPR} in it is replaced, with `outer` at hand",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct throw, message, struct rx_shaper *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {0},
};

static void start_throw(struct rx_op *op)
{
    struct rx_event event = nothing(op);
    struct rx_expr_env env = rx_op_env(op, &event);
    struct rx_buffer text = {0};
    struct rx_error error;
    if (rx_shaper_text(((struct throw *)op)->message, &env, &text, &error) == 0)
        rx_error_set(&error, -EIO, "%.*s", (int)text.length, text.failed || !text.data ? "" : text.data);
    rx_buffer_finish(&text);
    rx_fail(op, &error);
}

/* ---- the classes ---- */

#define CREATES(name_, summary_, options_, struct_, flags_, check_, init_, example_)                                   \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .options = options_,                                                                                  \
                 .state_size = sizeof(struct struct_),                                                                 \
                 .flags = RX_CREATES | RX_REPLACES | (flags_),                                                         \
                 .check = check_,                                                                                      \
                 .example = example_},                                                                                 \
        .init = init_,                                                                                                 \
        .start = start_##name_,                                                                                        \
    }

CREATES(of, "the values that are written here, and the end", of_options, of, RX_ENDS_EARLY, NULL, NULL,
        "from: {of: [1, 2, 3]}");
CREATES(range, "numbers one after the other, and the end", range_options, range, RX_ENDS_EARLY, check_range, init_range,
        "from: {range: [1, 3]}");
CREATES(defer, "the elements of a list that an expression gives at each subscription, and the end", defer_options,
        defer, RX_ENDS_EARLY, NULL, NULL, "from: {defer: \"[event_time, 1]\"}");
CREATES(empty, "the end, and nothing else", NULL, plain, RX_ENDS_EARLY, NULL, NULL, "from: empty");
CREATES(never, "nothing, and no end", NULL, plain, 0, NULL, NULL, "from: never");
CREATES(throw, "an error, and nothing else", throw_options, throw, RX_ENDS_EARLY, NULL, NULL,
        "from: {throw: \"no such device\"}");
