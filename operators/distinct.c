/* distinct: an event whose key has not been seen before. */
#include <errno.h>

#include "core/graph/operator.h"
#include "core/value/keytable.h"

struct distinct {
    struct rx_op op;
    struct rx_expr *key;
    int64_t max_keys;

    struct rx_keytable seen;
};

static const struct rx_option options[] = {
    {.name = "key",
     .help = "what must be new; the whole event where it is not given",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct distinct, key, struct rx_expr *),
     .fallback = "event",
     .flags = RX_POSITIONAL},
    {.name = "max_keys",
     .help = "keys remembered; one more forgets the one that came up longest ago",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct distinct, max_keys, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 1e9},
    {0},
};

static int init(struct rx_op *op, struct rx_error *reterr)
{
    (void)reterr;
    rx_keytable_init(&((struct distinct *)op)->seen, rx_op_heap(op), 1, 0);
    return 0;
}

/* True when it was not there; fails the op when memory is out. */
static bool remember(struct distinct *d, struct rx_value key)
{
    uint64_t hash = rx_keytable_hash(&key, 1);
    if (rx_keytable_find(&d->seen, &key, hash))
        return false;
    if (d->seen.count >= (uint64_t)d->max_keys)
        rx_keytable_remove(&d->seen, rx_keytable_oldest(&d->seen));
    if (rx_keytable_add(&d->seen, &key, hash))
        return true;
    rx_fail_memory(&d->op);
    return false;
}

static bool passes(struct distinct *d, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&d->op, event);
    struct rx_value key;
    if (!rx_op_eval(&d->op, d->key, &env, &key))
        return false;
    bool fresh = remember(d, key);
    rx_value_unref(key);
    rx_count(&d->op, fresh ? RX_USED : RX_FILTERED, 1);
    return fresh;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct rx_event out[RX_SPAN_MAX];
    size_t kept = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        if (passes((struct distinct *)op, &span[i]))
            out[kept++] = span[i];
    rx_emit(op, out, kept);
}

/* In order of use, so that they are forgotten in the same order. */
static int save(struct rx_op *op, struct rx_writer *w)
{
    struct distinct *d = (struct distinct *)op;
    if (rx_keytable_rank(&d->seen) < 0)
        return -ENOMEM;
    rx_write_uint(w, d->seen.count);
    for (uint32_t i = 0; i < d->seen.count; i++)
        rx_write_value(w, rx_keytable_ranked(&d->seen, i)->keys[0]);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct rx_value key = rx_read_value(r);
        remember((struct distinct *)op, key);
        rx_value_unref(key);
    }
    return r->failed;
}

static void dispose(struct rx_op *op) { rx_keytable_finish(&((struct distinct *)op)->seen); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct distinct *d = image;
    facts->keys = (uint64_t)d->max_keys;
    facts->values = 4; /* a key may be the whole event */
}

const struct rx_operator_class rx_operator_distinct = {
    .base = {.name = "distinct",
             .summary = "let an event through only when its key has not come up before",
             .options = options,
             .state_size = sizeof(struct distinct),
             .flags = RX_SPAN_SAFE | RX_PASSES,
             .example = "distinct: {key: value, max_keys: 5}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .next = next,
    .describe = describe,
    .save = save,
    .load = load,
    .dispose = dispose,
};
