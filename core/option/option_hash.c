/* The hash of a step's options: what its saved state depends on. Spelling that means the same hashes the same (5s and 5000ms,
 * a default written out, the bare value and the named one); expressions and literals count as they are written. */
#include <string.h>
#include <xxhash.h>

#include "core/option/option_private.h"

/* A chain: each piece is hashed with what came before it as the seed, so that "ab", "c" is not "a", "bc". */
static void add_bytes(uint64_t *hash, const void *bytes, size_t length)
{
    *hash = XXH3_64bits_withSeed(bytes, length, *hash);
}

static void add_tree(uint64_t *hash, const struct rx_tree *tree)
{
    unsigned char kind = (unsigned char)tree->kind;
    add_bytes(hash, &kind, 1);
    if (tree->kind == RX_TREE_SCALAR)
        add_bytes(hash, tree->text, tree->length);
    for (size_t i = 0; tree->kind != RX_TREE_SCALAR && i < tree->count; i++) {
        if (tree->kind == RX_TREE_MAP)
            add_tree(hash, tree->keys[i]);
        add_tree(hash, tree->items[i]);
    }
    add_bytes(hash, "", 0);
}

static void add_extent(uint64_t *hash, const struct rx_extent *extent)
{
    add_bytes(hash, &extent->duration, sizeof extent->duration);
    add_bytes(hash, &extent->count, sizeof extent->count);
    add_bytes(hash, &extent->choice, sizeof extent->choice);
}

/* True where the parsed value is plain data, which hashes alike however it was spelled. */
static bool add_plain(uint64_t *hash, const struct rx_option *option, const void *field)
{
    switch (option->type) {
    case RX_OPTION_BOOL:
        add_bytes(hash, field, sizeof(bool));
        return true;
    case RX_OPTION_ENUM:
        add_bytes(hash, field, sizeof(int));
        return true;
    case RX_OPTION_INT:
    case RX_OPTION_DOUBLE:
    case RX_OPTION_DURATION:
    case RX_OPTION_SIZE:
        add_bytes(hash, field, 8);
        return true;
    case RX_OPTION_EXTENT:
        add_extent(hash, field);
        return true;
    default:
        return false;
    }
}

static void add_option(uint64_t *hash, const struct rx_option *o, const struct rx_tree *tree, const void *field)
{
    add_bytes(hash, o->name, strlen(o->name));
    if (o->type == RX_OPTION_GROUP) {
        uint64_t part = rx_options_hash(o->group, tree, field);
        add_bytes(hash, &part, sizeof part);
    } else if (!add_plain(hash, o, field) && tree) {
        add_tree(hash, tree);
    }
}

uint64_t rx_options_hash(const struct rx_class *class, const struct rx_tree *value, const void *image)
{
    uint64_t hash = 0;
    add_bytes(&hash, class->name, strlen(class->name));
    for (const struct rx_option *o = class->options; image && o && o->name; o++)
        if (!(o->flags & RX_STATELESS)) {
            const struct rx_tree *tree = o->flags & RX_INLINE ? value : rx_option_tree(class, value, o);
            add_option(&hash, o, tree, (const char *)image + o->offset);
        }
    return hash;
}
