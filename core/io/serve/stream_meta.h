/* A frame with what stands around it: {id, at, key, next}, for who reads on with `meta=1` (a recording, another rxd). */
#ifndef RX_IO_STREAM_META_H
#define RX_IO_STREAM_META_H

#include "core/base/buffer.h"
#include "core/io/serve/stream_log.h"

/* As one line of JSON. `at` is the event time in milliseconds since 1970, with decimals to the nanosecond where it has any; `key`
 * is left out where the stream has none. */
void rx_meta_json(struct rx_buffer *out, uint64_t generation, const struct rx_frame_view *);
/* The same as Server-Sent Events text; the end of a stream as it is without. */
void rx_meta_sse(struct rx_buffer *out, uint64_t generation, const struct rx_frame_view *);

#endif
