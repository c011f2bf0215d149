/* Lists, maps and records: the composite values.
 *
 * A record keeps its keys in a shape: an interned, ordered key list, found again by transition (as in hidden classes of
 * JavaScript engines; Chambers, Ungar, Lee, "An efficient implementation of SELF", OOPSLA 1989). Keys are interned per
 * heap, so that two keys are equal when their pointers are. Shapes hold at most 64 keys; an object with more, or one that
 * would exceed what the heap may meet of shapes and keys, is a plain map. Keys and shapes that nobody has any more are given
 * back when there is no room for new ones. */
#ifndef RX_CORE_RECORD_H
#define RX_CORE_RECORD_H

#include "core/value/heap.h"

#define RX_SHAPE_KEYS_MAX 64
#define RX_KEY_MET_MAX    1024 /* bytes; a longer name that comes with a payload is a map's, and never interned */

/* An interned key. */
struct rx_key {
    uint32_t hash;
    uint32_t length;
    char text[]; /* NUL-terminated for convenience */
};

struct rx_shape {
    uint64_t id; /* unique in its heap, never 0, and never used again */
    uint32_t count;
    uint32_t refs; /* records that have it, and longer shapes */
    const struct rx_key *const *keys;
};

/* A record counts its shape; so does who keeps a shape that it met. */
static inline const struct rx_shape *rx_shape_ref(const struct rx_shape *shape)
{
    ((struct rx_shape *)(uintptr_t)shape)->refs++;
    return shape;
}

static inline void rx_shape_unref(const struct rx_shape *shape)
{
    if (shape)
        ((struct rx_shape *)(uintptr_t)shape)->refs--;
}

/* The key as a string, borrowed: who keeps it takes a reference, as of any value. */
enum { RX_KEY_BACK = 2 };
static inline struct rx_value rx_key_text(const struct rx_key *key)
{
    return (struct rx_value){.kind = RX_STRING, .back = RX_KEY_BACK, .aux = key->length, .u.text = key->text};
}

struct rx_list {
    uint32_t count, bulk, spare_, link_; /* bulk: see rx_bulk; link_: of a chain, heap_private.h */
    struct rx_value items[];
};

struct rx_record {
    const struct rx_shape *shape; /* counted */
    uint32_t bulk, link_;
    struct rx_value values[]; /* shape->count of them */
};

struct rx_entry {
    struct rx_value key, value;
};

struct rx_map {
    uint32_t count, index_mask, spare_[2];
    struct rx_entry entries[]; /* in order of insertion; a hash index follows when count > 8 */
};

struct rx_optional {
    uint64_t present;
    uint32_t bulk, link_;
    struct rx_value value;
};

/* Names that the plan knows, interned at load and kept for good: they cannot be missed at run time. NULL: out of memory. */
const struct rx_key *rx_key_intern(struct rx_heap *, const char *text, size_t length);
/* The same until it is dropped as often as it was kept: for what is known for a while (a subscriber's filter). */
const struct rx_key *rx_key_keep(struct rx_heap *, const char *text, size_t length);
void rx_key_drop(struct rx_heap *, const struct rx_key *); /* NULL: no-op */
/* A name that came with a payload, good until the next object is begun or message decoded, or for as long as a shape has
 * it. NULL: out of memory, or the heap has met max_keys: what would be a record is a map then. */
const struct rx_key *rx_key_meet(struct rx_heap *, const char *text, size_t length);

/* Names that rxd itself gives; every heap has them from the start. */
enum rx_known_key {
    RX_KEY_VALUE,
    RX_KEY_WINDOW,
    RX_KEY_START,
    RX_KEY_END,
    RX_KEY_PARTIAL,
    RX_KEY_KIND,
    RX_KEY_ERROR,
    RX_KEY_TIMESTAMP,
    RX_KEY_INTERVAL,
    RX_KEY_SOURCE,
    RX_KEY_TOPIC,
    RX_KEY_RETAINED,
    RX_KEY_STATUS,
    RX_KEY_ACC,
    RX_KEY_FINAL,
    RX_KEY_MERGED,
    RX_KEYS_KNOWN
};
const struct rx_key *rx_key_known(const struct rx_heap *, enum rx_known_key);

/* The empty shape; NULL: out of memory (not once it has been asked for). */
const struct rx_shape *rx_shape_empty(struct rx_heap *);
/* The shape with `key`, an interned one, appended: at load, kept for good. NULL: out of memory, or past 64 keys. */
const struct rx_shape *rx_shape_with(struct rx_heap *, const struct rx_shape *, const struct rx_key *key);
/* The same for what is met at run time: good as rx_key_meet's answer is, or as long as it is counted (rx_shape_ref).
 * NULL also where the heap has met max_shapes: use a map. */
const struct rx_shape *rx_shape_meet(struct rx_heap *, const struct rx_shape *, const struct rx_key *key);
/* Slot of a key in a shape, or -1. */
int rx_shape_slot(const struct rx_shape *, const struct rx_key *);

/* A field access with an inline cache: one compare when the shape repeats. By id, as a shape's place may be used again. */
struct rx_slot_cache {
    uint64_t id;
    int slot;
};
/* The field of a record by interned key, NULL if absent. Borrowed. */
static inline const struct rx_value *rx_record_get(const struct rx_record *record, const struct rx_key *key,
                                                   struct rx_slot_cache *cache)
{
    if (record->shape->id != cache->id) {
        cache->id = record->shape->id;
        cache->slot = rx_shape_slot(record->shape, key);
    }
    return cache->slot < 0 ? NULL : &record->values[cache->slot];
}

/* The entry of a record or map by key (string for records); NULL if absent or `object` is neither. Borrowed. */
const struct rx_value *rx_object_get(struct rx_value object, struct rx_value key);
const struct rx_value *rx_object_get_text(struct rx_value object, const char *key);
uint32_t rx_object_count(struct rx_value object);
/* The i-th entry of a record or map in order. Both borrowed. */
void rx_object_entry(struct rx_value object, uint32_t i, struct rx_value *ret_key, struct rx_value *ret_value);

/* `value` itself where it is a record or a map, else the record {value: VALUE}: what steps that work on fields make of a bare
 * value. The caller's to unref; RX_NULL on allocation failure. */
struct rx_value rx_object_of(struct rx_heap *, struct rx_value value);
/* That with one field set; the field is taken. RX_NULL on allocation failure. */
struct rx_value rx_object_with_take(struct rx_heap *, struct rx_value value, const struct rx_key *,
                                    struct rx_value field);

/* Lists. The items are taken. RX_NULL on allocation failure (the items are then released). */
struct rx_value rx_list_take(struct rx_heap *, struct rx_value *items, uint32_t count);

/* A record of a shape that is at hand; the values are taken. RX_NULL on failure (values released). */
struct rx_value rx_record_take(struct rx_heap *, const struct rx_shape *, struct rx_value *values);

/* The same in one block with copies of its texts: strings in `values` are borrowed texts, wherever they lie, and nothing in it is
 * counted. RX_NULL on failure. */
struct rx_value rx_record_with_texts(struct rx_heap *, const struct rx_shape *, struct rx_value *values);

/* How large a value is as a tree, and how deep: what is shared counts each time it is met, since whoever writes, compares or
 * copies it meets it so often. A part is a value, or 64 bytes of a text. What steps and expressions make is held to these
 * bounds by them (rx_op_made, the interpreter, shapers); the decoder has limits of its own. */
#define RX_VALUE_PARTS_MAX 1000000
#define RX_VALUE_DEPTH_MAX 500
uint32_t rx_value_parts(struct rx_value);                      /* saturates a little above the bound */
bool rx_value_fits(struct rx_heap *, struct rx_value);         /* false: past them; rx_heap_why says so */
uint32_t rx_bulk(const struct rx_value *values, size_t count); /* what a container of these values remembers */

struct rx_value rx_optional_take(struct rx_heap *, struct rx_value); /* present */
struct rx_value rx_optional_none(void);                              /* static */

/* Builds an object entry by entry: a record while it can be, a map from the first non-string key, 65th key or cap on.
 * A repeated key overwrites in place. A builder lives on the stack: init, put*, then exactly one of finish and abort. */
struct rx_object_builder {
    struct rx_heap *heap;
    const struct rx_shape *shape; /* NULL: a map */
    struct rx_entry *entries;
    uint32_t count, capacity;
    int failed;
    struct rx_entry inline_[16];
};
void rx_object_init(struct rx_object_builder *, struct rx_heap *);
/* Starts from all entries of `base` (record or map; anything else starts empty). */
void rx_object_init_from(struct rx_object_builder *, struct rx_heap *, struct rx_value base);
void rx_object_put_take(struct rx_object_builder *, struct rx_value key, struct rx_value value);
/* By a key that is interned for good. */
void rx_object_put_key_take(struct rx_object_builder *, const struct rx_key *key, struct rx_value value);
void rx_object_remove(struct rx_object_builder *, const struct rx_key *key);
struct rx_value rx_object_finish(struct rx_object_builder *); /* RX_NULL on allocation failure */
void rx_object_abort(struct rx_object_builder *);

#endif
