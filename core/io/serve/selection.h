/* Selections: which frames of a stream a subscriber wants, by key and by filter.
 *
 * Interned per stream: subscribers with the same key and the same filter text share one, so that a filter is compiled
 * once and evaluated once per (frame, distinct filter). Reference counted. One thread (the front). */
#ifndef RX_IO_SELECTION_H
#define RX_IO_SELECTION_H

#include "core/base/error.h"
#include "core/io/serve/stream_log.h"

struct rx_heap;
struct rx_selections;
struct rx_selection;

/* `heap` is where expressions live and frames are decoded; borrowed. */
struct rx_selections *rx_selections_create(struct rx_heap *heap);
void rx_selections_destroy(struct rx_selections *); /* all references are gone */

/* A reference to the selection of these, NULL for both: every frame (*ret is NULL). `key` is matched against the frame's
 * key in canonical JSON, or as plain text where that is a string. -EINVAL with the place in `filter`, -ENOMEM,
 * -ENOSPC past 1,000 distinct ones. */
int rx_selection_get(struct rx_selections *, const char *key, const char *filter, struct rx_selection **ret,
                     struct rx_error *reterr);
struct rx_selection *rx_selection_ref(struct rx_selection *);
void rx_selection_unref(struct rx_selection *);

/* True if the frame is wanted. A filter that fails on it says no. Terminal frames are always wanted; NULL wants all. */
bool rx_selection_test(struct rx_selection *, const struct rx_frame_view *);

#endif
