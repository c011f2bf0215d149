/* window: cuts the stream into windows; the steps behind it run once per window, until one of them reduces it. buffer
 * is the same with each window made a list.
 *
 * A window is opened by its first event, unless empty ones are wanted. How they begin and end: the three windowings. */
#include <errno.h>
#include <stdlib.h>

#include "operators/windowing.h"

enum { ALIGN_EPOCH, ALIGN_START };
enum { ON_COMPLETE_FLUSH, ON_COMPLETE_DROP };

static const char *const align_choices[] = {"epoch", "start", NULL};
static const char *const on_complete_choices[] = {"flush", "drop", NULL};

static const struct rx_option options[] = {
    {.name = "size",
     .help = "how long a window is: a duration, or a count of events",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct window, size, struct rx_extent),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "every",
     .help = "how far apart windows begin; less than size overlaps (1,000 windows at once at most), more leaves gaps. "
             "Default: size",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct window, every, struct rx_extent)},
    {.name = "max",
     .help = "with a time: a window with so many events closes early",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct window, max, int64_t),
     .min = 1,
     .max = 1e9},
    {.name = "align",
     .help = "epoch: at whole multiples of the size, by event time. start: from the subscription, as Rx",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct window, align, int),
     .fallback = "epoch",
     .choices = align_choices},
    {.name = "emit_empty",
     .help = "open windows without events too: from the first event's window on, or with `align: start` from the "
             "subscription. Where time jumps over more than 10,000 of them, those are left out",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct window, emit_empty, bool),
     .fallback = "false"},
    {.name = "on_complete",
     .help = "what becomes of open windows when the input completes",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct window, on_complete, int),
     .fallback = "flush",
     .choices = on_complete_choices},
    {0},
};

/* ---- life ---- */

static const struct windowing *windowing_of(const struct window *w)
{
    return w->size.count > 0 ? &rx_windowing_count : w->align == ALIGN_START ? &rx_windowing_time : &rx_windowing_epoch;
}

static bool by_time(const struct window *w) { return windowing_of(w) == &rx_windowing_time; }

static bool has_every(const struct window *w) { return w->every.duration > 0 || w->every.count > 0; }

static int check(const void *image, struct rx_error *reterr)
{
    const struct window *w = image;
    const struct rx_extent *every = has_every(w) ? &w->every : &w->size;
    bool by_clock = by_time(w) || w->emit_empty;
    return rx_extents_check(&w->size, every, by_clock, reterr);
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct window *w = (struct window *)op;
    (void)reterr;
    w->last = &w->first;
    w->windowing = windowing_of(w);
    w->member = (struct rx_boundary_member){.op = op, .close = w->windowing->boundary};
    w->restarts = !has_every(w);
    if (w->restarts)
        w->every = w->size;
    return 0;
}

static void start(struct rx_op *op)
{
    struct window *w = (struct window *)op;
    w->windowing->start(w);
    rx_subscribe(op, 0);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct window *w = (struct window *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        int taken = w->windowing->next(w, &span[i]);
        if (taken < 0)
            rx_late_event(op, &span[i]);
        else
            rx_count(op, taken > 0 ? RX_USED : RX_UNHEARD, 1);
    }
}

static void watermark(struct rx_op *op, rx_time t)
{
    rx_boundary_watermark(&((struct window *)op)->member, t);
    rx_pass_watermark(op, t);
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct window *w = (struct window *)op;
    w->windowing->timer(w, slot);
}

static void finish_when_quiet(struct window *w)
{
    if (w->completing && !w->op.opened)
        rx_finish(&w->op);
}

/* The group around was evicted: so is what its open windows have. */
static void mark_partial(struct window *w, const struct pane *pane)
{
    const struct rx_mark *around = rx_op_mark(&w->op);
    if (!around || !around->flags || !pane->instance)
        return;
    const struct rx_mark *mark = rx_instance_mark(pane->instance);
    rx_instance_seal(pane->instance, rx_mark_with_window(rx_op_heap(&w->op), mark, mark->start, mark->end,
                                                         mark->flags | around->flags));
}

static void end_pane(struct window *w, struct pane *pane)
{
    mark_partial(w, pane);
    if (w->on_complete == ON_COMPLETE_DROP) {
        rx_instance_close(pane->instance);
        pane->instance = NULL;
        rx_pane_close(w, pane);
    } else {
        w->windowing->flush(w, pane, rx_wall(&w->op));
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct window *w = (struct window *)op;
    (void)port;
    w->completing = true;
    rx_timer_stop(op, WINDOW_SLOT_CLOSE);
    rx_timer_stop(op, WINDOW_SLOT_OPEN);
    rx_boundary_leave(&w->member);
    while (w->first && rx_op_live(op))
        end_pane(w, w->first);
    finish_when_quiet(w);
}

/* Every open window hears of it, in order: a catch in one of them may still have something to say. */
static void error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    struct window *w = (struct window *)op;
    (void)port;
    for (struct pane *pane = w->first; pane && rx_op_live(op); pane = pane->next) {
        struct rx_instance *instance = pane->instance;
        pane->instance = NULL;
        if (instance)
            rx_instance_error(instance, e);
    }
    rx_fail(op, e);
}

static void inner(struct rx_op *op, struct rx_instance *instance, const struct rx_note *note)
{
    struct window *w = (struct window *)op;
    if (note->kind == RX_NEXT) {
        rx_emit(op, note->span, note->count);
        return;
    }
    struct pane *pane = rx_instance_tag(instance);
    if (pane)
        pane->instance = NULL;
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else
        finish_when_quiet(w);
}

static void dispose(struct rx_op *op)
{
    struct window *w = (struct window *)op;
    rx_boundary_leave(&w->member);
    for (struct pane *pane = w->first, *following; pane; pane = following) {
        following = pane->next;
        free(pane);
    }
}

/* ---- state ---- */

static int save(struct rx_op *op, struct rx_writer *writer)
{
    struct window *w = (struct window *)op;
    rx_write_uint(writer, w->count);
    rx_write_bool(writer, w->completing);
    rx_write_uint(writer, w->pane_count);
    for (struct pane *pane = w->first; pane; pane = pane->next) {
        rx_write_int(writer, pane->start);
        rx_write_int(writer, pane->end);
        if (by_time(w))
            rx_write_int(writer, pane->due);
        rx_write_uint(writer, pane->sequence);
        rx_write_uint(writer, pane->seen);
        rx_write_bool(writer, pane->opened);
        rx_write_bool(writer, pane->instance != NULL);
        if (pane->instance)
            rx_instance_save(pane->instance, writer);
    }
    rx_write_bool(writer, w->member.boundary != NULL);
    if (w->member.boundary)
        rx_boundary_save(&w->member, writer);
    return 0;
}

static void load_pane(struct window *w, struct rx_reader *r)
{
    rx_time begins = rx_read_int(r), ends = rx_read_int(r);
    struct pane *pane = rx_pane_add(w, w->last, begins, ends);
    if (!pane) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    if (by_time(w))
        pane->due = rx_read_int(r);
    pane->sequence = rx_read_uint(r);
    pane->seen = rx_read_uint(r);
    pane->opened = rx_read_bool(r);
    if (rx_read_bool(r))
        pane->instance = rx_instance_load(
            &w->op, 0, rx_mark_with_window(rx_op_heap(&w->op), rx_op_mark(&w->op), begins, ends, 0), pane, r);
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct window *w = (struct window *)op;
    w->count = rx_read_uint(r);
    w->completing = rx_read_bool(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_pane(w, r);
    if (rx_read_bool(r))
        rx_boundary_load(&w->member, r);
    return r->failed;
}

/* Where they overlap, windows by count begin anywhere. */
static rx_time apart(const struct rx_op *op)
{
    const struct window *w = (const struct window *)op;
    if (w->size.count)
        return w->every.count < w->size.count ? 0 : RX_TIME_NEVER;
    return w->every.duration < w->size.duration ? w->every.duration : RX_TIME_NEVER;
}

extern const struct rx_operator_class rx_operator_to_array;

static void describe(const void *image, struct rx_facts *facts)
{
    const struct window *w = image;
    uint64_t size = w->size.count ? w->size.count : (uint64_t)w->size.duration;
    uint64_t every = w->every.count ? w->every.count : (uint64_t)w->every.duration;
    facts->windows = every && every < size ? (size + every - 1) / every + 1 : 1;
    facts->wait = w->size.duration;
    facts->counts = w->size.count || w->max;
    facts->scope_events = w->size.count ? w->size.count : (uint64_t)w->max;
    facts->gathers = w->size.duration;
    if (w->size.duration && !w->max && !facts->early)
        facts->rhythm = facts->spacing = w->every.duration ? w->every.duration : w->size.duration;
}

#define CUTTER(name_, summary_, flags_, collects_, example_)                                                           \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .options = options,                                                                                   \
                 .state_size = sizeof(struct window),                                                                  \
                 .flags = flags_,                                                                                      \
                 .check = check,                                                                                       \
                 .example = example_},                                                                                 \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .timer_slots = WINDOW_SLOTS,                                                                                   \
        .init = init,                                                                                                  \
        .start = start,                                                                                                \
        .next = next,                                                                                                  \
        .describe = describe,                                                                                          \
        .complete = complete,                                                                                          \
        .error = error,                                                                                                \
        .watermark = watermark,                                                                                        \
        .timer = timer,                                                                                                \
        .inner = inner,                                                                                                \
        .apart = apart,                                                                                                \
        .save = save,                                                                                                  \
        .load = load,                                                                                                  \
        .dispose = dispose,                                                                                            \
        .collects = collects_,                                                                                         \
    }

CUTTER(buffer, "collect events by time or count, and emit each collection as a list", 0, &rx_operator_to_array,
       "buffer: {size: 5s, max: 100}");
CUTTER(window, "cut the stream into windows by time or count; the steps behind run once per window",
       RX_OPENS_WINDOW | RX_PASSES, NULL, "window: {size: 5m, every: 1m}");
