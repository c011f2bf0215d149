/* Writing and reading state: a compact binary form, versioned by the caller, checked on reading.
 *
 * Integers are LEB128 varints (zig-zag for signed), texts are length-prefixed, values are tagged by kind. A reader never
 * trusts what it reads: after the first mistake every read answers zero and rx_reader_failed is true. */
#ifndef RX_CORE_CODEC_H
#define RX_CORE_CODEC_H

#include "core/base/buffer.h"
#include "core/value/event.h"

struct rx_writer {
    struct rx_buffer buffer; /* zero-initialise; rx_buffer_finish frees */
};

struct rx_reader {
    const unsigned char *data;
    size_t length, position;
    struct rx_heap *heap; /* where values are made */
    int failed;           /* negative errno of the first mistake */
};

void rx_write_uint(struct rx_writer *, uint64_t);
void rx_write_int(struct rx_writer *, int64_t);
void rx_write_bool(struct rx_writer *, bool);
void rx_write_double(struct rx_writer *, double);
void rx_write_text(struct rx_writer *, const char *, size_t length);
void rx_write_value(struct rx_writer *, struct rx_value);
void rx_write_mark(struct rx_writer *, const struct rx_mark *);
void rx_write_event(struct rx_writer *, const struct rx_event *);

/* A frame: four bytes of length, then what was written between begin and end. `at` is what begin answered. */
size_t rx_frame_begin(struct rx_writer *);
void rx_frame_end(struct rx_writer *, size_t at);

uint64_t rx_read_uint(struct rx_reader *);
int64_t rx_read_int(struct rx_reader *);
bool rx_read_bool(struct rx_reader *);
double rx_read_double(struct rx_reader *);
const char *rx_read_text(struct rx_reader *, size_t *ret_length); /* borrowed from the data */
struct rx_value rx_read_value(struct rx_reader *);                /* the caller's */
const struct rx_mark *rx_read_mark(struct rx_reader *);           /* the caller's; NULL: none */
struct rx_event rx_read_event(struct rx_reader *);                /* the caller's */
/* A reader of the next frame alone; the outer one stands behind it. */
struct rx_reader rx_frame_open(struct rx_reader *);
/* The frame's own mistake, or bytes that nobody read (-EBADMSG), become the outer reader's. */
void rx_frame_close(struct rx_reader *outer, const struct rx_reader *frame);
void rx_reader_fail(struct rx_reader *, int code);
static inline bool rx_reader_failed(const struct rx_reader *r) { return r->failed != 0; }

#endif
