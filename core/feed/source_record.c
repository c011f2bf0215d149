/* Making a source's records: the payload's fields, topic captures over them, and meta. */
#include <errno.h>
#include <string.h>

#include "core/feed/source_record.h"

/* Of names that every heap has. */
static const struct rx_shape *shape_of(struct rx_heap *heap, const enum rx_known_key *names, size_t count)
{
    const struct rx_shape *shape = rx_shape_empty(heap);
    for (size_t i = 0; shape && i < count; i++)
        shape = rx_shape_with(heap, shape, rx_key_known(heap, names[i]));
    return shape;
}

static bool is_reached(const struct rx_fields *fields, const struct rx_key *key)
{
    if (!fields || rx_fields_all(fields))
        return true;
    for (size_t i = 0; i < rx_fields_count(fields); i++)
        if (rx_fields_at(fields, i) == key)
            return true;
    return false;
}

static bool make_graft(struct rx_heap *heap, const struct rx_fields *fields, const struct rx_shape *from,
                       const struct rx_message_info *info, struct rx_graft *ret)
{
    struct rx_graft graft = {.from = from, .to = from, .keys = info->capture_keys, .count = info->capture_count};
    if (graft.count > RX_GRAFT_CAPTURES)
        return false;
    for (size_t i = 0; i < graft.count; i++) {
        graft.slots[i] = -1;
        if (!is_reached(fields, graft.keys[i]))
            continue;
        int slot = rx_shape_slot(graft.to, graft.keys[i]);
        if (slot < 0) {
            slot = (int)graft.to->count;
            graft.to = rx_shape_meet(heap, graft.to, graft.keys[i]);
        }
        if (!graft.to)
            return false;
        graft.slots[i] = (int8_t)slot;
        graft.used = true;
    }
    rx_shape_ref(graft.to);
    rx_shape_unref(ret->to);
    *ret = graft;
    return true;
}

void rx_source_records_finish(struct rx_source_records *records)
{
    for (size_t i = 0; i < RX_GRAFTS; i++)
        rx_shape_unref(records->grafts[i].to);
    memset(records->grafts, 0, sizeof records->grafts);
    *records = (struct rx_source_records){.fields = NULL}; /* no shape and no key of a heap that may go */
}

static const struct rx_graft *graft_for(struct rx_source_records *records, const struct rx_source *source,
                                        const struct rx_shape *from, const struct rx_message_info *info)
{
    size_t field_count = source->fields ? rx_fields_count(source->fields) : 0;
    if (records->fields != source->fields || records->field_count != field_count) {
        rx_source_records_finish(records);
        records->fields = source->fields;
        records->field_count = field_count;
    }
    struct rx_graft *graft = &records->grafts[from->id % RX_GRAFTS];
    if (graft->from == from && graft->keys == info->capture_keys && graft->count == info->capture_count)
        return graft;
    return make_graft(source->heap, source->fields, from, info, graft) ? graft : NULL;
}

/* The way that always works: past the limits of shapes the result is a map. */
static int build(const struct rx_source *source, struct rx_value decoded, const struct rx_message_info *info,
                 struct rx_value *ret)
{
    struct rx_object_builder builder;
    rx_object_init_from(&builder, source->heap, decoded);
    if (decoded.kind != RX_RECORD && decoded.kind != RX_MAP)
        rx_object_put_key_take(&builder, rx_key_known(source->heap, RX_KEY_VALUE), rx_value_ref(decoded));
    for (size_t i = 0; info && i < info->capture_count; i++)
        rx_object_put_key_take(&builder, info->capture_keys[i], rx_value_ref(info->captures[i]));
    struct rx_value result = rx_object_finish(&builder);
    if (result.kind == RX_NULL)
        return -ENOMEM;
    *ret = result;
    return 0;
}

static int grafted(const struct rx_source *source, const struct rx_graft *graft, const struct rx_value *values,
                   const struct rx_message_info *info, struct rx_value *ret)
{
    struct rx_value all[RX_SHAPE_KEYS_MAX];
    size_t count = graft->from->count;
    memcpy(all, values, count * sizeof *all);
    memset(all + count, 0, (graft->to->count - count) * sizeof *all);
    for (size_t i = 0; i < graft->count; i++)
        if (graft->slots[i] >= 0)
            all[graft->slots[i]] = info->captures[i];
    for (size_t i = 0; i < graft->to->count; i++)
        rx_value_ref(all[i]);
    struct rx_value record = rx_record_take(source->heap, graft->to, all);
    if (record.kind != RX_RECORD)
        return -ENOMEM;
    *ret = record;
    return 0;
}

static int record_of(struct rx_source_records *records, const struct rx_source *source, struct rx_value decoded,
                     const struct rx_message_info *info, struct rx_value *ret)
{
    static const enum rx_known_key value_name = RX_KEY_VALUE;
    static const struct rx_message_info nothing = {0};
    if (!records->value_shape && decoded.kind != RX_RECORD)
        records->value_shape = shape_of(source->heap, &value_name, 1);
    const struct rx_shape *from = decoded.kind == RX_RECORD ? decoded.u.record->shape : records->value_shape;
    if (decoded.kind == RX_MAP || !from)
        return build(source, decoded, info, ret);
    const struct rx_graft *graft = graft_for(records, source, from, info ? info : &nothing);
    if (!graft)
        return build(source, decoded, info, ret);
    if (graft->to == graft->from && !graft->used && decoded.kind == RX_RECORD) {
        *ret = rx_value_ref(decoded);
        return 0;
    }
    return grafted(source, graft, decoded.kind == RX_RECORD ? decoded.u.record->values : &decoded, info, ret);
}

int rx_source_record_take(struct rx_source_records *records, const struct rx_source *source, struct rx_value decoded,
                          const struct rx_message_info *info, struct rx_value *ret)
{
    if (!info || info->capture_count == 0) {
        *ret = decoded;
        return 0;
    }
    int r = record_of(records, source, decoded, info, ret);
    rx_value_unref(decoded);
    return r;
}

struct rx_value rx_source_record_pruned_take(const struct rx_source *source, struct rx_value decoded)
{
    struct rx_object_builder b;
    bool object = decoded.kind == RX_RECORD || decoded.kind == RX_MAP;
    if (!object || !source->fields || rx_fields_all(source->fields))
        return decoded;
    rx_object_init(&b, source->heap);
    for (uint32_t i = 0; i < rx_object_count(decoded); i++) {
        struct rx_value key, field;
        rx_object_entry(decoded, i, &key, &field);
        if (rx_fields_has(source->fields, key.u.text, key.aux))
            rx_object_put_take(&b, rx_value_ref(key), rx_value_ref(field));
    }
    struct rx_value pruned = rx_object_finish(&b);
    if (pruned.kind == RX_NULL)
        return decoded;
    rx_value_unref(decoded);
    return pruned;
}

int rx_source_record_meta(struct rx_source_records *records, const struct rx_source *source,
                          const struct rx_message_info *info, struct rx_value *ret)
{
    static const enum rx_known_key names[] = {RX_KEY_SOURCE, RX_KEY_TOPIC, RX_KEY_RETAINED};
    bool topic = info && info->topic;
    if (!records->meta_shape || records->meta_shape->count != (topic ? 3 : 1))
        records->meta_shape = shape_of(source->heap, names, topic ? 3 : 1);
    if (!records->name)
        records->name = rx_key_intern(source->heap, source->name, strlen(source->name)); /* outlives events */
    if (!records->meta_shape || !records->name)
        return -ENOMEM;
    struct rx_value values[3] = {rx_string_static(records->name->text, records->name->length)};
    if (topic) {
        values[1] = rx_string(source->heap, info->topic, info->topic_length);
        values[2] = rx_bool(info->retained);
    }
    struct rx_value meta = rx_record_take(source->heap, records->meta_shape, values);
    if (meta.kind != RX_RECORD)
        return -ENOMEM;
    *ret = meta;
    return 0;
}
