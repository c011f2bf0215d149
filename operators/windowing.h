/* What `window` and `buffer` are made of: open windows (panes) in a list, and ways to begin and end them.
 *
 * operators/window.c has the options, the life and the state; windowing.c the panes; each windowing has a file:
 *   windowing_count.c    so many events, or up to an event for which a condition holds
 *   windowing_epoch.c    by event time on the epoch or by a calendar
 *   windowing_time.c     by time from the subscription
 *   windowing_session.c  up to a gap
 *   windowing_slide.c    one for each event: what came in the time before it, or the newest of each key
 *   windowing_stream.c   as other streams say
 *
 * Where events have times of their own (node->told) the results must not depend on the order in which they came. What a
 * window holds is then put in order before the steps inside see it: it keeps its events until it closes (`holds`). And where events
 * themselves say which window they are in (a count, a condition) each waits until event time has reached it (`reorders`). */
#ifndef RX_OPERATORS_WINDOWING_H
#define RX_OPERATORS_WINDOWING_H

#include "core/graph/boundary.h"
#include "core/graph/reorder.h"
#include "core/value/event_list.h"

struct pane;

/* Of an instance that a pane opened. */
struct pane_tag {
    struct pane *pane;
    bool closes; /* it is the stream that closes it */
};

struct pane {
    struct pane *next;
    struct rx_instance *instance; /* NULL: not opened yet, or ended by itself */
    rx_time start, end;           /* of event time; end RX_TIME_NEVER: not known yet */
    rx_time last;                 /* of a session: its newest event */
    rx_time due;                  /* by time: when it ends, by the clock of waits */
    uint64_t sequence, seen;      /* the timer's place in the order of now; events so far */
    uint64_t shown;               /* of them, when the newest early result was put out */
    struct rx_event_list kept;    /* where it holds its events: */
    size_t fed;                   /* of them, have gone into the instance */
    uint32_t flags;               /* RX_WINDOW_PARTIAL, RX_WINDOW_MERGED */
    bool opened, past;            /* past: it closes when event time is past its end */
    bool stale;                   /* what has gone into the instance is not what should have */
    bool early;                   /* an early result has been put out */
    struct pane_tag inside, closing;
    struct rx_instance *closer; /* the stream that closes it */
};

struct window {
    struct rx_op op;
    struct rx_extent size, every, max, emit;
    rx_time session, max_age;
    struct rx_expr *close_when, *latest_by;
    struct rx_strings at;
    int calendar_unit, week_start;
    const struct rx_zone *timezone;
    const struct rx_tree *boundary, *opening, *closing;
    int align, on_complete;
    bool emit_empty;
    int64_t max_events, max_open;

    const struct windowing *windowing;
    struct rx_calendar *calendar;
    struct rx_schedule schedule;
    bool holds, reorders; /* see above */
    bool hands_on;        /* the steps inside put out events of the window, not a result */
    bool completing, restarts;
    struct rx_boundary_member member; /* on event time */
    struct pane *first, **last;       /* open windows in order of opening; on the epoch in order of ends */
    uint64_t pane_count, count;       /* events so far (by count) */
    uint64_t kept;                    /* events that all panes hold */
    struct rx_reorder ahead, signs;   /* what waits for event time: events; of the boundary or opening stream */
    struct rx_event_list history;     /* of windows that slide */
    rx_time passed;                   /* what is before it is in windows that have closed */
    rx_time lacking;                  /* history: the newest event that there was no room for */
    rx_time origin;                   /* align: start: of the subscription, by the wall clock */
};

/* What became of an event. */
enum taken {
    TAKEN_LATE = -1,
    TAKEN_UNHEARD,
    TAKEN_USED,
    TAKEN_EVICTED,
    TAKEN_FILTERED,
    TAKEN_SUPERSEDED,
    TAKEN_COUNTED
};

/* All but `next` may be NULL. */
struct windowing {
    void (*start)(struct window *); /* before the input is subscribed */
    enum taken (*next)(struct window *, const struct rx_event *);
    void (*sign)(struct window *, const struct rx_event *);                  /* of the boundary or opening stream */
    void (*closed)(struct window *, struct pane *, const struct rx_event *); /* its closing stream says so */
    void (*timer)(struct window *, unsigned slot);
    void (*reached)(struct window *, rx_time end, bool past); /* event time has reached what it wanted */
    void (*want)(struct window *);                            /* the next instant, of the member */
    bool (*is_late)(const struct window *, rx_time);          /* of an event that comes behind event time */
    void (*flush)(struct window *, struct pane *);            /* the input has completed; NULL: rx_pane_close */
};
extern const struct windowing rx_windowing_count, rx_windowing_when, rx_windowing_epoch, rx_windowing_time,
    rx_windowing_session, rx_windowing_slide, rx_windowing_latest, rx_windowing_boundary, rx_windowing_toggle;

enum { WINDOW_SLOT_CLOSE, WINDOW_SLOT_OPEN, WINDOW_SLOTS };

/* ---- window.c ---- */
const struct windowing *rx_windowing_of(const struct window *, bool told);

/* ---- windowing_life.c, windowing_state.c: the class's slots ---- */
int rx_window_init(struct rx_op *, struct rx_error *reterr);
void rx_window_start(struct rx_op *);
void rx_window_next(struct rx_op *, unsigned port, const struct rx_event *span, size_t n);
void rx_window_complete(struct rx_op *, unsigned port);
void rx_window_error(struct rx_op *, unsigned port, const struct rx_error *);
void rx_window_watermark(struct rx_op *, rx_time);
void rx_window_timer(struct rx_op *, unsigned slot);
void rx_window_inner(struct rx_op *, struct rx_instance *, const struct rx_note *);
void rx_window_dispose(struct rx_op *);
int rx_window_save(struct rx_op *, struct rx_writer *);
int rx_window_load(struct rx_op *, struct rx_reader *);

/* ---- windowing.c ---- */

/* A new pane where `link` points (in the list, or at its end). NULL: the op has failed, or no more may be open. */
struct pane *rx_pane_add(struct window *, struct pane **link, rx_time begins, rx_time ends);
void rx_pane_open(struct window *, struct pane *); /* runs the steps behind for it; no-op when they run */
/* Takes the event in. */
enum taken rx_pane_feed(struct window *, struct pane *, const struct rx_event *);
/* The bounds are those that the pane has by now. */
void rx_pane_seal(struct window *, struct pane *, uint32_t flags);
/* The time of the earliest event that no early result has shown; RX_TIME_NEVER: none. */
rx_time rx_pane_news(struct window *, struct pane *);
/* Puts out what the pane has so far; of what it holds, the events before `until`. */
void rx_pane_show(struct window *, struct pane *, rx_time until, rx_time at);
/* Where results come at each event. */
void rx_pane_update(struct window *, struct pane *, const struct rx_event *);
/* Ends the pane and frees it: its result is put out. */
void rx_pane_close(struct window *, struct pane *);
void rx_pane_drop(struct window *, struct pane *); /* the same without a result */
/* Whether it has as many events as `max` allows. */
bool rx_pane_is_full(const struct window *, const struct pane *);
/* What the newest events by `latest_by` are of a list in order, none older at `at` than `max_age`; into `out`, an empty list. -ENOMEM. */
int rx_pane_newest(struct window *, const struct rx_event_list *, rx_time at, struct rx_event_list *out);
/* The better of what two windows made of one event. */
static inline enum taken rx_taken_best(enum taken a, enum taken b) { return b == TAKEN_USED ? b : a; }

/* Event time in this op: whether events have times of their own, and the next look of `emit: DURATION` after `t`. */
bool rx_window_is_told(const struct window *);
rx_time rx_window_look_after(const struct window *, rx_time t);

#endif
