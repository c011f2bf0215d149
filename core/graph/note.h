/* Notes: what passes along an edge of the graph, and through a hub. One type for both.
 *
 * next* (complete | error)?, and between them watermarks and barriers. A watermark says that nothing older will come: event
 * time has reached it. Where events are stamped on arrival it is the clock itself, and no note is needed to say so. A barrier
 * divides what came before it from what comes after (Chandy and Lamport, TOCS 3, 1985); an operator passes it on when it has
 * come on all its live inputs. */
#ifndef RX_CORE_NOTE_H
#define RX_CORE_NOTE_H

#include "core/base/error.h"
#include "core/value/event.h"

enum rx_note_kind { RX_NEXT, RX_WATERMARK, RX_BARRIER, RX_COMPLETE, RX_ERROR };

/* The watermark is the clock: what has not come by now is in the future. */
#define RX_WATERMARK_CLOCK INT64_MAX

/* Borrowed with all that it points to. */
struct rx_note {
    enum rx_note_kind kind;
    size_t count; /* RX_NEXT: events, 1 to RX_SPAN_MAX */
    union {
        const struct rx_event *span;  /* RX_NEXT */
        rx_time watermark;            /* RX_WATERMARK */
        uint64_t barrier;             /* RX_BARRIER: its number, growing */
        const struct rx_error *error; /* RX_ERROR */
    };
};

static inline bool rx_note_ends(const struct rx_note *note) { return note->kind >= RX_COMPLETE; }

#endif
