/* The compiler: a checked tree to register code; constant parts are computed here and now.
 *
 * In order: emission; folding; names, operators and conditions; lists, maps and calls; macros; and the whole. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/compiler.h"

enum { FOLD_BUDGET = 100000, FOLDS_BUDGET = 3 * FOLD_BUDGET }; /* of one constant part, of all that are tried */

static int compile_value(struct rx_compiler *, struct rx_ast *, int16_t dst);

/* ---- emission: instructions, registers, constants, handlers ---- */

void *rx_vector_add(struct rx_compiler *c, struct rx_vector *vector, size_t size)
{
    if (vector->count == vector->capacity) {
        size_t capacity = vector->capacity ? 2 * vector->capacity : 8;
        void *data = realloc(vector->data, capacity * size);
        if (!data) {
            rx_error_set(c->reterr, -ENOMEM, "out of memory");
            return NULL;
        }
        vector->data = data;
        vector->capacity = capacity;
    }
    void *item = (char *)vector->data + vector->count++ * size;
    memset(item, 0, size);
    return item;
}

int rx_compile_failed(struct rx_compiler *c, const struct rx_ast *node, const char *format, ...)
{
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return rx_expr_complain(c->reterr, c->expr->text, c->expr->length, node->at, "%s", message);
}

static uint32_t here(const struct rx_compiler *c) { return (uint32_t)c->code.count; }

static struct rx_ins *code_at(struct rx_compiler *c, int64_t index) { return (struct rx_ins *)c->code.data + index; }

static int64_t emit_at(struct rx_compiler *c, const struct rx_ast *node, struct rx_ins ins)
{
    struct rx_ins *slot = rx_vector_add(c, &c->code, sizeof *slot);
    struct rx_range *place = rx_vector_add(c, &c->places, sizeof *place);
    if (!slot || !place)
        return -ENOMEM;
    *slot = ins;
    *place = (struct rx_range){node->start, node->end};
    c->cost[c->loop_depth < 4 ? c->loop_depth : 4] += 1;
    return (int64_t)c->code.count - 1;
}

static int emit(struct rx_compiler *c, const struct rx_ast *node, struct rx_ins ins)
{
    return emit_at(c, node, ins) < 0 ? -ENOMEM : 0;
}

static int take_register(struct rx_compiler *c, int16_t *ret)
{
    if (c->next_reg >= RX_EXPR_REGISTERS_MAX)
        return rx_error_set(c->reterr, -EINVAL, "the expression has too many parts");
    *ret = (int16_t)c->next_reg++;
    if (c->next_reg > c->max_reg)
        c->max_reg = c->next_reg;
    return 0;
}

static int add_handler(struct rx_compiler *c, struct rx_handler handler)
{
    struct rx_handler *slot = rx_vector_add(c, &c->handlers, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = handler;
    return 0;
}

static bool same_scalar(struct rx_value a, struct rx_value b)
{
    return a.kind == b.kind && a.kind < RX_STRING && a.flags == b.flags && a.aux == b.aux && a.u.u == b.u.u;
}

static int constant_take(struct rx_compiler *c, struct rx_value value, int16_t *ret)
{
    struct rx_value *constants = c->constants.data;
    for (size_t i = 0; i < c->constants.count; i++)
        if (same_scalar(constants[i], value)) {
            *ret = (int16_t)(-1 - (int)i);
            return 0;
        }
    struct rx_value *slot = c->constants.count < RX_EXPR_REGISTERS_MAX
                                ? rx_vector_add(c, &c->constants, sizeof *slot)
                                : (rx_error_set(c->reterr, -EINVAL, "the expression has too many constants"), NULL);
    if (!slot) {
        rx_value_unref(value);
        return -EINVAL;
    }
    *slot = value;
    *ret = (int16_t)(-(int)c->constants.count);
    return 0;
}

const struct rx_key *rx_compiler_key(struct rx_compiler *c, const char *name, size_t length)
{
    const struct rx_key *key = rx_key_keep(c->options->heap, name, length);
    const struct rx_key **slot = key ? rx_vector_add(c, &c->keys, sizeof *slot) : NULL;
    if (slot)
        return *slot = key;
    rx_key_drop(c->options->heap, key);
    rx_error_set(c->reterr, -ENOMEM, "out of memory");
    return NULL;
}

static int access_of(struct rx_compiler *c, const char *name, size_t length, struct rx_access shape, uint32_t *ret)
{
    shape.key = rx_compiler_key(c, name, length);
    if (!shape.key)
        return -ENOMEM;
    shape.is_value = shape.top && rx_access_is_value(name, length);
    struct rx_access *accesses = c->accesses.data;
    for (size_t i = 0; i < c->accesses.count; i++)
        if (accesses[i].key == shape.key && accesses[i].is_type == shape.is_type &&
            accesses[i].from_mark == shape.from_mark && accesses[i].top == shape.top) {
            *ret = (uint32_t)i;
            return 0;
        }
    struct rx_access *slot = rx_vector_add(c, &c->accesses, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = shape;
    *ret = (uint32_t)c->accesses.count - 1;
    return 0;
}

/* ---- folding ---- */

struct snapshot {
    size_t code, places, accesses, handlers, constants, shapes, functions;
    uint32_t failures, loops;
    int next_reg;
    double cost[5];
};

static struct snapshot take_snapshot(const struct rx_compiler *c)
{
    struct snapshot s = {c->code.count,
                         c->places.count,
                         c->accesses.count,
                         c->handlers.count,
                         c->constants.count,
                         c->shapes.count,
                         c->functions.count,
                         c->failure_count,
                         c->loop_count,
                         c->next_reg,
                         {0}};
    memcpy(s.cost, c->cost, sizeof s.cost);
    return s;
}

static void restore_snapshot(struct rx_compiler *c, const struct snapshot *s)
{
    struct rx_value *constants = c->constants.data;
    while (c->constants.count > s->constants)
        rx_value_unref(constants[--c->constants.count]);
    c->code.count = s->code;
    c->places.count = s->places;
    c->accesses.count = s->accesses;
    c->handlers.count = s->handlers;
    while (c->shapes.count > s->shapes)
        rx_shape_unref(((const struct rx_shape **)c->shapes.data)[--c->shapes.count]);
    c->functions.count = s->functions;
    c->failure_count = s->failures;
    c->loop_count = s->loops;
    c->next_reg = s->next_reg;
    memcpy(c->cost, s->cost, sizeof s->cost);
}

/* Lets the expression run what has been emitted so far. */
static int link_code(struct rx_compiler *c)
{
    struct rx_expr *e = c->expr;
    size_t constants = c->constants.count;
    struct rx_value *frame = calloc(constants + (size_t)c->max_reg + 1, sizeof *frame);
    uint32_t loop_room = c->loop_count < e->loop_count ? e->loop_count : c->loop_count;
    uint32_t failure_room = c->failure_count < e->failure_count ? e->failure_count : c->failure_count + 1;
    struct rx_loop *loops = loop_room ? realloc(e->loops, loop_room * sizeof *loops) : NULL;
    struct rx_failure *failures = NULL;
    if (loops || !loop_room) {
        e->loops = loops;
        failures = realloc(e->failures, failure_room * sizeof *failures);
    }
    if (!frame || !failures) {
        free(frame);
        return rx_error_set(c->reterr, -ENOMEM, "out of memory");
    }
    e->failures = failures;
    while (e->loop_count < loop_room)
        e->loops[e->loop_count++] = (struct rx_loop){0};
    while (e->failure_count < failure_room)
        e->failures[e->failure_count++] = (struct rx_failure){0};
    for (size_t i = 0; i < constants; i++)
        frame[constants - 1 - i] = ((struct rx_value *)c->constants.data)[i];
    free(e->r ? e->r - e->constant_count : NULL);
    e->r = frame + constants;
    e->constant_count = (uint32_t)constants;
    e->register_count = (uint32_t)c->max_reg;
    e->code = c->code.data;
    e->code_count = (uint32_t)c->code.count;
    e->places = c->places.data;
    e->accesses = c->accesses.data;
    e->access_count = (uint32_t)c->accesses.count;
    e->handlers = c->handlers.data;
    e->handler_count = (uint32_t)c->handlers.count;
    e->shapes = c->shapes.data;
    e->functions = c->functions.data;
    return 0;
}

static const struct rx_error *find_complaint(const struct rx_ast *node)
{
    if (node->complaint)
        return node->complaint;
    for (unsigned i = 0; i < node->count; i++) {
        const struct rx_error *found = find_complaint(node->args[i]);
        if (found)
            return found;
    }
    return NULL;
}

static int report(struct rx_compiler *c, const struct rx_error *complaint)
{
    if (c->reterr)
        *c->reterr = *complaint;
    return -EINVAL;
}

/* Emits and runs the node alone. 0 and its value, 1: it failed (the failure is in failures[0]), or a negative errno. */
static int run_constant(struct rx_compiler *c, struct rx_ast *node, struct rx_value *ret)
{
    struct rx_expr *e = c->expr;
    struct rx_expr_env env = {0};
    int16_t reg = 0;
    uint32_t start = here(c);
    int r = take_register(c, &reg);
    if (r < 0 || (r = compile_value(c, node, reg)) < 0)
        return r;
    if (emit_at(c, node, (struct rx_ins){.op = OP_RETURN, .a = reg}) < 0 || link_code(c) < 0)
        return -ENOMEM;
    uint64_t budget = e->budget;
    e->budget = c->fold_steps + FOLD_BUDGET < FOLDS_BUDGET ? FOLD_BUDGET : FOLDS_BUDGET - c->fold_steps;
    r = rx_expr_run(e, &env, start, ret);
    c->fold_steps += e->steps < e->budget ? e->steps : e->budget;
    e->budget = budget;
    e->env = NULL;
    return r < 0 ? 1 : 0;
}

/* Replaces a constant node by its value. 0 also when it stays as it is. */
static int fold(struct rx_compiler *c, struct rx_ast *node)
{
    struct snapshot before = take_snapshot(c);
    struct rx_value value;
    c->lenient = true;
    int r = run_constant(c, node, &value);
    c->lenient = false;
    struct rx_error error = {0};
    int code = 0;
    if (r == 1) {
        code = c->expr->failures[0].code;
        rx_failure_describe(c->expr, &c->expr->failures[0], &error);
    }
    restore_snapshot(c, &before);
    if (r < 0)
        return r;
    if (r == 0) {
        node->value = rx_arena_keep_take(&c->arena, value);
        node->kind = N_LITERAL;
        node->kinds = rx_kinds_of(node->value);
        node->complaint = NULL;
        node->count = 0;
        return 0;
    }
    const struct rx_error *complaint = find_complaint(node);
    if (complaint)
        return report(c, complaint);
    node->constant = false;
    return c->uncertain || code == -ETIME || code == -ENOMEM ? 0 : report(c, &error);
}

static int settle(struct rx_compiler *c, struct rx_ast *node)
{
    if (c->lenient)
        return 0;
    if (node->constant && !node->outermost && node->kind != N_LITERAL && c->fold_steps < FOLDS_BUDGET) {
        int r = fold(c, node);
        if (r < 0)
            return r;
    }
    return node->complaint ? report(c, node->complaint) : 0;
}

/* ---- nodes ---- */

static int compile_operand(struct rx_compiler *c, struct rx_ast *node, int16_t *ret)
{
    int r = settle(c, node);
    if (r < 0)
        return r;
    if (node->kind == N_LITERAL)
        return constant_take(c, rx_value_ref(node->value), ret);
    if (node->kind == N_IDENT && node->resolution == R_VARIABLE) {
        *ret = node->variables[0]->reg;
        return 0;
    }
    if ((r = take_register(c, ret)) < 0)
        return r;
    return compile_value(c, node, *ret);
}

static int compile_into(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    int r = settle(c, node);
    return r < 0 ? r : compile_value(c, node, dst);
}

static int compile_name(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    struct rx_ins ins = {.dst = dst};
    struct rx_access access = {.top = true,
                               .is_type = node->resolution == R_TYPE,
                               .fallback = node->value,
                               .from_mark = c->options->flags & RX_EXPR_MARK_NAMES};
    switch ((enum rx_resolution)node->resolution) {
    case R_FIELD:
    case R_TYPE:
        ins.op = access.is_type || access.from_mark ? OP_NAME : OP_FIELD;
        if (access_of(c, node->name, node->length, access, &ins.x) < 0)
            return -ENOMEM;
        break;
    case R_VARIABLE:
        ins.op = OP_MOVE;
        ins.a = node->variables[0]->reg;
        break;
    case R_LOCAL:
        ins.op = OP_LOCAL;
        ins.x = (uint32_t)node->index;
        break;
    case R_EVENT:
        ins.op = OP_EVENT;
        break;
    case R_EVENT_TIME:
        ins.op = OP_EVENT_TIME;
        break;
    case R_META:
        ins.op = OP_META;
        break;
    case R_META_FIELD:
        ins.op = OP_META_FIELD;
        ins.x = (uint32_t)node->index;
        break;
    case R_OUTER:
        ins.op = OP_OUTER;
        break;
    }
    return emit(c, node, ins);
}

static int compile_select(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    struct rx_ins ins = {.op = node->optional ? OP_OPT_SELECT : OP_SELECT, .dst = dst};
    int r = compile_operand(c, node->args[0], &ins.a);
    if (r < 0 || (r = access_of(c, node->name, node->length, (struct rx_access){0}, &ins.x)) < 0)
        return r;
    return emit(c, node, ins);
}

static int compile_two(struct rx_compiler *c, struct rx_ast *node, enum rx_opcode op, int16_t dst)
{
    struct rx_ins ins = {.op = (uint8_t)op, .dst = dst};
    int r = compile_operand(c, node->args[0], &ins.a);
    if (r < 0 || (r = compile_operand(c, node->args[1], &ins.b)) < 0)
        return r;
    return emit(c, node, ins);
}

/* A whole literal beside what can only be a double is a double: t * 1.8 + 32. */
static void widen_literal(struct rx_ast *literal, const struct rx_ast *other)
{
    const int64_t exact = (int64_t)1 << 53;
    if (literal->kind == N_LITERAL && literal->value.kind == RX_INT && other->kinds == RX_K_DOUBLE &&
        literal->value.u.i < exact && literal->value.u.i > -exact) {
        literal->value = rx_double((double)literal->value.u.i);
        literal->kinds = RX_K_DOUBLE;
    }
}

/* Adds `steps` for each of n to the power of `power` elements, in the loops that are open. */
static void add_cost(struct rx_compiler *c, unsigned power, double steps)
{
    power += c->loop_depth;
    c->cost[power < 4 ? power : 4] += steps;
}

/* Texts, lists and maps are compared, joined and looked through element by element. */
static void add_binary_cost(struct rx_compiler *c, const struct rx_ast *node)
{
    const rx_kinds large = RX_K_STRING | RX_K_BYTES | RX_K_LIST | RX_K_MAP | RX_K_OPTIONAL;
    const struct rx_ast *left = node->args[0], *right = node->args[1];
    bool literal = left->kind == N_LITERAL || right->kind == N_LITERAL; /* at most as long as the expression */
    if (node->op == O_IN && right->kind == N_LITERAL)
        add_cost(c, left->kinds & large ? 1 : 0, right->value.kind == RX_LIST ? right->value.u.list->count : 1);
    else if (node->op == O_IN)
        add_cost(c, left->kinds & large ? 2 : 1, 1);
    else if (node->op >= O_SUB && node->op <= O_MOD)
        return;
    else if ((left->kinds & large) && (right->kinds & large) && !(literal && node->op != O_ADD))
        add_cost(c, 1, 2);
}

static int compile_binary(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    static const uint8_t ops[] = {
        [O_ADD] = OP_ADD, [O_SUB] = OP_SUB, [O_MUL] = OP_MUL, [O_DIV] = OP_DIV, [O_MOD] = OP_MOD, [O_EQ] = OP_EQ,
        [O_NE] = OP_NE,   [O_LT] = OP_LT,   [O_LE] = OP_LE,   [O_GT] = OP_GT,   [O_GE] = OP_GE,   [O_IN] = OP_IN};
    if (node->op != O_IN && node->op != O_MOD) {
        widen_literal(node->args[0], node->args[1]);
        widen_literal(node->args[1], node->args[0]);
    }
    add_binary_cost(c, node);
    return compile_two(c, node, ops[node->op], dst);
}

/* a && b: a failure of a waits in `slot` until b has had its say (langdef, "Logical Operators"). */
static int compile_logic(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    bool is_and = node->kind == N_AND;
    uint32_t slot = ++c->failure_count, start = here(c);
    if (slot > INT16_MAX)
        return rx_compile_failed(c, node, "too many && and || in one expression");
    struct rx_ins then = {.op = is_and ? OP_AND_THEN : OP_OR_ELSE, .dst = dst, .y = slot};
    struct rx_ins join = {.op = is_and ? OP_AND : OP_OR, .dst = dst, .a = dst, .y = slot};
    c->uncertain++;
    int r = compile_operand(c, node->args[0], &then.a);
    uint32_t end = here(c);
    if (r < 0)
        return r;
    int64_t at = emit_at(c, node->args[0], then);
    if (at < 0 || add_handler(c, (struct rx_handler){start, end, here(c), dst, (uint16_t)slot, false}) < 0)
        return -ENOMEM;
    if ((r = compile_operand(c, node->args[1], &join.b)) < 0)
        return r;
    c->uncertain--;
    r = emit(c, node->args[1], join);
    code_at(c, at)->x = here(c);
    return r;
}

static int compile_conditional(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    struct rx_ins branch = {.op = OP_BRANCH};
    int r = compile_operand(c, node->args[0], &branch.a);
    if (r < 0)
        return r;
    const struct rx_ast *condition = node->args[0];
    if (condition->kind == N_LITERAL && condition->value.kind == RX_BOOL)
        return compile_into(c, node->args[condition->value.u.b ? 1 : 2], dst);
    int64_t at = emit_at(c, node->args[0], branch);
    c->uncertain++;
    if (at < 0 || (r = compile_into(c, node->args[1], dst)) < 0)
        return at < 0 ? -ENOMEM : r;
    int64_t jump = emit_at(c, node, (struct rx_ins){.op = OP_JUMP});
    if (jump < 0)
        return -ENOMEM;
    code_at(c, at)->x = here(c);
    r = compile_into(c, node->args[2], dst);
    c->uncertain--;
    code_at(c, jump)->x = here(c);
    return r;
}

static int compile_has(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    struct rx_ast *asked = node->args[0];
    struct rx_ins ins = {.dst = dst};
    if (asked->kind == N_IDENT && (asked->resolution == R_FIELD || asked->resolution == R_TYPE)) {
        struct rx_access access = {.top = true, .from_mark = c->options->flags & RX_EXPR_MARK_NAMES};
        ins.op = OP_HAS_FIELD;
        int r = access_of(c, asked->name, asked->length, access, &ins.x);
        return r < 0 ? r : emit(c, node, ins);
    }
    int16_t no;
    uint32_t start = here(c) + 1;
    int r = constant_take(c, rx_bool(false), &no);
    if (r < 0 || emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = no}) < 0)
        return -ENOMEM;
    c->uncertain++;
    if (asked->kind == N_SELECT || asked->kind == N_INDEX) {
        if ((r = compile_operand(c, asked->args[0], &ins.a)) < 0)
            return r;
        ins.op = asked->kind == N_SELECT ? OP_HAS_SELECT : OP_HAS_INDEX;
        r = asked->kind == N_SELECT ? access_of(c, asked->name, asked->length, (struct rx_access){0}, &ins.x)
                                    : compile_operand(c, asked->args[1], &ins.b);
        if (r < 0 || emit(c, node, ins) < 0)
            return r < 0 ? r : -ENOMEM;
    } else {
        int16_t yes;
        if ((r = compile_operand(c, asked, &ins.a)) < 0 || (r = constant_take(c, rx_bool(true), &yes)) < 0 ||
            (r = emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = yes})) < 0)
            return r;
    }
    c->uncertain--;
    return add_handler(c, (struct rx_handler){start, here(c), here(c), INT16_MIN, 0, true});
}

static int compile_coalesce(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    int64_t jumps[64];
    unsigned jump_count = 0;
    if (node->count > 64)
        return rx_compile_failed(c, node, "coalesce takes at most 64 arguments");
    c->uncertain++;
    for (unsigned i = 0; i < node->count; i++) {
        uint32_t start = here(c);
        int saved = c->next_reg, r = compile_into(c, node->args[i], dst);
        c->next_reg = saved;
        uint32_t end = here(c);
        if (r < 0)
            return r;
        int64_t at = emit_at(c, node->args[i], (struct rx_ins){.op = OP_IF_PRESENT, .a = dst});
        if (at < 0 || add_handler(c, (struct rx_handler){start, end, here(c), INT16_MIN, 0, true}) < 0)
            return -ENOMEM;
        jumps[jump_count++] = at;
    }
    c->uncertain--;
    int16_t null;
    int r = constant_take(c, rx_null(), &null);
    if (r < 0 || (r = emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = null})) < 0)
        return r;
    for (unsigned i = 0; i < jump_count; i++)
        code_at(c, jumps[i])->x = here(c);
    return 0;
}

/* ---- lists, maps and calls: arguments in a row ---- */

/* The arguments of a node in consecutive registers. */
static int compile_row(struct rx_compiler *c, struct rx_ast *node, int16_t *ret_first)
{
    *ret_first = (int16_t)c->next_reg;
    for (unsigned i = 0; i < node->count; i++) {
        int16_t reg = 0;
        int r = take_register(c, &reg);
        if (r < 0 || (r = compile_into(c, node->args[i], reg)) < 0)
            return r;
        c->next_reg = reg + 1;
    }
    return 0;
}

/* As compile_row for literals with optional elements: every (step-th) element becomes an optional. */
static int compile_optional_row(struct rx_compiler *c, struct rx_ast *node, unsigned step, int16_t first)
{
    for (unsigned i = step - 1; i < node->count; i += step) {
        int16_t reg = (int16_t)(first + (int)i);
        int r = emit(c, node->args[i],
                     (struct rx_ins){.op = node->optionals[i] ? OP_NEED_OPT : OP_SOME, .dst = reg, .a = reg});
        if (r < 0)
            return r;
    }
    return 0;
}

static int compile_list(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    struct rx_ins ins = {.op = node->optionals ? OP_LIST_OPT : OP_LIST, .dst = dst, .x = node->count};
    int r = compile_row(c, node, &ins.a);
    if (r == 0 && node->optionals)
        r = compile_optional_row(c, node, 1, ins.a);
    return r < 0 ? r : emit(c, node, ins);
}

/* The shape of a map whose keys are all literal strings; NULL: not one, or the heap has no room for another. */
static const struct rx_shape *literal_shape(struct rx_compiler *c, const struct rx_ast *node)
{
    if (node->count / 2 > RX_SHAPE_KEYS_MAX || node->optionals || node->count == 0)
        return NULL;
    const struct rx_shape *shape = rx_shape_empty(c->options->heap);
    for (unsigned i = 0; shape && i < node->count; i += 2) {
        const struct rx_ast *key = node->args[i];
        if (key->kind != N_LITERAL || key->value.kind != RX_STRING)
            return NULL;
        const struct rx_key *name = rx_key_meet(c->options->heap, key->value.u.text, key->value.aux);
        if (!name || rx_shape_slot(shape, name) >= 0)
            return NULL;
        shape = rx_shape_meet(c->options->heap, shape, name);
    }
    return shape;
}

static int compile_record(struct rx_compiler *c, struct rx_ast *node, const struct rx_shape *shape, int16_t dst)
{
    struct rx_ins ins = {
        .op = OP_RECORD, .dst = dst, .a = (int16_t)c->next_reg, .x = node->count / 2, .y = (uint32_t)c->shapes.count};
    const struct rx_shape **slot = rx_vector_add(c, &c->shapes, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = rx_shape_ref(shape); /* at once: folding what follows may give back shapes that nobody has */
    for (unsigned i = 1; i < node->count; i += 2) {
        int16_t reg = 0;
        int r = take_register(c, &reg);
        if (r < 0 || (r = compile_into(c, node->args[i], reg)) < 0)
            return r;
        c->next_reg = reg + 1;
    }
    return emit(c, node, ins);
}

static int compile_map(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    const struct rx_shape *shape = literal_shape(c, node);
    if (shape)
        return compile_record(c, node, shape, dst);
    struct rx_ins ins = {.op = node->optionals ? OP_MAP_OPT : OP_MAP, .dst = dst, .x = node->count / 2};
    int r = compile_row(c, node, &ins.a);
    if (r == 0 && node->optionals)
        r = compile_optional_row(c, node, 2, ins.a);
    return r < 0 ? r : emit(c, node, ins);
}

static bool is_lazy(const struct rx_ast *node)
{
    return node->method && node->count == 2 &&
           (strcmp(node->function->name, "orValue") == 0 || strcmp(node->function->name, "or") == 0);
}

/* a.orValue(b) and a.or(b): b is computed only when a holds nothing. */
static int compile_lazy(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    bool value = strcmp(node->function->name, "orValue") == 0;
    struct rx_ins unwrap = {.op = OP_UNWRAP};
    int r = compile_operand(c, node->args[0], &unwrap.a);
    if (r < 0 || (r = take_register(c, &unwrap.dst)) < 0)
        return r;
    int64_t at = emit_at(c, node, unwrap);
    if (at < 0 || emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = value ? unwrap.dst : unwrap.a}) < 0)
        return -ENOMEM;
    int64_t jump = emit_at(c, node, (struct rx_ins){.op = OP_JUMP});
    if (jump < 0)
        return -ENOMEM;
    code_at(c, at)->x = here(c);
    c->uncertain++;
    r = compile_into(c, node->args[1], dst);
    c->uncertain--;
    if (r == 0 && !value)
        r = emit(c, node->args[1], (struct rx_ins){.op = OP_NEED_OPT, .dst = dst, .a = dst});
    code_at(c, jump)->x = here(c);
    return r;
}

/* Each element of the arguments takes some steps (17 in sort, the most), or is compared with each; a character of a text takes
 * about as many as a pattern has states there. */
static void add_call_cost(struct rx_compiler *c, const struct rx_function *f)
{
    enum { EACH = 20, PATTERN_STATES = 40 };
    add_cost(c, f->style & RX_F_SQUARE ? 2 : 1, f->style & RX_F_PATTERN ? PATTERN_STATES : EACH);
}

static int compile_call(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    if (is_lazy(node))
        return compile_lazy(c, node, dst);
    struct rx_ins ins = {.op = OP_CALL, .dst = dst, .n = (uint8_t)node->count, .x = (uint32_t)c->functions.count};
    int r = compile_row(c, node, &ins.a);
    if (r < 0)
        return r;
    const struct rx_function **slot = rx_vector_add(c, &c->functions, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = node->function;
    ins.x = (uint32_t)c->functions.count - 1;
    add_call_cost(c, node->function);
    return emit(c, node, ins);
}

/* ---- macros: comprehensions, cel.bind, optMap and optFlatMap ---- */

struct loop {
    uint32_t id, slot, next; /* of loops, of failures, the NEXT instruction */
    int64_t exits[2];        /* instructions whose y becomes the end */
};

/* all and exists: a failure waits in `slot` until an element decides (langdef, "Macros"). */
static int quantifier(struct rx_compiler *c, struct rx_ast *node, struct loop *loop)
{
    int16_t reg = 0;
    uint32_t start = here(c);
    int r = compile_operand(c, node->args[1], &reg);
    if (r < 0)
        return r;
    struct rx_ins test = {.op = node->op == L_ALL ? OP_TEST_ALL : OP_TEST_EXISTS,
                          .a = reg,
                          .b = (int16_t)loop->slot,
                          .x = loop->id,
                          .y = loop->next};
    struct rx_handler handler = {start, here(c), loop->next, INT16_MIN, (uint16_t)loop->slot, false};
    if (add_handler(c, handler) < 0)
        return -ENOMEM;
    return emit(c, node->args[1], test);
}

static int back(struct rx_compiler *c, const struct rx_ast *node, const struct loop *loop)
{
    return emit(c, node, (struct rx_ins){.op = OP_JUMP, .x = loop->next});
}

static int append(struct rx_compiler *c, struct rx_ast *value, const struct loop *loop)
{
    int16_t reg = 0;
    int r = compile_operand(c, value, &reg);
    return r < 0 ? r : emit(c, value, (struct rx_ins){.op = OP_APPEND, .a = reg, .x = loop->id});
}

static int keep_if(struct rx_compiler *c, struct rx_ast *condition, const struct loop *loop)
{
    int16_t reg = 0;
    int r = compile_operand(c, condition, &reg);
    return r < 0 ? r : emit(c, condition, (struct rx_ins){.op = OP_TEST_KEEP, .a = reg, .x = loop->next});
}

static int put(struct rx_compiler *c, struct rx_ast *node, struct rx_ast *value, const struct loop *loop)
{
    struct rx_ins ins = {.op = node->op == L_TRANSFORM_ENTRY ? OP_PUT_ALL : OP_PUT, .x = loop->id};
    int16_t reg = 0;
    int r = compile_operand(c, value, &reg);
    if (ins.op == OP_PUT) {
        ins.a = node->variables[0]->reg;
        ins.b = reg;
    } else {
        ins.a = reg;
    }
    add_cost(c, 0, 1);
    return r < 0 ? r : emit(c, value, ins);
}

static int body(struct rx_compiler *c, struct rx_ast *node, struct loop *loop)
{
    struct rx_ast *last = node->args[node->count - 1];
    int16_t element = node->variables[0]->reg, reg;
    int r = 0;
    switch ((enum rx_loop_kind)node->op) {
    case L_ALL:
    case L_EXISTS:
        return quantifier(c, node, loop);
    case L_EXISTS_ONE:
        r = compile_operand(c, last, &reg);
        if (r == 0)
            r = emit(c, last, (struct rx_ins){.op = OP_TEST_ONE, .a = reg, .x = loop->id});
        break;
    case L_FILTER:
        if ((r = keep_if(c, last, loop)) == 0)
            r = emit(c, last, (struct rx_ins){.op = OP_APPEND, .a = element, .x = loop->id});
        break;
    case L_SORT_BY:
        if ((r = emit(c, last, (struct rx_ins){.op = OP_APPEND, .a = element, .x = loop->id})) == 0)
            r = append(c, last, loop);
        break;
    default:
        if (node->count == 3)
            r = keep_if(c, node->args[1], loop);
        if (r == 0)
            r = node->op == L_MAP || node->op == L_TRANSFORM_LIST ? append(c, last, loop) : put(c, node, last, loop);
    }
    return r < 0 ? r : back(c, node, loop);
}

static int finish(struct rx_compiler *c, struct rx_ast *node, const struct loop *loop, int16_t dst)
{
    static const uint8_t ends[] = {
        [L_ALL] = OP_END_BOOL,
        [L_EXISTS] = OP_END_BOOL,
        [L_EXISTS_ONE] = OP_END_ONE,
        [L_FILTER] = OP_END_LIST,
        [L_MAP] = OP_END_LIST,
        [L_SORT_BY] = OP_END_SORTED,
        [L_TRANSFORM_LIST] = OP_END_LIST,
        [L_TRANSFORM_MAP] = OP_END_MAP,
        [L_TRANSFORM_ENTRY] = OP_END_MAP,
    };
    if (node->op == L_SORT_BY)
        add_cost(c, 1, 20);
    code_at(c, loop->next)->y = here(c);
    return emit(c, node,
                (struct rx_ins){
                    .op = ends[node->op], .dst = dst, .n = node->op == L_ALL, .b = (int16_t)loop->slot, .x = loop->id});
}

static int compile_loop(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    struct loop loop = {.id = c->loop_count++};
    struct rx_ins begin = {
        .op = OP_LOOP, .x = loop.id, .n = node->op >= L_TRANSFORM_MAP && node->op <= L_TRANSFORM_ENTRY};
    struct rx_ins next = {.op = node->variables[1] ? OP_NEXT2 : OP_NEXT, .x = loop.id};
    if (node->op <= L_EXISTS)
        loop.slot = ++c->failure_count;
    if (loop.slot > INT16_MAX)
        return rx_compile_failed(c, node, "too many macros in one expression");
    begin.y = loop.slot;
    int r = compile_operand(c, node->args[0], &begin.a);
    if (r < 0 || (r = emit(c, node->args[0], begin)) < 0 || (r = take_register(c, &node->variables[0]->reg)) < 0)
        return r;
    next.dst = node->variables[0]->reg;
    if (node->variables[1]) {
        if ((r = take_register(c, &node->variables[1]->reg)) < 0)
            return r;
        next.a = node->variables[1]->reg;
    }
    c->loop_depth++;
    c->uncertain++;
    int64_t at = emit_at(c, node, next);
    if (at < 0)
        return -ENOMEM;
    loop.next = (uint32_t)at;
    r = body(c, node, &loop);
    c->uncertain--;
    c->loop_depth--;
    return r < 0 ? r : finish(c, node, &loop, dst);
}

static int compile_bind(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    int r = compile_operand(c, node->args[0], &node->variables[0]->reg);
    return r < 0 ? r : compile_into(c, node->args[1], dst);
}

static int compile_opt_map(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    bool flat = node->op;
    int16_t none;
    struct rx_ins unwrap = {.op = OP_UNWRAP};
    int r = compile_operand(c, node->args[0], &unwrap.a);
    if (r < 0 || (r = take_register(c, &unwrap.dst)) < 0 || (r = constant_take(c, rx_optional_none(), &none)) < 0)
        return r;
    node->variables[0]->reg = unwrap.dst;
    int64_t at = emit_at(c, node, unwrap);
    c->uncertain++;
    if (at < 0 || (r = compile_into(c, node->args[1], dst)) < 0)
        return at < 0 ? -ENOMEM : r;
    c->uncertain--;
    r = emit(c, node->args[1], (struct rx_ins){.op = flat ? OP_NEED_OPT : OP_SOME, .dst = dst, .a = dst});
    int64_t jump = r < 0 ? r : emit_at(c, node, (struct rx_ins){.op = OP_JUMP});
    if (jump < 0)
        return -ENOMEM;
    code_at(c, at)->x = here(c);
    r = emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = none});
    code_at(c, jump)->x = here(c);
    return r;
}

/* ---- the whole ---- */

static int compile_kind(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    int16_t constant;
    switch ((enum rx_ast_kind)node->kind) {
    case N_LITERAL:
        if (constant_take(c, rx_value_ref(node->value), &constant) < 0)
            return -EINVAL;
        return emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = constant});
    case N_IDENT:
        return compile_name(c, node, dst);
    case N_SELECT:
        return compile_select(c, node, dst);
    case N_INDEX:
        return compile_two(c, node, node->optional ? OP_OPT_INDEX : OP_INDEX, dst);
    case N_CALL:
        return compile_call(c, node, dst);
    case N_LIST:
        return compile_list(c, node, dst);
    case N_MAP:
        return compile_map(c, node, dst);
    case N_UNARY: {
        struct rx_ins ins = {.op = node->op == O_NOT ? OP_NOT : OP_NEG, .dst = dst};
        int r = compile_operand(c, node->args[0], &ins.a);
        return r < 0 ? r : emit(c, node, ins);
    }
    case N_BINARY:
        return compile_binary(c, node, dst);
    case N_AND:
    case N_OR:
        return compile_logic(c, node, dst);
    case N_CONDITIONAL:
        return compile_conditional(c, node, dst);
    case N_HAS:
        return compile_has(c, node, dst);
    case N_COALESCE:
        return compile_coalesce(c, node, dst);
    case N_COMPREHENSION:
        return compile_loop(c, node, dst);
    case N_BIND:
        return compile_bind(c, node, dst);
    case N_OPT_MAP:
        return compile_opt_map(c, node, dst);
    case N_AGGREGATE:
        return emit(c, node, (struct rx_ins){.op = OP_SLOT, .dst = dst, .x = (uint32_t)node->index});
    }
    return -EINVAL;
}

/* Emits the node as it stands; the temporaries that it took are free again afterwards. */
static int compile_value(struct rx_compiler *c, struct rx_ast *node, int16_t dst)
{
    int saved = c->next_reg;
    int r = compile_kind(c, node, dst);
    c->next_reg = saved;
    return r;
}

int rx_compile(struct rx_compiler *c, struct rx_ast *node)
{
    int16_t reg = 0;
    int r = compile_operand(c, node, &reg);
    if (r < 0)
        return r;
    if (emit_at(c, node, (struct rx_ins){.op = OP_RETURN, .a = reg}) < 0)
        return -ENOMEM;
    if (node->kind == N_LITERAL)
        c->expr->is_constant = true;
    c->expr->is_slot = node->kind == N_AGGREGATE;
    if (node->kind == N_IDENT && node->resolution == R_FIELD)
        c->expr->as_field = rx_compiler_key(c, node->name, node->length);
    return rx_expr_find_gate(c, node) < 0 ? -ENOMEM : link_code(c);
}
