/* join: pairs the events of streams that have the same key, and times near one another or the same window.
 *
 * A row (an event, held) is over when event time has passed all that could still pair with it: then it leaves, and if it
 * found no partner and the kind says so it is put out alone. What a join puts out may be as old as the least watermark of its
 * inputs less the distance, so its own watermark is that. */
#include <errno.h>
#include <string.h>

#include "core/graph/pairing.h"
#include "operators/joining.h"

static const char *const kinds[] = {"inner", "left", "full", NULL};

/* ---- options ---- */

static const struct rx_option distance_options[] = {
    {.name = "both",
     .help = "at the most so far apart, either way",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct join_distance, both, rx_time),
     .max = 31536000,
     .flags = RX_POSITIONAL},
    {.name = "before",
     .help = "the other at the most so long before the first-named side",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct join_distance, before, rx_time),
     .max = 31536000},
    {.name = "after",
     .help = "the other at the most so long after it",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct join_distance, after, rx_time),
     .max = 31536000},
    {0},
};

static int check_distance(const void *image, struct rx_error *reterr)
{
    const struct join_distance *d = image;
    if (!d->both || (!d->before && !d->after))
        return 0;
    rx_error_set(reterr, -EINVAL, "a distance is one for both ways, or `before` and `after`");
    rx_error_hint(reterr, "within: {before: 1m, after: 5m}");
    return -EINVAL;
}

static const struct rx_class distance = {
    .name = "within", .options = distance_options, .state_size = sizeof(struct join_distance), .check = check_distance};

#define COMMON_OPTIONS                                                                                                 \
    {.name = "by",                                                                                                     \
     .help = "pair events of the same key; with `window` in it, of the same window. {name: {STREAM: EXPR}} where "     \
             "names differ",                                                                                           \
     .type = RX_OPTION_SIDE_KEYS,                                                                                      \
     .offset = RX_AT(struct join, by, struct rx_side_keys *)},                                                         \
        {.name = "within",                                                                                             \
         .help = "pair events whose times are at the most so far apart, inclusive: 5m, or {before: 1m, after: 5m} "    \
                 "from the first-named side",                                                                          \
         .type = RX_OPTION_GROUP,                                                                                      \
         .offset = RX_AT(struct join, within, struct join_distance),                                                   \
         .group = &distance,                                                                                           \
         .given = RX_AT(struct join, has_within, bool)},                                                               \
        {.name = "kind",                                                                                               \
         .help = "left and full also put out what found no partner, when its time is over: of the first side, of all", \
         .type = RX_OPTION_ENUM,                                                                                       \
         .offset = RX_AT(struct join, kind, int),                                                                      \
         .fallback = "inner",                                                                                          \
         .choices = kinds},                                                                                            \
        {.name = "max_held",                                                                                           \
         .help = "events held at once; one more lets go of the one whose time is over first, and counts it",           \
         .type = RX_OPTION_INT,                                                                                        \
         .offset = RX_AT(struct join, max_held, int64_t),                                                              \
         .fallback = "100000",                                                                                         \
         .min = 1,                                                                                                     \
         .max = 1e9},                                                                                                  \
    {                                                                                                                  \
        0                                                                                                              \
    }

static const struct rx_option step_options[] = {
    {.name = "with",
     .help = "the other stream, or several by name",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct join, streams, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    COMMON_OPTIONS,
};

static const struct rx_option pipeline_options[] = {
    {.name = "join",
     .help = "the streams, by name",
     .type = RX_OPTION_STREAMS,
     .offset = RX_AT(struct join, streams, const struct rx_tree *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    COMMON_OPTIONS,
};

/* ---- what the options say together ---- */

static int window_part(const struct join *j)
{
    for (size_t i = 0; i < join_key_count(j); i++)
        if (strcmp(rx_side_keys_name(j->by, i)->text, "window") == 0)
            return (int)i;
    return -1;
}

static enum join_mode mode_of(const struct join *j)
{
    return j->has_within ? JOIN_WITHIN : window_part(j) >= 0 ? JOIN_WINDOWS : JOIN_ALL;
}

static struct rx_pairing pairing_of(const struct join *j, bool has_main)
{
    return (struct rx_pairing){.streams = j->streams, .by = j->by, .has_main = has_main};
}

static int check_mode(const struct join *j, size_t sides, struct rx_error *reterr)
{
    if (j->has_within && window_part(j) >= 0) {
        rx_error_set(reterr, -EINVAL, "events are joined by their window, or `within` a distance, and not by both");
        rx_error_hint(reterr, "leave out one of the two");
        return -EINVAL;
    }
    if (j->has_within && sides > 2) {
        rx_error_set(reterr, -EINVAL, "a join `within` a distance has two sides, and this one has %zu", sides);
        rx_error_hint(reterr,
                      "join two of them, and the next with a step of its own: - join: {with: ..., within: ...}");
        return -EINVAL;
    }
    return 0;
}

static int check_step(const void *image, struct rx_error *reterr)
{
    const struct join *j = image;
    struct rx_pairing pairing = pairing_of(j, true);
    int r = check_mode(j, rx_stream_count(j->streams) + 1, reterr);
    return r < 0 ? r : rx_pairing_check(&pairing, reterr);
}

/* Names stand side by side in a result. */
static int check_names(const struct join *j, const struct rx_pairing *pairing, struct rx_error *reterr)
{
    for (size_t i = 0; i < join_key_count(j); i++) {
        const char *name = rx_side_keys_name(j->by, i)->text;
        if (!rx_pairing_has(pairing, name))
            continue;
        rx_error_set(reterr, -EINVAL, "a side named \"%s\" would hide the key of that name, which every result has",
                     name);
        rx_error_hint(reterr, "give the side another name");
        return -EINVAL;
    }
    return 0;
}

static int check_pipeline(const void *image, struct rx_error *reterr)
{
    const struct join *j = image;
    struct rx_pairing pairing = pairing_of(j, false);
    size_t sides = rx_stream_count(j->streams);
    if (sides < 2) {
        rx_error_set(reterr, -EINVAL, "a join has two sides or more");
        rx_error_hint(reterr, "join: {requests: {from: rides}, free: {from: drivers}}");
        return -EINVAL;
    }
    int r = check_mode(j, sides, reterr);
    if (r == 0)
        r = rx_pairing_check(&pairing, reterr);
    return r < 0 ? r : check_names(j, &pairing, reterr);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct join *j = image;
    facts->events = (uint64_t)j->max_held;
    facts->lates = mode_of(j) != JOIN_ALL;
    facts->waits_for_end = mode_of(j) == JOIN_ALL;
    facts->ends_with_all = facts->waits_for_end || j->kind != JOIN_LEFT;
}

/* ---- time ---- */

static rx_time reach_of(const struct join *j) { return j->before > j->after ? j->before : j->after; }

/* Rows that wait for the end are as old as they are: until then nothing can be said. */
static void pass_on(struct join *j, rx_time watermark)
{
    bool silent = j->mode == JOIN_ALL && j->kind != JOIN_INNER;
    rx_emit_watermark(&j->op, silent ? RX_WATERMARK_NONE : rx_watermark_less(watermark, reach_of(j)));
}

/* When a row is over: at its window's end, without a distance; or when its last partner may still come, at that instant. */
static rx_time over_at(const struct join *j, unsigned side, rx_time time)
{
    rx_time until;
    if (j->mode == JOIN_ALL)
        return RX_TIME_NEVER;
    return __builtin_add_overflow(time, side == 0 ? j->after : j->before, &until) ? RX_TIME_NEVER : until;
}

/* A partner may come at the very instant at which a row is over. Where event time is known it is over behind that; where time
 * runs on by itself, after what came at it. */
static bool is_inclusive(const struct join *j)
{
    return j->mode == JOIN_WINDOWS || rx_watermark_is_running(rx_op_watermark(&j->op));
}

/* Only who waits for a row to be over is told by a timer; where nothing comes of it the next event does as well. */
static void want(struct join *j)
{
    bool waits = j->kind != JOIN_INNER || j->ended;
    const struct join_row *first = waits ? join_table_first(&j->table) : NULL;
    if (first && first->until < RX_TIME_NEVER - 1)
        rx_watermark_want(&j->op, first->until + !is_inclusive(j));
}

static void let_go(struct join *j, enum rx_account otherwise, bool early)
{
    bool used = join_give_up(j, join_table_first(&j->table), early);
    rx_hold(&j->op, -1);
    rx_count(&j->op, used && !early ? RX_USED : otherwise, 1);
    j->waiting[join_table_first(&j->table)->side]--;
    join_table_drop_first(&j->table);
}

/* All rows that are over at `until`, or before it. */
static void give_up(struct join *j, rx_time until)
{
    if (until > j->over)
        j->over = until;
    for (struct join_row *row; rx_op_live(&j->op) && (row = join_table_first(&j->table)) && row->until <= until;)
        let_go(j, RX_FILTERED, false);
}

/* A side without which there is no result has ended, and nothing of it waits. */
static bool is_exhausted(const struct join *j)
{
    unsigned all = (1u << rx_op_inputs(&j->op)) - 1;
    for (unsigned i = 0; j->kind != JOIN_FULL && i < rx_op_inputs(&j->op); i++)
        if (j->ended & 1u << i && j->waiting[i] == 0 && (i == 0 || j->kind == JOIN_INNER))
            return true;
    return j->ended == all;
}

static void finish_if_exhausted(struct join *j)
{
    if (!rx_op_live(&j->op) || !is_exhausted(j))
        return;
    give_up(j, RX_TIME_NEVER);
    rx_finish(&j->op);
}

static void watermark(struct rx_op *op, rx_time t)
{
    struct join *j = (struct join *)op;
    rx_time reached = rx_op_reached(op);
    if (reached > INT64_MIN)
        give_up(j, is_inclusive(j) ? reached : reached - 1);
    finish_if_exhausted(j);
    if (!rx_op_live(op))
        return;
    pass_on(j, t);
    want(j);
}

/* ---- events ---- */

static bool is_late(const struct join *j, rx_time until)
{
    return until != RX_TIME_NEVER && (until < rx_op_reached(&j->op) || until <= j->over);
}

static bool waits_alone(const struct join *j, unsigned side)
{
    return j->kind == JOIN_FULL || (j->kind == JOIN_LEFT && side == 0);
}

static void add(struct join *j, unsigned side, const struct rx_event *event, const struct rx_value *keys, rx_time until)
{
    rx_hold(&j->op, 1);
    struct rx_keyed *key = keys ? join_table_find_or_add(&j->table, keys) : NULL;
    struct join_row *row = keys && !key ? NULL : join_table_add(&j->table, key, side, event, until);
    if (!row && key)
        join_table_tidy(&j->table, key);
    if (!row) {
        rx_fail_memory(&j->op);
        return;
    }
    j->waiting[side]++;
    join_pair(j, row);
    while (rx_op_live(&j->op) && j->table.count > (size_t)j->max_held)
        let_go(j, RX_EVICTED, true);
    want(j);
}

/* `keys` NULL: it pairs with nothing. */
static void take_row(struct join *j, unsigned side, const struct rx_event *event, const struct rx_value *keys,
                     rx_time end)
{
    rx_time until = over_at(j, side, end);
    if (is_late(j, until)) {
        rx_late_event(&j->op, event);
    } else if (keys || waits_alone(j, side)) {
        add(j, side, event, keys, until);
    } else {
        rx_count(&j->op, RX_FILTERED, 1);
        rx_count(&j->op, RX_ABSENT, 1);
    }
}

static void take_in(struct join *j, unsigned side, const struct rx_event *event)
{
    struct rx_value keys[JOIN_WIDTH_MAX];
    struct rx_error error;
    rx_time end;
    switch (join_key_eval(j, side, event, keys, &end, &error)) {
    case JOIN_KEYED:
        take_row(j, side, event, keys, end);
        for (unsigned i = 0; i < j->table.keys.width; i++)
            rx_value_unref(keys[i]);
        break;
    case JOIN_NOT_KEYED:
        if (rx_bad_event(&j->op, event, &error) != RX_USE_NULL)
            break;
        __attribute__((fallthrough));
    case JOIN_KEYLESS:
        take_row(j, side, event, NULL, end);
        break;
    case JOIN_NOT_FINAL:
        rx_count(&j->op, RX_FILTERED, 1);
        break;
    }
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct join *j = (struct join *)op;
    rx_time reached = rx_op_reached(op);
    if (j->kind == JOIN_INNER && reached > INT64_MIN)
        give_up(j, reached - 1);
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take_in(j, port, &span[i]);
    if (j->ended)
        finish_if_exhausted(j);
}

/* One that ends while the others are not yet subscribed is only one of them. */
static void complete(struct rx_op *op, unsigned port)
{
    struct join *j = (struct join *)op;
    j->ended |= 1u << port;
    finish_if_exhausted(j);
    if (rx_op_live(op))
        want(j);
}

/* ---- life ---- */

static int begin(struct join *j, bool main_on_top)
{
    struct rx_pairing pairing = pairing_of(j, main_on_top);
    unsigned sides = rx_op_inputs(&j->op);
    j->main_on_top = main_on_top;
    j->window = window_part(j);
    j->mode = (uint8_t)mode_of(j);
    j->before = j->within.both ? j->within.both : j->within.before;
    j->after = j->within.both ? j->within.both : j->within.after;
    j->over = INT64_MIN;
    for (unsigned i = 0; i < sides; i++)
        j->keys[i] = rx_pairing_keys(&pairing, &j->op, i);
    join_table_init(&j->table, rx_op_heap(&j->op), join_key_width(j), sides);
    return 0;
}

static int init_step(struct rx_op *op, struct rx_error *reterr)
{
    (void)reterr;
    return begin((struct join *)op, true);
}

static int init_pipeline(struct rx_op *op, struct rx_error *reterr)
{
    (void)reterr;
    return begin((struct join *)op, false);
}

static void start(struct rx_op *op)
{
    pass_on((struct join *)op, rx_op_watermark(op));
    for (unsigned port = 0; port < rx_op_inputs(op); port++)
        rx_subscribe(op, port);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct join *j = (struct join *)op;
    rx_write_uint(w, j->ended);
    rx_write_int(w, j->over);
    join_table_save(&j->table, w);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct join *j = (struct join *)op;
    j->ended = (unsigned)rx_read_uint(r);
    j->over = rx_read_int(r);
    int result = join_table_load(&j->table, r);
    for (size_t i = 0; i < j->table.count; i++)
        j->waiting[j->table.heap[i]->side]++;
    rx_hold(op, (int64_t)j->table.count);
    return result;
}

static void dispose(struct rx_op *op) { join_table_finish(&((struct join *)op)->table); }

const struct rx_operator_class rx_operator_join = {
    .base = {.name = "join",
             .summary = "pair events of streams that have the same key, and times near one another or the same window",
             .options = step_options,
             .state_size = sizeof(struct join),
             .flags = RX_ANY_ORDER,
             .check = check_step,
             .example = "join: {with: prices, by: city, within: 5s}"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .init = init_step,
    .start = start,
    .next = next,
    .describe = describe,
    .complete = complete,
    .watermark = watermark,
    .save = save,
    .load = load,
    .dispose = dispose,
};

/* What `join:` of a pipeline means. */
const struct rx_operator_class rx_operator_join_pipeline = {
    .base =
        {.name = "join",
         .summary =
             "what a pipeline may begin with in place of `from`: streams joined as the step does, each under its name",
         .options = pipeline_options,
         .state_size = sizeof(struct join),
         .flags = RX_BEGINS | RX_ANY_ORDER,
         .check = check_pipeline,
         .example = "join: {mine: a, price: prices}, by: city, within: 5s"},
    .min_inputs = 2,
    .max_inputs = RX_PORTS_MAX,
    .init = init_pipeline,
    .start = start,
    .next = next,
    .describe = describe,
    .complete = complete,
    .watermark = watermark,
    .save = save,
    .load = load,
    .dispose = dispose,
};
