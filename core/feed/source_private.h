/* What the files of a source share: source.c (spans, the ledger), source_message.c (decoding), source_run.c, source_body.c. For no one else
 * but a replay, which stands in the place of a source's feed, and then takes the same way. */
#ifndef RX_CORE_SOURCE_PRIVATE_H
#define RX_CORE_SOURCE_PRIVATE_H

#include "core/feed/source.h"
#include "core/feed/source_record.h"
#include "core/feed/source_tap.h"
#include "core/graph/graph.h"

struct rx_staged { /* events that wait for the rest of their body */
    struct rx_event *events;
    struct rx_value *values; /* in their place, of a source that is plain */
    size_t count, capacity, bytes;
};

struct rx_source_work {
    struct rx_event span[RX_SPAN_MAX];
    size_t length;
    bool flushing;
    struct rx_source_records records;
    struct rx_format_state *formats[RX_FORMATS]; /* made when they are first needed */
    struct rx_staged staged;
    bool staging;           /* what is decoded is not certain to be taken: a tap is told when it is */
    struct rx_fields *none; /* to decode nothing, only check; made when it is first needed */
};

struct rx_source_work *rx_source_work_of(struct rx_source *); /* NULL: out of memory */
/* The state of a format, for the fields that are asked for now. NULL: as rx_format_create. */
struct rx_format_state *rx_source_format_made(struct rx_source *, struct rx_source_work *, enum rx_format,
                                              struct rx_error *reterr);
static inline struct rx_format_state *rx_source_format_state(struct rx_source *source, struct rx_source_work *work,
                                                             enum rx_format format, struct rx_error *reterr)
{
    struct rx_format_state *state = work->formats[format];
    if (!state)
        state = rx_source_format_made(source, work, format, reterr);
    if (state)
        state->fields = rx_source_decoded_fields(source);
    return state;
}
/* The event of a decoded value: record, meta, time. 0 or a negative errno with a message. */
int rx_source_event_of_take(struct rx_source *, struct rx_source_work *, struct rx_value decoded,
                            const struct rx_message_info *, struct rx_event *ret, struct rx_error *reterr);
/* Counts a message as rejected for what `error` says; answers the code. */
int rx_source_refuse(struct rx_source *, int code, const char *bytes, size_t length, const struct rx_message_info *,
                     struct rx_error *error);
/* Whether its events are values stamped on arrival, and nothing else. */
bool rx_source_is_plain(const struct rx_source *);
/* Counts an event and adds it to the span, if it is no repeat. */
void rx_source_admit_take(struct rx_source *, struct rx_source_work *, struct rx_event);
void rx_source_discard(struct rx_source *); /* what is staged */

#endif
