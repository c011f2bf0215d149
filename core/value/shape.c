/* Interned keys and the shapes of records, found again by transition.
 *
 * What the plan knows is kept for good. What comes with payloads is bounded and counted: a shape by the records that have
 * it, a key by the shapes and strings. Where the bound is met objects become maps, until what nobody has any more is
 * given back: all at once, at a moment when nobody is in the middle of making an object. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "core/value/heap_private.h"
#include "core/value/record.h"

/* In front of a rx_key, at the start of a block, so that the key's text is a string like any other. */
struct key {
    struct key *next; /* while the table is made anew */
    uint32_t shapes;  /* that end with it */
    uint32_t keepers; /* FOR_GOOD: for as long as the heap */
};
#define FOR_GOOD UINT32_MAX
_Static_assert((sizeof(struct rx_block) + sizeof(struct key) + offsetof(struct rx_key, text)) / 16 == RX_KEY_BACK,
               "rx_key_text knows where the block begins");

struct shape {
    struct rx_shape base;
    struct shape *parent, *next;
    bool for_good, dead;
    const struct rx_key *keys[]; /* the parent's, then the one that was appended */
};

static struct key *key_of(const struct rx_key *key) { return (struct key *)(void *)(uintptr_t)key - 1; }

static struct rx_key *base_of(const struct key *key) { return (struct rx_key *)(void *)(uintptr_t)(key + 1); }

static struct rx_block *block_of(struct key *key) { return (struct rx_block *)(void *)key - 1; }

static struct shape *shape_of(const struct rx_shape *shape) { return (struct shape *)(uintptr_t)shape; }

static const struct rx_key *last_key(const struct shape *shape) { return shape->keys[shape->base.count - 1]; }

void rx_shapes_init(struct rx_shapes *shapes)
{
    if (getrandom(&shapes->seed, sizeof shapes->seed, GRND_NONBLOCK) != (ssize_t)sizeof shapes->seed)
        shapes->seed = (uintptr_t)shapes;
}

/* ---- keys ---- */

/* Where the key is, or the free slot where it belongs. */
static uint32_t key_position(const struct rx_shapes *shapes, uint32_t hash, const char *text, size_t length)
{
    uint32_t i = hash & (shapes->key_slots - 1);
    for (; shapes->keys[i]; i = (i + 1) & (shapes->key_slots - 1)) {
        const struct rx_key *key = base_of(shapes->keys[i]);
        if (key->hash == hash && key->length == length && memcmp(key->text, text, length) == 0)
            break;
    }
    return i;
}

static void key_place(struct rx_shapes *shapes, struct key *key)
{
    const struct rx_key *base = base_of(key);
    shapes->keys[key_position(shapes, base->hash, base->text, base->length)] = key;
}

static bool keys_grow(struct rx_shapes *shapes)
{
    uint32_t slots = shapes->key_slots ? shapes->key_slots * 2 : 64, old_slots = shapes->key_slots;
    struct key **old = shapes->keys, **keys = calloc(slots, sizeof *keys);
    if (!keys)
        return false;
    shapes->keys = keys;
    shapes->key_slots = slots;
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i])
            key_place(shapes, old[i]);
    free(old);
    return true;
}

/* Interned keys are not among the heap's live blocks: they are bounded by their number. */
static void uncount(struct rx_heap *heap, const struct rx_block *block)
{
    heap->live_blocks--;
    heap->live_bytes -= rx_block_bytes(block);
}

/* It may go on as a string. */
static void key_forget(struct rx_heap *heap, struct key *key)
{
    struct rx_block *block = block_of(key);
    heap->shapes.key_count--;
    heap->live_blocks++;
    heap->live_bytes += rx_block_bytes(block);
    rx_block_unref(block);
}

static struct key *key_add(struct rx_heap *heap, uint32_t hash, const char *text, size_t length)
{
    struct rx_shapes *shapes = &heap->shapes;
    if (2 * shapes->key_count >= shapes->key_slots && !keys_grow(shapes))
        return NULL;
    struct rx_block *block =
        rx_block_alloc(heap, sizeof(struct key) + sizeof(struct rx_key) + length + 1, RX_CONTENT_LEAF);
    if (!block)
        return NULL;
    struct key *key = rx_block_data(block);
    struct rx_key *base = base_of(key);
    *key = (struct key){.next = NULL};
    *base = (struct rx_key){.hash = hash, .length = (uint32_t)length};
    memcpy(base->text, text, length);
    base->text[length] = '\0';
    key_place(shapes, key);
    shapes->key_count++;
    uncount(heap, block);
    return key;
}

static uint32_t hash_of(const struct rx_shapes *shapes, const char *text, size_t length)
{
    return (uint32_t)XXH3_64bits_withSeed(text, length, shapes->seed);
}

static struct key *key_find(const struct rx_shapes *shapes, uint32_t hash, const char *text, size_t length)
{
    return shapes->key_slots ? shapes->keys[key_position(shapes, hash, text, length)] : NULL;
}

static struct key *find_or_add(struct rx_heap *heap, const char *text, size_t length)
{
    if (length > UINT32_MAX)
        return NULL;
    uint32_t hash = hash_of(&heap->shapes, text, length);
    struct key *key = key_find(&heap->shapes, hash, text, length);
    if (key || !(key = key_add(heap, hash, text, length)))
        return key;
    heap->shapes.keys_met++;
    return key;
}

const struct rx_key *rx_key_intern(struct rx_heap *heap, const char *text, size_t length)
{
    struct key *key = find_or_add(heap, text, length);
    if (!key)
        return NULL;
    heap->shapes.keys_met -= key->keepers == 0;
    key->keepers = FOR_GOOD;
    return base_of(key);
}

const struct rx_key *rx_key_keep(struct rx_heap *heap, const char *text, size_t length)
{
    struct key *key = find_or_add(heap, text, length);
    if (!key)
        return NULL;
    heap->shapes.keys_met -= key->keepers == 0;
    key->keepers += key->keepers < FOR_GOOD;
    return base_of(key);
}

void rx_key_drop(struct rx_heap *heap, const struct rx_key *kept)
{
    if (!kept || key_of(kept)->keepers == FOR_GOOD || --key_of(kept)->keepers > 0)
        return;
    struct rx_shapes *shapes = &heap->shapes;
    if (++shapes->keys_met > shapes->max_keys)
        shapes->crowded = true;
}

/* Counts what was asked for since the last tidying: a table full of what is in use is not searched at every turn. */
static void press(struct rx_shapes *shapes, bool refused)
{
    shapes->pressure++;
    if (refused && shapes->pressure > shapes->max_shapes / 4)
        shapes->crowded = true;
}

const struct rx_key *rx_key_meet(struct rx_heap *heap, const char *text, size_t length)
{
    struct rx_shapes *shapes = &heap->shapes;
    if (length > RX_KEY_MET_MAX)
        return NULL;
    uint32_t hash = hash_of(shapes, text, length);
    struct key *key = key_find(shapes, hash, text, length);
    if (key)
        return base_of(key);
    if (shapes->keys_met < shapes->max_keys && (key = key_add(heap, hash, text, length))) {
        shapes->keys_met++;
        return base_of(key);
    }
    press(shapes, true);
    return NULL;
}

bool rx_keys_known_intern(struct rx_heap *heap)
{
    static const char *const texts[RX_KEYS_KNOWN] = {
        [RX_KEY_VALUE] = "value",       [RX_KEY_WINDOW] = "window",
        [RX_KEY_START] = "start",       [RX_KEY_END] = "end",
        [RX_KEY_PARTIAL] = "partial",   [RX_KEY_KIND] = "kind",
        [RX_KEY_ERROR] = "error",       [RX_KEY_TIMESTAMP] = "timestamp",
        [RX_KEY_INTERVAL] = "interval", [RX_KEY_SOURCE] = "source",
        [RX_KEY_TOPIC] = "topic",       [RX_KEY_RETAINED] = "retained",
        [RX_KEY_STATUS] = "status",     [RX_KEY_ACC] = "acc",
        [RX_KEY_FINAL] = "final",       [RX_KEY_MERGED] = "merged",
    };
    for (unsigned i = 0; i < RX_KEYS_KNOWN; i++)
        if (!(heap->shapes.known[i] = rx_key_intern(heap, texts[i], strlen(texts[i]))))
            return false;
    return true;
}

const struct rx_key *rx_key_known(const struct rx_heap *heap, enum rx_known_key which)
{
    return heap->shapes.known[which];
}

/* ---- shapes ---- */

static struct shape *shape_create(struct rx_shapes *shapes, struct shape *parent, const struct rx_key *key)
{
    uint32_t count = parent ? parent->base.count + 1 : 0;
    struct shape *shape = malloc(sizeof *shape + count * sizeof *shape->keys);
    if (!shape)
        return NULL;
    *shape = (struct shape){.base = {.id = ++shapes->last_id, .count = count, .keys = shape->keys}, .parent = parent};
    if (!parent)
        return shape;
    memcpy(shape->keys, parent->keys, parent->base.count * sizeof *shape->keys);
    shape->keys[count - 1] = key;
    parent->base.refs++;
    key_of(key)->shapes++;
    return shape;
}

const struct rx_shape *rx_shape_empty(struct rx_heap *heap)
{
    struct rx_shapes *shapes = &heap->shapes;
    if (!shapes->empty && (shapes->empty = shape_create(shapes, NULL, NULL)))
        shapes->empty->for_good = true;
    return shapes->empty ? &shapes->empty->base : NULL;
}

static uint32_t transition_position(const struct rx_shapes *shapes, const struct shape *parent,
                                    const struct rx_key *key)
{
    uint32_t i = (key->hash ^ (uint32_t)parent->base.id * 0x9E3779B1u) & (shapes->shape_slots - 1);
    for (const struct shape *found; (found = shapes->table[i]); i = (i + 1) & (shapes->shape_slots - 1))
        if (found->parent == parent && last_key(found) == key)
            break;
    return i;
}

static void shape_place(struct rx_shapes *shapes, struct shape *shape)
{
    shapes->table[transition_position(shapes, shape->parent, last_key(shape))] = shape;
}

static bool shapes_grow(struct rx_shapes *shapes)
{
    uint32_t slots = shapes->shape_slots ? shapes->shape_slots * 2 : 64, old_slots = shapes->shape_slots;
    struct shape **old = shapes->table, **table = calloc(slots, sizeof *table);
    if (!table)
        return false;
    shapes->table = table;
    shapes->shape_slots = slots;
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i])
            shape_place(shapes, old[i]);
    free(old);
    return true;
}

static struct shape *shape_find(const struct rx_shapes *shapes, const struct shape *parent, const struct rx_key *key)
{
    return shapes->shape_slots ? shapes->table[transition_position(shapes, parent, key)] : NULL;
}

static struct shape *shape_add(struct rx_shapes *shapes, struct shape *parent, const struct rx_key *key)
{
    if (parent->base.count >= RX_SHAPE_KEYS_MAX)
        return NULL;
    if (2 * shapes->shape_count >= shapes->shape_slots && !shapes_grow(shapes))
        return NULL;
    struct shape *added = shape_create(shapes, parent, key);
    if (!added)
        return NULL;
    shape_place(shapes, added);
    shapes->shape_count++;
    return added;
}

const struct rx_shape *rx_shape_with(struct rx_heap *heap, const struct rx_shape *shape, const struct rx_key *key)
{
    struct rx_shapes *shapes = &heap->shapes;
    struct shape *with = shape_find(shapes, shape_of(shape), key);
    bool known = with != NULL;
    if (!with)
        with = shape_add(shapes, shape_of(shape), key);
    if (!with)
        return NULL;
    shapes->shapes_met -= known && !with->for_good;
    with->for_good = true;
    return &with->base;
}

const struct rx_shape *rx_shape_meet(struct rx_heap *heap, const struct rx_shape *shape, const struct rx_key *key)
{
    struct rx_shapes *shapes = &heap->shapes;
    struct shape *with = shape_find(shapes, shape_of(shape), key);
    if (with)
        return &with->base;
    bool room = shapes->shapes_met < shapes->max_shapes;
    press(shapes, !room);
    with = room ? shape_add(shapes, shape_of(shape), key) : NULL;
    if (!with)
        return NULL;
    shapes->shapes_met++;
    return &with->base;
}

int rx_shape_slot(const struct rx_shape *shape, const struct rx_key *key)
{
    for (uint32_t i = 0; i < shape->count; i++)
        if (shape->keys[i] == key)
            return (int)i;
    return -1;
}

/* ---- giving back ---- */

/* A shape without records or longer shapes, and then perhaps the one that it came from. */
static void bury(struct shape *shape)
{
    while (shape->base.refs == 0 && !shape->for_good && !shape->dead) {
        shape->dead = true;
        key_of(last_key(shape))->shapes--;
        shape = shape->parent;
        shape->base.refs--;
    }
}

static void tidy_shapes(struct rx_shapes *shapes)
{
    struct shape *kept = NULL;
    for (uint32_t i = 0; i < shapes->shape_slots; i++)
        if (shapes->table[i])
            bury(shapes->table[i]);
    for (uint32_t i = 0; i < shapes->shape_slots; i++) {
        struct shape *shape = shapes->table[i];
        shapes->table[i] = NULL;
        if (!shape)
            continue;
        if (shape->dead) {
            free(shape);
            shapes->shape_count--;
            shapes->shapes_met--;
        } else {
            shape->next = kept;
            kept = shape;
        }
    }
    for (; kept; kept = kept->next)
        shape_place(shapes, kept);
}

static void tidy_keys(struct rx_heap *heap)
{
    struct rx_shapes *shapes = &heap->shapes;
    struct key *kept = NULL;
    for (uint32_t i = 0; i < shapes->key_slots; i++) {
        struct key *key = shapes->keys[i];
        shapes->keys[i] = NULL;
        if (!key)
            continue;
        if (key->shapes == 0 && key->keepers == 0) {
            key_forget(heap, key);
            shapes->keys_met--;
        } else {
            key->next = kept;
            kept = key;
        }
    }
    for (; kept; kept = kept->next)
        key_place(shapes, kept);
}

void rx_shapes_tidy(struct rx_heap *heap)
{
    struct rx_shapes *shapes = &heap->shapes;
    uint32_t before = shapes->shape_count + shapes->key_count;
    tidy_shapes(shapes);
    tidy_keys(heap);
    shapes->crowded = false;
    shapes->pressure = 0;
    shapes->age += shapes->shape_count + shapes->key_count < before;
}

void rx_shapes_finish(struct rx_heap *heap)
{
    struct rx_shapes *shapes = &heap->shapes;
    for (uint32_t i = 0; i < shapes->shape_slots; i++)
        free(shapes->table[i]);
    for (uint32_t i = 0; i < shapes->key_slots; i++)
        if (shapes->keys[i])
            key_forget(heap, shapes->keys[i]);
    free(shapes->keys);
    free(shapes->table);
    free(shapes->empty);
}
