/* The interpreter's loops: going through lists and maps, gathering lists and maps, within the budget. */
#include <errno.h>
#include <stdlib.h>

#include "core/expr/run.h"

void rx_run_drop(struct rx_loop *loop)
{
    for (uint32_t i = 0; i < loop->item_count; i++)
        rx_value_unref(loop->items[i]);
    loop->item_count = 0;
    if (loop->building)
        rx_object_abort(&loop->object);
    loop->building = false;
}

int rx_run_loop(struct rx_expr *e, const struct rx_ins *ins)
{
    struct rx_loop *loop = &e->loops[ins->x];
    struct rx_value range = e->r[ins->a];
    if (range.kind != RX_LIST && range.kind != RX_MAP && range.kind != RX_RECORD)
        return rx_run_fail(e, range.kind == RX_NULL ? -ENODATA : -EINVAL, 1, range, range);
    rx_run_drop(loop);
    loop->range = range;
    loop->acc = rx_int(0);
    loop->at = 0;
    loop->count = range.kind == RX_LIST ? range.u.list->count : rx_object_count(range);
    loop->mark = e->temp_count;
    if (ins->n) {
        rx_object_init(&loop->object, e->heap);
        loop->building = true;
    }
    if (ins->y)
        rx_failure_clear(&e->failures[ins->y]);
    return 0;
}

int rx_run_next(struct rx_expr *e, const struct rx_ins *ins)
{
    struct rx_loop *loop = &e->loops[ins->x];
    struct rx_value *r = e->r, key, value;
    rx_expr_release_temps(e, loop->mark);
    if (loop->at == loop->count)
        return 1;
    e->steps += ins->y - (uint32_t)(ins - e->code);
    if (e->steps > e->budget)
        return rx_run_fail(e, -ETIME, 0, rx_null(), rx_null());
    if (loop->range.kind == RX_LIST) {
        key = rx_int(loop->at);
        value = loop->range.u.list->items[loop->at];
    } else {
        rx_object_entry(loop->range, loop->at, &key, &value);
    }
    loop->at++;
    if (ins->op == OP_NEXT2) {
        r[ins->dst] = key;
        r[ins->a] = value;
    } else {
        r[ins->dst] = loop->range.kind == RX_LIST ? value : key;
    }
    return 0;
}

static int append(struct rx_expr *e, struct rx_loop *loop, struct rx_value value)
{
    if (loop->item_count == loop->item_capacity) {
        uint32_t capacity = loop->item_capacity ? 2 * loop->item_capacity : 16;
        struct rx_value *items = realloc(loop->items, capacity * sizeof *items);
        if (!items)
            return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
        loop->items = items;
        loop->item_capacity = capacity;
    }
    loop->items[loop->item_count++] = rx_value_ref(value);
    return 0;
}

static bool is_key(struct rx_value v)
{
    return v.kind == RX_STRING || v.kind == RX_INT || v.kind == RX_UINT || v.kind == RX_BOOL;
}

/* A repeated key is found at the end: the object has fewer entries than were put. */
static int put(struct rx_expr *e, struct rx_loop *loop, struct rx_value key, struct rx_value value)
{
    if (!is_key(key))
        return rx_run_fail(e, key.kind == RX_NULL ? -ENODATA : -EINVAL, 1, key, key);
    if (++e->steps > e->budget)
        return rx_run_fail(e, -ETIME, 0, rx_null(), rx_null());
    rx_object_put_take(&loop->object, rx_value_ref(key), rx_value_ref(value));
    loop->acc.u.i++;
    return 0;
}

static int put_all(struct rx_expr *e, struct rx_loop *loop, struct rx_value entries)
{
    if (entries.kind != RX_MAP && entries.kind != RX_RECORD)
        return rx_run_fail(e, entries.kind == RX_NULL ? -ENODATA : -EINVAL, 1, entries, entries);
    for (uint32_t i = 0; i < rx_object_count(entries); i++) {
        struct rx_value key, value;
        rx_object_entry(entries, i, &key, &value);
        int r = put(e, loop, key, value);
        if (r < 0)
            return r;
    }
    return 0;
}

int rx_run_collect(struct rx_expr *e, const struct rx_ins *ins)
{
    struct rx_loop *loop = &e->loops[ins->x];
    if (ins->op == OP_APPEND)
        return append(e, loop, e->r[ins->a]);
    return ins->op == OP_PUT ? put(e, loop, e->r[ins->a], e->r[ins->b]) : put_all(e, loop, e->r[ins->a]);
}

/* Stable merge of two runs of (element, key) pairs by key. Answers -EINVAL where two keys have no order. */
static int merge(const struct rx_value *from, struct rx_value *to, uint32_t low, uint32_t middle, uint32_t high)
{
    uint32_t left = low, right = middle;
    for (uint32_t at = low; at < high; at++) {
        bool take_right = false;
        if (left < middle && right < high) {
            int order = rx_value_compare(from[2 * left + 1], from[2 * right + 1]);
            if (order == 2)
                return -EINVAL;
            take_right = order > 0;
        } else {
            take_right = left >= middle;
        }
        uint32_t pick = take_right ? right++ : left++;
        to[2 * at] = from[2 * pick];
        to[2 * at + 1] = from[2 * pick + 1];
    }
    return 0;
}

/* Sorts `count` pairs; `spare` has room for as many. Answers where the result is, NULL: no order. */
static struct rx_value *sort_pairs(struct rx_value *pairs, struct rx_value *spare, uint32_t count)
{
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t low = 0; low < count; low += 2 * width) {
            uint32_t middle = low + width < count ? low + width : count;
            uint32_t high = middle + width < count ? middle + width : count;
            if (merge(pairs, spare, low, middle, high) < 0)
                return NULL;
        }
        struct rx_value *swap = pairs;
        pairs = spare;
        spare = swap;
    }
    return pairs;
}

static int end_sorted(struct rx_expr *e, struct rx_loop *loop)
{
    uint32_t count = loop->item_count / 2;
    e->steps += (uint64_t)count * 16;
    if (e->steps > e->budget)
        return rx_run_fail(e, -ETIME, 0, rx_null(), rx_null());
    struct rx_value *pairs = malloc((count + 1) * 4 * sizeof *pairs);
    if (!pairs)
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
    for (uint32_t i = 0; i < 2 * count; i++)
        pairs[i] = loop->items[i];
    const struct rx_value *sorted = sort_pairs(pairs, pairs + 2 * (size_t)count, count);
    for (uint32_t i = 0; sorted && i < count; i++) {
        loop->items[i] = sorted[2 * i];
        loop->items[count + i] = sorted[2 * i + 1];
    }
    free(pairs);
    if (!sorted)
        return rx_run_fail(e, -EINVAL, 1, loop->range, rx_null());
    while (loop->item_count > count)
        rx_value_unref(loop->items[--loop->item_count]);
    return 0;
}

static struct rx_value finish_list(struct rx_expr *e, struct rx_loop *loop)
{
    struct rx_block *block =
        rx_block_alloc(e->heap, sizeof(struct rx_list) + loop->item_count * sizeof(struct rx_value), RX_CONTENT_LIST);
    if (!block)
        return rx_null();
    struct rx_list *list = rx_block_data(block);
    *list = (struct rx_list){.count = loop->item_count};
    for (uint32_t i = 0; i < loop->item_count; i++)
        list->items[i] = loop->items[i];
    loop->item_count = 0;
    return rx_block_value(block, RX_LIST, list, 0);
}

int rx_run_end(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    struct rx_loop *loop = &e->loops[ins->x];
    int r = ins->op == OP_END_SORTED ? end_sorted(e, loop) : 0;
    if (r < 0)
        return r;
    struct rx_value made;
    if (ins->op == OP_END_MAP) {
        loop->building = false;
        made = rx_object_finish(&loop->object);
    } else {
        made = finish_list(e, loop);
    }
    if (made.kind == RX_NULL || rx_run_keep(e, made) < 0)
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
    if (ins->op == OP_END_MAP && rx_object_count(made) < loop->acc.u.i)
        return rx_run_fail(e, -EINVAL, 1, loop->range, rx_null());
    *ret = made;
    return 0;
}
