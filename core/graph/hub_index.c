/* Looking subscribers up by a field's value: a hash table for equalities, a tree of intervals for ranges. */
#include "core/graph/hub_index.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/expr/gate_table.h"
#include "core/graph/graph.h"

/* A span is cut where it has found so many. */
enum { HITS_MAX = 16384, TEXT_MAX = 1 << 20 };

struct range {
    struct rx_observer *observer;
    const struct rx_expr_gate *gate;
    double reach; /* the greatest upper bound in the sub-tree that it is the root of */
};

struct rx_hub_field {
    const struct rx_expr_gate *gate; /* of one of them: they agree on the field and the kind */
    struct rx_slot_cache cache;
    struct rx_observer **all, **loose; /* loose: what they do where the field is absent depends on others */
    size_t count, loose_count;
    struct range *ranges;           /* by lower bound, which is a tree by halves */
    struct rx_gate_member *members; /* of equalities, until the table has them */
    struct rx_gate_table equal;
    size_t entry_count;          /* of ranges, or members */
    uint64_t absent, absent_now; /* in all; in the span that is looked up */
};

struct rx_hub_index {
    struct rx_hub_field *fields;
    size_t count;
    struct rx_hit *hits, *spare;
    size_t hit_count, hit_capacity;
};

static const struct rx_expr_gate *gate_of(const struct rx_observer *o)
{
    const struct rx_node *gate = o->gated->gate;
    return rx_expr_gate(gate->class->condition(gate->image));
}

/* ---- making it ---- */

static int by_low(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->gate->low != y->gate->low)
        return x->gate->low < y->gate->low ? -1 : 1;
    return (x->observer->born > y->observer->born) - (x->observer->born < y->observer->born);
}

static double make_tree(struct range *ranges, size_t low, size_t high)
{
    if (low == high)
        return -INFINITY;
    size_t middle = low + (high - low) / 2;
    double left = make_tree(ranges, low, middle), right = make_tree(ranges, middle + 1, high);
    double reach = ranges[middle].gate->high;
    reach = left > reach ? left : reach;
    reach = right > reach ? right : reach;
    return ranges[middle].reach = reach;
}

static struct rx_hub_field *field_of(struct rx_hub_index *index, const struct rx_expr_gate *gate)
{
    for (size_t i = 0; i < index->count; i++)
        if (index->fields[i].gate->key == gate->key && index->fields[i].gate->kind == gate->kind)
            return &index->fields[i];
    struct rx_hub_field *fields = realloc(index->fields, (index->count + 1) * sizeof *fields);
    if (!fields)
        return NULL;
    index->fields = fields;
    fields[index->count] = (struct rx_hub_field){.gate = gate};
    return &fields[index->count++];
}

/* First how many of each there are, so that fields stay where they are from then on. */
static int count(struct rx_hub_index *index, struct rx_observer *first)
{
    for (struct rx_observer *o = first; o; o = o->following) {
        const struct rx_expr_gate *gate = o->gated ? gate_of(o) : NULL;
        struct rx_hub_field *f = gate ? field_of(index, gate) : NULL;
        if (gate && !f)
            return -ENOMEM;
        if (!gate)
            continue;
        f->count++;
        f->loose_count += !gate->alone;
        f->entry_count += gate->kind == RX_GATE_EQUAL ? gate->count : 1;
    }
    return 0;
}

static int allocate(struct rx_hub_field *f)
{
    f->all = malloc((f->count + 1) * sizeof(struct rx_observer *));
    f->loose = malloc((f->loose_count + 1) * sizeof(struct rx_observer *));
    if (f->gate->kind == RX_GATE_EQUAL)
        f->members = malloc((f->entry_count + 1) * sizeof *f->members);
    else
        f->ranges = malloc((f->entry_count + 1) * sizeof *f->ranges);
    f->count = f->loose_count = f->entry_count = 0;
    return f->all && f->loose && (f->members || f->ranges) ? 0 : -ENOMEM;
}

static void add(struct rx_hub_field *f, struct rx_observer *o, const struct rx_expr_gate *gate)
{
    f->all[f->count++] = o;
    if (!gate->alone)
        f->loose[f->loose_count++] = o;
    if (gate->kind == RX_GATE_RANGE)
        f->ranges[f->entry_count++] = (struct range){.observer = o, .gate = gate};
    for (uint32_t i = 0; i < gate->count; i++)
        f->members[f->entry_count++] = (struct rx_gate_member){.value = gate->values[i], .owner = o, .order = o->born};
    o->gated->field = f;
    o->gated->alone = gate->alone;
    o->gated->absent = 0;
}

static int fill(struct rx_hub_index *index, struct rx_observer *first)
{
    int r = count(index, first);
    for (size_t i = 0; i < index->count; i++)
        if (allocate(&index->fields[i]) < 0)
            r = -ENOMEM;
    for (struct rx_observer *o = first; r == 0 && o; o = o->following)
        if (o->gated)
            add(field_of(index, gate_of(o)), o, gate_of(o));
    for (size_t i = 0; r == 0 && i < index->count; i++) {
        struct rx_hub_field *f = &index->fields[i];
        if (f->gate->kind == RX_GATE_EQUAL) {
            r = rx_gate_table_build(&f->equal, f->members, f->entry_count);
            f->members = NULL;
        } else {
            qsort(f->ranges, f->entry_count, sizeof *f->ranges, by_low);
            make_tree(f->ranges, 0, f->entry_count);
        }
    }
    return r;
}

struct rx_hub_index *rx_hub_index_create(struct rx_observer *first)
{
    struct rx_hub_index *index = calloc(1, sizeof *index);
    if (index && fill(index, first) == 0)
        return index;
    for (struct rx_observer *o = first; o; o = o->following)
        if (o->gated)
            o->gated->field = NULL;
    rx_hub_index_destroy(index);
    return NULL;
}

void rx_hub_index_destroy(struct rx_hub_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++) {
        struct rx_hub_field *f = &index->fields[i];
        free(f->all);
        free(f->loose);
        free(f->ranges);
        free(f->members);
        rx_gate_table_finish(&f->equal);
    }
    free(index->fields);
    free(index->hits);
    free(index->spare);
    free(index);
}

/* ---- looking up ---- */

static int reserve(struct rx_hub_index *index, size_t more)
{
    if (index->hit_count + more <= index->hit_capacity)
        return 0;
    size_t capacity = index->hit_capacity ? 2 * index->hit_capacity : 64;
    while (capacity < index->hit_count + more)
        capacity *= 2;
    struct rx_hit *hits = realloc(index->hits, capacity * sizeof *hits);
    if (hits)
        index->hits = hits;
    struct rx_hit *spare = hits ? realloc(index->spare, capacity * sizeof *spare) : NULL;
    if (!spare)
        return -ENOMEM;
    index->spare = spare;
    index->hit_capacity = capacity;
    return 0;
}

static int hit(struct rx_hub_index *index, struct rx_observer *o, size_t at)
{
    if (reserve(index, 1) < 0)
        return -ENOMEM;
    index->hits[index->hit_count++] = (struct rx_hit){.observer = o, .born = o->born, .at = (uint32_t)at};
    return 0;
}

static int hit_all(struct rx_hub_index *index, struct rx_observer *const *all, size_t n, size_t at)
{
    int r = reserve(index, n);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = hit(index, all[i], at);
    return r;
}

/* One who names equal values twice (1 and 1.0) is hit once: its members stand side by side. */
static int find_equal(struct rx_hub_index *index, const struct rx_hub_field *f, struct rx_value v, size_t at)
{
    size_t count = 0;
    const struct rx_gate_member *members = rx_gate_table_find(&f->equal, v, &count);
    const struct rx_observer *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (members[i].owner == last || !rx_value_equal(v, members[i].value))
            continue;
        last = members[i].owner;
        if (hit(index, members[i].owner, at) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int find_range(struct rx_hub_index *index, const struct range *ranges, size_t low, size_t high, double v,
                      size_t at)
{
    int r = 0;
    while (r == 0 && low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].reach < v)
            return 0;
        r = find_range(index, ranges, low, middle, v, at);
        if (r < 0 || ranges[middle].gate->low > v)
            return r;
        if (ranges[middle].gate->high >= v)
            r = hit(index, ranges[middle].observer, at);
        low = middle + 1;
    }
    return r;
}

static bool is_number(struct rx_value v) { return v.kind == RX_INT || v.kind == RX_UINT || v.kind == RX_DOUBLE; }

static double number_of(struct rx_value v)
{
    return v.kind == RX_INT ? (double)v.u.i : v.kind == RX_UINT ? (double)v.u.u : v.u.d;
}

/* What may take a condition out of its budget. */
static bool is_large(struct rx_value v) { return v.kind >= RX_LIST || (v.kind >= RX_STRING && v.aux > TEXT_MAX); }

/* Is the operand missing, as the condition sees it? */
static bool misses(const struct rx_hub_field *f, const struct rx_value *v)
{
    return !v || (f->gate->kind == RX_GATE_RANGE && v->kind == RX_NULL);
}

static int find_in(struct rx_hub_index *index, struct rx_hub_field *f, const struct rx_event *event, size_t at)
{
    const struct rx_value *v = rx_expr_gate_field(f->gate, &f->cache, event);
    if (misses(f, v)) {
        f->absent_now++;
        return hit_all(index, f->loose, f->loose_count, at);
    }
    bool equal = f->gate->kind == RX_GATE_EQUAL;
    if (equal ? is_large(*v) : !is_number(*v))
        return hit_all(index, f->all, f->count, at);
    if (equal)
        return find_equal(index, f, *v, at);
    double number = number_of(*v);
    return isnan(number) ? 0 : find_range(index, f->ranges, 0, f->entry_count, number, at);
}

static bool stands_before(const struct rx_hit *a, const struct rx_hit *b)
{
    return a->born < b->born || (a->born == b->born && a->at <= b->at);
}

/* Merge sort, from the bottom up: runs that are in order already, as those of one event by equality are, cost one look. */
static void sort(struct rx_hub_index *index)
{
    size_t n = index->hit_count;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = start + width < n ? start + width : n, end = middle + width < n ? middle + width : n;
            for (size_t k = start, i = start, j = middle; k < end; k++)
                index->spare[k] = j == end || (i < middle && stands_before(&index->hits[i], &index->hits[j]))
                                      ? index->hits[i++]
                                      : index->hits[j++];
        }
        struct rx_hit *sorted = index->spare;
        index->spare = index->hits;
        index->hits = sorted;
    }
}

static int find_all(struct rx_hub_index *index, const struct rx_event *event, size_t at)
{
    for (size_t i = 0; i < index->count; i++)
        if (find_in(index, &index->fields[i], event, at) < 0)
            return -ENOMEM;
    return 0;
}

int rx_hub_index_find(struct rx_hub_index *index, const struct rx_event *span, size_t n, struct rx_hit **ret,
                      size_t *ret_count)
{
    size_t done = 0;
    int r = 0;
    index->hit_count = 0;
    while (r == 0 && done < n && index->hit_count < HITS_MAX) {
        r = find_all(index, &span[done], done);
        done++;
    }
    for (size_t i = 0; i < index->count; i++) {
        index->fields[i].absent += r == 0 ? index->fields[i].absent_now : 0;
        index->fields[i].absent_now = 0;
    }
    if (r < 0)
        return r;
    sort(index);
    *ret = index->hits;
    *ret_count = index->hit_count;
    return (int)done;
}

/* ---- accounts ---- */

uint64_t rx_hub_field_absent(const struct rx_gated *g) { return g->field && g->alone ? g->field->absent : 0; }

size_t rx_hub_field_absent_in(const struct rx_gated *g, const struct rx_event *span, size_t n)
{
    size_t absent = 0;
    for (size_t i = 0; g->field && g->alone && i < n; i++)
        absent += misses(g->field, rx_expr_gate_field(g->field->gate, &g->field->cache, &span[i]));
    return absent;
}
