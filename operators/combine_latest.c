/* combine_latest: the newest event of each stream, whenever one of them has something new; with_latest_from: whenever
 * the main stream has.
 *
 * What comes out is the main event's fields with each other stream's newest value under its name. With `by`, streams are
 * paired key by key. With `glitch_free`, what is new is put out when all has come that comes of one event. */
#include <errno.h>

#include "core/graph/combine.h"
#include "core/graph/pairing.h"
#include "core/value/keytable.h"

struct combine_latest {
    struct rx_op op;
    const struct rx_tree *with;
    struct rx_side_keys *by;
    int64_t max_keys;
    bool glitch_free;

    struct rx_keys *keys[RX_PORTS_MAX]; /* of each stream */
    struct rx_keytable table;           /* of `inputs` events each; without `by` its only key is null */
    struct rx_keyed *first, *last;      /* with something new that is not put out yet */
    unsigned ended;
    bool main_only; /* with_latest_from */
};

/* clang-format off */
#define WHAT_IS_COMBINED                                                                                               \
    {.name = "with",                                                                                                   \
     .help = "the other stream, or several by name",                                                                   \
     .type = RX_OPTION_STREAMS,                                                                                        \
     .offset = RX_AT(struct combine_latest, with, const struct rx_tree *),                                             \
     .flags = RX_REQUIRED | RX_POSITIONAL},                                                                            \
    {.name = "by",                                                                                                     \
     .help = "pair events of the same key; {name: {STREAM: EXPR}} where names differ",                                 \
     .type = RX_OPTION_SIDE_KEYS,                                                                                      \
     .offset = RX_AT(struct combine_latest, by, struct rx_side_keys *)},                                               \
    {.name = "max_keys",                                                                                               \
     .help = "keys kept; one more forgets the least recently used",                                                    \
     .type = RX_OPTION_INT,                                                                                            \
     .offset = RX_AT(struct combine_latest, max_keys, int64_t),                                                        \
     .fallback = "100000",                                                                                             \
     .min = 1,                                                                                                         \
     .max = 1e9}
/* clang-format on */

static const struct rx_option options[] = {
    WHAT_IS_COMBINED,
    {.name = "glitch_free",
     .help = "once for each event of a source, when all has come that comes of it at once, in place of once for each "
             "stream "
             "in which it shows",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct combine_latest, glitch_free, bool),
     .fallback = "false"},
    {0},
};
static const struct rx_option main_options[] = {WHAT_IS_COMBINED, {0}};

static unsigned width_of(const struct combine_latest *c) { return rx_pairing_width(c->by); }

static struct rx_pairing pairing_of(const struct combine_latest *c)
{
    return (struct rx_pairing){.streams = c->with, .by = c->by, .has_main = true};
}

struct latest {
    struct rx_event event;
    bool present;
    bool fresh; /* and held: what it makes new is not put out yet */
};

/* Behind the streams of a key, with `glitch_free`. */
struct round {
    struct rx_keyed *next;
    rx_time time; /* of the newest event */
    bool waits;
};

static struct latest *latest_of(struct combine_latest *c, struct rx_keyed *e) { return rx_keyed_data(&c->table, e); }

static struct round *round_of(struct combine_latest *c, struct rx_keyed *e)
{
    return (struct round *)(void *)(latest_of(c, e) + rx_op_inputs(&c->op));
}

/* ---- keys ---- */

/* Its fresh events have come to their end. */
static void settle_account(struct combine_latest *c, struct rx_keyed *e, enum rx_account account)
{
    for (unsigned i = 0; i < rx_op_inputs(&c->op); i++) {
        struct latest *latest = &latest_of(c, e)[i];
        rx_count(&c->op, account, latest->fresh);
        rx_hold(&c->op, -(int64_t)latest->fresh);
        latest->fresh = false;
    }
}

static void unlist(struct combine_latest *c, struct rx_keyed *e)
{
    struct rx_keyed *before = NULL;
    if (!c->glitch_free || !round_of(c, e)->waits)
        return;
    for (struct rx_keyed *at = c->first; at != e; at = round_of(c, at)->next)
        before = at;
    *(before ? &round_of(c, before)->next : &c->first) = round_of(c, e)->next;
    c->last = c->last == e ? before : c->last;
    round_of(c, e)->waits = false;
}

static void list(struct combine_latest *c, struct rx_keyed *e)
{
    struct round *round = round_of(c, e);
    if (round->waits)
        return;
    *(c->last ? &round_of(c, c->last)->next : &c->first) = e;
    c->last = e;
    round->next = NULL;
    round->waits = true;
}

static void forget(struct combine_latest *c, struct rx_keyed *e)
{
    for (unsigned i = 0; i < rx_op_inputs(&c->op); i++)
        rx_event_unref(&latest_of(c, e)[i].event);
}

static struct rx_keyed *find_or_add(struct combine_latest *c, const struct rx_value *keys)
{
    uint64_t hash = rx_keytable_hash(keys, width_of(c));
    struct rx_keyed *e = rx_keytable_find(&c->table, keys, hash);
    if (!e && c->table.count >= (uint64_t)c->max_keys) {
        rx_count_key_evicted(&c->op);
        struct rx_keyed *oldest = rx_keytable_oldest(&c->table);
        unlist(c, oldest);
        settle_account(c, oldest, RX_EVICTED);
        forget(c, oldest);
        rx_keytable_remove(&c->table, oldest);
    }
    return e ? e : rx_keytable_add(&c->table, keys, hash);
}

static bool complete_set(struct combine_latest *c, struct rx_keyed *e)
{
    for (unsigned i = 0; i < rx_op_inputs(&c->op); i++)
        if (!latest_of(c, e)[i].present)
            return false;
    return true;
}

static struct rx_value combine(struct combine_latest *c, struct rx_keyed *e)
{
    struct rx_value values[RX_PORTS_MAX];
    for (unsigned i = 0; i < rx_op_inputs(&c->op); i++)
        values[i] = latest_of(c, e)[i].event.value;
    return rx_combine(&c->op, values, RX_COMBINE_ALL);
}

static void emit_row(struct combine_latest *c, struct rx_keyed *e, rx_time time)
{
    struct rx_event out = {.value = combine(c, e),
                           .time = time,
                           .mark = latest_of(c, e)[0].event.mark,
                           .meta = latest_of(c, e)[0].event.meta};
    rx_mark_ref(out.mark);
    rx_value_ref(out.meta);
    if (rx_op_made(&c->op, NULL, &out.value))
        rx_emit(&c->op, &out, 1);
    rx_event_unref(&out);
}

/* ---- what is new ---- */

static void put_in(struct combine_latest *c, struct rx_keyed *e, unsigned port, const struct rx_event *event)
{
    struct latest *latest = &latest_of(c, e)[port];
    rx_event_unref(&latest->event);
    latest->event = rx_event_ref(event);
    latest->present = true;
}

static void renew(struct combine_latest *c, struct rx_keyed *e, unsigned port, const struct rx_event *event)
{
    put_in(c, e, port, event);
    bool whole = complete_set(c, e);
    rx_count(&c->op, whole || port > 0 || !c->main_only ? RX_USED : RX_FILTERED, 1);
    if (whole && !(c->main_only && port > 0))
        emit_row(c, e, event->time);
}

static void renew_later(struct combine_latest *c, struct rx_keyed *e, unsigned port, const struct rx_event *event)
{
    struct latest *latest = &latest_of(c, e)[port];
    put_in(c, e, port, event);
    if (!complete_set(c, e)) {
        rx_count(&c->op, RX_USED, 1);
        return;
    }
    rx_count(&c->op, RX_SUPERSEDED, latest->fresh);
    rx_hold(&c->op, !latest->fresh);
    latest->fresh = true;
    round_of(c, e)->time = event->time;
    list(c, e);
    rx_settle_later(&c->op);
}

static void settle(struct rx_op *op)
{
    struct combine_latest *c = (struct combine_latest *)op;
    while (c->first && rx_op_live(op)) {
        struct rx_keyed *e = c->first;
        unlist(c, e);
        settle_account(c, e, RX_USED);
        emit_row(c, e, round_of(c, e)->time);
    }
}

static void take_in(struct combine_latest *c, unsigned port, const struct rx_event *event)
{
    struct rx_value keys[RX_PAIRING_WIDTH_MAX];
    struct rx_error error;
    if (rx_pairing_eval(&c->op, c->keys[port], event, keys, &error) < 0) {
        if (rx_bad_event(&c->op, event, &error) == RX_USE_NULL)
            rx_count(&c->op, RX_UNHEARD, 1);
        return;
    }
    struct rx_keyed *e = find_or_add(c, keys);
    for (unsigned i = 0; i < width_of(c); i++)
        rx_value_unref(keys[i]);
    if (!e) {
        rx_error_set(&error, -ENOMEM, "out of memory for a key");
        rx_fail(&c->op, &error);
        return;
    }
    if (c->glitch_free)
        renew_later(c, e, port, event);
    else
        renew(c, e, port, event);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take_in((struct combine_latest *)op, port, &span[i]);
}

/* With the last input; one that ended while the others were not yet subscribed is only one of them. */
static void complete(struct rx_op *op, unsigned port)
{
    (void)port;
    if (++((struct combine_latest *)op)->ended < rx_op_inputs(op))
        return;
    settle(op);
    rx_finish(op);
}

/* The others first, so that at one instant the main event finds the newest. */
static void start_main_last(struct rx_op *op)
{
    for (unsigned port = 1; port < rx_op_inputs(op); port++)
        rx_subscribe(op, port);
    rx_subscribe(op, 0);
}

static void complete_main(struct rx_op *op, unsigned port)
{
    if (port == 0)
        rx_finish(op);
}

static int check(const void *image, struct rx_error *reterr)
{
    struct rx_pairing pairing = pairing_of(image);
    return rx_pairing_check(&pairing, reterr);
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct combine_latest *c = (struct combine_latest *)op;
    struct rx_pairing pairing = pairing_of(c);
    (void)reterr;
    for (unsigned i = 0; i < rx_op_inputs(op); i++)
        c->keys[i] = rx_pairing_keys(&pairing, op, i);
    rx_keytable_init(&c->table, rx_op_heap(op), width_of(c),
                     rx_op_inputs(op) * sizeof(struct latest) + (c->glitch_free ? sizeof(struct round) : 0));
    return 0;
}

static int init_main_only(struct rx_op *op, struct rx_error *reterr)
{
    ((struct combine_latest *)op)->main_only = true;
    return init(op, reterr);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct combine_latest *c = (struct combine_latest *)op;
    if (rx_keytable_rank(&c->table) < 0)
        return -ENOMEM;
    rx_write_uint(w, c->ended);
    rx_write_uint(w, c->table.count);
    for (uint32_t n = 0; n < c->table.count; n++) {
        struct rx_keyed *e = rx_keytable_ranked(&c->table, n);
        for (unsigned i = 0; i < width_of(c); i++)
            rx_write_value(w, e->keys[i]);
        for (unsigned i = 0; i < rx_op_inputs(op); i++) {
            rx_write_bool(w, latest_of(c, e)[i].present);
            if (latest_of(c, e)[i].present)
                rx_write_event(w, &latest_of(c, e)[i].event);
        }
    }
    return 0;
}

static int load_key(struct combine_latest *c, struct rx_reader *r)
{
    struct rx_value keys[RX_PAIRING_WIDTH_MAX];
    for (unsigned i = 0; i < width_of(c); i++)
        keys[i] = rx_read_value(r);
    struct rx_keyed *e = rx_reader_failed(r) ? NULL : find_or_add(c, keys);
    for (unsigned i = 0; i < width_of(c); i++)
        rx_value_unref(keys[i]);
    for (unsigned i = 0; e && i < rx_op_inputs(&c->op); i++) {
        latest_of(c, e)[i].present = rx_read_bool(r);
        if (latest_of(c, e)[i].present)
            latest_of(c, e)[i].event = rx_read_event(r);
    }
    return e ? 0 : -ENOMEM;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    ((struct combine_latest *)op)->ended = (unsigned)rx_read_uint(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        if (load_key((struct combine_latest *)op, r) < 0)
            rx_reader_fail(r, -ENOMEM);
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct combine_latest *c = (struct combine_latest *)op;
    for (struct rx_keyed *e = rx_keytable_first(&c->table); e; e = rx_keytable_next(&c->table, e))
        forget(c, e);
    rx_keytable_finish(&c->table);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct combine_latest *c = image;
    facts->keys = c->by ? (uint64_t)c->max_keys : 0;
    facts->events = rx_stream_count(c->with) + 1;
}

const struct rx_operator_class rx_operator_combine_latest = {
    .base = {.name = "combine_latest",
             .summary = "combine the newest event of each stream, whenever one of them has something new",
             .options = options,
             .state_size = sizeof(struct combine_latest),
             .check = check,
             .example = "combine_latest: {with: prices, by: city}"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .init = init,
    .next = next,
    .settle = settle,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};

const struct rx_operator_class rx_operator_with_latest_from = {
    .base = {.name = "with_latest_from",
             .summary = "add the newest event of other streams to each event",
             .options = main_options,
             .state_size = sizeof(struct combine_latest),
             .check = check,
             .example = "with_latest_from: {with: prices, by: city}"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .init = init_main_only,
    .start = start_main_last,
    .next = next,
    .describe = describe,
    .complete = complete_main,
    .save = save,
    .load = load,
    .dispose = dispose,
};
