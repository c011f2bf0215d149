/* Equality, order and hash of values. Numbers meet across kinds without loss. */
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "core/value/record.h"

enum { DEPTH_MAX = 1000, UNORDERED = 2 };

#define TWO_63 9223372036854775808.0
#define TWO_64 18446744073709551616.0

static int order(bool less, bool greater) { return greater - less; }

static int compare_int_double(int64_t i, double d)
{
    if (isnan(d))
        return UNORDERED;
    if (d >= TWO_63)
        return -1;
    if (d < -TWO_63)
        return 1;
    int64_t whole = (int64_t)d;
    if (i != whole)
        return order(i<whole, i> whole);
    double rest = d - (double)whole;
    return order(rest > 0, rest < 0);
}

static int compare_uint_double(uint64_t u, double d)
{
    if (isnan(d))
        return UNORDERED;
    if (d >= TWO_64)
        return -1;
    if (d < 0)
        return 1;
    uint64_t whole = (uint64_t)d;
    if (u != whole)
        return order(u<whole, u> whole);
    return order(d - (double)whole > 0, false);
}

static int compare_int_uint(int64_t i, uint64_t u)
{
    if (i < 0)
        return -1;
    return order((uint64_t)i<u, (uint64_t)i> u);
}

static int reversed(int result) { return result == UNORDERED ? UNORDERED : -result; }

static bool is_number(struct rx_value v) { return v.kind == RX_INT || v.kind == RX_UINT || v.kind == RX_DOUBLE; }

static int compare_numbers(struct rx_value a, struct rx_value b)
{
    if (a.kind > b.kind)
        return reversed(compare_numbers(b, a));
    if (a.kind == RX_INT) {
        if (b.kind == RX_INT)
            return order(a.u.i<b.u.i, a.u.i> b.u.i);
        return b.kind == RX_UINT ? compare_int_uint(a.u.i, b.u.u) : compare_int_double(a.u.i, b.u.d);
    }
    if (a.kind == RX_UINT)
        return b.kind == RX_UINT ? order(a.u.u<b.u.u, a.u.u> b.u.u) : compare_uint_double(a.u.u, b.u.d);
    return isnan(a.u.d) || isnan(b.u.d) ? UNORDERED : order(a.u.d<b.u.d, a.u.d> b.u.d);
}

/* UTF-8 sorts by code point when it is sorted by byte. */
static int compare_text(struct rx_value a, struct rx_value b)
{
    uint32_t length = a.aux < b.aux ? a.aux : b.aux;
    int result = length ? memcmp(a.u.text, b.u.text, length) : 0;
    return result ? order(result<0, result> 0) : order(a.aux<b.aux, a.aux> b.aux);
}

static int compare_times(struct rx_value a, struct rx_value b)
{
    if (a.u.i != b.u.i)
        return order(a.u.i<b.u.i, a.u.i> b.u.i);
    return order(a.aux<b.aux, a.aux> b.aux);
}

int rx_value_compare(struct rx_value a, struct rx_value b)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b);
    if (a.kind != b.kind)
        return UNORDERED;
    switch (a.kind) {
    case RX_BOOL:
        return order(!a.u.b && b.u.b, a.u.b && !b.u.b);
    case RX_STRING:
    case RX_BYTES:
        return compare_text(a, b);
    case RX_TIMESTAMP:
    case RX_DURATION:
        return compare_times(a, b);
    default:
        return UNORDERED;
    }
}

static bool equal_at(struct rx_value a, struct rx_value b, unsigned depth);

static bool equal_lists(const struct rx_list *a, const struct rx_list *b, unsigned depth)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!equal_at(a->items[i], b->items[i], depth))
            return false;
    return true;
}

static bool equal_records(const struct rx_record *a, const struct rx_record *b, unsigned depth)
{
    for (uint32_t i = 0; i < a->shape->count; i++)
        if (!equal_at(a->values[i], b->values[i], depth))
            return false;
    return true;
}

static bool equal_objects(struct rx_value a, struct rx_value b, unsigned depth)
{
    if (a.kind == RX_RECORD && b.kind == RX_RECORD && a.u.record->shape == b.u.record->shape)
        return equal_records(a.u.record, b.u.record, depth);
    uint32_t count = rx_object_count(a);
    if (count != rx_object_count(b))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct rx_value key, value;
        rx_object_entry(a, i, &key, &value);
        const struct rx_value *other = rx_object_get(b, key);
        if (!other || !equal_at(value, *other, depth))
            return false;
    }
    return true;
}

static bool equal_optionals(const struct rx_optional *a, const struct rx_optional *b, unsigned depth)
{
    return a->present == b->present && (!a->present || equal_at(a->value, b->value, depth));
}

static bool is_object(struct rx_value v) { return v.kind == RX_MAP || v.kind == RX_RECORD; }

static bool equal_at(struct rx_value a, struct rx_value b, unsigned depth)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b) == 0;
    if (depth == 0)
        return false;
    if (is_object(a) && is_object(b))
        return equal_objects(a, b, depth - 1);
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case RX_NULL:
        return true;
    case RX_TYPE:
        return a.u.i == b.u.i;
    case RX_STRING:
    case RX_BYTES:
        return a.aux == b.aux && (a.aux == 0 || memcmp(a.u.text, b.u.text, a.aux) == 0);
    case RX_LIST:
        return equal_lists(a.u.list, b.u.list, depth - 1);
    case RX_OPTIONAL:
        return equal_optionals(a.u.optional, b.u.optional, depth - 1);
    default:
        return rx_value_compare(a, b) == 0;
    }
}

bool rx_value_equal(struct rx_value a, struct rx_value b) { return equal_at(a, b, DEPTH_MAX); }

static uint64_t hash_at(struct rx_value v, unsigned depth);

static uint64_t mix(uint64_t kind, uint64_t a, uint64_t b)
{
    uint64_t words[3] = {kind, a, b};
    return XXH3_64bits(words, sizeof words);
}

static uint64_t hash_whole(uint64_t bits) { return XXH3_64bits(&bits, sizeof bits); }

/* A whole double hashes as the integer that it equals. */
static uint64_t hash_double(double d)
{
    if (d >= -TWO_63 && d < TWO_63 && d == (double)(int64_t)d)
        return hash_whole((uint64_t)(int64_t)d);
    if (d >= 0 && d < TWO_64 && d == (double)(uint64_t)d)
        return hash_whole((uint64_t)d);
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return hash_whole(bits);
}

/* Independent of the order of the entries. */
static uint64_t hash_object(struct rx_value object, unsigned depth)
{
    uint64_t sum = 0;
    uint32_t count = rx_object_count(object);
    for (uint32_t i = 0; i < count; i++) {
        struct rx_value key, value;
        rx_object_entry(object, i, &key, &value);
        sum += mix(RX_MAP, hash_at(key, depth), hash_at(value, depth));
    }
    return mix(RX_MAP, count, sum);
}

static uint64_t hash_list(const struct rx_list *list, unsigned depth)
{
    uint64_t hash = list->count;
    for (uint32_t i = 0; i < list->count; i++)
        hash = mix(RX_LIST, hash, hash_at(list->items[i], depth));
    return hash;
}

static uint64_t hash_at(struct rx_value v, unsigned depth)
{
    if (depth == 0)
        return 0;
    switch (v.kind) {
    case RX_INT:
    case RX_UINT:
        return hash_whole(v.u.u);
    case RX_DOUBLE:
        return hash_double(v.u.d);
    case RX_BOOL:
        return mix(RX_BOOL, v.u.b, 0);
    case RX_STRING:
        return XXH3_64bits(v.u.text, v.aux);
    case RX_BYTES:
        return XXH3_64bits_withSeed(v.u.text, v.aux, RX_BYTES);
    case RX_LIST:
        return hash_list(v.u.list, depth - 1);
    case RX_MAP:
    case RX_RECORD:
        return hash_object(v, depth - 1);
    case RX_OPTIONAL:
        return mix(RX_OPTIONAL, v.u.optional->present, hash_at(v.u.optional->value, depth - 1));
    case RX_NULL:
        return mix(RX_NULL, 0, 0);
    default:
        return mix(v.kind, v.u.u, v.aux);
    }
}

uint64_t rx_value_hash(struct rx_value v) { return hash_at(v, DEPTH_MAX); }
