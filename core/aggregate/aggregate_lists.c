/* Aggregate functions that give lists of values: collect, in the order of the events' times; top, by rank. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/aggregate/aggregation_private.h"

/* In order, the best first; what is equal in the order of arrival. */
struct sorted {
    size_t count, room;
    struct entry {
        struct rx_value value, rank;
        rx_time time;
    } items[];
};

/* A small part of a large message should not keep all of it. */
static struct rx_value own(struct rx_value v)
{
    return rx_is_counted(v) ? rx_value_compact(rx_value_block(v)->heap, v) : v;
}

static void release(struct entry *e)
{
    rx_value_unref(e->value);
    rx_value_unref(e->rank);
}

static struct sorted *make_room(struct rx_accumulator *a, size_t limit)
{
    struct sorted *s = a->u.state;
    if (s && s->count < s->room)
        return s;
    size_t room = s ? s->room * 2 : 4;
    room = room > limit ? limit : room;
    struct sorted *grown = realloc(s, sizeof *s + room * sizeof *s->items);
    if (!grown)
        return NULL;
    if (!s)
        grown->count = 0;
    grown->room = room;
    return a->u.state = grown;
}

/* Puts it behind what `before` says is not after it; past the limit the last goes. */
static int insert(struct rx_accumulator *a, const struct entry *e, size_t limit,
                  bool (*before)(const struct entry *, const struct entry *), struct rx_error *reterr)
{
    struct sorted *s = a->u.state;
    size_t at = s ? s->count : 0;
    while (at > 0 && before(e, &s->items[at - 1]))
        at--;
    if (at >= limit)
        return 0;
    struct entry mine = {.value = own(e->value), .rank = own(e->rank), .time = e->time};
    if (mine.value.kind != e->value.kind || mine.rank.kind != e->rank.kind) {
        release(&mine);
        return rx_aggregate_no_memory(reterr);
    }
    if (s && s->count == limit) {
        release(&s->items[--s->count]);
    } else if (!(s = make_room(a, limit))) {
        release(&mine);
        return rx_aggregate_no_memory(reterr);
    }
    memmove(&s->items[at + 1], &s->items[at], (s->count - at) * sizeof *s->items);
    s->items[at] = mine;
    a->count = ++s->count;
    return 0;
}

static struct rx_value result_list(const struct rx_accumulator *a, const struct rx_result_terms *terms)
{
    const struct sorted *s = a->u.state;
    size_t n = s ? s->count : 0;
    struct rx_value *items = malloc((n + 1) * sizeof *items);
    if (!items)
        return rx_null();
    for (size_t i = 0; i < n; i++)
        items[i] = rx_value_ref(s->items[i].value);
    struct rx_value list = rx_list_take(terms->heap, items, (uint32_t)n);
    free(items);
    return list;
}

static void clear_list(struct rx_accumulator *a)
{
    struct sorted *s = a->u.state;
    for (size_t i = 0; s && i < s->count; i++)
        release(&s->items[i]);
    free(s);
}

static void save_list(const struct rx_accumulator *a, struct rx_writer *w)
{
    const struct sorted *s = a->u.state;
    for (size_t i = 0; s && i < s->count; i++) {
        rx_write_value(w, s->items[i].value);
        rx_write_value(w, s->items[i].rank);
        rx_write_int(w, s->items[i].time);
    }
}

/* As many as have been read are there, whatever the number said. */
static void load_list(struct rx_accumulator *a, struct rx_reader *r)
{
    uint64_t count = a->count;
    a->count = 0;
    for (; count > 0 && !rx_reader_failed(r); count--) {
        struct sorted *s = make_room(a, SIZE_MAX / sizeof(struct entry) / 2);
        if (!s) {
            rx_reader_fail(r, -ENOMEM);
            return;
        }
        struct entry *e = &s->items[s->count];
        e->value = rx_read_value(r);
        e->rank = rx_read_value(r);
        e->time = rx_read_int(r);
        a->count = ++s->count;
    }
}

/* ---- collect ---- */

static bool earlier(const struct entry *a, const struct entry *b) { return a->time < b->time; }

static size_t limit_of(const struct rx_gathered *in) { return (size_t)in->constant; }

static int add_collected(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    struct entry e = {.value = in->value, .rank = rx_null(), .time = in->time};
    return insert(a, &e, limit_of(in), earlier, reterr);
}

/* ---- top ---- */

static bool higher(const struct entry *a, const struct entry *b)
{
    int order = rx_value_compare(a->rank, b->rank);
    return order == 1 || (order == 0 && a->time < b->time);
}

static int add_top(struct rx_accumulator *a, const struct rx_gathered *in, struct rx_error *reterr)
{
    const struct sorted *s = a->u.state;
    struct entry e = {.value = in->value, .rank = in->rank, .time = in->time};
    if (rx_is_nan(in->rank))
        return 0;
    if (rx_value_compare(in->rank, in->rank) == 2)
        return rx_error_set(reterr, -EINVAL, "%s has no order to rank by", rx_kind_name(in->rank.kind));
    if (s && s->count && rx_value_compare(in->rank, s->items[0].rank) == 2)
        return rx_error_set(reterr, -EINVAL, "%s has no order with the %s before it", rx_kind_name(in->rank.kind),
                            rx_kind_name(s->items[0].rank.kind));
    return insert(a, &e, limit_of(in), higher, reterr);
}

/* ---- put together: the constant is the room that the other one was allowed ---- */

static int merge_with(struct rx_accumulator *into, const struct rx_accumulator *later, double limit,
                      int (*add)(struct rx_accumulator *, const struct rx_gathered *, struct rx_error *))
{
    const struct sorted *s = later->u.state;
    int r = 0;
    for (size_t i = 0; s && i < s->count && r != -ENOMEM; i++) {
        struct rx_gathered in = {
            .value = s->items[i].value, .rank = s->items[i].rank, .time = s->items[i].time, .constant = limit};
        r = add(into, &in, NULL);
    }
    return r == -ENOMEM ? r : 0;
}

static int merge_collected(struct rx_accumulator *into, const struct rx_accumulator *later, double limit)
{
    return merge_with(into, later, limit, add_collected);
}

static int merge_top(struct rx_accumulator *into, const struct rx_accumulator *later, double limit)
{
    return merge_with(into, later, limit, add_top);
}

const struct rx_aggregate_function rx_aggregates_lists[] = {
    {"collect", 0, 0, sizeof(struct entry), add_collected, result_list, merge_collected, clear_list, save_list,
     load_list, RX_STATEFUL},
    {"top", 0, 0, sizeof(struct entry), add_top, result_list, merge_top, clear_list, save_list, load_list, RX_STATEFUL},
    {0},
};
