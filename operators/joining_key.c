/* The keys of joined events: their values, and what a result shows of them. */
#include <errno.h>
#include <string.h>

#include "core/value/timestamp.h"
#include "operators/joining.h"

unsigned join_key_width(const struct join *j)
{
    unsigned width = (unsigned)join_key_count(j) + (j->mode == JOIN_WINDOWS);
    return width ? width : 1;
}

rx_time join_key_end(const struct join *j, const struct rx_value *keys)
{
    rx_time end = 0;
    rx_value_time(keys[join_key_width(j) - 1], &end);
    return end;
}

static bool is_window(const struct join *j, unsigned part) { return j->mode == JOIN_WINDOWS && (int)part == j->window; }

/* ---- windows: of results in the pipeline, or fields that came from outside ---- */

static bool read_bound(struct rx_value window, const char *name, struct rx_value *ret)
{
    const struct rx_value *found = rx_object_get_text(window, name);
    rx_time t;
    if (!found || rx_timestamp_read(*found, &t) < 0)
        return false;
    *ret = rx_timestamp(t);
    return true;
}

/* A result so far says so: in its mark, or in the field that it was written to. */
static bool is_final(const struct rx_event *event, struct rx_value window)
{
    const struct rx_value *final = rx_object_get_text(window, "final");
    uint32_t flags = event->mark ? event->mark->flags : 0;
    bool early = flags & RX_WINDOW_EARLY && !(flags & RX_WINDOW_FINAL);
    return !early && !(final && final->kind == RX_BOOL && !final->u.b);
}

static enum join_keyed read_window(const struct rx_event *event, struct rx_value window, struct rx_value *start,
                                   struct rx_value *end, struct rx_error *reterr)
{
    if (!is_final(event, window))
        return JOIN_NOT_FINAL;
    if (read_bound(window, "start", start) && read_bound(window, "end", end))
        return JOIN_KEYED;
    rx_error_set(reterr, -EINVAL, "`window` is not a window: {start, end}, two times");
    return JOIN_NOT_KEYED;
}

/* ---- values ---- */

static enum join_keyed eval_part(struct join *j, unsigned side, unsigned part, const struct rx_event *event,
                                 struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_expr_env env = rx_op_env(&j->op, event);
    int r = rx_expr_eval(rx_keys_expr(j->keys[side], part), &env, ret, reterr);
    if (r < 0)
        return r == -ENODATA ? JOIN_KEYLESS : JOIN_NOT_KEYED;
    return ret->kind == RX_NULL ? JOIN_KEYLESS : JOIN_KEYED;
}

/* The window comes first: whether it is final, and when it ends, counts without the other parts too. */
static enum join_keyed eval_window(struct join *j, unsigned side, const struct rx_event *event, struct rx_value *keys,
                                   struct rx_error *reterr)
{
    struct rx_value window;
    enum join_keyed answer = eval_part(j, side, (unsigned)j->window, event, &window, reterr);
    if (answer != JOIN_KEYED)
        return answer;
    answer = read_window(event, window, &keys[j->window], &keys[join_key_count(j)], reterr);
    rx_value_unref(window);
    return answer;
}

enum join_keyed join_key_eval(struct join *j, unsigned side, const struct rx_event *event, struct rx_value *keys,
                              rx_time *ret_end, struct rx_error *reterr)
{
    enum join_keyed answer = JOIN_KEYED;
    for (unsigned i = 0; i < join_key_width(j); i++)
        keys[i] = rx_null();
    *ret_end = event->time;
    if (j->mode == JOIN_WINDOWS) {
        answer = eval_window(j, side, event, keys, reterr);
        if (answer == JOIN_KEYED)
            *ret_end = join_key_end(j, keys);
    }
    for (unsigned i = 0; answer == JOIN_KEYED && i < join_key_count(j); i++)
        if (!is_window(j, i))
            answer = eval_part(j, side, i, event, &keys[i], reterr);
    for (unsigned i = 0; answer != JOIN_KEYED && i < join_key_width(j); i++)
        rx_value_unref(keys[i]);
    return answer;
}

/* ---- what a result shows of them ---- */

static struct rx_value window_value(struct rx_heap *heap, struct rx_value start, struct rx_value end)
{
    struct rx_object_builder b;
    rx_object_init(&b, heap);
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_START), start);
    rx_object_put_key_take(&b, rx_key_known(heap, RX_KEY_END), end);
    return rx_object_finish(&b);
}

/* A part of a row that pairs with nothing is told where the row has it; false: it does not. */
static bool part_of(struct join *j, const struct join_row *row, unsigned part, struct rx_value *ret)
{
    struct rx_expr_env env = rx_op_env(&j->op, &row->event);
    if (!row->key)
        return rx_expr_eval(rx_keys_expr(j->keys[row->side], part), &env, ret, NULL) == 0;
    if (is_window(j, part))
        *ret = window_value(rx_op_heap(&j->op), row->key->keys[part], row->key->keys[join_key_count(j)]);
    else
        *ret = rx_value_ref(row->key->keys[part]);
    return true;
}

void join_key_put(struct join *j, const struct join_row *row, struct rx_object_builder *b)
{
    struct rx_value value;
    for (unsigned i = 0; i < join_key_count(j); i++)
        if (part_of(j, row, i, &value))
            rx_object_put_key_take(b, rx_side_keys_name(j->by, i), value);
}

/* Without the window, which is no part of a stream's key; what is absent in it is null. */
static struct rx_value key_record(struct join *j, const struct join_row *row)
{
    struct rx_object_builder b;
    struct rx_value value;
    rx_object_init(&b, rx_op_heap(&j->op));
    for (unsigned i = 0; i < join_key_count(j); i++)
        if (!is_window(j, i))
            rx_object_put_key_take(&b, rx_side_keys_name(j->by, i), part_of(j, row, i, &value) ? value : rx_null());
    return rx_object_finish(&b);
}

static const struct rx_mark *make_mark(struct join *j, const struct join_row *row, uint32_t flags)
{
    struct rx_heap *heap = rx_op_heap(&j->op);
    bool windowed = j->mode == JOIN_WINDOWS, named = join_key_count(j) > windowed;
    struct rx_value key = named ? key_record(j, row) : rx_null();
    if (named && key.kind == RX_NULL)
        return NULL;
    const struct rx_mark *mark = rx_mark_with_key(heap, rx_op_mark(&j->op), key), *keyed = mark;
    rx_value_unref(key);
    rx_time start = 0;
    if (mark && windowed && row->key && rx_value_time(row->key->keys[j->window], &start) == 0)
        mark = rx_mark_with_window(heap, keyed, start, join_key_end(j, row->key->keys), keyed->flags | flags);
    else if (mark && flags)
        mark = rx_mark_with_window(heap, keyed, keyed->start, keyed->end, keyed->flags | flags);
    if (mark != keyed)
        rx_mark_unref(keyed);
    return mark;
}

/* Made once a key. */
const struct rx_mark *join_key_mark(struct join *j, const struct join_row *row, uint32_t flags)
{
    if (!j->by && j->main_on_top && !flags)
        return rx_mark_ref(row->event.mark ? row->event.mark : rx_op_mark(&j->op));
    if (!row->key || flags)
        return make_mark(j, row, flags);
    const struct rx_mark **kept = join_table_mark(&j->table, row->key);
    if (!*kept)
        *kept = make_mark(j, row, 0);
    return rx_mark_ref(*kept);
}
