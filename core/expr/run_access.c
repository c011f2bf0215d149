/* The interpreter's reading side: names, the event's surroundings, selection, indexing, `in`, has. */
#include <errno.h>
#include <math.h>

#include "core/expr/run.h"

enum { WEIGHT_DEPTH = 1000 }; /* rx_value_equal looks no deeper */

static uint64_t weigh(struct rx_value v, uint64_t cap, unsigned depth)
{
    uint64_t weight = 1 + (v.kind == RX_STRING || v.kind == RX_BYTES ? v.aux / 64 : 0);
    bool object = v.kind == RX_RECORD || v.kind == RX_MAP;
    uint32_t count = v.kind == RX_LIST ? v.u.list->count : object ? rx_object_count(v) : 0;
    for (uint32_t i = 0; i < count && weight < cap && depth < WEIGHT_DEPTH; i++) {
        struct rx_value key, value;
        if (object)
            rx_object_entry(v, i, &key, &value);
        else
            value = v.u.list->items[i];
        weight += weigh(value, cap - weight, depth + 1);
    }
    return weight;
}

uint64_t rx_run_weight(struct rx_value v, uint64_t cap) { return weigh(v, cap, 0); }

static int absent(struct rx_expr *e) { return rx_run_fail(e, -ENODATA, 0, rx_null(), rx_null()); }

/* Keeps what was just made; RX_NULL means that memory ran out. */
static int give(struct rx_expr *e, struct rx_value made, struct rx_value *ret)
{
    if (made.kind == RX_NULL || rx_run_keep(e, made) < 0)
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
    *ret = made;
    return 0;
}

static struct rx_value static_text(const char *text)
{
    uint32_t length = 0;
    while (text[length])
        length++;
    return rx_string_static(text, length);
}

static int window_of(struct rx_expr *e, const struct rx_mark *mark, struct rx_value *ret)
{
    struct rx_object_builder window;
    rx_object_init(&window, e->heap);
    rx_object_put_take(&window, static_text("start"), rx_timestamp(mark->start));
    rx_object_put_take(&window, static_text("end"), rx_timestamp(mark->end));
    return give(e, rx_object_finish(&window), ret);
}

static bool is_window(const struct rx_expr *e, const struct rx_access *access)
{
    const struct rx_event *event = e->env->event;
    return access->from_mark && rx_mark_has_window(event->mark) &&
           rx_value_equal(rx_run_key(access->key), static_text("window"));
}

static const struct rx_value *mark_entry(const struct rx_expr *e, const struct rx_access *access)
{
    const struct rx_event *event = e->env->event;
    if (!access->from_mark || !event || !event->mark)
        return NULL;
    return rx_object_get(event->mark->key, rx_run_key(access->key));
}

/* A name that the event lacks: a group's key, the window, a type. */
int rx_run_name(struct rx_expr *e, const struct rx_access *access, struct rx_value *ret)
{
    const struct rx_value *found = mark_entry(e, access);
    if (found) {
        *ret = *found;
        return 0;
    }
    if (e->env->event && is_window(e, access))
        return window_of(e, e->env->event->mark, ret);
    if (!access->is_type)
        return absent(e);
    *ret = access->fallback;
    return 0;
}

bool rx_run_has_field(const struct rx_expr *e, const struct rx_value *found, const struct rx_access *access)
{
    return found || mark_entry(e, access) || (e->env->event && is_window(e, access));
}

/* ---- meta ---- */

static const char *const meta_names[] = {"source", "topic", "key", "retained"};

/* The key of the innermost scope: the value itself where there is one, else the record of them. */
static bool meta_key(const struct rx_event *event, struct rx_value *ret)
{
    struct rx_value name;
    if (!event->mark || event->mark->key.kind == RX_NULL)
        return false;
    *ret = event->mark->key;
    if (rx_object_count(*ret) == 1)
        rx_object_entry(event->mark->key, 0, &name, ret);
    return true;
}

static bool meta_field(const struct rx_event *event, unsigned index, struct rx_value *ret)
{
    if (!event)
        return false;
    if (index == 2)
        return meta_key(event, ret);
    const struct rx_value *found = rx_object_get(event->meta, static_text(meta_names[index]));
    if (found)
        *ret = *found;
    return found;
}

static int meta_whole(struct rx_expr *e, struct rx_value *ret)
{
    struct rx_object_builder meta;
    rx_object_init(&meta, e->heap);
    for (unsigned i = 0; i < 4; i++) {
        struct rx_value value;
        if (meta_field(e->env->event, i, &value))
            rx_object_put_take(&meta, static_text(meta_names[i]), rx_value_ref(value));
    }
    return give(e, rx_object_finish(&meta), ret);
}

int rx_run_environment(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    const struct rx_expr_env *env = e->env;
    switch ((enum rx_op)ins->op) {
    case OP_EVENT:
        if (!env->event)
            return absent(e);
        *ret = env->event->value;
        return 0;
    case OP_EVENT_TIME:
        if (!env->event)
            return absent(e);
        *ret = rx_timestamp(env->event->time);
        return 0;
    case OP_OUTER:
        if (!env->outer)
            return absent(e);
        *ret = *env->outer;
        return 0;
    case OP_META:
        return meta_whole(e, ret);
    case OP_META_FIELD:
        return meta_field(env->event, ins->x, ret) ? 0 : absent(e);
    case OP_LOCAL:
        if (!env->locals)
            return absent(e);
        *ret = env->locals[ins->x];
        return 0;
    default:
        if (!env->slots)
            return absent(e);
        *ret = env->slots[ins->x];
        return 0;
    }
}

/* ---- selection and indexing ---- */

static bool is_object(struct rx_value v) { return v.kind == RX_RECORD || v.kind == RX_MAP; }

/* The position that a number names in a list of `count`; false: not a whole number, or outside. */
static bool list_position(struct rx_value key, uint32_t count, uint32_t *ret, bool *ret_whole)
{
    *ret_whole = key.kind == RX_INT || key.kind == RX_UINT ||
                 (key.kind == RX_DOUBLE && key.u.d == trunc(key.u.d) && fabs(key.u.d) < 9e15);
    if (!*ret_whole)
        return false;
    uint64_t at = key.kind == RX_DOUBLE ? (key.u.d < 0 ? UINT64_MAX : (uint64_t)key.u.d) : key.u.u;
    if ((key.kind == RX_INT && key.u.i < 0) || at >= count)
        return false;
    *ret = (uint32_t)at;
    return true;
}

/* Finds an element. 1: found, 0: not there, -EINVAL: this cannot be indexed so. */
static int lookup(struct rx_value object, struct rx_value key, const struct rx_value **ret)
{
    uint32_t at;
    bool whole;
    if (is_object(object)) {
        *ret = rx_object_get(object, key);
        return *ret ? 1 : key.kind == RX_NULL ? -EINVAL : 0;
    }
    if (object.kind != RX_LIST)
        return -EINVAL;
    if (list_position(key, object.u.list->count, &at, &whole)) {
        *ret = &object.u.list->items[at];
        return 1;
    }
    return whole ? 0 : -EINVAL;
}

static int no_element(struct rx_expr *e, int found, struct rx_value object, struct rx_value key)
{
    if (object.kind == RX_NULL || key.kind == RX_NULL)
        return rx_run_fail(e, -ENODATA, 2, object, key);
    if (found < 0)
        return rx_run_fail(e, -EINVAL, 2, object, key);
    if (object.kind == RX_LIST)
        return rx_run_fail(e, -ERANGE, 2, object, key);
    return rx_run_fail(e, key.kind == RX_STRING ? -ENODATA : -EINVAL, 2, object, key);
}

int rx_run_index(struct rx_expr *e, struct rx_value object, struct rx_value key, struct rx_value *ret)
{
    const struct rx_value *element;
    if (object.kind == RX_OPTIONAL)
        return rx_run_opt_index(e, object, key, ret);
    if (key.kind == RX_STRING)
        e->steps += key.aux / 64;
    int found = lookup(object, key, &element);
    if (found != 1)
        return no_element(e, found, object, key);
    *ret = *element;
    return 0;
}

int rx_run_select(struct rx_expr *e, struct rx_value object, struct rx_access *access, struct rx_value *ret)
{
    if (object.kind == RX_LIST)
        return rx_run_fail(e, -EINVAL, 1, object, object);
    return rx_run_index(e, object, rx_run_key(access->key), ret);
}

/* Viral: an element of nothing is nothing, of something an optional. */
int rx_run_opt_index(struct rx_expr *e, struct rx_value object, struct rx_value key, struct rx_value *ret)
{
    const struct rx_value *element;
    if (object.kind == RX_OPTIONAL) {
        if (!object.u.optional->present) {
            *ret = rx_optional_none();
            return 0;
        }
        object = object.u.optional->value;
    }
    int found = lookup(object, key, &element);
    if (found < 0)
        return no_element(e, found, object, key);
    if (found)
        return give(e, rx_optional_take(e->heap, rx_value_ref(*element)), ret);
    *ret = rx_optional_none();
    return 0;
}

int rx_run_has(struct rx_expr *e, struct rx_value object, struct rx_value key, struct rx_value *ret)
{
    const struct rx_value *element;
    if (object.kind == RX_OPTIONAL) {
        if (!object.u.optional->present) {
            *ret = rx_bool(false);
            return 0;
        }
        object = object.u.optional->value;
    }
    int found = lookup(object, key, &element);
    if (found < 0)
        return no_element(e, found, object, key);
    *ret = rx_bool(found);
    return 0;
}

int rx_run_in(struct rx_expr *e, struct rx_value needle, struct rx_value container, struct rx_value *ret)
{
    if (is_object(container)) {
        *ret = rx_bool(rx_object_get(container, needle));
        return 0;
    }
    if (container.kind != RX_LIST)
        return rx_run_fail(e, container.kind == RX_NULL ? -ENODATA : -EINVAL, 2, needle, container);
    bool found = false;
    uint64_t each = rx_run_weight(needle, e->budget + 1);
    for (uint32_t i = 0; !found && i < container.u.list->count; i++) {
        found = rx_value_equal(needle, container.u.list->items[i]);
        if ((e->steps += each) > e->budget)
            return rx_run_fail(e, -ETIME, 0, rx_null(), rx_null());
    }
    *ret = rx_bool(found);
    return 0;
}
