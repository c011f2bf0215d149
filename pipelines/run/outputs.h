/* What streams put out in a run, kept whole to be compared: read from the lines that a replay writes.
 *
 * One thread, the heap's; the values are its. */
#ifndef RX_PIPELINES_OUTPUTS_H
#define RX_PIPELINES_OUTPUTS_H

#include "core/graph/note.h"
#include "core/json/json.h"

#define RX_OUTPUTS_MAX 1000000 /* notifications that are kept of one run */

struct rx_outcome {
    rx_time at;
    enum rx_note_kind kind; /* RX_NEXT, RX_COMPLETE, RX_ERROR */
    struct rx_value value;  /* of RX_ERROR its text; of RX_COMPLETE null */
};

struct rx_output_stream {
    char *name;
    struct rx_outcome *items;
    size_t count, capacity;
};

/* Zero-initialise but for the heap (borrowed); finish releases. */
struct rx_outputs {
    struct rx_heap *heap;
    const char *const *only;          /* NULL-terminated names of streams that are kept; NULL: all */
    struct rx_output_stream *streams; /* in order of their first notification */
    size_t count, capacity, total;
    int failed; /* -ENOMEM, or -E2BIG beyond RX_OUTPUTS_MAX: what came after it is not here */
};

/* As rx_replay_options.write, with `arg` a struct rx_outputs. */
void rx_outputs_take_line(void *arg, const char *text, size_t length);
/* The stream of that name; one without any notification where `add`, else NULL. NULL also on -ENOMEM (see `failed`). */
struct rx_output_stream *rx_outputs_stream(struct rx_outputs *, const char *name, bool add);
/* Appends to a stream; the value is taken. -ENOMEM. */
int rx_outcome_add_take(struct rx_output_stream *, struct rx_outcome);
void rx_output_stream_finish(struct rx_output_stream *);
void rx_outputs_finish(struct rx_outputs *);

/* What is wrong where `failed`: 0 or the code, with a message. */
int rx_outputs_verdict(const struct rx_outputs *, struct rx_error *reterr);

#endif
