/* Events from heap to heap. */
#include "core/value/crossing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How an event is written: flags, then what they say. */
enum {
    FLAT = 1,      /* a record of scalars and texts, by its shape: slot, values as they lie in memory, then the texts */
    NEW_SHAPE = 2, /* the keys of that slot's shape come first */
    SAME_MARK = 4, /* as the event before */
    MARK = 8,
    META = 16,
};

static bool is_flat(struct rx_value v, size_t *ret_text)
{
    size_t text = 0;
    if (v.kind != RX_RECORD)
        return false;
    for (uint32_t i = 0; i < v.u.record->shape->count; i++) {
        const struct rx_value *field = &v.u.record->values[i];
        if (field->kind > RX_STRING)
            return false;
        text += field->kind == RX_STRING ? field->aux : 0;
    }
    *ret_text = text;
    return true;
}

static void write_keys(struct rx_writer *w, const struct rx_shape *shape)
{
    rx_write_uint(w, shape->count);
    for (uint32_t i = 0; i < shape->count; i++)
        rx_write_text(w, shape->keys[i]->text, shape->keys[i]->length);
}

static void put(struct rx_buffer *b, const void *data, size_t length)
{
    memcpy(b->data + b->length, data, length);
    b->length += length;
}

static void write_flat(struct rx_writer *w, const struct rx_record *record, size_t text)
{
    uint32_t count = record->shape->count;
    struct rx_buffer *b = &w->buffer;
    if (rx_buffer_reserve(b, count * sizeof(struct rx_value) + text) < 0) {
        b->failed = true;
        return;
    }
    put(b, record->values, count * sizeof(struct rx_value));
    for (uint32_t i = 0; i < count; i++)
        if (record->values[i].kind == RX_STRING)
            put(b, record->values[i].u.text, record->values[i].aux);
}

void rx_cross_event(struct rx_crossing_out *out, struct rx_writer *w, const struct rx_event *e)
{
    size_t text = 0;
    bool flat = is_flat(e->value, &text), same = e->mark && e->mark == out->mark;
    unsigned slot = flat ? (unsigned)(e->value.u.record->shape->id % RX_CROSSING_SHAPES) : 0;
    bool new_shape = flat && out->ids[slot] != e->value.u.record->shape->id;
    unsigned char head[10] = {(unsigned char)((flat ? FLAT : 0) | (new_shape ? NEW_SHAPE : 0) | (same ? SAME_MARK : 0) |
                                              (e->mark && !same ? MARK : 0) | (e->meta.kind != RX_NULL ? META : 0)),
                              (unsigned char)slot};
    memcpy(head + 2, &e->time, sizeof e->time);
    rx_buffer_append(&w->buffer, head, sizeof head);
    if (new_shape) {
        write_keys(w, e->value.u.record->shape);
        out->ids[slot] = e->value.u.record->shape->id;
    }
    if (flat)
        write_flat(w, e->value.u.record, text);
    else
        rx_write_value(w, e->value);
    if (e->mark && !same) {
        rx_write_mark(w, e->mark);
        rx_mark_unref(out->mark);
        out->mark = rx_mark_ref(e->mark);
    }
    if (e->meta.kind != RX_NULL)
        rx_write_value(w, e->meta);
}

void rx_crossing_out_finish(struct rx_crossing_out *out)
{
    rx_mark_unref(out->mark);
    out->mark = NULL;
}

/* ---- the other end ---- */

static void forget(struct rx_crossing_shape *s)
{
    for (uint32_t i = 0; s->keys && i < s->count; i++)
        rx_value_unref(s->keys[i]);
    free(s->keys);
    rx_shape_unref(s->shape);
    *s = (struct rx_crossing_shape){.count = 0};
}

/* Both the shape and its keys, for the day on which there is no room for the shape. */
static void read_shape(struct rx_crossing_in *in, struct rx_crossing_shape *s, struct rx_reader *r)
{
    const struct rx_shape *shape = rx_shape_empty(in->heap);
    uint64_t count = rx_read_uint(r);
    forget(s);
    s->keys = count <= RX_SHAPE_KEYS_MAX ? calloc(count + 1, sizeof *s->keys) : NULL;
    if (!s->keys) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    for (; s->count < count && !rx_reader_failed(r); s->count++) {
        size_t length;
        const char *text = rx_read_text(r, &length);
        const struct rx_key *key = rx_key_meet(in->heap, text, length);
        shape = shape && key ? rx_shape_meet(in->heap, shape, key) : NULL;
        s->keys[s->count] = rx_string(in->heap, text, length);
    }
    s->shape = shape ? rx_shape_ref(shape) : NULL;
}

static struct rx_value object_of(const struct rx_crossing_in *in, const struct rx_crossing_shape *s,
                                 const struct rx_value *values)
{
    struct rx_object_builder b;
    rx_object_init(&b, in->heap);
    for (uint32_t i = 0; i < s->count; i++) {
        struct rx_value v = values[i];
        rx_object_put_take(&b, rx_value_ref(s->keys[i]),
                           v.kind == RX_STRING ? rx_string(in->heap, v.u.text, v.aux) : v);
    }
    return rx_object_finish(&b);
}

static struct rx_value read_flat(struct rx_crossing_in *in, const struct rx_crossing_shape *s, struct rx_reader *r)
{
    struct rx_value values[RX_SHAPE_KEYS_MAX];
    size_t bytes = s->count * sizeof *values;
    if (r->length - r->position < bytes) {
        rx_reader_fail(r, -EBADMSG);
        return rx_null();
    }
    memcpy(values, r->data + r->position, bytes);
    r->position += bytes;
    for (uint32_t i = 0; i < s->count; i++) {
        if (values[i].kind != RX_STRING)
            continue;
        if (r->length - r->position < values[i].aux) {
            rx_reader_fail(r, -EBADMSG);
            return rx_null();
        }
        values[i] = rx_string_static((const char *)r->data + r->position, values[i].aux);
        r->position += values[i].aux;
    }
    struct rx_value v = s->shape ? rx_record_with_texts(in->heap, s->shape, values) : object_of(in, s, values);
    if (v.kind == RX_NULL)
        rx_reader_fail(r, -ENOMEM);
    return v;
}

static const struct rx_mark *read_mark(struct rx_crossing_in *in, unsigned flags, struct rx_reader *r)
{
    if (flags & MARK) {
        rx_mark_unref(in->mark);
        in->mark = rx_read_mark(r);
    }
    return flags & (MARK | SAME_MARK) ? rx_mark_ref(in->mark) : NULL;
}

struct rx_event rx_crossed_event(struct rx_crossing_in *in, struct rx_reader *r)
{
    struct rx_event e = {.time = 0};
    if (r->length - r->position < 10) {
        rx_reader_fail(r, -EBADMSG);
        return e;
    }
    const unsigned char *head = r->data + r->position;
    unsigned flags = head[0];
    struct rx_crossing_shape *shape = &in->shapes[head[1] % RX_CROSSING_SHAPES];
    memcpy(&e.time, head + 2, sizeof e.time);
    r->position += 10;
    if (flags & NEW_SHAPE)
        read_shape(in, shape, r);
    e.value = flags & FLAT ? read_flat(in, shape, r) : rx_read_value(r);
    e.mark = read_mark(in, flags, r);
    if (flags & META)
        e.meta = rx_read_value(r);
    return e;
}

void rx_crossing_in_finish(struct rx_crossing_in *in)
{
    for (unsigned i = 0; i < RX_CROSSING_SHAPES; i++)
        forget(&in->shapes[i]);
    rx_mark_unref(in->mark);
    in->mark = NULL;
}
