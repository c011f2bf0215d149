/* Bytes that grow. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"

void rx_buffer_finish(struct rx_buffer *buffer)
{
    if (!buffer)
        return;
    free(buffer->data);
    *buffer = (struct rx_buffer){0};
}

void rx_buffer_clear(struct rx_buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
}

int rx_buffer_reserve(struct rx_buffer *buffer, size_t more)
{
    if (buffer->failed)
        return -ENOMEM;
    if (more <= buffer->capacity - buffer->length)
        return 0;
    size_t capacity = buffer->capacity + buffer->capacity / 2, needed = buffer->length + more;
    if (capacity < needed)
        capacity = needed < 64 ? 64 : needed;
    char *data = more > PTRDIFF_MAX || needed > PTRDIFF_MAX ? NULL : realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return -ENOMEM;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

void rx_buffer_append(struct rx_buffer *buffer, const void *data, size_t length)
{
    if (length == 0 || rx_buffer_reserve(buffer, length) < 0)
        return;
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

void rx_buffer_text(struct rx_buffer *buffer, const char *text) { rx_buffer_append(buffer, text, strlen(text)); }

void rx_buffer_printf(struct rx_buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = buffer->capacity - buffer->length;
    int length = vsnprintf(room ? buffer->data + buffer->length : NULL, room, format, args);
    if (length < 0) {
        buffer->failed = true;
    } else if (!buffer->failed) {
        if ((size_t)length >= room && rx_buffer_reserve(buffer, (size_t)length + 1) == 0)
            vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        if (!buffer->failed)
            buffer->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}
