/* Functions on lists and maps: those of CEL's lists and sets extensions that streams need, and rxd's sum and avg. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/functions.h"

/* ---- sums ---- */

static int add_up(struct rx_call *call, const struct rx_list *list, struct rx_value *ret, uint32_t *ret_used)
{
    struct rx_value sum = rx_json_int(0);
    *ret_used = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct rx_value item = list->items[i];
        if (item.kind == RX_NULL)
            continue;
        if (item.kind != RX_INT && item.kind != RX_UINT && item.kind != RX_DOUBLE && item.kind != RX_DURATION)
            return rx_call_fail(call, -EINVAL, "element %u is no number", i);
        int r = *ret_used ? rx_arith(O_ADD, sum, item, &sum) : 0;
        if (r < 0)
            return rx_call_fail(call, r, "the sum overflows, or mixes kinds, at element %u", i);
        if (!(*ret_used)++)
            sum = item;
    }
    *ret = sum;
    return 0;
}

static int sum_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    uint32_t used;
    return add_up(call, args[0].u.list, ret, &used);
}

static int avg_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    uint32_t used;
    struct rx_value sum;
    int r = add_up(call, args[0].u.list, &sum, &used);
    if (r < 0)
        return r;
    if (!used)
        return rx_call_fail(call, -ENODATA, "the list is empty, so it has no average");
    if (sum.kind == RX_DURATION)
        return rx_call_fail(call, -EINVAL, "avg works on numbers, here are durations");
    double total = sum.kind == RX_DOUBLE ? sum.u.d : sum.kind == RX_INT ? (double)sum.u.i : (double)sum.u.u;
    *ret = rx_double(total / used);
    return 0;
}

/* ---- order ---- */

/* A stable merge of two runs of items, each `width` values of which the last is its key. -EINVAL: two have no order. */
static int merge(const struct rx_value *from, struct rx_value *to, uint32_t low, uint32_t middle, uint32_t high,
                 size_t width)
{
    uint32_t left = low, right = middle;
    for (uint32_t at = low; at < high; at++) {
        bool take_right = left >= middle;
        if (left < middle && right < high) {
            int order = rx_value_compare(from[width * (left + 1) - 1], from[width * (right + 1) - 1]);
            if (order == 2)
                return -EINVAL;
            take_right = order > 0;
        }
        memcpy(to + width * at, from + width * (take_right ? right++ : left++), width * sizeof *to);
    }
    return 0;
}

struct rx_value *rx_values_sort(struct rx_value *values, struct rx_value *spare, uint32_t count, size_t width)
{
    for (uint32_t run = 1; run < count; run *= 2) {
        for (uint32_t low = 0; low < count; low += 2 * run) {
            uint32_t middle = low + run < count ? low + run : count;
            uint32_t high = middle + run < count ? middle + run : count;
            if (merge(values, spare, low, middle, high, width) < 0)
                return NULL;
        }
        struct rx_value *swap = values;
        values = spare;
        spare = swap;
    }
    return values;
}

/* Takes references to borrowed values and makes them a list. */
static int give_borrowed(struct rx_call *call, const struct rx_value *values, uint32_t count, struct rx_value *ret)
{
    struct rx_value *items = rx_call_items(call, count);
    for (uint32_t i = 0; items && i < count; i++)
        items[i] = rx_value_ref(values[i]);
    return rx_give_items(call, items, count, ret);
}

static int sort_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    const struct rx_list *list = args[0].u.list;
    if (rx_call_charge(call, (uint64_t)list->count * 16) < 0)
        return -ETIME;
    struct rx_value *values = rx_call_items(call, 2 * list->count);
    if (!values)
        return -ENOMEM;
    if (list->count)
        memcpy(values, list->items, list->count * sizeof *values);
    /* One element alone is compared with nothing: that it has an order is asked all the same, so that a list does not begin to fail
     * with its second. */
    bool lonely = list->count == 1 && values[0].kind != RX_DOUBLE && rx_value_compare(values[0], values[0]) == 2;
    const struct rx_value *sorted = lonely ? NULL : rx_values_sort(values, values + list->count, list->count, 1);
    int r = sorted ? give_borrowed(call, sorted, list->count, ret)
                   : rx_call_fail(call, -EINVAL, "the elements have no common order");
    free(values);
    return r;
}

/* ---- selections ---- */

/* Is a value among the first `count`? Charges what it looks at; -ETIME when that is too much. */
static int is_among(struct rx_call *call, const struct rx_value *values, uint32_t count, struct rx_value value)
{
    uint64_t each = rx_run_weight(value, call->expr->budget + 1);
    if (rx_call_charge(call, each) < 0 || rx_call_charge(call, each * count) < 0)
        return -ETIME;
    for (uint32_t i = 0; i < count; i++)
        if (rx_value_equal(values[i], value))
            return 1;
    return 0;
}

static int distinct(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    const struct rx_list *list = args[0].u.list;
    struct rx_value *items = rx_call_items(call, list->count);
    uint32_t kept = 0;
    int r = items ? 0 : -ENOMEM;
    for (uint32_t i = 0; r >= 0 && i < list->count; i++)
        if ((r = is_among(call, items, kept, list->items[i])) == 0)
            items[kept++] = list->items[i];
    if (r >= 0)
        r = give_borrowed(call, items, kept, ret);
    free(items);
    return r;
}

struct gathered {
    struct rx_value *values;
    uint32_t count, capacity;
};

static int flatten_into(struct rx_call *call, const struct rx_list *list, int64_t depth, struct gathered *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct rx_value item = list->items[i];
        if (item.kind == RX_LIST && depth > 0) {
            int r = flatten_into(call, item.u.list, depth - 1, out);
            if (r < 0)
                return r;
            continue;
        }
        if (rx_call_charge(call, 1) < 0)
            return -ETIME;
        if (out->count == out->capacity) {
            uint32_t capacity = out->capacity ? 2 * out->capacity : 16;
            struct rx_value *values = realloc(out->values, capacity * sizeof *values);
            if (!values)
                return -ENOMEM;
            out->values = values;
            out->capacity = capacity;
        }
        out->values[out->count++] = item;
    }
    return 0;
}

static int flatten(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    int64_t depth = count > 1 ? args[1].u.i : 1;
    struct gathered out = {0};
    if (depth < 0)
        return rx_call_fail(call, -ERANGE, "the depth is negative: %lld", (long long)depth);
    int r = flatten_into(call, args[0].u.list, depth < 100 ? depth : 100, &out);
    if (r == 0)
        r = give_borrowed(call, out.values, out.count, ret);
    free(out.values);
    return r;
}

static int slice(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    const struct rx_list *list = args[0].u.list;
    int64_t start = args[1].u.i, end = args[2].u.i;
    if (start < 0 || end < start || end > list->count)
        return rx_call_fail(call, -ERANGE, "slice(%lld, %lld) of a list of %u elements", (long long)start,
                            (long long)end, list->count);
    return give_borrowed(call, list->items + start, (uint32_t)(end - start), ret);
}

static int end_of(struct rx_call *call, const struct rx_list *list, bool last, struct rx_value *ret)
{
    *ret = list->count ? rx_optional_take(call->heap, rx_value_ref(list->items[last ? list->count - 1 : 0]))
                       : rx_optional_none();
    return ret->kind == RX_OPTIONAL ? 0 : -ENOMEM;
}

static int first_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return end_of(call, args[0].u.list, false, ret);
}

static int last_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return end_of(call, args[0].u.list, true, ret);
}

static int range_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    int64_t n = args[0].u.i;
    if (n < 0)
        return rx_call_fail(call, -ERANGE, "a range has no negative length: %lld", (long long)n);
    if (rx_call_charge(call, (uint64_t)n) < 0)
        return -ETIME;
    if (n > UINT32_MAX / 32)
        return rx_call_fail(call, -ERANGE, "the range is too long: %lld", (long long)n);
    struct rx_value *items = rx_call_items(call, (uint32_t)n);
    for (int64_t i = 0; items && i < n; i++)
        items[i] = rx_int(i);
    return rx_give_items(call, items, (uint32_t)n, ret);
}

int rx_function_list_index_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    const struct rx_list *list = args[0].u.list;
    int64_t from = count > 2 ? args[2].u.i : 0;
    uint64_t each = rx_run_weight(args[1], call->expr->budget + 1);
    if (from < 0 || from > list->count)
        return rx_call_fail(call, -ERANGE, "index out of range: %lld", (long long)from);
    *ret = rx_int(-1);
    for (uint32_t i = (uint32_t)from; i < list->count && ret->u.i < 0; i++) {
        if (rx_call_charge(call, each) < 0)
            return -ETIME;
        if (rx_value_equal(list->items[i], args[1]))
            *ret = rx_int(i);
    }
    return 0;
}

/* ---- maps ---- */

static int keys_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    uint32_t entries = rx_object_count(args[0]);
    struct rx_value *items = rx_call_items(call, entries);
    (void)count;
    for (uint32_t i = 0; items && i < entries; i++) {
        struct rx_value key, value;
        rx_object_entry(args[0], i, &key, &value);
        items[i] = rx_value_ref(key);
    }
    return rx_give_items(call, items, entries, ret);
}

/* ---- sets ---- */

/* How many of `some` are in `all`; or -ETIME. */
static int64_t shared(struct rx_call *call, const struct rx_list *all, const struct rx_list *some)
{
    int64_t found = 0;
    for (uint32_t i = 0; i < some->count; i++) {
        int r = is_among(call, all->items, all->count, some->items[i]);
        if (r < 0)
            return r;
        found += r;
    }
    return found;
}

static int set_contains(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    int64_t found = shared(call, args[0].u.list, args[1].u.list);
    *ret = rx_bool(found == args[1].u.list->count);
    return found < 0 ? -ETIME : 0;
}

static int set_equivalent(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    const struct rx_list *a = args[0].u.list, *b = args[1].u.list;
    int64_t there = shared(call, a, b), back = shared(call, b, a);
    *ret = rx_bool(there == b->count && back == a->count);
    return there < 0 || back < 0 ? -ETIME : 0;
}

static int set_intersects(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    int64_t found = shared(call, args[0].u.list, args[1].u.list);
    *ret = rx_bool(found > 0);
    return found < 0 ? -ETIME : 0;
}

#define LIST  RX_K_LIST
#define INDEX (RX_K_INT | RX_K_JSON)

const struct rx_function rx_functions_list[] = {
    {"sum",
     RX_F_GLOBAL,
     1,
     1,
     {LIST},
     RX_K_NUMBER | RX_K_DURATION,
     sum_of,
     "sum(list)",
     "The sum of a list; null is skipped; 0 when empty. In aggregate: of the window.",
     "sum([1, 2, 3.5])",
     "6.5"},
    {"avg",
     RX_F_GLOBAL,
     1,
     1,
     {LIST},
     RX_K_DOUBLE,
     avg_of,
     "avg(list)",
     "The mean of a list; null is skipped. In aggregate: of the window.",
     "avg([1, 2])",
     "1.5"},
    {"sort",
     RX_F_METHOD,
     1,
     1,
     {LIST},
     LIST,
     sort_of,
     "list.sort()",
     "The elements in order: all numbers, strings, bytes, bools, timestamps or durations.",
     "[3, 1, 2].sort()",
     "[1,2,3]"},
    {"distinct",
     RX_F_METHOD | RX_F_SQUARE,
     1,
     1,
     {LIST},
     LIST,
     distinct,
     "list.distinct()",
     "Each element once, where it first stands.",
     "[1, 2, 1.0, 3].distinct()",
     "[1,2,3]"},
    {"flatten",
     RX_F_METHOD,
     1,
     2,
     {LIST, INDEX},
     LIST,
     flatten,
     "list.flatten(depth)",
     "Lists inside the list become its elements, one level deep or as many as said.",
     "[1, [2, [3]]].flatten()",
     "[1,2,[3]]"},
    {"slice",
     RX_F_METHOD,
     3,
     3,
     {LIST, INDEX, INDEX},
     LIST,
     slice,
     "list.slice(start, end)",
     "The elements from start up to, not with, end.",
     "[1, 2, 3, 4].slice(1, 3)",
     "[2,3]"},
    {"first",
     RX_F_METHOD,
     1,
     1,
     {LIST},
     RX_K_OPTIONAL,
     first_of,
     "list.first()",
     "The first element, or none.",
     "[1, 2].first().orValue(0)",
     "1"},
    {"last",
     RX_F_METHOD,
     1,
     1,
     {LIST},
     RX_K_OPTIONAL,
     last_of,
     "list.last()",
     "The last element, or none.",
     "[].last().orValue(0)",
     "0"},
    {"keys",
     RX_F_METHOD,
     1,
     1,
     {RX_K_MAP},
     LIST,
     keys_of,
     "map.keys()",
     "The keys of a map, in its order.",
     "{\"b\": 1, \"a\": 2}.keys()",
     "[\"b\",\"a\"]"},
    {"lists.range",
     RX_F_GLOBAL,
     1,
     1,
     {INDEX},
     LIST,
     range_of,
     "lists.range(n)",
     "The ints from 0 up to, not with, n.",
     "lists.range(3)",
     "[0,1,2]"},
    {"sets.contains",
     RX_F_GLOBAL | RX_F_SQUARE,
     2,
     2,
     {LIST, LIST},
     RX_K_BOOL,
     set_contains,
     "sets.contains(all, some)",
     "Is every element of the second in the first?",
     "sets.contains([1, 2, 3], [2, 3])",
     "true"},
    {"sets.equivalent",
     RX_F_GLOBAL | RX_F_SQUARE,
     2,
     2,
     {LIST, LIST},
     RX_K_BOOL,
     set_equivalent,
     "sets.equivalent(a, b)",
     "Have both the same elements?",
     "sets.equivalent([1, 2, 1], [2, 1])",
     "true"},
    {"sets.intersects",
     RX_F_GLOBAL | RX_F_SQUARE,
     2,
     2,
     {LIST, LIST},
     RX_K_BOOL,
     set_intersects,
     "sets.intersects(a, b)",
     "Have they a common element?",
     "sets.intersects([1, 2], [2, 5])",
     "true"},
    {0},
};
