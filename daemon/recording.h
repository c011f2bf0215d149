/* A recording being written: what a daemon tells of its sources (GET /sources/NAME?meta=1, as Server-Sent Events) becomes lines that
 * `rxd replay` reads, in order of time. One thread. */
#ifndef RX_DAEMON_RECORDING_H
#define RX_DAEMON_RECORDING_H

#include <stdio.h>

#include "core/base/buffer.h"
#include "core/value/value.h"

struct rx_recording_line;

struct rx_recording {
    uint64_t max_events, max_bytes; /* when it is full; 0: never */
    FILE *out;
    bool merges; /* of several sources: a line waits a moment for those of others before it */

    struct rx_recording_line *waiting; /* by time, then as they came */
    size_t waiting_count, waiting_capacity;
    uint64_t events, bytes; /* written */
    uint64_t missing;       /* events that the daemon could not tell, where it says how many */
    uint64_t late;          /* lines that came when one of a later time was written: they have that one's time */
    int64_t last;           /* microseconds; of the last line */
    bool holes, full;
    int failed; /* negative errno: no memory, or the output */
};
/* What has waited long enough is written. `now`: any monotonic time. */
void rx_recording_settle(struct rx_recording *, rx_time now);
void rx_recording_finish(struct rx_recording *); /* writes the rest, and frees */

/* Of one source: the bytes of its answer. Zero-initialise. */
struct rx_recorded_reader {
    struct rx_buffer line, data;
    char event[16];
    bool ended; /* the source has completed or failed */
    char why[160];
};
/* Nothing is taken once the recording is full. -EPROTO with `why`: that is no such answer, or the daemon says why it ends; or what
 * the recording failed with. */
int rx_recorded_read(struct rx_recorded_reader *, struct rx_recording *, const char *source, rx_time now,
                     const char *bytes, size_t length);
void rx_recorded_reader_finish(struct rx_recorded_reader *);

#endif
