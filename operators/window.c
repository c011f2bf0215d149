/* window: cuts the stream into windows; the steps behind it run once per window, until one of them reduces it. buffer
 * is the same with each window made a list.
 *
 * A window is opened by its first event, unless empty ones are wanted. How they begin and end: the windowings. */
#include <errno.h>

#include "operators/windowing.h"

enum { ALIGN_EPOCH, ALIGN_START };

static const char *const align_choices[] = {"epoch", "start", NULL};
static const char *const on_complete_choices[] = {"flush", "drop", NULL};
static const char *const every_choices[] = {"event", NULL};
static const char *const emit_choices[] = {"final", "updates", NULL};
static const char *const calendar_choices[] = {"none", "day", "week", "month", "quarter", "year", NULL};
static const char *const weekday_choices[] = {"monday", "tuesday",  "wednesday", "thursday",
                                              "friday", "saturday", "sunday",    NULL};

static const struct rx_option options[] = {
    {.name = "size",
     .help = "how long a window is: a duration, or a count of events",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct window, size, struct rx_extent),
     .flags = RX_POSITIONAL},
    {.name = "every",
     .help = "how far apart windows begin; less than size overlaps (1,000 windows at once at most, unless a plain "
             "aggregate alone stands behind), more leaves gaps. "
             "`event`: a window for each event, of what came in the time of `size` before it. Default: size",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct window, every, struct rx_extent),
     .choices = every_choices},
    {.name = "max",
     .help = "a window with so many events closes early. Of a session: the longest that it may be, a duration",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct window, max, struct rx_extent)},
    {.name = "session",
     .help = "instead of size: a window goes on as long as events come no further apart than this",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct window, session, rx_time),
     .min = 0.001,
     .max = 31536000},
    {.name = "close_when",
     .help = "instead: a window ends with an event for which it is true",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct window, close_when, struct rx_expr *)},
    {.name = "boundary",
     .help = "instead: a window ends, and the next begins, at each event of this stream",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct window, boundary, const struct rx_tree *)},
    {.name = "opening",
     .help = "instead: a window begins at each event of this stream; `closing` ends it",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct window, opening, const struct rx_tree *)},
    {.name = "closing",
     .help =
         "subscribed for each window that has opened (`outer` is the event that opened it): its first event ends it",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct window, closing, const struct rx_tree *),
     .flags = RX_OPENED},
    {.name = "at",
     .help = "instead: windows go from one of these times of day to the next: [\"06:00\", \"22:00\"]",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct window, at, struct rx_strings)},
    {.name = "calendar",
     .help = "instead: windows are days, weeks, months, quarters or years",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct window, calendar_unit, int),
     .fallback = "none",
     .choices = calendar_choices},
    {.name = "timezone",
     .help = "by whose clocks, with `at` and `calendar`. A time that they skip takes the offset from before; of one "
             "that they "
             "show twice it is the first",
     .type = RX_OPTION_ZONE,
     .offset = RX_AT(struct window, timezone, const struct rx_zone *),
     .fallback = "UTC"},
    {.name = "week_start",
     .help = "the first day of a week, with `calendar: week`",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct window, week_start, int),
     .fallback = "monday",
     .choices = weekday_choices},
    {.name = "latest_by",
     .help = "in a window only the newest event of each key counts. Alone: a window for each event, of the newest of "
             "each key",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct window, latest_by, struct rx_expr *)},
    {.name = "max_age",
     .help = "with latest_by: an event that is older does not count",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct window, max_age, rx_time),
     .min = 0.001,
     .max = 31536000},
    {.name = "align",
     .help = "epoch: at whole multiples of the size, by event time. start: from the subscription, as Rx",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct window, align, int),
     .fallback = "epoch",
     .choices = align_choices},
    {.name = "emit",
     .help = "final: the result when the window closes. updates: also one at each event; a duration: also one at its "
             "whole multiples, where something new has come. They say so: window.final",
     .type = RX_OPTION_EXTENT,
     .offset = RX_AT(struct window, emit, struct rx_extent),
     .fallback = "final",
     .min = 0.001,
     .max = 31536000,
     .choices = emit_choices},
    {.name = "emit_empty",
     .help =
         "windows without events too: from the first event's window on, or with `align: start` and `boundary` from the "
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
    {.name = "max_events",
     .help = "events held, where windows hold them (to put them in order, or as they slide); one more is left out, "
             "counted as "
             "evicted, and its window's result says `partial: true`",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct window, max_events, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 1e9},
    {.name = "max_open",
     .help =
         "windows open at once (with `opening` 1,000 at most); what would open one more is left out, and counted as "
         "evicted",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct window, max_open, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e6},
    {0},
};

/* ---- what goes together ---- */

enum form {
    FORM_NONE,
    FORM_SIZE,
    FORM_SESSION,
    FORM_CLOSE_WHEN,
    FORM_BOUNDARY,
    FORM_OPENING,
    FORM_AT,
    FORM_CALENDAR,
    FORM_LATEST,
    FORMS
};

static const char *const form_names[FORMS] = {
    [FORM_SIZE] = "size",         [FORM_SESSION] = "session",  [FORM_CLOSE_WHEN] = "close_when",
    [FORM_BOUNDARY] = "boundary", [FORM_OPENING] = "opening",  [FORM_AT] = "at",
    [FORM_CALENDAR] = "calendar", [FORM_LATEST] = "latest_by",
};

static bool is_given(const struct window *w, enum form form)
{
    switch (form) {
    case FORM_SIZE:
        return w->size.duration > 0 || w->size.count > 0;
    case FORM_SESSION:
        return w->session > 0;
    case FORM_CLOSE_WHEN:
        return w->close_when != NULL;
    case FORM_BOUNDARY:
        return w->boundary != NULL;
    case FORM_OPENING:
        return w->opening != NULL;
    case FORM_AT:
        return w->at.count > 0;
    case FORM_CALENDAR:
        return w->calendar_unit != 0;
    default:
        return false;
    }
}

/* The first that is given; latest_by where nothing else says when a window ends. */
static enum form form_of(const struct window *w)
{
    for (enum form form = FORM_SIZE; form < FORM_LATEST; form++)
        if (is_given(w, form))
            return form;
    return w->latest_by ? FORM_LATEST : FORM_NONE;
}

static bool has_every(const struct window *w) { return w->every.duration > 0 || w->every.count > 0; }

static bool shows_early(const struct window *w) { return w->emit.duration > 0 || w->emit.choice > 1; }

static bool slides(const struct window *w) { return w->every.every_event || form_of(w) == FORM_LATEST; }

const struct windowing *rx_windowing_of(const struct window *w, bool told)
{
    switch (form_of(w)) {
    case FORM_SESSION:
        return &rx_windowing_session;
    case FORM_CLOSE_WHEN:
        return &rx_windowing_when;
    case FORM_BOUNDARY:
        return &rx_windowing_boundary;
    case FORM_OPENING:
        return &rx_windowing_toggle;
    case FORM_LATEST:
        return &rx_windowing_latest;
    default:
        if (slides(w))
            return &rx_windowing_slide;
        if (w->size.count)
            return &rx_windowing_count;
        return w->align == ALIGN_START && !told ? &rx_windowing_time : &rx_windowing_epoch;
    }
}

static int refuse(struct rx_error *reterr, const char *hint, const char *format, const char *what, const char *with)
{
    rx_error_set(reterr, -EINVAL, format, what, with);
    if (hint)
        rx_error_hint(reterr, "%s", hint);
    return -EINVAL;
}

static int check_form(const struct window *w, struct rx_error *reterr)
{
    enum form form = form_of(w);
    if (form == FORM_NONE)
        return refuse(reterr,
                      "write a size such as 5s or 100, or {session: 30s}, {close_when: EXPR}, {at: [\"06:00\"]}, ...",
                      "nothing says when a window ends%s%s", "", "");
    for (enum form other = form + 1; other < FORM_LATEST; other++)
        if (is_given(w, other))
            return refuse(reterr, "leave one of them out", "`%s` and `%s` both say when a window ends",
                          form_names[form], form_names[other]);
    return 0;
}

/* An option that means something only beside another one, or with some forms. */
static int check_company(const struct window *w, struct rx_error *reterr)
{
    enum form form = form_of(w);
    bool by_time = form == FORM_SIZE && w->size.duration > 0 && !slides(w);
    bool by_clock = form == FORM_AT || form == FORM_CALENDAR;
    if ((w->opening != NULL) != (w->closing != NULL))
        return refuse(reterr, "write {opening: STREAM, closing: STREAM}", "`%s` needs `%s`",
                      w->opening ? "opening" : "closing", w->opening ? "closing" : "opening");
    if (w->max_age && !w->latest_by)
        return refuse(reterr, "add latest_by: the key of which the newest event counts", "`%s` needs `%s`", "max_age",
                      "latest_by");
    if ((has_every(w) || w->every.every_event) && form != FORM_SIZE)
        return refuse(reterr, "leave `every` out", "`%s` needs `%s`", "every", "size");
    if (w->align == ALIGN_START && !by_time)
        return refuse(reterr, "leave `align` out", "`%s` goes with a `%s` in time", "align: start", "size");
    if (w->emit_empty && !(by_time || by_clock || w->size.count || form == FORM_BOUNDARY || form == FORM_OPENING))
        return refuse(reterr, "leave `emit_empty` out", "windows by `%s` are never empty%s", form_names[form], "");
    return 0;
}

static int check_max(const struct window *w, struct rx_error *reterr)
{
    enum form form = form_of(w);
    if (w->max.duration && form != FORM_SESSION)
        return refuse(reterr, "write a count, such as 100", "`%s` is a duration only with `%s`", "max", "session");
    if (w->max.count && form == FORM_SESSION)
        return refuse(reterr, "write a duration, such as 1h", "`%s` with `%s` is a duration", "max", "session");
    if (w->max.count && (slides(w) || form == FORM_OPENING || w->size.count))
        return refuse(reterr, "leave `max` out", "`%s` does not go with `%s` here", "max", form_names[form]);
    return 0;
}

static int check_emit(const struct window *w, struct rx_error *reterr)
{
    if (w->emit.count)
        return refuse(reterr, NULL, "`%s` is final, updates or a duration such as 1s%s", "emit", "");
    if (shows_early(w) && slides(w))
        return refuse(reterr, "leave `emit` out", "the windows close at each event: every result is %s%s",
                      "final already", "");
    return 0;
}

static int check(const void *image, struct rx_error *reterr)
{
    const struct window *w = image;
    const struct rx_extent *every = has_every(w) ? &w->every : &w->size;
    struct rx_calendar calendar = {.unit = RX_CALENDAR_AT};
    int r = check_form(w, reterr);
    if (r == 0)
        r = check_company(w, reterr);
    if (r == 0)
        r = check_max(w, reterr);
    if (r == 0)
        r = check_emit(w, reterr);
    if (r == 0 && form_of(w) == FORM_SIZE && !w->every.every_event)
        r = rx_extents_check(&w->size, every, w->align == ALIGN_START || w->emit_empty, reterr);
    return r == 0 && w->at.count ? rx_calendar_at(&calendar, &w->at, reterr) : r;
}

/* ---- what the planner asks ---- */

static int64_t longest(const struct window *w)
{
    static const int64_t days[] = {0, 1, 7, 31, 92, 366};
    if (w->at.count || w->calendar_unit)
        return days[w->calendar_unit ? w->calendar_unit : 1] * 86400 * RX_SEC;
    return slides(w) ? 0 : w->size.duration + w->session;
}

/* Of the events that it may keep, when it does: always, on event time, or there where a step inside needs order. */
static void describe_kept(const struct window *w, struct rx_facts *facts)
{
    facts->events = (uint64_t)w->max_events / facts->windows + 1;
    if (slides(w) || w->latest_by)
        return;
    bool by_time = w->size.duration || w->at.count || w->calendar_unit;
    if (by_time && !w->max.count && !shows_early(w))
        facts->sorted = facts->events;
    else
        facts->waiting = facts->events;
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct window *w = image;
    uint64_t size = w->size.count ? w->size.count : (uint64_t)w->size.duration;
    uint64_t every = w->every.count ? w->every.count : (uint64_t)w->every.duration;
    facts->windows = every && every < size ? (size + every - 1) / every + 1 : 1;
    if (w->opening)
        facts->windows = (uint64_t)(w->max_open < RX_WINDOWS_MAX ? w->max_open : RX_WINDOWS_MAX);
    facts->wait = longest(w);
    facts->counts = w->size.count || w->max.count || w->close_when || slides(w);
    facts->scope_events = w->size.count ? w->size.count : w->max.count;
    describe_kept(w, facts);
    facts->early = shows_early(w);
    facts->gathers = slides(w) ? 0 : w->size.duration;
    if (facts->gathers && !w->max.count && !facts->early)
        facts->rhythm = facts->spacing = w->every.duration ? w->every.duration : w->size.duration;
    facts->reads_all = w->closing != NULL; /* `outer` in it may be */
}

/* Where they overlap, windows by count, by events and by streams begin anywhere. */
static rx_time apart(const struct rx_op *op)
{
    const struct window *w = (const struct window *)op;
    if (slides(w) || w->opening)
        return 0;
    if (w->size.count)
        return w->every.count < w->size.count ? 0 : RX_TIME_NEVER;
    return w->every.duration < w->size.duration ? w->every.duration : RX_TIME_NEVER;
}

extern const struct rx_operator_class rx_operator_to_array;

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
        .max_inputs = 2,                                                                                               \
        .timer_slots = WINDOW_SLOTS,                                                                                   \
        .init = rx_window_init,                                                                                        \
        .start = rx_window_start,                                                                                      \
        .next = rx_window_next,                                                                                        \
        .describe = describe,                                                                                          \
        .complete = rx_window_complete,                                                                                \
        .error = rx_window_error,                                                                                      \
        .watermark = rx_window_watermark,                                                                              \
        .timer = rx_window_timer,                                                                                      \
        .inner = rx_window_inner,                                                                                      \
        .apart = apart,                                                                                                \
        .save = rx_window_save,                                                                                        \
        .load = rx_window_load,                                                                                        \
        .dispose = rx_window_dispose,                                                                                  \
        .collects = collects_,                                                                                         \
    }

CUTTER(buffer, "collect events by time or count, and emit each collection as a list", 0, &rx_operator_to_array,
       "buffer: {size: 5s, max: 100}");
CUTTER(window,
       "cut the stream into windows by time, count, silence or another stream; the steps behind run once per window",
       RX_OPENS_WINDOW | RX_PASSES, NULL, "window: {size: 5m, every: 1m}");
