/* Bytes that grow. Any thread; a buffer belongs to one. */
#ifndef RX_CORE_BUFFER_H
#define RX_CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise; finish frees. */
struct rx_buffer {
    char *data;
    size_t length, capacity;
    bool failed; /* an allocation failed; sticky, later appends are no-ops */
};
void rx_buffer_finish(struct rx_buffer *);
void rx_buffer_clear(struct rx_buffer *); /* keeps the memory */
int rx_buffer_reserve(struct rx_buffer *, size_t more);
void rx_buffer_append(struct rx_buffer *, const void *data, size_t length);
void rx_buffer_text(struct rx_buffer *, const char *text);
void rx_buffer_printf(struct rx_buffer *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
