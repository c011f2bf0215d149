/* Selections: which frames of a stream a subscriber wants, by key and by filter.
 *
 * Interned per stream: subscribers with the same key and the same filter text share one, so that a filter is compiled
 * once and evaluated once per (frame, distinct filter). A filter that takes more of the front's time than its budget has
 * is exhausted: its subscribers are ended. Reference counted. One thread (the front). */
#ifndef RX_IO_SELECTION_H
#define RX_IO_SELECTION_H

#include "core/base/error.h"
#include "core/io/serve/filter_budget.h"
#include "core/io/serve/stream_log.h"

struct rx_heap;
struct rx_selections;
struct rx_selection;

enum { RX_FILTER_LENGTH_MAX = 4096, RX_SELECTIONS_MAX = 1000 };

/* `heap` is where expressions live and frames are decoded; it and the budget are borrowed. */
struct rx_selections *rx_selections_create(struct rx_heap *heap, struct rx_filter_budget *);
void rx_selections_destroy(struct rx_selections *); /* all references are gone */

/* A reference to the selection of these, NULL for both: every frame (*ret is NULL). `key` is matched against the frame's
 * key in canonical JSON, or as plain text where that is a string. -EINVAL with the place in `filter` where it has one: no
 * expression, no condition, too long, or one that may take more than RX_FILTER_EVALUATION steps for a frame; -EBUSY: the
 * filters of others take all there is; -ENOSPC past RX_SELECTIONS_MAX distinct ones; -ENOMEM. */
int rx_selection_get(struct rx_selections *, const char *key, const char *filter, struct rx_selection **ret,
                     struct rx_error *reterr);
struct rx_selection *rx_selection_ref(struct rx_selection *);
void rx_selection_unref(struct rx_selection *);

/* True if the frame is wanted. A filter that fails on it says no, as does one that is exhausted. Terminal frames are
 * always wanted; NULL wants all. */
bool rx_selection_test(struct rx_selection *, const struct rx_frame_view *);
bool rx_selection_exhausted(const struct rx_selection *); /* for good; NULL: never */
uint64_t rx_selection_steps(const struct rx_selection *); /* that its filter has taken so far */

#endif
