/* Values: what flows through rxd, 16 bytes, passed by value.
 *
 * Ownership, in one sentence: an argument of type `struct rx_value` is borrowed, a returned one is the caller's to
 * unref, and a `_take` suffix moves the reference in. Values are immutable once another function has seen them.
 * A value belongs to the heap (and so to the thread) that made it; see heap.h. */
#ifndef RX_CORE_VALUE_H
#define RX_CORE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nanoseconds since the Unix epoch, UTC. */
typedef int64_t rx_time;
#define RX_TIME_NEVER INT64_MAX
#define RX_MSEC       ((rx_time)1000000)
#define RX_SEC        ((rx_time)1000000000)

enum rx_kind {
    RX_NULL,
    RX_BOOL,
    RX_INT,
    RX_UINT,
    RX_DOUBLE,
    RX_TIMESTAMP, /* u.i seconds since the epoch, aux nanoseconds 0..999999999 */
    RX_DURATION,  /* u.i seconds (floor), aux nanoseconds 0..999999999 */
    RX_TYPE,      /* u.i is an enum rx_kind (RX_MAP stands for records too) */
    RX_STRING,    /* the first kind that lives in a block. aux bytes of UTF-8 at u.text, not NUL-terminated */
    RX_BYTES,     /* aux bytes at u.text */
    RX_LIST,      /* u.list */
    RX_MAP,       /* u.map: any keys, in order of insertion */
    RX_RECORD,    /* u.record: string keys, held in a shape. To a user a map */
    RX_OPTIONAL,  /* u.optional: a value or none */
    RX_KINDS
};

enum {
    RX_FLAG_STATIC = 1, /* not in a block: never freed while the process (or what lent it) lives; refs are no-ops */
    RX_FLAG_JSON = 2,   /* an RX_INT or RX_UINT that was a whole JSON number: arithmetic as LANGUAGE says */
};

struct rx_list;
struct rx_map;
struct rx_record;
struct rx_optional;

struct rx_value {
    uint8_t kind; /* enum rx_kind */
    uint8_t flags;
    uint16_t back; /* block kinds: 16-byte units from (u.text rounded down to 16) back to the block's header */
    uint32_t aux;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        const char *text;
        const struct rx_list *list;
        const struct rx_map *map;
        const struct rx_record *record;
        const struct rx_optional *optional;
        const void *pointer;
    } u;
};
_Static_assert(sizeof(struct rx_value) == 16, "values are passed in two registers");

/* A block: one refcounted allocation that holds one or more objects. Values inside a block that point into the same
 * block are not counted; values that point elsewhere hold a reference each and are released with the block. */
struct rx_heap;
struct rx_block {
    uint32_t refs;
    uint32_t size_content; /* private to heap.c */
    struct rx_heap *heap;
};
_Static_assert(sizeof(struct rx_block) == 16, "objects behind the header are 16-byte aligned");

void rx_block_free(struct rx_block *); /* private: called by unref at zero; iterative, safe on any depth */

static inline bool rx_is_counted(struct rx_value v) { return v.kind >= RX_STRING && !(v.flags & RX_FLAG_STATIC); }

static inline struct rx_block *rx_value_block(struct rx_value v)
{
    return (struct rx_block *)(((uintptr_t)v.u.pointer & ~(uintptr_t)15) - (uintptr_t)v.back * 16);
}

static inline struct rx_value rx_value_ref(struct rx_value v)
{
    if (rx_is_counted(v))
        rx_value_block(v)->refs++;
    return v;
}

static inline void rx_value_unref(struct rx_value v)
{
    if (rx_is_counted(v)) {
        struct rx_block *block = rx_value_block(v);
        if (--block->refs == 0)
            rx_block_free(block);
    }
}

/* Scalars: no allocation, nothing to unref. */
static inline struct rx_value rx_null(void) { return (struct rx_value){.kind = RX_NULL}; }
static inline struct rx_value rx_bool(bool b) { return (struct rx_value){.kind = RX_BOOL, .u.u = b}; }
static inline struct rx_value rx_int(int64_t i) { return (struct rx_value){.kind = RX_INT, .u.i = i}; }
static inline struct rx_value rx_uint(uint64_t u) { return (struct rx_value){.kind = RX_UINT, .u.u = u}; }
static inline struct rx_value rx_double(double d) { return (struct rx_value){.kind = RX_DOUBLE, .u.d = d}; }
static inline struct rx_value rx_json_int(int64_t i)
{
    return (struct rx_value){.kind = RX_INT, .flags = RX_FLAG_JSON, .u.i = i};
}
struct rx_value rx_timestamp(rx_time);            /* from nanoseconds */
struct rx_value rx_duration(rx_time);             /* from nanoseconds */
int rx_value_time(struct rx_value, rx_time *ret); /* timestamp or duration to ns; -ERANGE, -EINVAL */

/* A string that outlives everything that sees it (a literal, a key of a plan). */
static inline struct rx_value rx_string_static(const char *text, uint32_t length)
{
    return (struct rx_value){.kind = RX_STRING, .flags = RX_FLAG_STATIC, .aux = length, .u.text = text};
}

/* A copied string or bytes. On allocation failure: RX_NULL (callers that care test rx_heap_failed, heap.h). */
struct rx_value rx_string(struct rx_heap *, const char *text, size_t length);
struct rx_value rx_bytes(struct rx_heap *, const void *data, size_t length);
/* The same value in a block of its own: for who keeps a small part of a large message. */
struct rx_value rx_value_compact(struct rx_heap *, struct rx_value);

/* Equality as CEL defines it: numbers across kinds, lists and maps by content, NaN unequal to itself; a record equals a
 * map with the same entries. Bounded depth: beyond 1,000 levels false. */
bool rx_value_equal(struct rx_value, struct rx_value);
/* Total order within numbers (across kinds), strings (code points), bytes, bools, timestamps, durations:
 * -1, 0, 1; 2 where the kinds have no order or one is NaN. */
int rx_value_compare(struct rx_value, struct rx_value);
/* A hash that agrees with rx_value_equal (1 and 1.0 hash alike; NaN any; -0.0 as 0.0). xxh3 over bytes. */
uint64_t rx_value_hash(struct rx_value);

/* The CEL name of a kind: "null_type", "bool", "int", "uint", "double", "google.protobuf.Timestamp" ... */
const char *rx_kind_name(enum rx_kind);

#endif
