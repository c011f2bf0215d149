/* aggregate: reduces a window (or the whole stream) to one object of aggregate functions. */
#include <errno.h>
#include <stdlib.h>

#include "core/aggregate/carry.h"
#include "core/graph/operator.h"

struct aggregate {
    struct rx_op op;
    struct rx_shaper *fields;
    struct rx_extent emit;

    struct rx_aggregation *calls; /* the node's, shared by all windows */
    struct rx_accumulator *accumulators;
    rx_time newest; /* emit: of the events so far */
    bool shown;     /* emit: what there is has been put out */
};

enum { EMIT_UPDATES = 2, EMIT_SLOT = 0, SLOTS };
static const char *const emit_choices[] = {"final", "updates", NULL};

static const struct rx_option options[] = {
    {.name = "fields",
     .help = "named expressions over aggregate functions: {avg: avg(value), n: count()}",
     .type = RX_OPTION_AGGREGATES,
     .offset = RX_AT(struct aggregate, fields, struct rx_shaper *),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_WHOLE},
    {.name = "emit",
     .help = "beside the step, outside of windows. final: the result at the end. updates: the result so far at each "
             "event; a duration: so "
             "often, where something new has come",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct aggregate, emit, struct rx_extent),
     .fallback = "final",
     .min = 0.001,
     .max = 31536000,
     .choices = emit_choices,
     .flags = RX_SIBLING},
    {0},
};

static void no_timer(struct rx_common *common) { (void)common; }

static const struct rx_common_class shared = {.size = sizeof(struct rx_aggregation), .timer = no_timer};

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct aggregate *a = (struct aggregate *)op;
    struct rx_common *common = rx_common_get(op, &shared);
    if (!common)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    a->calls = rx_common_data(common);
    int r = rx_aggregation_prepare(a->calls, a->fields, reterr);
    if (r < 0)
        return r;
    a->newest = INT64_MIN;
    a->accumulators = calloc(1, a->calls->size + 1);
    return a->accumulators ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

/* ---- what goes on into the next window ---- */

static void save_carries(const void *data, struct rx_writer *w) { rx_carries_save(data, w); }

static int load_carries(void *data, struct rx_reader *r) { return rx_carries_load(data, r); }

static void clear_carries(void *data) { rx_carries_finish(data); }

static const struct rx_kept_class carried = {
    .size = sizeof(struct rx_carries), .save = save_carries, .load = load_carries, .clear = clear_carries};

static rx_time start_of(const struct aggregate *a)
{
    const struct rx_mark *mark = rx_op_mark(&a->op);
    bool through = mark && mark->flags & RX_WINDOW_THROUGH; /* then what is at its start lies before it */
    return rx_mark_has_window(mark) ? mark->start + through : 0;
}

static void note_carries(struct aggregate *a)
{
    struct rx_carries *kept = rx_kept_get(&a->op, &carried);
    if (kept && rx_carries_note(kept, a->calls, a->accumulators, start_of(a), rx_windows_apart(&a->op)) == -ENOMEM)
        rx_fail_memory(&a->op);
}

static bool overlaps(const struct aggregate *a)
{
    return a->calls->carries && rx_windows_apart(&a->op) != RX_TIME_NEVER;
}

/* ---- events and results ---- */

/* False: there is none, and it has been said why. */
static bool make_result(struct aggregate *a, rx_time until, struct rx_value *ret)
{
    struct rx_op *op = &a->op;
    struct rx_aggregation_scope scope = {.mark = rx_op_mark(op), .until = until};
    struct rx_carry carries[RX_AGGREGATES_MAX];
    struct rx_carries *kept = a->calls->carries ? rx_kept_get(op, &carried) : NULL;
    struct rx_error error;
    if (kept) {
        rx_carries_find(kept, start_of(a), rx_windows_apart(op), carries, a->calls->count);
        scope.carries = carries;
    }
    a->calls->outer = rx_op_env(op, NULL).outer;
    if (rx_aggregation_result(a->calls, a->accumulators, &scope, rx_op_heap(op), ret, &error) == 0)
        return true;
    rx_bad_result(op, &error);
    return false;
}

static void peek(struct rx_op *op, rx_time at)
{
    struct rx_value value;
    if (make_result((struct aggregate *)op, at, &value))
        rx_emit_result_at_take(op, value, at);
}

static bool runs(const struct aggregate *a) { return a->emit.choice == EMIT_UPDATES || a->emit.duration > 0; }

static void show(struct aggregate *a)
{
    a->shown = true;
    peek(&a->op, a->newest);
}

/* Where results come before the end. */
static void shows_event(struct aggregate *a, const struct rx_event *event)
{
    a->newest = event->time > a->newest ? event->time : a->newest;
    a->shown = false;
    if (a->emit.choice == EMIT_UPDATES)
        show(a);
    else if (!rx_timer_is_armed(&a->op, EMIT_SLOT))
        rx_timer_arm(&a->op, EMIT_SLOT, rx_now(&a->op) + a->emit.duration);
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct aggregate *a = (struct aggregate *)op;
    (void)slot;
    if (!a->shown)
        show(a);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct aggregate *a = (struct aggregate *)op;
    struct rx_error error;
    (void)port;
    a->calls->outer = rx_op_env(op, span).outer;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (rx_aggregation_add(a->calls, a->accumulators, &span[i], &error) == 0 ||
            rx_bad_event(op, &span[i], &error) == RX_USE_NULL)
            rx_count(op, RX_USED, 1);
        if (overlaps(a))
            note_carries(a);
        if (runs(a) && rx_op_live(op))
            shows_event(a, &span[i]);
    }
}

/* A window that is cut short counts time to now. */
static rx_time until_of(const struct aggregate *a)
{
    const struct rx_mark *mark = rx_op_mark(&a->op);
    return mark && mark->flags & RX_WINDOW_PARTIAL ? rx_op_reached(&a->op) : RX_TIME_NEVER;
}

/* The carry is noted before the result goes out: what that sets off may ask for the next window's. */
static void complete(struct rx_op *op, unsigned port)
{
    struct aggregate *a = (struct aggregate *)op;
    struct rx_value value;
    (void)port;
    bool made = !a->shown && make_result(a, until_of(a), &value);
    if (a->calls->carries) {
        struct rx_carries *kept = rx_kept_get(op, &carried);
        note_carries(a);
        if (kept)
            rx_carries_prune(kept, start_of(a), rx_windows_apart(op));
    }
    if (made)
        rx_emit_result_take(op, value);
    rx_finish(op);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct aggregate *a = (struct aggregate *)op;
    rx_aggregation_save(a->calls, a->accumulators, w);
    if (runs(a)) {
        rx_write_int(w, a->newest);
        rx_write_bool(w, a->shown);
    }
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct aggregate *a = (struct aggregate *)op;
    rx_aggregation_load(a->calls, a->accumulators, r);
    if (runs(a)) {
        a->newest = rx_read_int(r);
        a->shown = rx_read_bool(r);
    }
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct aggregate *a = (struct aggregate *)op;
    if (a->accumulators)
        rx_aggregation_clear(a->calls, a->accumulators);
    free(a->accumulators);
}

static int check(const void *image, struct rx_error *reterr)
{
    const struct aggregate *a = image;
    if (!a->emit.count)
        return 0;
    rx_error_set(reterr, -EINVAL, "`emit` beside an aggregate is final, updates or a duration");
    rx_error_hint(reterr, "emit: updates puts out a result at each event, emit: 1s at most one a second");
    return -EINVAL;
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct aggregate *a = image;
    struct rx_aggregation_facts calls = rx_aggregation_describe(a->fields);
    facts->needs_order = calls.needs_order;
    if (runs(a))
        facts->reduces = facts->at_end = false;
    facts->spans = !a->emit.duration;
    facts->values = calls.calls;
    facts->bytes = calls.bytes + calls.calls * sizeof(struct rx_accumulator);
}

const struct rx_operator_class rx_operator_aggregate = {
    .base = {.name = "aggregate",
             .summary = "reduce a window to one object of aggregate functions; without a window, the whole stream",
             .options = options,
             .state_size = sizeof(struct aggregate),
             .flags = RX_SPAN_SAFE | RX_REDUCES | RX_REPLACES,
             .check = check,
             .example = "aggregate: {avg: avg(value), max: max(value), n: count()}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = SLOTS,
    .init = init,
    .next = next,
    .describe = describe,
    .complete = complete,
    .peek = peek,
    .timer = timer,
    .save = save,
    .load = load,
    .dispose = dispose,
};
