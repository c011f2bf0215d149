/* What `window` and `buffer` are made of: open windows (panes) in a list, and three ways to begin and end them.
 *
 * operators/window.c has the options, the life and the state; each windowing has a file: windowing_count.c,
 * windowing_epoch.c, windowing_time.c. */
#ifndef RX_OPERATORS_WINDOWING_H
#define RX_OPERATORS_WINDOWING_H

#include "core/graph/boundary.h"

struct pane {
    struct pane *next;
    struct rx_instance *instance; /* NULL: not opened yet, or ended by itself */
    rx_time start, end;           /* by the wall clock */
    rx_time due;                  /* by time: when it ends, by the clock of waits */
    uint64_t sequence, seen;      /* the timer's place in the order of now; events so far */
    bool opened;
};

struct window {
    struct rx_op op;
    struct rx_extent size, every;
    int64_t max;
    int align, on_complete;
    bool emit_empty;

    const struct windowing *windowing;
    struct rx_boundary_member member; /* on the epoch */
    struct pane *first, **last;       /* open windows in order of opening; on the epoch in order of ends */
    uint64_t pane_count, count;       /* events so far (by count) */
    bool completing, restarts;
};

struct windowing {
    void (*start)(struct window *);                        /* before the input is subscribed */
    int (*next)(struct window *, const struct rx_event *); /* 1 taken in, 0 nobody listens, -1 late */
    void (*timer)(struct window *, unsigned slot);
    void (*boundary)(struct rx_boundary_member *, rx_time end);
    void (*flush)(struct window *, struct pane *, rx_time now); /* the input has completed at `now` */
};
extern const struct windowing rx_windowing_count, rx_windowing_epoch, rx_windowing_time;

enum { WINDOW_SLOT_CLOSE, WINDOW_SLOT_OPEN, WINDOW_SLOTS };

/* A new pane where `link` points (in the list, or at its end). NULL: the op has failed. */
struct pane *rx_pane_add(struct window *, struct pane **link, rx_time begins, rx_time ends);
void rx_pane_open(struct window *, struct pane *); /* runs the steps behind for it; no-op when they run */
/* Opens the pane and pushes the event in. False when nothing in it listens. */
bool rx_pane_feed(struct window *, struct pane *, const struct rx_event *);
/* Ends the pane and frees it. */
void rx_pane_close(struct window *, struct pane *);
/* Whether it has as many events as `max` allows. */
bool rx_pane_is_full(const struct window *, const struct pane *);

#endif
