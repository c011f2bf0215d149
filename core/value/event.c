/* Marks: the key path and the window that an event is in. */
#include "core/value/event.h"

static const struct rx_mark *mark_take(struct rx_heap *heap, struct rx_mark mark)
{
    struct rx_block *block = rx_block_alloc(heap, sizeof mark, RX_CONTENT_MARK);
    if (!block) {
        rx_value_unref(mark.key);
        return NULL;
    }
    struct rx_mark *made = rx_block_data(block);
    *made = mark;
    return made;
}

/* The entries of `outer`, then those of `inner`. */
static struct rx_value join_keys(struct rx_heap *heap, struct rx_value outer, struct rx_value inner)
{
    if (outer.kind == RX_NULL)
        return rx_value_ref(inner);
    if (inner.kind == RX_NULL)
        return rx_value_ref(outer);
    struct rx_object_builder builder;
    rx_object_init_from(&builder, heap, outer);
    for (uint32_t i = 0; i < rx_object_count(inner); i++) {
        struct rx_value key, value;
        rx_object_entry(inner, i, &key, &value);
        rx_object_put_take(&builder, rx_value_ref(key), rx_value_ref(value));
    }
    return rx_object_finish(&builder);
}

const struct rx_mark *rx_mark_with_key(struct rx_heap *heap, const struct rx_mark *outer, struct rx_value key)
{
    struct rx_mark mark = outer ? *outer : (struct rx_mark){.start = 1, .end = 0};
    bool wanted = mark.key.kind != RX_NULL || key.kind != RX_NULL;
    mark.key = join_keys(heap, mark.key, key);
    if (wanted && mark.key.kind == RX_NULL)
        return NULL;
    return mark_take(heap, mark);
}

const struct rx_mark *rx_mark_with_window(struct rx_heap *heap, const struct rx_mark *outer, rx_time start, rx_time end,
                                          uint32_t flags)
{
    struct rx_value key = outer ? rx_value_ref(outer->key) : rx_null();
    return mark_take(heap, (struct rx_mark){.key = key, .start = start, .end = end, .flags = flags});
}

struct rx_value rx_mark_window(struct rx_heap *heap, const struct rx_mark *mark)
{
    const struct rx_shape *plain = mark->flags & (RX_WINDOW_EARLY | RX_WINDOW_MERGED) ? NULL : rx_shape_empty(heap);
    plain = plain ? rx_shape_meet(heap, plain, rx_key_known(heap, RX_KEY_START)) : NULL;
    plain = plain ? rx_shape_meet(heap, plain, rx_key_known(heap, RX_KEY_END)) : NULL;
    if (plain) {
        struct rx_value bounds[] = {rx_timestamp(mark->start), rx_timestamp(mark->end)};
        return rx_record_take(heap, plain, bounds);
    }
    struct rx_object_builder b;
    rx_object_init(&b, heap);
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_START), rx_timestamp(mark->start));
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_END), rx_timestamp(mark->end));
    if (mark->flags & RX_WINDOW_EARLY)
        rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_FINAL), rx_bool(mark->flags & RX_WINDOW_FINAL));
    if (mark->flags & RX_WINDOW_MERGED)
        rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_MERGED), rx_bool(true));
    return rx_object_finish(&b);
}
