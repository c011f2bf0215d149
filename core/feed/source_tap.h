/* A tap of a source: somebody takes down what comes in, as it comes, so that a replay can bring it again. One worker.
 *
 * It is told of messages as they are before anything is made of them: whole (whatever fields the pipelines reach), without
 * captures, and before `event_time` and `dedupe` judge them, as a replay does all that again. What is not a value of its format
 * is not told: it goes to SOURCE.errors, and no pipeline sees it. */
#ifndef RX_CORE_SOURCE_TAP_H
#define RX_CORE_SOURCE_TAP_H

#include "core/feed/source.h"

/* All borrowed, for the call. */
struct rx_tapped {
    enum rx_note_kind kind;             /* RX_NEXT, RX_COMPLETE, RX_ERROR */
    struct rx_value value;              /* RX_NEXT */
    const struct rx_message_info *info; /* RX_NEXT; NULL: nothing came with it */
    const struct rx_error *error;       /* RX_ERROR */
};

struct rx_source_tap {
    void (*note)(struct rx_source_tap *, const struct rx_source *, const struct rx_tapped *);
    void (*flush)(struct rx_source_tap *); /* what came together is told; before it is handed on */
};

/* From the next message on; NULL: nobody. The tap is lent. */
void rx_source_set_tap(struct rx_source *, struct rx_source_tap *);

/* ---- for who decodes ---- */

/* What is decoded: all where there is a tap. */
static inline const struct rx_fields *rx_source_decoded_fields(const struct rx_source *source)
{
    return source->tap ? NULL : source->fields;
}
/* Tells of a decoded value, and takes from it what no pipeline reaches. */
struct rx_value rx_source_tell_take(struct rx_source *, struct rx_value decoded, const struct rx_message_info *);
static inline struct rx_value rx_source_tapped_take(struct rx_source *source, struct rx_value decoded,
                                                    const struct rx_message_info *info)
{
    return source->tap ? rx_source_tell_take(source, decoded, info) : decoded;
}
static inline void rx_source_tap_flush(struct rx_source *source)
{
    if (source->tap)
        source->tap->flush(source->tap);
}
void rx_source_tap_end(struct rx_source *, const struct rx_error *); /* NULL: completed */

#endif
