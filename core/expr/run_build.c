/* The interpreter's making side: arithmetic beyond doubles, joined texts and lists, literals, calls. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/run.h"

static int give(struct rx_expr *e, struct rx_value made, struct rx_value *ret)
{
    if (made.kind == RX_NULL || rx_run_keep(e, made) < 0)
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
    *ret = made;
    return 0;
}

static int charge(struct rx_expr *e, uint64_t steps)
{
    e->steps += steps;
    return e->steps > e->budget ? rx_run_fail(e, -ETIME, 0, rx_null(), rx_null()) : 0;
}

/* ---- joining ---- */

static int join_bytes(struct rx_expr *e, struct rx_value a, struct rx_value b, struct rx_value *ret)
{
    size_t size = (size_t)a.aux + b.aux;
    if (charge(e, size / 16) < 0)
        return -ETIME;
    struct rx_block *block = size < UINT32_MAX ? rx_block_alloc(e->heap, size ? size : 1, RX_CONTENT_LEAF) : NULL;
    if (!block)
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
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
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
    struct rx_list *list = rx_block_data(block);
    *list = (struct rx_list){.count = count};
    for (uint32_t i = 0; i < count; i++)
        list->items[i] = rx_value_ref(i < left ? a.u.list->items[i] : b.u.list->items[i - left]);
    return give(e, rx_block_value(block, RX_LIST, list, 0), ret);
}

int rx_run_binary(struct rx_expr *e, enum rx_operator_code op, struct rx_value a, struct rx_value b,
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
    return rx_run_fail(e, a.kind == RX_NULL || b.kind == RX_NULL ? -ENODATA : r, 2, a, b);
}

/* ---- literals ---- */

static int build_list(struct rx_expr *e, const struct rx_value *items, uint32_t count, bool optionals,
                      struct rx_value *ret)
{
    struct rx_block *block =
        rx_block_alloc(e->heap, sizeof(struct rx_list) + count * sizeof(struct rx_value), RX_CONTENT_LIST);
    if (!block)
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
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
            r = rx_run_fail(e, key.kind == RX_NULL ? -ENODATA : -EINVAL, 1, key, key);
        else if (is_repeated(pairs, i, optionals) || charge(e, i) < 0)
            r = rx_run_fail(e, e->steps > e->budget ? -ETIME : -EINVAL, 1, key, key);
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
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
    struct rx_record *record = rx_block_data(block);
    *record = (struct rx_record){.shape = e->shapes[ins->y]};
    const struct rx_value *values = &e->r[ins->a];
    for (uint32_t i = 0; i < count; i++)
        record->values[i] = rx_value_ref(values[i]);
    return give(e, rx_block_value(block, RX_RECORD, record, 0), ret);
}

int rx_run_build(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    const struct rx_value *first = &e->r[ins->a];
    switch ((enum rx_op)ins->op) {
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
    va_list args;
    va_start(args, format);
    vsnprintf(failure->detail, sizeof failure->detail, format, args);
    va_end(args);
    call->expr->failed = true;
    return code;
}

struct rx_value rx_call_string(struct rx_call *call, const char *text, size_t length)
{
    return rx_string(call->heap, text, length);
}

static rx_kinds allowed_kinds(const struct rx_function *f, unsigned i)
{
    return f->args[i < 4 ? i : 3] ? f->args[i < 4 ? i : 3] : RX_K_ALL;
}

/* The first argument that the function cannot take; -1: none. */
static int misfit(const struct rx_function *f, const struct rx_value *args, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!(rx_kinds_of(args[i]) & allowed_kinds(f, i)) || (args[i].kind == RX_NULL && !(f->style & RX_F_NULLS)))
            return (int)i;
    return -1;
}

int rx_run_call(struct rx_expr *e, const struct rx_ins *ins, struct rx_value *ret)
{
    const struct rx_function *f = e->functions[ins->x];
    const struct rx_value *args = &e->r[ins->a];
    struct rx_call call = {e, e->heap, f};
    struct rx_value made = rx_null();
    int bad = misfit(f, args, ins->n);
    if (bad >= 0)
        return rx_run_fail(e, args[bad].kind == RX_NULL ? -ENODATA : -EINVAL, 1, args[bad], args[bad]);
    uint64_t work = 1;
    for (unsigned i = 0; i < ins->n; i++)
        work += rx_run_size(args[i]);
    if (charge(e, work) < 0)
        return -ETIME;
    e->failures[0].code = 0;
    int r = f->call(&call, args, ins->n, &made);
    if (r < 0)
        return e->failures[0].code == r ? r : rx_run_fail(e, r, ins->n > 1 ? 2 : ins->n, args[0], args[ins->n > 1]);
    if (rx_run_keep(e, made) < 0)
        return rx_run_fail(e, -ENOMEM, 0, rx_null(), rx_null());
    *ret = made;
    return 0;
}
