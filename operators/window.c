/* window: cuts the stream into windows; the steps behind it run once per window, until one of them reduces it. buffer
 * is the same with each window made a list.
 *
 * By count, and by time with `align: start`, it is RxJS's windowCount and windowTime, but a closing window closes before
 * the next opens. With `align: epoch` events belong to windows by their own time (core/graph/boundary.h). A window is opened
 * by its first event, unless empty ones are wanted. */
#include <errno.h>
#include <stdlib.h>

#include "core/graph/boundary.h"

enum { ALIGN_EPOCH, ALIGN_START };
enum { ON_COMPLETE_FLUSH, ON_COMPLETE_DROP };
enum { SLOT_CLOSE, SLOT_OPEN, SLOTS };
#define WINDOWS_MAX 100000

struct pane {
    struct pane *next;
    struct rx_instance *instance; /* NULL: not opened yet, or ended by itself */
    rx_time start, end;
    uint64_t sequence, seen;
    bool opened;
};

struct window {
    struct rx_op op;
    struct rx_extent size, every;
    int64_t max;
    int align, on_complete;
    bool emit_empty;

    struct rx_boundary_member member; /* align: epoch */
    struct pane *first, **last;       /* open windows, in order of opening */
    uint64_t pane_count, count;       /* events so far (by count) */
    bool completing, restarts;
};

static const char *const align_choices[] = {"epoch", "start", NULL};
static const char *const on_complete_choices[] = {"flush", "drop", NULL};

static const struct rx_option options[] = {
    {.name = "size",
     .help = "how long a window is: a duration, or a count of events",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct window, size, struct rx_extent),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "every",
     .help = "how far apart windows begin; less than size overlaps, more leaves gaps. Default: size",
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
     .help = "open windows without events too",
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

static bool by_count(const struct window *w) { return w->size.count > 0; }
static bool on_epoch(const struct window *w) { return !by_count(w) && w->align == ALIGN_EPOCH; }

static struct rx_schedule schedule_of(const struct window *w)
{
    return (struct rx_schedule){.size = w->size.duration, .every = w->every.duration};
}

/* ---- panes ---- */

static struct pane *add_pane(struct window *w, rx_time begins, rx_time ends)
{
    struct pane *pane = w->pane_count < WINDOWS_MAX ? calloc(1, sizeof *pane) : NULL;
    if (!pane) {
        rx_fail_memory(&w->op);
        return NULL;
    }
    pane->start = begins;
    pane->end = ends;
    *w->last = pane;
    w->last = &pane->next;
    w->pane_count++;
    return pane;
}

static void unlink_pane(struct window *w, struct pane *pane)
{
    struct pane **link = &w->first;
    while (*link != pane)
        link = &(*link)->next;
    *link = pane->next;
    if (!pane->next)
        w->last = link;
    w->pane_count--;
}

static void ensure_open(struct window *w, struct pane *pane)
{
    if (pane->opened)
        return;
    pane->opened = true;
    const struct rx_mark *mark = rx_mark_with_window(rx_op_heap(&w->op), rx_op_mark(&w->op), pane->start, pane->end, 0);
    pane->instance = rx_instance_open(&w->op, 0, mark, pane);
}

/* The pane is out of the list before its instance hears of the end: what that sets off finds it gone. */
static void close_pane(struct window *w, struct pane *pane)
{
    struct rx_instance *instance = pane->instance;
    unlink_pane(w, pane);
    if (instance) {
        rx_instance_set_tag(instance, NULL);
        rx_instance_complete(instance);
    }
    free(pane);
}

static bool feed_pane(struct window *w, struct pane *pane, const struct rx_event *event)
{
    pane->seen++;
    ensure_open(w, pane);
    return pane->instance && rx_instance_next(pane->instance, event, 1);
}

/* ---- by count ---- */

static void open_counted(struct window *w)
{
    struct pane *pane = add_pane(w, rx_now(&w->op), rx_now(&w->op));
    if (pane && w->emit_empty)
        ensure_open(w, pane);
}

/* The bounds of a counted window are known when it closes: its mark is told then, before anything reads it. */
static void close_counted(struct window *w, struct pane *pane, rx_time last)
{
    if (pane->instance)
        ((struct rx_mark *)(uintptr_t)rx_instance_mark(pane->instance))->end = last + 1;
    close_pane(w, pane);
}

static bool next_counted(struct window *w, const struct rx_event *event)
{
    bool heard = false;
    for (struct pane *pane = w->first, *following; pane && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        if (pane->seen == 0)
            pane->start = pane->end = event->time;
        heard = feed_pane(w, pane, event) || heard;
    }
    if (w->first && w->count + 1 >= w->size.count && (w->count + 1 - w->size.count) % w->every.count == 0 &&
        rx_op_live(&w->op))
        close_counted(w, w->first, event->time);
    if (++w->count % w->every.count == 0 && rx_op_live(&w->op))
        open_counted(w);
    return heard;
}

/* ---- by time from the subscription ---- */

static void arm_close(struct window *w)
{
    bool content = false;
    for (struct pane *pane = w->first; pane; pane = pane->next)
        content = content || pane->seen > 0;
    rx_timer_background(&w->op, SLOT_CLOSE, !content);
    if (w->first)
        rx_timer_arm_at(&w->op, SLOT_CLOSE, w->first->end, w->first->sequence);
    else
        rx_timer_stop(&w->op, SLOT_CLOSE);
}

static void open_timed(struct window *w)
{
    rx_time now = rx_now(&w->op);
    struct pane *pane = add_pane(w, now, now + w->size.duration);
    if (!pane)
        return;
    if (w->emit_empty)
        ensure_open(w, pane);
    pane->sequence = rx_timer_reserve(&w->op);
    arm_close(w);
}

static void close_timed(struct window *w, struct pane *pane)
{
    close_pane(w, pane);
    if (w->restarts && rx_op_live(&w->op))
        open_timed(w);
    if (rx_op_live(&w->op))
        arm_close(w);
}

static bool next_timed(struct window *w, const struct rx_event *event)
{
    bool heard = false, first = false;
    uint64_t left = w->pane_count; /* a window that opens meanwhile begins with the next event */
    for (struct pane *pane = w->first, *following; left-- > 0 && rx_op_live(&w->op); pane = following) {
        following = pane->next;
        first = first || pane->seen == 0;
        heard = feed_pane(w, pane, event) || heard;
        if (w->max && pane->seen >= (uint64_t)w->max && rx_op_live(&w->op))
            close_timed(w, pane);
    }
    if (first && rx_op_live(&w->op))
        arm_close(w);
    return heard;
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct window *w = (struct window *)op;
    if (slot == SLOT_CLOSE) {
        close_timed(w, w->first);
        return;
    }
    while (w->first && w->first->end <= rx_now(op) && rx_op_live(op))
        close_timed(w, w->first);
    open_timed(w);
    rx_timer_arm(op, SLOT_OPEN, rx_now(op) + w->every.duration);
}

/* ---- on the epoch ---- */

static struct pane *pane_ending(struct window *w, rx_time end)
{
    for (struct pane *pane = w->first; pane; pane = pane->next)
        if (pane->end == end)
            return pane;
    return rx_boundary_want(&w->member, end) ? add_pane(w, end - w->size.duration, end) : NULL;
}

static void want_earliest(struct window *w)
{
    for (struct pane *pane = w->first; pane; pane = pane->next)
        rx_boundary_want(&w->member, pane->end);
}

static void open_empty(struct window *w, rx_time end)
{
    struct pane *pane = pane_ending(w, end);
    if (pane)
        ensure_open(w, pane);
}

static void on_boundary(struct rx_boundary_member *member, rx_time end)
{
    struct window *w = (struct window *)member->op;
    struct pane *due = NULL;
    for (struct pane *pane = w->first; pane && !due; pane = pane->next)
        due = pane->end == end ? pane : NULL;
    want_earliest(w);
    if (due)
        close_pane(w, due);
    if (w->emit_empty && rx_op_live(&w->op) && !w->completing)
        open_empty(w, end + w->every.duration);
}

/* 1 taken in, 0 nobody listens, -1 late. */
static int next_on_epoch(struct window *w, const struct rx_event *event)
{
    struct rx_schedule schedule = schedule_of(w);
    bool in_window = false, placed = false, heard = false;
    rx_boundary_reach(&w->member, event->time);
    for (rx_time end = rx_schedule_end_after(&schedule, event->time);
         end - schedule.size <= event->time && rx_op_live(&w->op); end += schedule.every) {
        in_window = true;
        struct pane *pane = pane_ending(w, end);
        if (!pane)
            continue;
        placed = true;
        heard = feed_pane(w, pane, event) || heard;
        if (w->max && pane->seen >= (uint64_t)w->max && rx_op_live(&w->op))
            close_pane(w, pane);
    }
    return in_window && !placed ? -1 : heard;
}

/* ---- the class ---- */

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct window *w = (struct window *)op;
    w->last = &w->first;
    w->restarts = w->every.duration == 0 && w->every.count == 0;
    w->member = (struct rx_boundary_member){.op = op, .close = on_boundary};
    return rx_extents_settle(&w->size, &w->every, reterr);
}

static void begin_timed(struct window *w)
{
    if (!w->restarts) {
        rx_timer_background(&w->op, SLOT_OPEN, true);
        rx_timer_arm(&w->op, SLOT_OPEN, rx_now(&w->op) + w->every.duration);
    }
    open_timed(w);
}

static void start(struct rx_op *op)
{
    struct window *w = (struct window *)op;
    struct rx_schedule schedule = schedule_of(w);
    if (on_epoch(w) && rx_boundary_join(&w->member) < 0)
        rx_fail_memory(&w->op);
    else if (on_epoch(w) && w->emit_empty)
        open_empty(w, rx_schedule_end_after(&schedule, rx_now(op)));
    else if (by_count(w))
        open_counted(w);
    else if (!on_epoch(w))
        begin_timed(w);
    rx_subscribe(op, 0);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct window *w = (struct window *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        int taken = by_count(w)   ? next_counted(w, &span[i])
                    : on_epoch(w) ? next_on_epoch(w, &span[i])
                                  : next_timed(w, &span[i]);
        rx_count(op, taken > 0 ? RX_USED : taken < 0 ? RX_LATE : RX_UNHEARD, 1);
    }
}

static void finish_when_quiet(struct window *w)
{
    if (w->completing && !w->op.opened)
        rx_finish(&w->op);
}

/* The group around was evicted: so is what its open windows have. */
static void mark_partial(struct window *w, const struct pane *pane)
{
    if (rx_op_mark(&w->op) && pane->instance)
        ((struct rx_mark *)(uintptr_t)rx_instance_mark(pane->instance))->flags |= rx_op_mark(&w->op)->flags;
}

static void complete(struct rx_op *op, unsigned port)
{
    struct window *w = (struct window *)op;
    (void)port;
    w->completing = true;
    rx_timer_stop(op, SLOT_CLOSE);
    rx_timer_stop(op, SLOT_OPEN);
    rx_boundary_leave(&w->member);
    while (w->first && rx_op_live(op)) {
        struct pane *pane = w->first;
        mark_partial(w, pane);
        if (w->on_complete == ON_COMPLETE_DROP) {
            rx_instance_close(pane->instance);
            pane->instance = NULL;
        } else if (by_count(w) && pane->instance) {
            close_counted(w, pane, rx_now(op));
            continue;
        }
        close_pane(w, pane);
    }
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
    struct pane *pane = add_pane(w, begins, ends);
    if (!pane) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
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

#define CUTTER(name_, summary_, flags_, example_)                                                                      \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .options = options,                                                                                   \
                 .state_size = sizeof(struct window),                                                                  \
                 .flags = flags_,                                                                                      \
                 .example = example_},                                                                                 \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .timer_slots = SLOTS,                                                                                          \
        .init = init,                                                                                                  \
        .start = start,                                                                                                \
        .next = next,                                                                                                  \
        .complete = complete,                                                                                          \
        .error = error,                                                                                                \
        .timer = timer,                                                                                                \
        .inner = inner,                                                                                                \
        .save = save,                                                                                                  \
        .load = load,                                                                                                  \
        .dispose = dispose,                                                                                            \
    }

CUTTER(buffer, "collect events by time or count, and emit each collection as a list", RX_COLLECTS,
       "buffer: {size: 5s, max: 100}");
CUTTER(window, "cut the stream into windows by time or count; the steps behind run once per window",
       RX_OPENS_WINDOW | RX_PASSES, "window: {size: 5m, every: 1m}");
