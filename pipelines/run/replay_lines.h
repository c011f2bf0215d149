/* The lines that a replay writes: those of one instant sorted by stream, in the order in which each stream put them out. */
#ifndef RX_PIPELINES_REPLAY_LINES_H
#define RX_PIPELINES_REPLAY_LINES_H

#include "core/base/buffer.h"
#include "core/value/value.h"

/* Zero-initialise, but for the first two; finish frees. */
struct rx_replay_lines {
    void (*write)(void *arg, const char *text, size_t length);
    void *arg;
    struct rx_replay_line *lines; /* of the present instant */
    size_t count, capacity;
    struct rx_buffer buffer; /* of the line at work */
    const char *stream;
    rx_time at;
    uint64_t begun; /* lines, so far */
    bool failed;    /* an allocation failed */
};

/* Begins `{"at":..,"stream":NAME`, in a buffer to append to; at another instant what was there is written first. The
 * name must live until then. */
struct rx_buffer *rx_replay_lines_begin(struct rx_replay_lines *, rx_time now, const char *stream);
void rx_replay_lines_end(struct rx_replay_lines *);
void rx_replay_lines_flush(struct rx_replay_lines *);
void rx_replay_lines_finish(struct rx_replay_lines *);

void rx_replay_write_ms(struct rx_buffer *, rx_time); /* as milliseconds */

#endif
