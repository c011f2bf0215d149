/* Notes: what passes along an edge of the graph, and through a hub. One type for both.
 *
 * next* (complete | error)?, and between them watermarks and barriers. A watermark says that nothing older will come: event
 * time has reached it. Where events are stamped on arrival it is the clock itself, and no note is needed to say so. A barrier
 * divides what came before it from what comes after (Chandy and Lamport, TOCS 3, 1985); an operator passes it on when it has
 * come on all its live inputs. A link says that a source has lost its connection, or has it again: what does not come then is
 * no silence. */
#ifndef RX_CORE_NOTE_H
#define RX_CORE_NOTE_H

#include "core/base/error.h"
#include "core/value/event.h"

enum rx_note_kind { RX_NEXT, RX_WATERMARK, RX_BARRIER, RX_LINK, RX_COMPLETE, RX_ERROR };

/* A watermark has one of two forms, which compare as they should: the least of several is what counts.
 *
 * Fixed: an instant before RX_WATERMARK_FIXED_MAX (the year 2100; what lies behind it is taken for it). It stays until another
 * one comes.
 * Running: it is the wall clock less a lag, and moves on by itself; written as RX_WATERMARK_CLOCK - lag. The lag of arrival time
 * is 0: what has not come by now is in the future. A source that has fallen idle runs on from where it stood; the lag may be
 * negative, where events are ahead of the clock (a replay). */
#define RX_YEAR                (INT64_C(31557600) * RX_SEC)
#define RX_WATERMARK_NONE      INT64_MIN /* fixed: nothing is known yet */
#define RX_WATERMARK_CLOCK     (INT64_MAX - 102 * RX_YEAR)
#define RX_WATERMARK_FIXED_MAX (INT64_MAX - 162 * RX_YEAR)

static inline bool rx_watermark_is_running(rx_time t) { return t > RX_WATERMARK_FIXED_MAX; }

/* Runs on from `reached` at the wall clock's `wall`. */
rx_time rx_watermark_running(rx_time reached, rx_time wall);
/* The instant that it has reached at `wall`. */
rx_time rx_watermark_at(rx_time watermark, rx_time wall);
/* So much behind: of who puts out what is older than what came in. RX_WATERMARK_NONE stays. */
rx_time rx_watermark_less(rx_time watermark, rx_time by);

/* Borrowed with all that it points to. */
struct rx_note {
    enum rx_note_kind kind;
    size_t count; /* RX_NEXT: events, 1 to RX_SPAN_MAX */
    union {
        const struct rx_event *span;  /* RX_NEXT */
        rx_time watermark;            /* RX_WATERMARK */
        uint64_t barrier;             /* RX_BARRIER: its number, growing */
        bool away;                    /* RX_LINK: without its connection */
        const struct rx_error *error; /* RX_ERROR */
    };
};

static inline bool rx_note_ends(const struct rx_note *note) { return note->kind >= RX_COMPLETE; }

#endif
