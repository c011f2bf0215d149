/* What debounce, throttle, audit and sample have in common: the newest event is kept, and waits for a time or for another stream. */
#ifndef RX_OPERATORS_NEWEST_H
#define RX_OPERATORS_NEWEST_H

#include "core/graph/operator.h"

/* The newest event. Its time moves along while it waits, so that a window behind takes it in when it comes: it is kept as relative
 * to the wall clock. */
struct rx_newest {
    struct rx_event event;
    bool pending;
};

void rx_newest_keep(struct rx_op *, struct rx_newest *, const struct rx_event *); /* the one before is superseded */
void rx_newest_forget(struct rx_op *, struct rx_newest *, enum rx_account);
bool rx_newest_emit(struct rx_op *, struct rx_newest *); /* false: there is none */
void rx_newest_save(const struct rx_newest *, struct rx_writer *);
void rx_newest_load(struct rx_op *, struct rx_newest *, struct rx_reader *);

/* How long to wait from an event on: a time (timer slot 0), or until another stream, which is subscribed for the event (`outer` to
 * the expressions in it), has its first: sub-graph 0 of the step. */
struct rx_pause {
    rx_time time;
    bool timed; /* the time was written */
    const struct rx_tree *with;

    struct rx_instance *stream; /* the one that counts; NULL: none, or it is only just being subscribed */
};

/* The rows of an operator's option table. */
/* clang-format off */
#define RX_PAUSE_OPTIONS(struct_, field_, for_help_)                                                                   \
    {.name = "for",                                                                                                    \
     .help = for_help_,                                                                                                \
     .type = RX_OPTION_DURATION,                                                                                       \
     .offset = RX_AT(struct_, field_.time, rx_time),                                                                   \
     .max = 31536000,                                                                                                  \
     .given = RX_AT(struct_, field_.timed, bool),                                                                             \
     .flags = RX_POSITIONAL},                                                                                          \
    {.name = "with",                                                                                                   \
     .help = "instead of `for`: until the first event of this stream, which is subscribed anew for an event (`outer` " \
             "in its steps)",                                                                                          \
     .type = RX_OPTION_STREAM,                                                                                         \
     .offset = RX_AT(struct_, field_.with, const struct rx_tree *),                                                    \
     .flags = RX_OPENED}
/* clang-format on */

/* For class->check: one of both is given. `step`: the operator's name. */
int rx_pause_check(const struct rx_pause *, const char *step, struct rx_error *reterr);
/* Begins to wait. A stream may have its event, its end, or an error before this returns: class->inner hears of it. */
void rx_pause_begin(struct rx_op *, struct rx_pause *, const struct rx_event *);
bool rx_pause_lasts(const struct rx_op *, const struct rx_pause *);
void rx_pause_stop(struct rx_op *, struct rx_pause *);
void rx_pause_save(const struct rx_pause *, struct rx_writer *);
void rx_pause_load(struct rx_op *, struct rx_pause *, struct rx_reader *);

#endif
