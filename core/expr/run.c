/* The interpreter: register code over one event. Registers borrow; what an evaluation makes is kept in `temps`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/run.h"

void rx_failure_clear(struct rx_failure *failure)
{
    for (unsigned i = 0; i < failure->count; i++)
        rx_value_unref(failure->values[i]);
    failure->count = 0;
    failure->code = 0;
    failure->detail[0] = '\0';
}

int rx_run_fail(struct rx_expr *e, int code, unsigned count, struct rx_value a, struct rx_value b)
{
    struct rx_failure *failure = &e->failures[0];
    rx_failure_clear(failure);
    failure->code = code;
    failure->count = (uint8_t)count;
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

int rx_run_keep(struct rx_expr *e, struct rx_value value)
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
    return rx_run_fail(e, v.kind == RX_NULL ? -ENODATA : -EINVAL, 1, v, v);
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
        return rx_run_fail(e, both & RX_K_NULL ? -ENODATA : -EINVAL, 2, a, b);
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
    const struct rx_event *event = e->env->event;
    if (!event)
        return NULL;
    if (event->value.kind == RX_RECORD)
        return rx_record_get(event->value.u.record, access->key, &access->cache);
    return event->value.kind == RX_MAP ? rx_object_get(event->value, rx_run_key(access->key)) : NULL;
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
        code = rx_run_binary(e, O_##name, R(a), R(b), &R(dst));                                                        \
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
        switch ((enum rx_op)ins->op) {
        case OP_MOVE:
            R(dst) = R(a);
            continue;
        case OP_FIELD:
            found = record ? cached(record, &e->accesses[ins->x]) : field(e, &e->accesses[ins->x]);
            if (found) {
                R(dst) = *found;
                continue;
            }
            code = rx_run_fail(e, -ENODATA, 0, rx_null(), rx_null());
            break;
        case OP_NAME:
            found = field(e, &e->accesses[ins->x]);
            if (found)
                R(dst) = *found;
            else
                code = rx_run_name(e, &e->accesses[ins->x], &R(dst));
            break;
        case OP_EVENT:
        case OP_EVENT_TIME:
        case OP_OUTER:
        case OP_META:
        case OP_META_FIELD:
        case OP_LOCAL:
        case OP_SLOT:
            code = rx_run_environment(e, ins, &R(dst));
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
            code = rx_run_select(e, R(a), &e->accesses[ins->x], &R(dst));
            break;
        case OP_OPT_SELECT:
            code = rx_run_opt_index(e, R(a), rx_run_key(e->accesses[ins->x].key), &R(dst));
            break;
        case OP_HAS_FIELD:
            R(dst) = rx_bool(rx_run_has_field(e, field(e, &e->accesses[ins->x]), &e->accesses[ins->x]));
            break;
        case OP_HAS_SELECT:
            code = rx_run_has(e, R(a), rx_run_key(e->accesses[ins->x].key), &R(dst));
            break;
        case OP_HAS_INDEX:
            code = rx_run_has(e, R(a), R(b), &R(dst));
            break;
        case OP_INDEX:
            code = rx_run_index(e, R(a), R(b), &R(dst));
            break;
        case OP_OPT_INDEX:
            code = rx_run_opt_index(e, R(a), R(b), &R(dst));
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
                code = rx_run_fail(e, R(a).kind == RX_NULL ? -ENODATA : code, 1, R(a), R(a));
            break;
            ARITHMETIC(ADD, +)
            ARITHMETIC(SUB, -)
            ARITHMETIC(MUL, *)
            ARITHMETIC(DIV, /)
        case OP_MOD:
            code = rx_run_binary(e, O_MOD, R(a), R(b), &R(dst));
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
            code = rx_run_in(e, R(a), R(b), &R(dst));
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
            code = rx_run_build(e, ins, &R(dst));
            break;
        case OP_CALL:
            code = rx_run_call(e, ins, &R(dst));
            break;
        case OP_LOOP:
            code = rx_run_loop(e, ins);
            break;
        case OP_NEXT:
        case OP_NEXT2:
            code = rx_run_next(e, ins);
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
            code = rx_run_collect(e, ins);
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
            code = rx_run_end(e, ins, &R(dst));
            break;
        case OP_UNWRAP:
            if (R(a).kind != RX_OPTIONAL)
                code = rx_run_fail(e, R(a).kind == RX_NULL ? -ENODATA : -EINVAL, 1, R(a), R(a));
            else if (R(a).u.optional->present)
                R(dst) = R(a).u.optional->value;
            else
                ins = e->code + ins->x - 1;
            break;
        case OP_NEED_OPT:
            if (R(a).kind != RX_OPTIONAL)
                code = rx_run_fail(e, R(a).kind == RX_NULL ? -ENODATA : -EINVAL, 1, R(a), R(a));
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
        rx_run_drop(&e->loops[i]);
}

/* Copies word by word: a result was just stored as two words, and one vector load would wait for both to be written. */
static inline void give(const struct rx_value *from, struct rx_value *ret)
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
        give(value, ret);
        rx_value_ref(*value);
    }
    if (e->temp_count)
        rx_expr_release_temps(e, 0);
    if (e->loop_count > 1)
        drop_loops(e);
    return r;
}
