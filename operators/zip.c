/* zip: the first event of each stream together, then the second of each, and so on; with `by`, of each key. */
#include <errno.h>

#include "core/graph/combine.h"
#include "core/graph/pairing.h"
#include "core/value/event_queue.h"
#include "core/value/keytable.h"

struct zip {
    struct rx_op op;
    const struct rx_tree *with;
    struct rx_side_keys *by;
    int64_t max, max_keys;

    struct rx_keys *keys[RX_PORTS_MAX]; /* of each stream */
    struct rx_keytable table;           /* of a queue for each input; without `by` its only key is null */
    size_t waiting[RX_PORTS_MAX];       /* of each stream, over all keys */
    unsigned ended;                     /* bit p: port p has completed */
};

static const struct rx_option options[] = {
    {.name = "with",
     .help = "the other stream, or several by name",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct zip, with, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "by",
     .help = "pair events of the same key; {name: {STREAM: EXPR}} where names differ",
     .type = RX_OPTION_SIDE_KEYS,
     .offset = RX_AT(struct zip, by, struct rx_side_keys *)},
    {.name = "max",
     .help = "events of one stream that may wait for the others; beyond it the newest is dropped, and counted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct zip, max, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e9},
    {.name = "max_keys",
     .help =
         "keys of which events wait; one more forgets the least recently used, whose events are dropped and counted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct zip, max_keys, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 1e9},
    {0},
};

static struct rx_pairing pairing_of(const struct zip *z)
{
    return (struct rx_pairing){.streams = z->with, .by = z->by, .has_main = true};
}

/* ---- keys ---- */

static struct rx_event_queue *queues_of(struct zip *z, struct rx_keyed *key) { return rx_keyed_data(&z->table, key); }

static void finish_queues(struct zip *z, struct rx_keyed *key)
{
    for (unsigned i = 0; i < rx_op_inputs(&z->op); i++)
        rx_event_queue_finish(&queues_of(z, key)[i]);
}

static void remove_key(struct zip *z, struct rx_keyed *key)
{
    finish_queues(z, key);
    rx_keytable_remove(&z->table, key);
}

static void evict(struct zip *z, struct rx_keyed *key)
{
    for (unsigned i = 0; i < rx_op_inputs(&z->op); i++) {
        size_t count = queues_of(z, key)[i].count;
        z->waiting[i] -= count;
        rx_hold(&z->op, -(int64_t)count);
        rx_count(&z->op, RX_EVICTED, count);
    }
    rx_count_key_evicted(&z->op);
    remove_key(z, key);
}

static struct rx_keyed *find_or_add(struct zip *z, const struct rx_value *keys)
{
    uint64_t hash = rx_keytable_hash(keys, z->table.width);
    struct rx_keyed *key = rx_keytable_find(&z->table, keys, hash);
    if (!key && z->table.count >= (uint64_t)z->max_keys)
        evict(z, rx_keytable_oldest(&z->table));
    return key ? key : rx_keytable_add(&z->table, keys, hash);
}

/* Of a key for which nothing waits nothing need be known. */
static void tidy(struct zip *z, struct rx_keyed *key)
{
    for (unsigned i = 0; z->by && i < rx_op_inputs(&z->op); i++)
        if (queues_of(z, key)[i].count)
            return;
    if (z->by)
        remove_key(z, key);
}

/* ---- rows ---- */

static bool ready(struct zip *z, struct rx_keyed *key)
{
    for (unsigned i = 0; i < rx_op_inputs(&z->op); i++)
        if (queues_of(z, key)[i].count == 0)
            return false;
    return true;
}

/* A stream that has completed and has nothing waiting: no more can come of it. */
static bool exhausted(const struct zip *z)
{
    for (unsigned i = 0; i < rx_op_inputs(&z->op); i++)
        if (z->waiting[i] == 0 && z->ended & 1u << i)
            return true;
    return false;
}

static void emit_row(struct zip *z, struct rx_keyed *key, rx_time time)
{
    struct rx_event row[RX_PORTS_MAX];
    struct rx_value values[RX_PORTS_MAX];
    unsigned n = rx_op_inputs(&z->op);
    for (unsigned i = 0; i < n; i++) {
        row[i] = rx_event_queue_pop(&queues_of(z, key)[i]);
        values[i] = row[i].value;
        z->waiting[i]--;
    }
    tidy(z, key);
    rx_hold(&z->op, -(int64_t)n);
    rx_count(&z->op, RX_USED, n);
    struct rx_event out = {
        .value = rx_combine(&z->op, values, RX_COMBINE_ALL), .time = time, .mark = row[0].mark, .meta = row[0].meta};
    if (rx_op_made(&z->op, NULL, &out.value))
        rx_emit(&z->op, &out, 1);
    rx_value_unref(out.value);
    for (unsigned i = 0; i < n; i++)
        rx_event_unref(&row[i]);
}

static void wait_for_others(struct zip *z, unsigned port, const struct rx_event *event, const struct rx_value *keys)
{
    struct rx_keyed *key = find_or_add(z, keys);
    rx_hold(&z->op, 1);
    if (!key || rx_event_queue_push(&queues_of(z, key)[port], event) < 0) {
        rx_fail_memory(&z->op);
        return;
    }
    z->waiting[port]++;
    if (ready(z, key))
        emit_row(z, key, event->time);
}

static void take_in(struct zip *z, unsigned port, const struct rx_event *event)
{
    struct rx_value keys[RX_PAIRING_WIDTH_MAX];
    struct rx_error error;
    if (z->waiting[port] >= (size_t)z->max) {
        rx_count(&z->op, RX_EVICTED, 1);
        return;
    }
    if (rx_pairing_eval(&z->op, z->keys[port], event, keys, &error) < 0) {
        if (rx_bad_event(&z->op, event, &error) == RX_USE_NULL)
            rx_count(&z->op, RX_UNHEARD, 1);
        return;
    }
    wait_for_others(z, port, event, keys);
    for (unsigned i = 0; i < z->table.width; i++)
        rx_value_unref(keys[i]);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct zip *z = (struct zip *)op;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        take_in(z, port, &span[i]);
        if (exhausted(z))
            rx_finish(op);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct zip *z = (struct zip *)op;
    z->ended |= 1u << port;
    if (z->waiting[port] == 0)
        rx_finish(op);
}

/* ---- life ---- */

static int check(const void *image, struct rx_error *reterr)
{
    struct rx_pairing pairing = pairing_of(image);
    return rx_pairing_check(&pairing, reterr);
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct zip *z = (struct zip *)op;
    struct rx_pairing pairing = pairing_of(z);
    (void)reterr;
    for (unsigned i = 0; i < rx_op_inputs(op); i++)
        z->keys[i] = rx_pairing_keys(&pairing, op, i);
    rx_keytable_init(&z->table, rx_op_heap(op), rx_pairing_width(z->by),
                     rx_op_inputs(op) * sizeof(struct rx_event_queue));
    return 0;
}

/* Keys in their order of use, which decides who is forgotten first. */
static int save(struct rx_op *op, struct rx_writer *w)
{
    struct zip *z = (struct zip *)op;
    if (rx_keytable_rank(&z->table) < 0)
        return -ENOMEM;
    rx_write_uint(w, z->ended);
    rx_write_uint(w, z->table.count);
    for (uint32_t n = 0; n < z->table.count; n++) {
        struct rx_keyed *key = rx_keytable_ranked(&z->table, n);
        for (unsigned i = 0; i < z->table.width; i++)
            rx_write_value(w, key->keys[i]);
        for (unsigned i = 0; i < rx_op_inputs(op); i++)
            rx_event_queue_save(&queues_of(z, key)[i], w);
    }
    return 0;
}

static void load_key(struct zip *z, struct rx_reader *r)
{
    struct rx_value keys[RX_PAIRING_WIDTH_MAX];
    for (unsigned i = 0; i < z->table.width; i++)
        keys[i] = rx_read_value(r);
    uint64_t hash = rx_keytable_hash(keys, z->table.width);
    bool twice = rx_keytable_find(&z->table, keys, hash) != NULL;
    struct rx_keyed *key = twice || rx_reader_failed(r) ? NULL : rx_keytable_add(&z->table, keys, hash);
    for (unsigned i = 0; i < z->table.width; i++)
        rx_value_unref(keys[i]);
    if (!key)
        rx_reader_fail(r, twice ? -EBADMSG : -ENOMEM);
    for (unsigned i = 0; key && i < rx_op_inputs(&z->op); i++) {
        rx_event_queue_load(&queues_of(z, key)[i], r);
        z->waiting[i] += queues_of(z, key)[i].count;
        rx_hold(&z->op, (int64_t)queues_of(z, key)[i].count);
    }
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct zip *z = (struct zip *)op;
    z->ended = (unsigned)rx_read_uint(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_key(z, r);
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct zip *z = (struct zip *)op;
    for (struct rx_keyed *key = rx_keytable_first(&z->table); key; key = rx_keytable_next(&z->table, key))
        finish_queues(z, key);
    rx_keytable_finish(&z->table);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct zip *z = image;
    facts->events = (uint64_t)z->max * (rx_stream_count(z->with) + 1);
}

const struct rx_operator_class rx_operator_zip = {
    .base = {.name = "zip",
             .summary = "pair the events of streams by their place: the first of each, the second of each",
             .options = options,
             .state_size = sizeof(struct zip),
             .check = check,
             .example = "zip: prices"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .init = init,
    .next = next,
    .describe = describe,
    .complete = complete,
    .state_version = 1,
    .save = save,
    .load = load,
    .dispose = dispose,
};
