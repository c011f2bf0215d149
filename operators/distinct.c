/* distinct: an event whose key has not been seen before; or not lately, or not since another stream spoke (RxJS's flushes).
 *
 * With `ttl` the keys are in order of when they let an event through, which is the order in which they expire. */
#include <errno.h>

#include "core/graph/operator.h"
#include "core/value/keytable.h"

struct distinct {
    struct rx_op op;
    struct rx_expr *key;
    int64_t max_keys;
    rx_time ttl;
    const struct rx_tree *flush;

    struct rx_keytable seen; /* with `ttl` of when, a rx_time */
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
    {.name = "ttl",
     .help = "a key is new again so long after it let an event through; default: never. Then max_keys forgets in that "
             "order",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct distinct, ttl, rx_time),
     .min = 1e-3,
     .max = 31536000},
    {.name = "flush",
     .help = "a stream: with each of its events all keys are forgotten",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct distinct, flush, const struct rx_tree *)},
    {0},
};

static void begin(struct distinct *d)
{
    rx_keytable_init(&d->seen, rx_op_heap(&d->op), 1, d->ttl ? sizeof(rx_time) : 0);
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    (void)reterr;
    begin((struct distinct *)op);
    return 0;
}

static rx_time *when_of(struct distinct *d, struct rx_keyed *e) { return rx_keyed_data(&d->seen, e); }

static void forget_expired(struct distinct *d, rx_time now)
{
    for (struct rx_keyed *e; d->ttl && (e = rx_keytable_first(&d->seen)) && *when_of(d, e) + d->ttl <= now;)
        rx_keytable_remove(&d->seen, e);
}

static void make_room(struct distinct *d)
{
    if (d->seen.count >= (uint64_t)d->max_keys)
        rx_keytable_remove(&d->seen, d->ttl ? rx_keytable_first(&d->seen) : rx_keytable_oldest(&d->seen));
}

/* True when it was not there; fails the op when memory is out. */
static bool remember(struct distinct *d, struct rx_value key, rx_time now)
{
    uint64_t hash = rx_keytable_hash(&key, 1);
    forget_expired(d, now);
    if (rx_keytable_find(&d->seen, &key, hash))
        return false;
    make_room(d);
    struct rx_keyed *e = rx_keytable_add(&d->seen, &key, hash);
    if (!e)
        rx_fail_memory(&d->op);
    else if (d->ttl)
        *when_of(d, e) = now;
    return e;
}

static bool passes(struct distinct *d, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&d->op, event);
    struct rx_value key;
    if (!rx_op_eval(&d->op, d->key, &env, &key))
        return false;
    bool fresh = remember(d, key, rx_now(&d->op));
    rx_value_unref(key);
    rx_count(&d->op, fresh ? RX_USED : RX_FILTERED, 1);
    return fresh;
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct rx_event out[RX_SPAN_MAX];
    size_t kept = 0;
    if (port > 0) {
        rx_count(op, RX_USED, n);
        rx_keytable_finish(&((struct distinct *)op)->seen);
        begin((struct distinct *)op);
        return;
    }
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        if (passes((struct distinct *)op, &span[i]))
            out[kept++] = span[i];
    rx_emit(op, out, kept);
}

static void complete(struct rx_op *op, unsigned port)
{
    if (port == 0)
        rx_finish(op);
}

static void save_with_times(struct distinct *d, struct rx_writer *w)
{
    for (struct rx_keyed *e = rx_keytable_first(&d->seen); e; e = rx_keytable_next(&d->seen, e)) {
        rx_write_value(w, e->keys[0]);
        rx_write_int(w, *when_of(d, e));
    }
}

/* In the order in which they are forgotten. */
static int save(struct rx_op *op, struct rx_writer *w)
{
    struct distinct *d = (struct distinct *)op;
    rx_write_uint(w, d->seen.count);
    if (d->ttl) {
        save_with_times(d, w);
        return 0;
    }
    if (rx_keytable_rank(&d->seen) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < d->seen.count; i++)
        rx_write_value(w, rx_keytable_ranked(&d->seen, i)->keys[0]);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct distinct *d = (struct distinct *)op;
        struct rx_value key = rx_read_value(r);
        rx_time when = d->ttl ? rx_read_int(r) : 0;
        if (!rx_reader_failed(r))
            remember(d, key, when);
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
             .example = "distinct: {key: value, max_keys: 5, ttl: 1h}"},
    .min_inputs = 1,
    .max_inputs = 2,
    .init = init,
    .next = next,
    .complete = complete,
    .describe = describe,
    .save = save,
    .load = load,
    .dispose = dispose,
};
