/* silence: the last event, when none has come for a while; and the one that comes then.
 *
 * It runs by the clock. Counting begins with the first event, in a group with the group (one that is expected may never have
 * had an event: its key is all that it tells). While a source that feeds it is without its connection nobody can tell silence
 * from that: it stands still, and counts anew afterwards. */
#include <errno.h>
#include <string.h>

#include "core/graph/operator.h"

struct silence {
    struct rx_op op;
    rx_time quiet;
    const char *into;

    const struct rx_key *field;
    struct rx_event last; /* the newest event; of none yet what the group's key tells */
    bool counting;        /* there is something to tell when it falls silent */
    bool held;            /* `last` is in the account */
    bool silent;          /* that has been told */
    rx_time since;        /* of the newest event, or when counting began anew */
};

static const struct rx_option options[] = {
    {.name = "for",
     .help = "how long no event must have come",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct silence, quiet, rx_time),
     .min = 0.001,
     .max = 31536000,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "into",
     .help = "the field that says true, or of the event that comes then false",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct silence, into, const char *),
     .fallback = "silent"},
    {0},
};

/* As debounce the timer is not moved by each event: when it fires early it is armed for the rest. */
static void count_anew(struct silence *s)
{
    s->since = rx_now(&s->op);
    if (s->counting && !s->silent && !rx_op_is_away(&s->op) && !rx_timer_is_armed(&s->op, 0))
        rx_timer_arm(&s->op, 0, s->since + s->quiet);
}

static void tell(struct silence *s, const struct rx_event *event, rx_time time)
{
    struct rx_event out = *event;
    out.value = rx_object_with_take(rx_op_heap(&s->op), event->value, s->field, rx_bool(s->silent));
    out.time = time;
    if (rx_op_made(&s->op, event, &out.value))
        rx_emit(&s->op, &out, 1);
    rx_value_unref(out.value);
}

/* ---- events ---- */

static void forget_last(struct silence *s, enum rx_account account)
{
    if (s->held) {
        rx_hold(&s->op, -1);
        rx_count(&s->op, account, 1);
    }
    s->held = false;
    rx_event_unref(&s->last);
}

static void take_in(struct silence *s, const struct rx_event *event)
{
    bool recovers = s->silent;
    forget_last(s, RX_SUPERSEDED);
    s->last = rx_event_ref(event);
    s->counting = true;
    s->silent = false;
    s->held = !recovers;
    rx_hold(&s->op, s->held);
    rx_count(&s->op, RX_USED, recovers);
    count_anew(s);
    if (recovers)
        tell(s, event, event->time);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take_in((struct silence *)op, &span[i]);
}

/* ---- time ---- */

/* It takes the time at which it goes on, never behind the watermark. */
static void timer(struct rx_op *op, unsigned slot)
{
    struct silence *s = (struct silence *)op;
    rx_time due = s->since + s->quiet, wall = rx_wall(op), reached = rx_op_reached(op);
    if (rx_now(op) < due) {
        rx_timer_arm(op, slot, due);
        return;
    }
    s->silent = true;
    struct rx_event last = rx_event_ref(&s->last);
    if (s->held) {
        rx_hold(op, -1);
        rx_count(op, RX_USED, 1);
        s->held = false;
    }
    tell(s, &last, reached > wall ? reached : wall);
    rx_event_unref(&last);
}

static void link_changed(struct rx_op *op, bool away)
{
    struct silence *s = (struct silence *)op;
    if (away)
        rx_timer_stop(op, 0);
    else
        count_anew(s);
}

/* ---- life ---- */

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct silence *s = (struct silence *)op;
    s->field = rx_key_intern(rx_op_heap(op), s->into, strlen(s->into));
    return s->field ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

/* A group that is not expected begins with an event, at this instant. */
static void start(struct rx_op *op)
{
    struct silence *s = (struct silence *)op;
    const struct rx_mark *mark = rx_op_mark(op);
    if (mark && mark->key.kind == RX_RECORD) {
        s->last = (struct rx_event){.value = rx_value_ref(mark->key), .mark = rx_mark_ref(mark)};
        s->counting = true;
    }
    rx_subscribe(op, 0);
    count_anew(s);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct silence *s = (struct silence *)op;
    rx_write_bool(w, s->counting);
    rx_write_bool(w, s->silent);
    rx_write_bool(w, s->held);
    rx_write_int(w, s->since);
    rx_write_event(w, &s->last);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct silence *s = (struct silence *)op;
    s->counting = rx_read_bool(r);
    s->silent = rx_read_bool(r);
    s->held = rx_read_bool(r);
    s->since = rx_read_int(r);
    s->last = rx_read_event(r);
    rx_hold(op, s->held);
    return r->failed;
}

static void dispose(struct rx_op *op) { rx_event_unref(&((struct silence *)op)->last); }

static void describe(const void *image, struct rx_facts *facts)
{
    const struct silence *s = image;
    facts->events = 1;
    facts->values = 0;
    facts->wait = s->quiet;
}

const struct rx_operator_class rx_operator_silence = {
    .base = {.name = "silence",
             .summary = "put out the last event when none has come for a while, and the one that comes then",
             .options = options,
             .state_size = sizeof(struct silence),
             .flags = RX_EDITS | RX_ANY_ORDER,
             .example = "silence: 150ms"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = 1,
    .init = init,
    .start = start,
    .next = next,
    .timer = timer,
    .link = link_changed,
    .describe = describe,
    .save = save,
    .load = load,
    .dispose = dispose,
};
