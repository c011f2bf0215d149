/* Column programs: what comes out. Events that were only chosen among go on as they are; a bare value is its column; and a record is
 * made once, of the columns and of what is left of the event, whatever number of steps had their part in it. */
#include <errno.h>
#include <string.h>

#include "core/expr/columns_private.h"

/* ---- the layout of an event with edits: found once for each shape ---- */

void rx_column_layout_finish(struct column_layout *layout)
{
    rx_shape_unref(layout->base);
    rx_shape_unref(layout->result);
    *layout = (struct column_layout){0};
}

struct field {
    const struct rx_key *key;
    int16_t from;
};

/* As the steps would have done it, one after another; false: there are too many fields. */
static bool apply(const struct column_edit *edit, int16_t index, struct field *fields, unsigned *count)
{
    unsigned at = 0;
    while (at < *count && fields[at].key != edit->key)
        at++;
    if (edit->kind == EDIT_REMOVE) {
        if (at < *count)
            memmove(&fields[at], &fields[at + 1], (--*count - at) * sizeof *fields);
        return true;
    }
    if (at < *count && edit->kind == EDIT_DEFAULT)
        return true;
    if (at == RX_SHAPE_KEYS_MAX)
        return false;
    *count += at == *count;
    fields[at] = (struct field){edit->key, (int16_t)(-1 - index)};
    return true;
}

static void find_layout(struct rx_columns *p, const struct rx_shape *base)
{
    struct column_layout *layout = &p->layout;
    struct field fields[RX_SHAPE_KEYS_MAX + 1];
    unsigned count = base->count;
    bool fits = true;
    rx_column_layout_finish(layout);
    layout->id = base->id;
    layout->base = rx_shape_ref(base);
    for (unsigned i = 0; i < count; i++)
        fields[i] = (struct field){base->keys[i], (int16_t)i};
    for (unsigned i = 0; i < p->now.count && fits; i++)
        fits = apply(&p->now.edits[i], (int16_t)i, fields, &count);
    const struct rx_shape *shape = fits ? rx_shape_empty(p->heap) : NULL;
    layout->same = count == base->count;
    for (unsigned i = 0; i < count && shape; i++) {
        shape = rx_shape_meet(p->heap, shape, fields[i].key);
        layout->from[i] = fields[i].from;
        layout->same = layout->same && fields[i].from == (int16_t)i;
    }
    if (shape)
        layout->result = rx_shape_ref(shape);
}

/* ---- records ---- */

static struct rx_value operand_lane(const struct lanes *l, operand a, size_t i)
{
    return a < 0 ? l->program->constants[-1 - a] : rx_column_lane(&l->columns[a], i);
}

/* Where the values of made records come from: the program's operands, and slots of the events' records. */
struct recipe {
    const struct rx_shape *shape;
    struct {
        bool of_event;
        int16_t slot; /* or the operand */
    } from[RX_SHAPE_KEYS_MAX];
};

/* Scalars and short texts are within all bounds, however many there are in a shape. */
static bool is_flat(struct rx_value v) { return v.kind < RX_STRING || (v.kind < RX_LIST && v.aux < 65536); }

/* Records that are being made for `count` lanes from `first` on. */
struct making {
    size_t first, count;
    struct rx_record *records[RX_LANES_MAX];
    uint8_t bulky[RX_LANES_MAX]; /* it holds more than scalars and short texts */
};

/* The k-th value of all. */
static void fill(const struct lanes *l, const struct recipe *recipe, unsigned k, struct making *m)
{
    bool of_event = recipe->from[k].of_event;
    int16_t from = recipe->from[k].slot;
    const struct column *c = of_event || from < 0 ? NULL : &l->columns[from];
    if (c && c->kind != RX_KINDS) {
        struct rx_value like = {.kind = c->kind, .flags = c->flags};
        for (size_t i = 0; i < m->count; i++) {
            m->records[i]->values[k] = like;
            m->records[i]->values[k].u.i = c->i[m->first + i];
        }
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        size_t lane = m->first + i;
        struct rx_value v = of_event ? l->events[l->at[lane]].value.u.record->values[from]
                            : c      ? c->v[lane]
                                     : l->program->constants[-1 - from];
        m->records[i]->values[k] = rx_value_ref(v);
        m->bulky[i] |= !is_flat(v);
    }
}

static struct rx_record *begin_record(struct rx_heap *heap, const struct rx_shape *shape)
{
    struct rx_block *block =
        rx_block_alloc(heap, sizeof(struct rx_record) + shape->count * sizeof(struct rx_value), RX_CONTENT_RECORD);
    struct rx_record *record = block ? rx_block_data(block) : NULL;
    if (record)
        *record = (struct rx_record){.shape = rx_shape_ref(shape)};
    return record;
}

static struct rx_value value_of(const struct rx_record *record)
{
    return (struct rx_value){.kind = RX_RECORD, .back = 1, .u.record = record};
}

/* A record for each of the lanes, in `made` at the lane's place; RX_NULL: it cannot be made, for want of memory or as it would be too
 * large. */
static void make_records(const struct lanes *l, const struct recipe *recipe, size_t first, size_t count,
                         struct rx_value *made)
{
    struct rx_heap *heap = l->program->heap;
    struct making m = {.first = first};
    while (m.count < count && (m.records[m.count] = begin_record(heap, recipe->shape)))
        m.count++;
    for (unsigned k = 0; k < recipe->shape->count; k++)
        fill(l, recipe, k, &m);
    for (size_t i = 0; i < count; i++) {
        struct rx_value *value = &made[first + i];
        *value = i < m.count ? value_of(m.records[i]) : rx_null();
        if (i < m.count && m.bulky[i] && !rx_value_fits(heap, *value)) {
            rx_value_unref(*value);
            *value = rx_null();
        }
    }
}

static void recipe_of_record(const struct rx_columns *p, struct recipe *recipe)
{
    recipe->shape = p->shape;
    for (unsigned k = 0; k < p->now.count; k++) {
        recipe->from[k].of_event = false;
        recipe->from[k].slot = p->now.edits[k].value;
    }
}

static void recipe_of_layout(const struct rx_columns *p, struct recipe *recipe)
{
    const struct column_layout *layout = &p->layout;
    recipe->shape = layout->result;
    for (unsigned k = 0; k < layout->result->count; k++) {
        int16_t from = layout->from[k];
        recipe->from[k].of_event = from >= 0;
        recipe->from[k].slot = from >= 0 ? from : p->now.edits[-1 - from].value;
    }
}

/* From `first` on, lanes whose events are of one shape, or no records at all: so many. */
static size_t alike(const struct lanes *l, size_t first)
{
    struct rx_value base = l->events[l->at[first]].value;
    size_t i = first + 1;
    for (; i < l->n; i++) {
        struct rx_value v = l->events[l->at[i]].value;
        if (v.kind != base.kind || (v.kind == RX_RECORD && v.u.record->shape != base.u.record->shape))
            break;
    }
    return i - first;
}

/* What is no record, or cannot become one, is RX_NULL. */
static void edit_alike(struct lanes *l, size_t first, size_t count, struct rx_value *made)
{
    struct rx_columns *p = l->program;
    struct rx_value base = l->events[l->at[first]].value;
    struct recipe recipe;
    if (base.kind == RX_RECORD && p->layout.id != base.u.record->shape->id)
        find_layout(p, base.u.record->shape);
    bool can = base.kind == RX_RECORD && p->layout.result;
    if (can && !p->layout.same) {
        recipe_of_layout(p, &recipe);
        make_records(l, &recipe, first, count, made);
        return;
    }
    for (size_t i = first; i < first + count; i++)
        made[i] = can ? rx_value_ref(l->events[l->at[i]].value) : rx_null();
}

static void make_objects(struct lanes *l, struct rx_value *made)
{
    struct recipe recipe;
    if (l->program->now.form == FORM_RECORD) {
        recipe_of_record(l->program, &recipe);
        make_records(l, &recipe, 0, l->n, made);
        return;
    }
    for (size_t first = 0, count; first < l->n; first += count) {
        count = alike(l, first);
        edit_alike(l, first, count, made);
    }
}

/* ---- events ---- */

static inline void put(const struct lanes *l, size_t i, struct rx_value value, struct rx_event *out)
{
    const struct rx_event *in = &l->events[l->at[i]];
    *out = (struct rx_event){.value = value, .time = in->time, .mark = in->mark, .meta = in->meta};
}

static void put_chosen(struct lanes *l, struct rx_event *out)
{
    for (size_t i = 0; i < l->n; i++)
        out[i] = l->events[l->at[i]];
    memcpy(l->out->made_at, l->at, l->n);
    l->out->made = l->n;
}

static void put_values(struct lanes *l, struct rx_event *out)
{
    operand a = l->program->now.value;
    const struct column *c = a < 0 ? NULL : &l->columns[a];
    struct rx_value like = {.kind = c ? c->kind : RX_NULL, .flags = c ? c->flags : 0};
    for (size_t i = 0; c && c->kind != RX_KINDS && i < l->n; i++) {
        like.u.i = c->i[i];
        put(l, i, like, &out[i]);
    }
    for (size_t i = 0; (!c || c->kind == RX_KINDS) && i < l->n; i++)
        put(l, i, rx_value_ref(operand_lane(l, a, i)), &out[i]);
    memcpy(l->out->made_at, l->at, l->n);
    l->out->made = l->n;
}

static void put_objects(struct lanes *l, struct rx_event *out)
{
    struct rx_value made[RX_LANES_MAX];
    make_objects(l, made);
    for (size_t i = 0; i < l->n; i++) {
        if (made[i].kind != RX_NULL) {
            put(l, i, made[i], &out[l->out->made]);
            l->out->made_at[l->out->made++] = l->at[i];
        } else {
            l->left[l->at[i]] = 1;
            l->any_left = true;
        }
    }
}

void rx_columns_put_out(struct lanes *l, struct rx_event *out)
{
    const struct rx_columns *p = l->program;
    if (!p->makes)
        put_chosen(l, out);
    else if (p->now.form == FORM_VALUE)
        put_values(l, out);
    else
        put_objects(l, out);
    for (size_t i = 0; l->any_left && i < l->span; i++)
        if (l->left[i])
            l->out->left_at[l->out->left++] = (uint8_t)i;
}

static void begin(struct lanes *l, struct rx_columns *p, const struct rx_event *in, size_t n,
                  struct rx_columns_outcome *out)
{
    l->program = p;
    l->events = in;
    l->out = out;
    l->n = n;
    l->any_left = false;
    for (size_t i = 0; i < n; i++)
        l->at[i] = (uint8_t)i;
    l->span = n;
    memset(l->left, 0, n);
    out->made = out->left = 0;
    memset(out->filtered, 0, sizeof out->filtered);
    memset(out->absent, 0, sizeof out->absent);
}

void rx_columns_run(struct rx_columns *p, const struct rx_event *in, size_t n, struct rx_event *out,
                    struct rx_columns_outcome *ret)
{
    struct lanes lanes;
    begin(&lanes, p, in, n, ret);
    rx_columns_compute(&lanes);
    rx_columns_put_out(&lanes, out);
}
