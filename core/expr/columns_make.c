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

static struct rx_value record_take(struct rx_heap *heap, const struct rx_shape *shape, struct rx_value *values)
{
    struct rx_value made = rx_record_take(heap, shape, values);
    if (made.kind != RX_NULL && rx_value_fits(heap, made))
        return made;
    rx_value_unref(made);
    return rx_null();
}

/* RX_NULL: it cannot be made so. */
static struct rx_value edited(struct lanes *l, size_t i)
{
    struct rx_columns *p = l->program;
    struct rx_value base = l->events[l->at[i]].value, values[RX_SHAPE_KEYS_MAX];
    if (base.kind != RX_RECORD)
        return rx_null();
    if (p->layout.id != base.u.record->shape->id)
        find_layout(p, base.u.record->shape);
    const struct column_layout *layout = &p->layout;
    if (!layout->result)
        return rx_null();
    if (layout->same)
        return rx_value_ref(base);
    for (unsigned k = 0; k < layout->result->count; k++) {
        int16_t from = layout->from[k];
        values[k] =
            rx_value_ref(from >= 0 ? base.u.record->values[from] : operand_lane(l, p->now.edits[-1 - from].value, i));
    }
    return record_take(p->heap, layout->result, values);
}

static struct rx_value fresh(const struct lanes *l, size_t i)
{
    const struct rx_columns *p = l->program;
    struct rx_value values[EDITS_MAX + 1];
    for (unsigned k = 0; k < p->now.count; k++)
        values[k] = rx_value_ref(operand_lane(l, p->now.edits[k].value, i));
    return record_take(p->heap, p->shape, values);
}

/* ---- events ---- */

static void put(struct lanes *l, size_t i, struct rx_value value, struct rx_event *out)
{
    struct rx_columns_outcome *o = l->out;
    out[o->made] = l->events[l->at[i]];
    out[o->made].value = value;
    o->made_at[o->made++] = l->at[i];
}

/* One that cannot be made, for want of memory or as it would be too large, is left: the steps say so. */
static void put_object(struct lanes *l, size_t i, struct rx_value value, struct rx_event *out)
{
    if (value.kind != RX_NULL) {
        put(l, i, value, out);
        return;
    }
    l->left[l->at[i]] = 1;
    l->any_left = true;
}

void rx_columns_put_out(struct lanes *l, struct rx_event *out)
{
    const struct rx_columns *p = l->program;
    for (size_t i = 0; i < l->n; i++) {
        if (!p->makes)
            put(l, i, l->events[l->at[i]].value, out);
        else if (p->now.form == FORM_VALUE)
            put(l, i, rx_value_ref(operand_lane(l, p->now.value, i)), out);
        else
            put_object(l, i, p->now.form == FORM_RECORD ? fresh(l, i) : edited(l, i), out);
    }
    for (size_t i = 0; l->any_left && i < RX_LANES_MAX; i++)
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
    memset(l->left, 0, sizeof l->left);
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

bool rx_columns_values(struct rx_columns *p, const struct rx_event *span, size_t n, struct rx_value *ret)
{
    struct lanes lanes;
    struct rx_columns_outcome outcome;
    begin(&lanes, p, span, n, &outcome);
    rx_columns_compute(&lanes);
    if (lanes.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        ret[i] = operand_lane(&lanes, p->now.value, i);
    return true;
}
