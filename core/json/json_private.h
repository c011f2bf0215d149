/* What the parts of the JSON decoder share: scanning (json_text.c), parsing (json_decode.c), making the value
 * (json_build.c), the needed fields (json_fields.c). */
#ifndef RX_CORE_JSON_PRIVATE_H
#define RX_CORE_JSON_PRIVATE_H

#include <string.h>

#include "core/base/scan.h"
#include "core/json/json.h"

/* --- The layout of the last message: which key is expected next, and what it led to. A tree of guesses. --- */

enum {
    RX_GUESSES = 64,
    RX_GUESS_TEXT_MAX = 31,
    RX_NO_GUESS = 0, /* the number of a guess that is none and stays so */
};

struct rx_guess {
    char text[RX_GUESS_TEXT_MAX]; /* the key as it was written, with its quotes */
    uint8_t length;               /* 0: nothing to compare with */
    uint16_t next;                /* the key that followed in the same object; or RX_NO_GUESS */
    uint16_t child;               /* the first key in the object, or the objects of the list, that was its value */
    int32_t slot;
    const struct rx_key *key; /* NULL: not needed */
    const struct rx_shape *before, *after;
};

/* Messages that came before, to be followed byte for byte (json_mould.h). */
enum { RX_MOULDS = 4 };
struct rx_mould;
struct rx_moulds {
    struct rx_mould *of[RX_MOULDS];
    uint8_t last, next, debt;
};

struct rx_layout {
    struct rx_moulds moulds;
    uint16_t root;      /* the first key of an object */
    uint16_t list_root; /* the first key of the objects in a list */
    uint16_t count;
    bool full; /* start over with the next message */
    struct rx_guess guesses[RX_GUESSES];
    uint64_t age; /* of the heap's shapes */
};

/* Starts with nothing; also for memory that is zero. */
void rx_layout_forget(struct rx_layout *);
/* Ready for a message: starts over where the last one did not fit, or keys and shapes were given back (`age`, the heap's). */
void rx_layout_open(struct rx_layout *, uint64_t age);
/* Remembers a key, `text` with its quotes, where `link` leads to. The guess is RX_NO_GUESS when there is no room. */
struct rx_guess *rx_layout_learn(struct rx_layout *, uint16_t *link, const char *text, size_t length,
                                 const struct rx_key *key);

struct rx_fields {
    struct rx_heap *heap;
    bool all;
    size_t count, capacity;
    const struct rx_key **keys;  /* in order of addition */
    const struct rx_key **table; /* open addressing by hash */
    size_t slots;
    struct rx_layout *layout;
};
/* The needed field of this name, or NULL. */
const struct rx_key *rx_fields_find(const struct rx_fields *, const char *name, size_t length);

/* --- What was parsed, before it has a block --- */

/* A string is still in the message: u.text and aux are its raw text. A container is an object, u.u its number. */
enum { RX_RAW_ESCAPED = 0x80 /* a flag of raw strings: escapes to replace */ };

static inline struct rx_value rx_json_raw_string(const char *text, size_t length, bool escaped)
{
    uint8_t flags = length == 0 ? RX_FLAG_STATIC : escaped ? RX_RAW_ESCAPED : 0;
    return (struct rx_value){.kind = RX_STRING, .flags = flags, .aux = (uint32_t)length, .u.text = length ? text : ""};
}

/* Of one block: what lies within must be within reach of rx_value.back. */
#define RX_JSON_BLOCK_MAX ((size_t)UINT16_MAX * 16)

struct rx_raw_object {
    size_t offset;  /* into the arena: a struct rx_list, rx_record or rx_map */
    uint32_t count; /* values, or entries of a map */
    enum rx_kind kind;
};

struct rx_json_frame {
    uint8_t kind; /* RX_LIST, RX_RECORD or RX_MAP */
    bool skipped;
    uint32_t members;
    size_t base;                  /* the first of its values on the stack */
    size_t target;                /* where the container itself goes */
    const struct rx_shape *shape; /* of a record so far */
    uint16_t *link;               /* where the number of the next guess is */
};

/* Memory that one message after the other uses. */
struct rx_json_scratch {
    struct rx_value *stack;
    size_t top, stack_capacity;
    struct rx_json_frame *frames;
    size_t depth, frame_capacity;
    struct rx_raw_object *objects;
    size_t object_count, object_capacity;
    char *arena; /* containers, each a multiple of 16 bytes */
    size_t arena_length, arena_capacity;
    size_t text_bytes;       /* of the strings needed, at most */
    struct rx_buffer text;   /* keys without their escapes, numbers for strtod */
    struct rx_buffer copy;   /* a terminated copy of a text that may end anywhere */
    struct rx_layout layout; /* for who needs all fields */
};

/* Grows an array of the scratch to hold at least `count`. */
bool rx_json_grow(void **array, size_t *capacity, size_t count, size_t item_size);

/* The heap's scratch, emptied for a message; NULL: no memory. Closing it keeps nothing large. */
struct rx_json_scratch *rx_json_scratch_open(struct rx_heap *);
void rx_json_scratch_close(struct rx_heap *);

static inline bool rx_json_stack_reserve(struct rx_json_scratch *s, size_t more)
{
    return s->top + more <= s->stack_capacity ||
           rx_json_grow((void **)&s->stack, &s->stack_capacity, s->top + more + 32, sizeof *s->stack);
}

static inline bool rx_json_frames_reserve(struct rx_json_scratch *s)
{
    return s->depth < s->frame_capacity ||
           rx_json_grow((void **)&s->frames, &s->frame_capacity, s->depth + 8, sizeof *s->frames);
}

static inline bool rx_json_objects_reserve(struct rx_json_scratch *s)
{
    return s->object_count < s->object_capacity ||
           rx_json_grow((void **)&s->objects, &s->object_capacity, s->object_count + 8, sizeof *s->objects);
}

static inline bool rx_json_arena_reserve(struct rx_json_scratch *s, size_t more)
{
    return s->arena_length + more <= s->arena_capacity ||
           rx_json_grow((void **)&s->arena, &s->arena_capacity, s->arena_length + more + 512, 1);
}

/* Makes the block from stack[0]. -ENOMEM or 0. */
int rx_json_build(struct rx_heap *, struct rx_json_scratch *, struct rx_value *ret);

/* --- Scanning --- */

/* From behind the opening quote to the closing one; every byte and escape checked. NULL: wrong at *ret_bad, with
 * *ret_code and a message. */
const char *rx_json_scan_string(const char *p, const char *end, bool *ret_escaped, struct rx_error *reterr,
                                const char **ret_bad);
/* Replaces escapes; `out` has room for `length`. Answers the new length. */
size_t rx_json_unescape(char *out, const char *raw, size_t length);
/* Correctly rounded; infinite when out of range, NaN when there is no memory. */
double rx_json_slow_double(const char *text, size_t length, struct rx_buffer *scratch);

/* A mark in the high bit of each byte that a JSON string cannot hold as it is: quote, backslash, control. Exact up to
 * and including the first in memory; what borrows is itself a hit. `others`: marks to add. */
static inline uint64_t rx_json_marks(uint64_t word, uint64_t others)
{
    uint64_t quote = word ^ (RX_EACH_BYTE * '"'), backslash = word ^ (RX_EACH_BYTE * '\\');
    uint64_t marks = (quote - RX_EACH_BYTE) | (backslash - RX_EACH_BYTE) | (word - RX_EACH_BYTE * 0x20);
    return ((marks & ~word) | others) & (RX_EACH_BYTE * 0x80);
}

/* The same bytes; for 2 and more. */
static inline bool rx_same_text(const char *a, const char *b, size_t length)
{
    if (length >= 8) {
        for (size_t i = 0; i + 8 < length; i += 8)
            if (rx_load64(a + i) != rx_load64(b + i))
                return false;
        return rx_load64(a + length - 8) == rx_load64(b + length - 8);
    }
    if (length >= 4)
        return rx_load32(a) == rx_load32(b) && rx_load32(a + length - 4) == rx_load32(b + length - 4);
    return a[0] == b[0] && a[1] == b[1] && a[length - 1] == b[length - 1];
}

#endif
