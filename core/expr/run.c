/* The interpreter: register code over one event. Registers borrow; what an evaluation makes is kept in `temps`.
 *
 * In order: failures and what is kept; weights; reading (names, surroundings, elements); making (arithmetic beyond doubles,
 * literals, calls); loops; and the instructions. Each part answers 0, or a negative errno with the failure noted. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/internal.h"

/* What an instruction calls stays out of the interpreter's loop, whose registers it would take. */
#define SLOW __attribute__((noinline))

/* ---- failures, and what is kept ---- */

void rx_failure_clear(struct rx_failure *failure)
{
    for (unsigned i = 0; i < failure->count; i++)
        rx_value_unref(failure->values[i]);
    failure->count = 0;
    failure->code = 0;
    failure->detail[0] = '\0';
}

static SLOW int fail(struct rx_expr *e, int code, unsigned count, struct rx_value a, struct rx_value b)
{
    struct rx_failure *failure = &e->failures[0];
    rx_failure_clear(failure);
    failure->code = code;
    failure->count = (uint8_t)count;
    failure->function = NULL;
    failure->values[0] = count ? rx_value_ref(a) : rx_null();
    failure->values[1] = count > 1 ? rx_value_ref(b) : rx_null();
    e->failed = true;
    return code;
}

static struct rx_value failed_value(uint32_t slot) { return (struct rx_value){.kind = RX_KIND_FAILED, .u.u = slot}; }

static void move_failure(struct rx_expr *e, uint32_t to, uint32_t from)
{
    if (to == from)
        return;
    rx_failure_clear(&e->failures[to]);
    e->failures[to] = e->failures[from];
    e->failures[from].count = 0;
    e->failures[from].code = 0;
}

static SLOW int keep(struct rx_expr *e, struct rx_value value)
{
    if (!rx_is_counted(value))
        return 0;
    if (e->temp_count == e->temp_capacity) {
        size_t capacity = e->temp_capacity ? 2 * e->temp_capacity : 16;
        struct rx_value *temps = realloc(e->temps, capacity * sizeof *temps);
        if (!temps) {
            rx_value_unref(value);
            return -ENOMEM;
        }
        e->temps = temps;
        e->temp_capacity = capacity;
    }
    e->temps[e->temp_count++] = value;
    return 0;
}

void rx_expr_release_temps(struct rx_expr *e, size_t mark)
{
    while (e->temp_count > mark)
        rx_value_unref(e->temps[--e->temp_count]);
}

/* Keeps what was just made and is small; RX_NULL means that memory ran out. */
static int give_small(struct rx_expr *e, struct rx_value made, struct rx_value *ret)
{
    if (made.kind == RX_NULL || keep(e, made) < 0)
        return fail(e, -ENOMEM, 0, rx_null(), rx_null());
    *ret = made;
    return 0;
}

/* The same, of any size: what would be too large is refused as memory is. */
static int give(struct rx_expr *e, struct rx_value made, struct rx_value *ret)
{
    if (made.kind >= RX_LIST && !rx_value_fits(e->heap, made)) {
        rx_value_unref(made);
        made = rx_null();
    }
    return give_small(e, made, ret);
}

static int charge(struct rx_expr *e, uint64_t steps)
{
    e->steps += steps;
    return e->steps > e->budget ? fail(e, -ETIME, 0, rx_null(), rx_null()) : 0;
}

/* ---- weights: the steps that a value costs ---- */

/* The steps that going through a value takes. */
static uint64_t size_of(struct rx_value v)
{
    switch (v.kind) {
    case RX_STRING:
    case RX_BYTES:
        return v.aux / 16;
    case RX_LIST:
        return v.u.list->count;
    case RX_MAP:
    case RX_RECORD:
        return rx_object_count(v);
    default:
        return 1;
    }
}

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

/* ---- names ---- */

static inline struct rx_value key_text(const struct rx_key *key) { return rx_string_static(key->text, key->length); }

static int absent(struct rx_expr *e) { return fail(e, -ENODATA, 0, rx_null(), rx_null()); }

static struct rx_value static_text(const char *text)
{
    uint32_t length = 0;
    while (text[length])
        length++;
    return rx_string_static(text, length);
}

static int window_of(struct rx_expr *e, const struct rx_mark *mark, struct rx_value *ret)
{
    return give(e, rx_mark_window(e->heap, mark), ret);
}

static bool is_window(const struct rx_expr *e, const struct rx_access *access)
{
    const struct rx_event *event = e->env->event;
    return access->from_mark && rx_mark_has_window(event->mark) &&
           rx_value_equal(key_text(access->key), static_text("window"));
}

static const struct rx_value *mark_entry(const struct rx_expr *e, const struct rx_access *access)
{
    const struct rx_event *event = e->env->event;
    if (!access->from_mark || !event || !event->mark)
        return NULL;
    return rx_object_get(event->mark->key, key_text(access->key));
}

/* A name that the event lacks: a group's key, the window, a type. */
static SLOW int read_name(struct rx_expr *e, const struct rx_access *access, struct rx_value *ret)
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

static SLOW bool has_field(const struct rx_expr *e, const struct rx_value *found, const struct rx_access *access)
{
    return found || mark_entry(e, access) || (e->env->event && is_window(e, access));
}

/* ---- meta ---- */

static const char *const meta_names[] = {"source", "topic", "key", "retained", "status"};
enum { META_NAMES = sizeof meta_names / sizeof *meta_names };

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
    for (unsigned i = 0; i < META_NAMES; i++) {
        struct rx_value value;
        if (meta_field(e->env->event, i, &value))
            rx_object_put_take(&meta, static_text(meta_names[i]), rx_value_ref(value));
    }
    return give(e, rx_object_finish(&meta), ret);
}

static SLOW int read_environment(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    const struct rx_expr_env *env = e->env;
    switch ((enum rx_opcode)ins->op) {
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
        return fail(e, -ENODATA, 2, object, key);
    if (found < 0)
        return fail(e, -EINVAL, 2, object, key);
    if (object.kind == RX_LIST)
        return fail(e, -ERANGE, 2, object, key);
    return fail(e, key.kind == RX_STRING ? -ENODATA : -EINVAL, 2, object, key);
}

/* What is in an optional, and anything else itself; false: nothing is. */
static bool unwrap(struct rx_value *value)
{
    if (value->kind != RX_OPTIONAL)
        return true;
    if (!value->u.optional->present)
        return false;
    *value = value->u.optional->value;
    return true;
}

/* Viral: an element of nothing is nothing, of something an optional. */
static SLOW int index_optional(struct rx_expr *e, struct rx_value object, struct rx_value key, struct rx_value *ret)
{
    const struct rx_value *element;
    if (!unwrap(&object)) {
        *ret = rx_optional_none();
        return 0;
    }
    int found = lookup(object, key, &element);
    if (found < 0)
        return no_element(e, found, object, key);
    if (found)
        return give(e, rx_optional_take(e->heap, rx_value_ref(*element)), ret);
    *ret = rx_optional_none();
    return 0;
}

static SLOW int index_element(struct rx_expr *e, struct rx_value object, struct rx_value key, struct rx_value *ret)
{
    const struct rx_value *element;
    if (object.kind == RX_OPTIONAL)
        return index_optional(e, object, key, ret);
    if (key.kind == RX_STRING)
        e->steps += key.aux / 64;
    int found = lookup(object, key, &element);
    if (found != 1)
        return no_element(e, found, object, key);
    *ret = *element;
    return 0;
}

static SLOW int select_field(struct rx_expr *e, struct rx_value object, struct rx_access *access, struct rx_value *ret)
{
    if (object.kind == RX_LIST)
        return fail(e, -EINVAL, 1, object, object);
    return index_element(e, object, key_text(access->key), ret);
}

static SLOW int has_element(struct rx_expr *e, struct rx_value object, struct rx_value key, struct rx_value *ret)
{
    const struct rx_value *element;
    if (!unwrap(&object)) {
        *ret = rx_bool(false);
        return 0;
    }
    int found = lookup(object, key, &element);
    if (found < 0)
        return no_element(e, found, object, key);
    *ret = rx_bool(found);
    return 0;
}

static SLOW int is_in(struct rx_expr *e, struct rx_value needle, struct rx_value container, struct rx_value *ret)
{
    if (is_object(container)) {
        *ret = rx_bool(rx_object_get(container, needle));
        return 0;
    }
    if (container.kind != RX_LIST)
        return fail(e, container.kind == RX_NULL ? -ENODATA : -EINVAL, 2, needle, container);
    bool found = false;
    uint64_t each = rx_run_weight(needle, e->budget + 1);
    for (uint32_t i = 0; !found && i < container.u.list->count; i++) {
        found = rx_value_equal(needle, container.u.list->items[i]);
        if ((e->steps += each) > e->budget)
            return fail(e, -ETIME, 0, rx_null(), rx_null());
    }
    *ret = rx_bool(found);
    return 0;
}

/* ---- joining ---- */

static int join_bytes(struct rx_expr *e, struct rx_value a, struct rx_value b, struct rx_value *ret)
{
    size_t size = (size_t)a.aux + b.aux;
    if (charge(e, size / 16) < 0)
        return -ETIME;
    struct rx_block *block = size < UINT32_MAX ? rx_block_alloc(e->heap, size ? size : 1, RX_CONTENT_LEAF) : NULL;
    if (!block)
        return fail(e, -ENOMEM, 0, rx_null(), rx_null());
    char *out = rx_block_data(block);
    memcpy(out, a.u.text, a.aux);
    memcpy(out + a.aux, b.u.text, b.aux);
    return give(e, rx_block_value(block, (enum rx_kind)a.kind, out, (uint32_t)size), ret);
}

static int join_lists(struct rx_expr *e, struct rx_value a, struct rx_value b, struct rx_value *ret)
{
    uint32_t left = a.u.list->count, count = left + b.u.list->count;
    if (charge(e, count) < 0)
        return -ETIME;
    struct rx_block *block =
        rx_block_alloc(e->heap, sizeof(struct rx_list) + count * sizeof(struct rx_value), RX_CONTENT_LIST);
    if (!block)
        return fail(e, -ENOMEM, 0, rx_null(), rx_null());
    struct rx_list *list = rx_block_data(block);
    *list = (struct rx_list){.count = count};
    for (uint32_t i = 0; i < count; i++)
        list->items[i] = rx_value_ref(i < left ? a.u.list->items[i] : b.u.list->items[i - left]);
    return give(e, rx_block_value(block, RX_LIST, list, 0), ret);
}

static SLOW int binary(struct rx_expr *e, enum rx_operator_code op, struct rx_value a, struct rx_value b,
                       struct rx_value *ret)
{
    if (op == O_ADD && a.kind == b.kind && a.kind >= RX_STRING) {
        if (a.kind == RX_STRING || a.kind == RX_BYTES)
            return join_bytes(e, a, b, ret);
        if (a.kind == RX_LIST)
            return join_lists(e, a, b, ret);
    }
    int r = rx_arith(op, a, b, ret);
    if (r == 0)
        return 0;
    return fail(e, a.kind == RX_NULL || b.kind == RX_NULL ? -ENODATA : r, 2, a, b);
}

/* ---- literals ---- */

static int build_list(struct rx_expr *e, const struct rx_value *items, uint32_t count, bool optionals,
                      struct rx_value *ret)
{
    struct rx_block *block =
        rx_block_alloc(e->heap, sizeof(struct rx_list) + count * sizeof(struct rx_value), RX_CONTENT_LIST);
    if (!block)
        return fail(e, -ENOMEM, 0, rx_null(), rx_null());
    struct rx_list *list = rx_block_data(block);
    *list = (struct rx_list){0};
    for (uint32_t i = 0; i < count; i++) {
        if (!optionals)
            list->items[list->count++] = rx_value_ref(items[i]);
        else if (items[i].u.optional->present)
            list->items[list->count++] = rx_value_ref(items[i].u.optional->value);
    }
    return give(e, rx_block_value(block, RX_LIST, list, 0), ret);
}

static bool is_key(struct rx_value v)
{
    return v.kind == RX_STRING || v.kind == RX_INT || v.kind == RX_UINT || v.kind == RX_BOOL;
}

/* Has the builder this key already? */
static bool is_repeated(const struct rx_value *pairs, uint32_t at, bool optionals)
{
    for (uint32_t i = 0; i < at; i++)
        if ((!optionals || pairs[2 * i + 1].u.optional->present) && rx_value_equal(pairs[2 * i], pairs[2 * at]))
            return true;
    return false;
}

static int build_map(struct rx_expr *e, const struct rx_value *pairs, uint32_t count, bool optionals,
                     struct rx_value *ret)
{
    struct rx_object_builder map;
    rx_object_init(&map, e->heap);
    for (uint32_t i = 0; i < count; i++) {
        struct rx_value key = pairs[2 * i], value = pairs[2 * i + 1];
        int r = 0;
        if (!is_key(key))
            r = fail(e, key.kind == RX_NULL ? -ENODATA : -EINVAL, 1, key, key);
        else if (is_repeated(pairs, i, optionals) || charge(e, i) < 0)
            r = fail(e, e->steps > e->budget ? -ETIME : -EINVAL, 1, key, key);
        if (r < 0) {
            rx_object_abort(&map);
            return r;
        }
        if (optionals && !value.u.optional->present)
            continue;
        rx_object_put_take(&map, rx_value_ref(key), rx_value_ref(optionals ? value.u.optional->value : value));
    }
    return give(e, rx_object_finish(&map), ret);
}

static int build_record(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    uint32_t count = ins->x;
    struct rx_block *block =
        rx_block_alloc(e->heap, sizeof(struct rx_record) + count * sizeof(struct rx_value), RX_CONTENT_RECORD);
    if (!block)
        return fail(e, -ENOMEM, 0, rx_null(), rx_null());
    struct rx_record *record = rx_block_data(block);
    *record = (struct rx_record){.shape = rx_shape_ref(e->shapes[ins->y])};
    const struct rx_value *values = &e->r[ins->a];
    bool flat = true; /* of scalars and short texts, and so within all bounds */
    for (uint32_t i = 0; i < count; i++) {
        record->values[i] = rx_value_ref(values[i]);
        flat &= values[i].kind < RX_STRING || (values[i].kind < RX_LIST && values[i].aux < 65536);
    }
    struct rx_value made = rx_block_value(block, RX_RECORD, record, 0);
    return flat ? give_small(e, made, ret) : give(e, made, ret);
}

static SLOW int build(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    const struct rx_value *first = &e->r[ins->a];
    switch ((enum rx_opcode)ins->op) {
    case OP_RECORD:
        return build_record(e, ins, ret);
    case OP_LIST:
    case OP_LIST_OPT:
        return build_list(e, first, ins->x, ins->op == OP_LIST_OPT, ret);
    case OP_SOME:
        return give(e, rx_optional_take(e->heap, rx_value_ref(*first)), ret);
    default:
        return build_map(e, first, ins->x, ins->op == OP_MAP_OPT, ret);
    }
}

/* ---- calls ---- */

int rx_call_charge(struct rx_call *call, uint64_t steps) { return charge(call->expr, steps); }

int rx_call_fail(struct rx_call *call, int code, const char *format, ...)
{
    struct rx_failure *failure = &call->expr->failures[0];
    rx_failure_clear(failure);
    failure->code = code;
    char text[2 * sizeof failure->detail];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    failure->detail[rx_utf8_mend(text, strlen(text), failure->detail, sizeof failure->detail - 1)] =
        '\0'; /* may be torn */
    call->expr->failed = true;
    return code;
}

struct rx_value rx_call_string(struct rx_call *call, const char *text, size_t length)
{
    return rx_string(call->heap, text, length);
}

/* The first argument that the function cannot take; -1: none. */
static int misfit(const struct rx_function *f, const struct rx_value *args, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!(rx_kinds_of(args[i]) & rx_function_takes(f, i)) || (args[i].kind == RX_NULL && !(f->style & RX_F_NULLS)))
            return (int)i;
    return -1;
}

static SLOW int call_function(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    const struct rx_function *f = e->functions[ins->x];
    const struct rx_value *args = &e->r[ins->a];
    struct rx_call call = {e, e->heap, f};
    struct rx_value made = rx_null();
    int bad = misfit(f, args, ins->n);
    while (bad == 0 && rx_function_overload(f)) {
        call.function = f = rx_function_overload(f);
        bad = misfit(f, args, ins->n);
    }
    if (bad >= 0) {
        fail(e, args[bad].kind == RX_NULL ? -ENODATA : -EINVAL, 1, args[bad], args[bad]);
        e->failures[0].argument = (uint8_t)bad;
        e->failures[0].function = f;
        return e->failures[0].code;
    }
    uint64_t work = 1;
    for (unsigned i = 0; i < ins->n; i++)
        work += size_of(args[i]);
    if (charge(e, work) < 0)
        return -ETIME;
    e->failures[0].code = 0;
    int r = f->call(&call, args, ins->n, &made);
    if (r < 0)
        return e->failures[0].code == r ? r : fail(e, r, ins->n > 1 ? 2 : ins->n, args[0], args[ins->n > 1]);
    if (made.kind >= RX_LIST)
        return give(e, made, ret);
    if (keep(e, made) < 0)
        return fail(e, -ENOMEM, 0, rx_null(), rx_null());
    *ret = made;
    return 0;
}

/* ---- loops: going through lists and maps, gathering lists and maps, within the budget ---- */

void rx_loop_drop(struct rx_loop *loop)
{
    for (uint32_t i = 0; i < loop->item_count; i++)
        rx_value_unref(loop->items[i]);
    loop->item_count = 0;
    if (loop->building)
        rx_object_abort(&loop->object);
    loop->building = false;
}

static SLOW int begin_loop(struct rx_expr *e, const struct rx_ins *ins)
{
    struct rx_loop *loop = &e->loops[ins->x];
    struct rx_value range = e->r[ins->a];
    if (range.kind != RX_LIST && range.kind != RX_MAP && range.kind != RX_RECORD)
        return fail(e, range.kind == RX_NULL ? -ENODATA : -EINVAL, 1, range, range);
    rx_loop_drop(loop);
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

static int next_turn(struct rx_expr *e, const struct rx_ins *ins)
{
    struct rx_loop *loop = &e->loops[ins->x];
    struct rx_value *r = e->r, key, value;
    rx_expr_release_temps(e, loop->mark);
    if (loop->at == loop->count)
        return 1;
    e->steps += ins->y - (uint32_t)(ins - e->code);
    if (e->steps > e->budget)
        return fail(e, -ETIME, 0, rx_null(), rx_null());
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
            return fail(e, -ENOMEM, 0, rx_null(), rx_null());
        loop->items = items;
        loop->item_capacity = capacity;
    }
    loop->items[loop->item_count++] = rx_value_ref(value);
    return 0;
}

/* A repeated key is found at the end: the object has fewer entries than were put. */
static int put(struct rx_expr *e, struct rx_loop *loop, struct rx_value key, struct rx_value value)
{
    if (!is_key(key))
        return fail(e, key.kind == RX_NULL ? -ENODATA : -EINVAL, 1, key, key);
    if (++e->steps > e->budget)
        return fail(e, -ETIME, 0, rx_null(), rx_null());
    rx_object_put_take(&loop->object, rx_value_ref(key), rx_value_ref(value));
    loop->acc.u.i++;
    return 0;
}

static int put_all(struct rx_expr *e, struct rx_loop *loop, struct rx_value entries)
{
    if (entries.kind != RX_MAP && entries.kind != RX_RECORD)
        return fail(e, entries.kind == RX_NULL ? -ENODATA : -EINVAL, 1, entries, entries);
    for (uint32_t i = 0; i < rx_object_count(entries); i++) {
        struct rx_value key, value;
        rx_object_entry(entries, i, &key, &value);
        int r = put(e, loop, key, value);
        if (r < 0)
            return r;
    }
    return 0;
}

static SLOW int collect(struct rx_expr *e, const struct rx_ins *ins)
{
    struct rx_loop *loop = &e->loops[ins->x];
    if (ins->op == OP_APPEND)
        return append(e, loop, e->r[ins->a]);
    return ins->op == OP_PUT ? put(e, loop, e->r[ins->a], e->r[ins->b]) : put_all(e, loop, e->r[ins->a]);
}

static int end_sorted(struct rx_expr *e, struct rx_loop *loop)
{
    uint32_t count = loop->item_count / 2;
    e->steps += (uint64_t)count * 16;
    if (e->steps > e->budget)
        return fail(e, -ETIME, 0, rx_null(), rx_null());
    struct rx_value *pairs = malloc((count + 1) * 4 * sizeof *pairs);
    if (!pairs)
        return fail(e, -ENOMEM, 0, rx_null(), rx_null());
    for (uint32_t i = 0; i < 2 * count; i++)
        pairs[i] = loop->items[i];
    const struct rx_value *sorted = rx_values_sort(pairs, pairs + 2 * (size_t)count, count, 2);
    for (uint32_t i = 0; sorted && i < count; i++) {
        loop->items[i] = sorted[2 * i];
        loop->items[count + i] = sorted[2 * i + 1];
    }
    free(pairs);
    if (!sorted)
        return fail(e, -EINVAL, 1, loop->range, rx_null());
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

static SLOW int end_loop(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
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
    if ((r = give(e, made, &made)) < 0)
        return r;
    if (ins->op == OP_END_MAP && rx_object_count(made) < loop->acc.u.i)
        return fail(e, -EINVAL, 1, loop->range, rx_null());
    *ret = made;
    return 0;
}

/* ---- instructions ---- */

/* Where a failure at `pc` goes on; UINT32_MAX: nowhere. */
static uint32_t find_handler(struct rx_expr *e, uint32_t pc)
{
    int code = e->failures[0].code;
    if (code == -ETIME || code == -ENOMEM)
        return UINT32_MAX;
    for (uint32_t i = 0; i < e->handler_count; i++) {
        const struct rx_handler *h = &e->handlers[i];
        if (pc < h->start || pc >= h->end || (h->nodata_only && code != -ENODATA))
            continue;
        if (h->slot)
            move_failure(e, h->slot, 0);
        if (h->reg != INT16_MIN)
            e->r[h->reg] = failed_value(h->slot);
        return h->target;
    }
    return UINT32_MAX;
}

static bool is_bool(struct rx_value v) { return v.kind == RX_BOOL; }

/* A value where true or false must stand. */
static int not_bool(struct rx_expr *e, struct rx_value v)
{
    return fail(e, v.kind == RX_NULL ? -ENODATA : -EINVAL, 1, v, v);
}

/* The left side of && or || is not a bool: it waits like a failure. */
static struct rx_value hold_not_bool(struct rx_expr *e, const struct rx_ins *ins, struct rx_value v)
{
    not_bool(e, v);
    e->failures[0].at = (uint32_t)(ins - e->code);
    move_failure(e, ins->y, 0);
    return failed_value(ins->y);
}

/* left is true (for &&; false for ||) or failed; answers the outcome, or fails. */
static int join_logic(struct rx_expr *e, const struct rx_ins *ins, bool decisive)
{
    struct rx_value left = e->r[ins->a], right = e->r[ins->b];
    if (is_bool(right) && right.u.b == decisive) {
        e->r[ins->dst] = right;
        return 0;
    }
    if (left.kind == RX_KIND_FAILED) {
        move_failure(e, 0, (uint32_t)left.u.u);
        return 1; /* keeps its own place */
    }
    if (!is_bool(right))
        return not_bool(e, right);
    e->r[ins->dst] = right;
    return 0;
}

/* The element of all or exists that is neither true nor false. */
static void hold_element(struct rx_expr *e, const struct rx_ins *ins)
{
    not_bool(e, e->r[ins->a]);
    e->failures[0].at = (uint32_t)(ins - e->code);
    move_failure(e, (uint32_t)ins->b, 0);
}

static int end_bool(struct rx_expr *e, const struct rx_ins *ins)
{
    struct rx_value acc = e->loops[ins->x].acc;
    if (is_bool(acc)) {
        e->r[ins->dst] = acc;
        return 0;
    }
    if (e->failures[ins->b].code) {
        move_failure(e, 0, (uint32_t)ins->b);
        return 1;
    }
    e->r[ins->dst] = rx_bool(ins->n);
    return 0;
}

static inline int compare_slow(struct rx_expr *e, struct rx_value a, struct rx_value b, int *ret)
{
    rx_kinds both = rx_kinds_of(a) | rx_kinds_of(b);
    if (a.kind == RX_STRING || a.kind == RX_BYTES)
        e->steps += a.aux / 64;
    int order = rx_value_compare(a, b);
    if (order == 2 && (both & ~RX_K_NUMBER))
        return fail(e, both & RX_K_NULL ? -ENODATA : -EINVAL, 2, a, b);
    *ret = order;
    return 0;
}

static bool equal_slow(struct rx_expr *e, struct rx_value a, struct rx_value b)
{
    if (a.kind >= RX_STRING && b.kind >= RX_STRING)
        e->steps += rx_run_weight(a, e->budget + 1);
    return rx_value_equal(a, b);
}

static inline bool equal(struct rx_expr *e, struct rx_value a, struct rx_value b)
{
    if (a.kind == RX_STRING && b.kind == RX_STRING && a.aux < 256)
        return a.aux == b.aux && memcmp(a.u.text, b.u.text, a.aux) == 0;
    return equal_slow(e, a, b);
}

static inline const struct rx_value *field(const struct rx_expr *e, struct rx_access *access)
{
    return rx_access_find(access, e->env->event);
}

static inline const struct rx_value *cached(const struct rx_record *record, struct rx_access *access)
{
    return rx_record_get(record, access->key, &access->cache);
}

#define R(operand)   r[ins->operand]
#define IS_NUMBER(v) ((v).kind == RX_INT || (v).kind == RX_DOUBLE)
#define NUMBER(v)    ((v).kind == RX_INT ? (double)(v).u.i : (v).u.d)
#define ARITHMETIC(name, sign)                                                                                         \
    case OP_##name:                                                                                                    \
        if (R(a).kind == RX_DOUBLE && R(b).kind == RX_DOUBLE) {                                                        \
            R(dst) = rx_double(R(a).u.d sign R(b).u.d);                                                                \
            continue;                                                                                                  \
        }                                                                                                              \
        if (IS_NUMBER(R(a)) && IS_NUMBER(R(b)) && R(a).kind != R(b).kind) {                                            \
            R(dst) = rx_double(NUMBER(R(a)) sign NUMBER(R(b)));                                                        \
            continue;                                                                                                  \
        }                                                                                                              \
        code = binary(e, O_##name, R(a), R(b), &R(dst));                                                               \
        break;
#define COMPARISON(name, sign)                                                                                         \
    case OP_##name:                                                                                                    \
        if (R(a).kind == RX_DOUBLE && R(b).kind == RX_DOUBLE) {                                                        \
            R(dst) = rx_bool(R(a).u.d sign R(b).u.d);                                                                  \
            continue;                                                                                                  \
        }                                                                                                              \
        if (R(a).kind == RX_INT && R(b).kind == RX_INT) {                                                              \
            R(dst) = rx_bool(R(a).u.i sign R(b).u.i);                                                                  \
            continue;                                                                                                  \
        }                                                                                                              \
        code = compare_slow(e, R(a), R(b), &order);                                                                    \
        R(dst) = rx_bool(order != 2 && order sign 0);                                                                  \
        break;

/* One instruction after another; each fails by leaving a negative `code`, or 1 with the failure's own place. */
static int interpret(struct rx_expr *e, uint32_t start, const struct rx_value **ret)
{
    struct rx_value *const r = e->r;
    const struct rx_ins *ins = e->code + start;
    const struct rx_event *const event = e->env->event;
    const struct rx_record *const record = event && event->value.kind == RX_RECORD ? event->value.u.record : NULL;
    for (;; ins++) {
        int code = 0, order = 2;
        const struct rx_value *found;
        switch ((enum rx_opcode)ins->op) {
        case OP_MOVE:
            R(dst) = R(a);
            continue;
        case OP_FIELD:
            found = record ? cached(record, &e->accesses[ins->x]) : field(e, &e->accesses[ins->x]);
            if (found) {
                R(dst) = *found;
                continue;
            }
            code = fail(e, -ENODATA, 0, rx_null(), rx_null());
            break;
        case OP_NAME:
            found = field(e, &e->accesses[ins->x]);
            if (found)
                R(dst) = *found;
            else
                code = read_name(e, &e->accesses[ins->x], &R(dst));
            break;
        case OP_EVENT:
        case OP_EVENT_TIME:
        case OP_OUTER:
        case OP_META:
        case OP_META_FIELD:
        case OP_LOCAL:
        case OP_SLOT:
            code = read_environment(e, ins, &R(dst));
            break;
        case OP_SELECT:
            if (R(a).kind == RX_RECORD) {
                struct rx_access *access = &e->accesses[ins->x];
                found = rx_record_get(R(a).u.record, access->key, &access->cache);
                if (found) {
                    R(dst) = *found;
                    break;
                }
            }
            code = select_field(e, R(a), &e->accesses[ins->x], &R(dst));
            break;
        case OP_OPT_SELECT:
            code = index_optional(e, R(a), key_text(e->accesses[ins->x].key), &R(dst));
            break;
        case OP_HAS_FIELD:
            R(dst) = rx_bool(has_field(e, field(e, &e->accesses[ins->x]), &e->accesses[ins->x]));
            break;
        case OP_HAS_SELECT:
            code = has_element(e, R(a), key_text(e->accesses[ins->x].key), &R(dst));
            break;
        case OP_HAS_INDEX:
            code = has_element(e, R(a), R(b), &R(dst));
            break;
        case OP_INDEX:
            code = index_element(e, R(a), R(b), &R(dst));
            break;
        case OP_OPT_INDEX:
            code = index_optional(e, R(a), R(b), &R(dst));
            break;
        case OP_NOT:
            if (is_bool(R(a)))
                R(dst) = rx_bool(!R(a).u.b);
            else
                code = not_bool(e, R(a));
            break;
        case OP_NEG:
            code = rx_negate(R(a), &R(dst));
            if (code < 0)
                code = fail(e, R(a).kind == RX_NULL ? -ENODATA : code, 1, R(a), R(a));
            break;
            ARITHMETIC(ADD, +)
            ARITHMETIC(SUB, -)
            ARITHMETIC(MUL, *)
            ARITHMETIC(DIV, /)
        case OP_MOD:
            code = binary(e, O_MOD, R(a), R(b), &R(dst));
            break;
        case OP_EQ:
            R(dst) = rx_bool(equal(e, R(a), R(b)));
            continue;
        case OP_NE:
            R(dst) = rx_bool(!equal(e, R(a), R(b)));
            continue;
            COMPARISON(LT, <)
            COMPARISON(LE, <=)
            COMPARISON(GT, >)
            COMPARISON(GE, >=)
        case OP_IN:
            code = is_in(e, R(a), R(b), &R(dst));
            break;
        case OP_JUMP:
            ins = e->code + ins->x - 1;
            continue;
        case OP_AND_THEN:
            if (!is_bool(R(a))) {
                R(dst) = hold_not_bool(e, ins, R(a));
                break;
            }
            R(dst) = rx_bool(R(a).u.b);
            if (!R(a).u.b)
                ins = e->code + ins->x - 1;
            continue;
        case OP_OR_ELSE:
            if (!is_bool(R(a))) {
                R(dst) = hold_not_bool(e, ins, R(a));
                break;
            }
            R(dst) = rx_bool(R(a).u.b);
            if (R(a).u.b)
                ins = e->code + ins->x - 1;
            continue;
        case OP_AND:
            if (is_bool(R(a)) && is_bool(R(b))) {
                R(dst) = rx_bool(R(b).u.b);
                continue;
            }
            code = join_logic(e, ins, false);
            break;
        case OP_OR:
            if (is_bool(R(a)) && is_bool(R(b))) {
                R(dst) = rx_bool(R(b).u.b);
                continue;
            }
            code = join_logic(e, ins, true);
            break;
        case OP_BRANCH:
        case OP_TEST_KEEP:
            if (!is_bool(R(a))) {
                code = not_bool(e, R(a));
                break;
            }
            if (!R(a).u.b)
                ins = e->code + ins->x - 1;
            continue;
        case OP_IF_PRESENT:
            if (R(a).kind != RX_NULL)
                ins = e->code + ins->x - 1;
            break;
        case OP_LIST:
        case OP_LIST_OPT:
        case OP_MAP:
        case OP_MAP_OPT:
        case OP_RECORD:
        case OP_SOME:
            code = build(e, ins, &R(dst));
            break;
        case OP_CALL:
            code = call_function(e, ins, &R(dst));
            break;
        case OP_LOOP:
            code = begin_loop(e, ins);
            break;
        case OP_NEXT:
        case OP_NEXT2:
            code = next_turn(e, ins);
            if (code > 0) {
                ins = e->code + ins->y - 1;
                code = 0;
            }
            break;
        case OP_TEST_ALL:
        case OP_TEST_EXISTS:
            if (is_bool(R(a)) && R(a).u.b == (ins->op == OP_TEST_EXISTS)) {
                e->loops[ins->x].acc = R(a);
                break;
            }
            if (!is_bool(R(a)))
                hold_element(e, ins);
            ins = e->code + ins->y - 1;
            break;
        case OP_TEST_ONE:
            if (is_bool(R(a)))
                e->loops[ins->x].acc.u.i += R(a).u.b;
            else
                code = not_bool(e, R(a));
            break;
        case OP_APPEND:
        case OP_PUT:
        case OP_PUT_ALL:
            code = collect(e, ins);
            break;
        case OP_END_BOOL:
            code = end_bool(e, ins);
            break;
        case OP_END_ONE:
            R(dst) = rx_bool(e->loops[ins->x].acc.u.i == 1);
            break;
        case OP_END_LIST:
        case OP_END_SORTED:
        case OP_END_MAP:
            code = end_loop(e, ins, &R(dst));
            break;
        case OP_UNWRAP:
            if (R(a).kind != RX_OPTIONAL)
                code = fail(e, R(a).kind == RX_NULL ? -ENODATA : -EINVAL, 1, R(a), R(a));
            else if (R(a).u.optional->present)
                R(dst) = R(a).u.optional->value;
            else
                ins = e->code + ins->x - 1;
            break;
        case OP_NEED_OPT:
            if (R(a).kind != RX_OPTIONAL)
                code = fail(e, R(a).kind == RX_NULL ? -ENODATA : -EINVAL, 1, R(a), R(a));
            break;
        case OP_RETURN:
            *ret = &R(a);
            return 0;
        case OP_COUNT:
            return -EINVAL;
        }
        if (__builtin_expect(code, 0)) {
            uint32_t pc = (uint32_t)(ins - e->code);
            if (code < 0)
                e->failures[0].at = pc;
            uint32_t target = find_handler(e, pc);
            if (target == UINT32_MAX)
                return e->failures[0].code;
            ins = e->code + target - 1;
        }
    }
}

static void drop_loops(struct rx_expr *e)
{
    for (uint32_t i = 0; i < e->loop_count; i++)
        rx_loop_drop(&e->loops[i]);
}

/* Copies word by word: a result was just stored as two words, and one vector load would wait for both to be written. */
static inline void give_out(const struct rx_value *from, struct rx_value *ret)
{
    uint64_t words[2];
    memcpy(&words[0], from, sizeof words[0]);
    memcpy(&words[1], (const char *)from + sizeof words[0], sizeof words[1]);
    __asm__("" : "+r"(words[0]), "+r"(words[1]));
    memcpy(ret, words, sizeof words);
}

int rx_expr_run(struct rx_expr *e, const struct rx_expr_env *env, uint32_t start, struct rx_value *ret)
{
    const struct rx_value *value = NULL;
    e->env = env;
    e->steps = 0;
    int r = interpret(e, start, &value);
    if (r == 0) {
        give_out(value, ret);
        rx_value_ref(*value);
    }
    if (e->temp_count)
        rx_expr_release_temps(e, 0);
    if (e->loop_count > 0)
        drop_loops(e);
    return r;
}
