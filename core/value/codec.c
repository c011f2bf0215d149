/* Writing and reading state. */
#include "core/value/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Values nest no deeper than this on either side. */
enum { DEPTH_MAX = 1000 };

void rx_write_uint(struct rx_writer *w, uint64_t u)
{
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n++] = (unsigned char)((u & 0x7F) | (u > 0x7F ? 0x80 : 0));
        u >>= 7;
    } while (u);
    rx_buffer_append(&w->buffer, bytes, n);
}

void rx_write_int(struct rx_writer *w, int64_t i) { rx_write_uint(w, ((uint64_t)i << 1) ^ (i < 0 ? UINT64_MAX : 0)); }

void rx_write_bool(struct rx_writer *w, bool b) { rx_write_uint(w, b); }

void rx_write_double(struct rx_writer *w, double d)
{
    unsigned char bytes[8];
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(bits >> (8 * i));
    rx_buffer_append(&w->buffer, bytes, sizeof bytes);
}

void rx_write_text(struct rx_writer *w, const char *text, size_t length)
{
    rx_write_uint(w, length);
    rx_buffer_append(&w->buffer, text, length);
}

static void write_value(struct rx_writer *w, struct rx_value v, unsigned depth);

static void write_object(struct rx_writer *w, struct rx_value v, unsigned depth)
{
    uint32_t count = rx_object_count(v);
    rx_write_uint(w, count);
    for (uint32_t i = 0; i < count; i++) {
        struct rx_value key, value;
        rx_object_entry(v, i, &key, &value);
        write_value(w, key, depth + 1);
        write_value(w, value, depth + 1);
    }
}

static void write_composite(struct rx_writer *w, struct rx_value v, unsigned depth)
{
    if (v.kind == RX_LIST) {
        rx_write_uint(w, v.u.list->count);
        for (uint32_t i = 0; i < v.u.list->count; i++)
            write_value(w, v.u.list->items[i], depth + 1);
    } else if (v.kind == RX_OPTIONAL) {
        rx_write_bool(w, v.u.optional->present);
        if (v.u.optional->present)
            write_value(w, v.u.optional->value, depth + 1);
    } else {
        write_object(w, v, depth);
    }
}

static void write_value(struct rx_writer *w, struct rx_value v, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        w->buffer.failed = true;
        return;
    }
    rx_write_uint(w, v.kind);
    switch ((enum rx_kind)v.kind) {
    case RX_NULL:
        break;
    case RX_BOOL:
    case RX_UINT:
        rx_write_uint(w, v.u.u);
        break;
    case RX_INT:
        rx_write_bool(w, v.flags & RX_FLAG_JSON);
        rx_write_int(w, v.u.i);
        break;
    case RX_TYPE:
        rx_write_int(w, v.u.i);
        break;
    case RX_DOUBLE:
        rx_write_double(w, v.u.d);
        break;
    case RX_TIMESTAMP:
    case RX_DURATION:
        rx_write_int(w, v.u.i);
        rx_write_uint(w, v.aux);
        break;
    case RX_STRING:
    case RX_BYTES:
        rx_write_text(w, v.u.text, v.aux);
        break;
    default:
        write_composite(w, v, depth);
    }
}

void rx_write_value(struct rx_writer *w, struct rx_value v) { write_value(w, v, 0); }

void rx_write_mark(struct rx_writer *w, const struct rx_mark *mark)
{
    rx_write_bool(w, mark != NULL);
    if (!mark)
        return;
    rx_write_value(w, mark->key);
    rx_write_int(w, mark->start);
    rx_write_int(w, mark->end);
    rx_write_uint(w, mark->flags);
}

void rx_write_event(struct rx_writer *w, const struct rx_event *e)
{
    rx_write_value(w, e->value);
    rx_write_int(w, e->time);
    rx_write_mark(w, e->mark);
    rx_write_value(w, e->meta);
}

/* ---- reading ---- */

void rx_reader_fail(struct rx_reader *r, int code)
{
    if (!r->failed)
        r->failed = code;
    r->position = r->length;
}

uint64_t rx_read_uint(struct rx_reader *r)
{
    uint64_t u = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->position >= r->length)
            break;
        unsigned char byte = r->data[r->position++];
        u |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return u;
    }
    rx_reader_fail(r, -EBADMSG);
    return 0;
}

int64_t rx_read_int(struct rx_reader *r)
{
    uint64_t u = rx_read_uint(r);
    return (int64_t)((u >> 1) ^ (u & 1 ? UINT64_MAX : 0));
}

bool rx_read_bool(struct rx_reader *r) { return rx_read_uint(r) != 0; }

double rx_read_double(struct rx_reader *r)
{
    uint64_t bits = 0;
    double d;
    if (r->length - r->position < 8) {
        rx_reader_fail(r, -EBADMSG);
        return 0;
    }
    for (unsigned i = 0; i < 8; i++)
        bits |= (uint64_t)r->data[r->position++] << (8 * i);
    memcpy(&d, &bits, sizeof d);
    return d;
}

const char *rx_read_text(struct rx_reader *r, size_t *ret_length)
{
    uint64_t length = rx_read_uint(r);
    if (length > r->length - r->position) {
        rx_reader_fail(r, -EBADMSG);
        length = 0;
    }
    const char *text = (const char *)r->data + r->position;
    r->position += (size_t)length;
    *ret_length = (size_t)length;
    return text;
}

static struct rx_value read_value(struct rx_reader *r, unsigned depth);

/* Every item takes at least a byte: a count beyond what is left is a lie. */
static uint32_t read_count(struct rx_reader *r)
{
    uint64_t count = rx_read_uint(r);
    if (count > r->length - r->position) {
        rx_reader_fail(r, -EBADMSG);
        return 0;
    }
    return (uint32_t)count;
}

static struct rx_value read_list(struct rx_reader *r, unsigned depth)
{
    uint32_t count = read_count(r);
    struct rx_value *items = count ? calloc(count, sizeof *items) : NULL;
    if (count && !items) {
        rx_reader_fail(r, -ENOMEM);
        return rx_null();
    }
    for (uint32_t i = 0; i < count; i++)
        items[i] = read_value(r, depth + 1);
    struct rx_value list = rx_list_take(r->heap, items, count);
    free(items);
    return list;
}

static struct rx_value read_object(struct rx_reader *r, unsigned depth)
{
    struct rx_object_builder b;
    rx_object_init(&b, r->heap);
    for (uint32_t count = read_count(r); count > 0 && !r->failed; count--) {
        struct rx_value key = read_value(r, depth + 1);
        rx_object_put_take(&b, key, read_value(r, depth + 1));
    }
    return rx_object_finish(&b);
}

static struct rx_value read_text_value(struct rx_reader *r, enum rx_kind kind)
{
    size_t length;
    const char *text = rx_read_text(r, &length);
    return kind == RX_STRING ? rx_string(r->heap, text, length) : rx_bytes(r->heap, text, length);
}

static struct rx_value read_number(struct rx_reader *r, enum rx_kind kind)
{
    bool json = kind == RX_INT && rx_read_bool(r);
    struct rx_value v = {.kind = (uint8_t)kind, .flags = json ? RX_FLAG_JSON : 0};
    if (kind == RX_BOOL)
        v.u.u = rx_read_bool(r);
    else if (kind == RX_UINT)
        v.u.u = rx_read_uint(r);
    else
        v.u.i = rx_read_int(r);
    if (kind == RX_TIMESTAMP || kind == RX_DURATION)
        v.aux = (uint32_t)rx_read_uint(r);
    if (v.aux > 999999999 || (kind == RX_TYPE && (v.u.i < 0 || v.u.i >= RX_KINDS)))
        rx_reader_fail(r, -EBADMSG);
    return v;
}

static struct rx_value read_value(struct rx_reader *r, unsigned depth)
{
    uint64_t kind = rx_read_uint(r);
    if (depth > DEPTH_MAX || kind >= RX_KINDS)
        rx_reader_fail(r, -EBADMSG);
    if (r->failed)
        return rx_null();
    switch ((enum rx_kind)kind) {
    case RX_NULL:
        return rx_null();
    case RX_DOUBLE:
        return rx_double(rx_read_double(r));
    case RX_STRING:
    case RX_BYTES:
        return read_text_value(r, (enum rx_kind)kind);
    case RX_LIST:
        return read_list(r, depth);
    case RX_MAP:
    case RX_RECORD:
        return read_object(r, depth);
    case RX_OPTIONAL:
        return rx_read_bool(r) ? rx_optional_take(r->heap, read_value(r, depth + 1)) : rx_optional_none();
    default:
        return read_number(r, (enum rx_kind)kind);
    }
}

struct rx_value rx_read_value(struct rx_reader *r) { return read_value(r, 0); }

const struct rx_mark *rx_read_mark(struct rx_reader *r)
{
    if (!rx_read_bool(r))
        return NULL;
    struct rx_value key = rx_read_value(r);
    rx_time start = rx_read_int(r), end = rx_read_int(r);
    uint32_t flags = (uint32_t)rx_read_uint(r);
    const struct rx_mark *keyed = rx_mark_with_key(r->heap, NULL, key);
    const struct rx_mark *mark = rx_mark_with_window(r->heap, keyed, start, end, flags);
    rx_mark_unref(keyed);
    rx_value_unref(key);
    return mark;
}

struct rx_event rx_read_event(struct rx_reader *r)
{
    struct rx_event e = {.value = rx_read_value(r)};
    e.time = rx_read_int(r);
    e.mark = rx_read_mark(r);
    e.meta = rx_read_value(r);
    return e;
}

/* ---- frames ---- */

enum { LENGTH_BYTES = 4 };

size_t rx_frame_begin(struct rx_writer *w)
{
    size_t at = w->buffer.length;
    rx_buffer_append(&w->buffer, "\0\0\0", LENGTH_BYTES);
    return at;
}

void rx_frame_end(struct rx_writer *w, size_t at)
{
    if (w->buffer.failed)
        return;
    size_t length = w->buffer.length - at - LENGTH_BYTES;
    if (length > UINT32_MAX) {
        w->buffer.failed = true;
        return;
    }
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        w->buffer.data[at + i] = (char)(unsigned char)(length >> (8 * i));
}

struct rx_reader rx_frame_open(struct rx_reader *r)
{
    struct rx_reader frame = {.heap = r->heap, .failed = r->failed};
    size_t length = 0, left = r->length - r->position;
    for (unsigned i = 0; i < LENGTH_BYTES && left >= LENGTH_BYTES; i++)
        length |= (size_t)r->data[r->position + i] << (8 * i);
    if (left < LENGTH_BYTES || length > left - LENGTH_BYTES)
        rx_reader_fail(r, -EBADMSG);
    if (r->failed) {
        frame.failed = r->failed;
        return frame;
    }
    frame.data = r->data + r->position + LENGTH_BYTES;
    frame.length = length;
    r->position += LENGTH_BYTES + length;
    return frame;
}

void rx_frame_close(struct rx_reader *outer, const struct rx_reader *frame)
{
    if (frame->failed)
        rx_reader_fail(outer, frame->failed);
    else if (frame->position != frame->length)
        rx_reader_fail(outer, -EBADMSG);
}
