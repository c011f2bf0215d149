/* The compiler: a checked tree to register code; constant parts are computed here and now. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/compile_private.h"

enum { FOLD_BUDGET = 100000 };

static int compile_value(struct rx_compiler *, struct rx_node *, int16_t dst);

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
    c->shapes.count = s->shapes;
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
    uint32_t loop_room = c->loop_count < e->loop_count ? e->loop_count : c->loop_count + 1;
    uint32_t failure_room = c->failure_count < e->failure_count ? e->failure_count : c->failure_count + 1;
    struct rx_loop *loops = realloc(e->loops, loop_room * sizeof *loops);
    struct rx_failure *failures = NULL;
    if (loops) {
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

static const struct rx_error *find_complaint(const struct rx_node *node)
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
static int run_constant(struct rx_compiler *c, struct rx_node *node, struct rx_value *ret)
{
    struct rx_expr *e = c->expr;
    struct rx_expr_env env = {0};
    int16_t reg = 0;
    uint32_t start = rx_code_here(c);
    int r = rx_reg(c, &reg);
    if (r < 0 || (r = compile_value(c, node, reg)) < 0)
        return r;
    if (rx_code_emit(c, node, (struct rx_ins){.op = OP_RETURN, .a = reg}) < 0 || link_code(c) < 0)
        return -ENOMEM;
    uint64_t budget = e->budget;
    e->budget = FOLD_BUDGET;
    r = rx_expr_run(e, &env, start, ret);
    e->budget = budget;
    return r < 0 ? 1 : 0;
}

/* Replaces a constant node by its value. 0 also when it stays as it is. */
static int fold(struct rx_compiler *c, struct rx_node *node)
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

static int settle(struct rx_compiler *c, struct rx_node *node)
{
    if (c->lenient)
        return 0;
    if (node->constant && !node->outermost && node->kind != N_LITERAL) {
        int r = fold(c, node);
        if (r < 0)
            return r;
    }
    return node->complaint ? report(c, node->complaint) : 0;
}

/* ---- nodes ---- */

int rx_compile_operand(struct rx_compiler *c, struct rx_node *node, int16_t *ret)
{
    int r = settle(c, node);
    if (r < 0)
        return r;
    if (node->kind == N_LITERAL)
        return rx_constant_take(c, rx_value_ref(node->value), ret);
    if (node->kind == N_IDENT && node->resolution == R_VARIABLE) {
        *ret = node->variables[0]->reg;
        return 0;
    }
    if ((r = rx_reg(c, ret)) < 0)
        return r;
    return compile_value(c, node, *ret);
}

int rx_compile_into(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    int r = settle(c, node);
    return r < 0 ? r : compile_value(c, node, dst);
}

int rx_compile_emit(struct rx_compiler *c, const struct rx_node *node, struct rx_ins ins)
{
    return rx_code_emit(c, node, ins) < 0 ? -ENOMEM : 0;
}

static int compile_name(struct rx_compiler *c, struct rx_node *node, int16_t dst)
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
        if (rx_compile_access_of(c, node->name, node->length, access, &ins.x) < 0)
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
    return rx_compile_emit(c, node, ins);
}

static int compile_select(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    struct rx_ins ins = {.op = node->optional ? OP_OPT_SELECT : OP_SELECT, .dst = dst};
    int r = rx_compile_operand(c, node->args[0], &ins.a);
    if (r < 0 || (r = rx_compile_access_of(c, node->name, node->length, (struct rx_access){0}, &ins.x)) < 0)
        return r;
    return rx_compile_emit(c, node, ins);
}

static int compile_two(struct rx_compiler *c, struct rx_node *node, enum rx_op op, int16_t dst)
{
    struct rx_ins ins = {.op = (uint8_t)op, .dst = dst};
    int r = rx_compile_operand(c, node->args[0], &ins.a);
    if (r < 0 || (r = rx_compile_operand(c, node->args[1], &ins.b)) < 0)
        return r;
    return rx_compile_emit(c, node, ins);
}

/* A whole literal beside what can only be a double is a double: t * 1.8 + 32. */
static void widen_literal(struct rx_node *literal, const struct rx_node *other)
{
    const int64_t exact = (int64_t)1 << 53;
    if (literal->kind == N_LITERAL && literal->value.kind == RX_INT && other->kinds == RX_K_DOUBLE &&
        literal->value.u.i < exact && literal->value.u.i > -exact) {
        literal->value = rx_double((double)literal->value.u.i);
        literal->kinds = RX_K_DOUBLE;
    }
}

static int compile_binary(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    static const uint8_t ops[] = {
        [O_ADD] = OP_ADD, [O_SUB] = OP_SUB, [O_MUL] = OP_MUL, [O_DIV] = OP_DIV, [O_MOD] = OP_MOD, [O_EQ] = OP_EQ,
        [O_NE] = OP_NE,   [O_LT] = OP_LT,   [O_LE] = OP_LE,   [O_GT] = OP_GT,   [O_GE] = OP_GE,   [O_IN] = OP_IN};
    if (node->op != O_IN && node->op != O_MOD) {
        widen_literal(node->args[0], node->args[1]);
        widen_literal(node->args[1], node->args[0]);
    }
    return compile_two(c, node, ops[node->op], dst);
}

/* a && b: a failure of a waits in `slot` until b has had its say (langdef, "Logical Operators"). */
static int compile_logic(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    bool is_and = node->kind == N_AND;
    uint32_t slot = ++c->failure_count, start = rx_code_here(c);
    if (slot > INT16_MAX)
        return rx_compile_failed(c, node, "too many && and || in one expression");
    struct rx_ins then = {.op = is_and ? OP_AND_THEN : OP_OR_ELSE, .dst = dst, .y = slot};
    struct rx_ins join = {.op = is_and ? OP_AND : OP_OR, .dst = dst, .a = dst, .y = slot};
    c->uncertain++;
    int r = rx_compile_operand(c, node->args[0], &then.a);
    uint32_t end = rx_code_here(c);
    if (r < 0)
        return r;
    int64_t at = rx_code_emit(c, node->args[0], then);
    if (at < 0 || rx_handler_add(c, (struct rx_handler){start, end, rx_code_here(c), dst, (uint16_t)slot, false}) < 0)
        return -ENOMEM;
    if ((r = rx_compile_operand(c, node->args[1], &join.b)) < 0)
        return r;
    c->uncertain--;
    r = rx_compile_emit(c, node->args[1], join);
    rx_code_at(c, at)->x = rx_code_here(c);
    return r;
}

static int compile_conditional(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    struct rx_ins branch = {.op = OP_BRANCH};
    int r = rx_compile_operand(c, node->args[0], &branch.a);
    if (r < 0)
        return r;
    const struct rx_node *condition = node->args[0];
    if (condition->kind == N_LITERAL && condition->value.kind == RX_BOOL)
        return rx_compile_into(c, node->args[condition->value.u.b ? 1 : 2], dst);
    int64_t at = rx_code_emit(c, node->args[0], branch);
    c->uncertain++;
    if (at < 0 || (r = rx_compile_into(c, node->args[1], dst)) < 0)
        return at < 0 ? -ENOMEM : r;
    int64_t jump = rx_code_emit(c, node, (struct rx_ins){.op = OP_JUMP});
    if (jump < 0)
        return -ENOMEM;
    rx_code_at(c, at)->x = rx_code_here(c);
    r = rx_compile_into(c, node->args[2], dst);
    c->uncertain--;
    rx_code_at(c, jump)->x = rx_code_here(c);
    return r;
}

static int compile_has(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    struct rx_node *asked = node->args[0];
    struct rx_ins ins = {.dst = dst};
    if (asked->kind == N_IDENT && (asked->resolution == R_FIELD || asked->resolution == R_TYPE)) {
        struct rx_access access = {.top = true, .from_mark = c->options->flags & RX_EXPR_MARK_NAMES};
        ins.op = OP_HAS_FIELD;
        int r = rx_compile_access_of(c, asked->name, asked->length, access, &ins.x);
        return r < 0 ? r : rx_compile_emit(c, node, ins);
    }
    int16_t no;
    uint32_t start = rx_code_here(c) + 1;
    int r = rx_constant_take(c, rx_bool(false), &no);
    if (r < 0 || rx_compile_emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = no}) < 0)
        return -ENOMEM;
    c->uncertain++;
    if (asked->kind == N_SELECT || asked->kind == N_INDEX) {
        if ((r = rx_compile_operand(c, asked->args[0], &ins.a)) < 0)
            return r;
        ins.op = asked->kind == N_SELECT ? OP_HAS_SELECT : OP_HAS_INDEX;
        r = asked->kind == N_SELECT ? rx_compile_access_of(c, asked->name, asked->length, (struct rx_access){0}, &ins.x)
                                    : rx_compile_operand(c, asked->args[1], &ins.b);
        if (r < 0 || rx_compile_emit(c, node, ins) < 0)
            return r < 0 ? r : -ENOMEM;
    } else {
        int16_t yes;
        if ((r = rx_compile_operand(c, asked, &ins.a)) < 0 || (r = rx_constant_take(c, rx_bool(true), &yes)) < 0 ||
            (r = rx_compile_emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = yes})) < 0)
            return r;
    }
    c->uncertain--;
    return rx_handler_add(c, (struct rx_handler){start, rx_code_here(c), rx_code_here(c), INT16_MIN, 0, true});
}

static int compile_coalesce(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    int64_t jumps[64];
    unsigned jump_count = 0;
    if (node->count > 64)
        return rx_compile_failed(c, node, "coalesce takes at most 64 arguments");
    c->uncertain++;
    for (unsigned i = 0; i < node->count; i++) {
        uint32_t start = rx_code_here(c);
        int saved = c->next_reg, r = rx_compile_into(c, node->args[i], dst);
        c->next_reg = saved;
        uint32_t end = rx_code_here(c);
        if (r < 0)
            return r;
        int64_t at = rx_code_emit(c, node->args[i], (struct rx_ins){.op = OP_IF_PRESENT, .a = dst});
        if (at < 0 || rx_handler_add(c, (struct rx_handler){start, end, rx_code_here(c), INT16_MIN, 0, true}) < 0)
            return -ENOMEM;
        jumps[jump_count++] = at;
    }
    c->uncertain--;
    int16_t null;
    int r = rx_constant_take(c, rx_null(), &null);
    if (r < 0 || (r = rx_compile_emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = null})) < 0)
        return r;
    for (unsigned i = 0; i < jump_count; i++)
        rx_code_at(c, jumps[i])->x = rx_code_here(c);
    return 0;
}

static int compile_kind(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    int16_t constant;
    switch ((enum rx_node_kind)node->kind) {
    case N_LITERAL:
        if (rx_constant_take(c, rx_value_ref(node->value), &constant) < 0)
            return -EINVAL;
        return rx_compile_emit(c, node, (struct rx_ins){.op = OP_MOVE, .dst = dst, .a = constant});
    case N_IDENT:
        return compile_name(c, node, dst);
    case N_SELECT:
        return compile_select(c, node, dst);
    case N_INDEX:
        return compile_two(c, node, node->optional ? OP_OPT_INDEX : OP_INDEX, dst);
    case N_CALL:
        return rx_compile_call(c, node, dst);
    case N_LIST:
        return rx_compile_list(c, node, dst);
    case N_MAP:
        return rx_compile_map(c, node, dst);
    case N_UNARY: {
        struct rx_ins ins = {.op = node->op == O_NOT ? OP_NOT : OP_NEG, .dst = dst};
        int r = rx_compile_operand(c, node->args[0], &ins.a);
        return r < 0 ? r : rx_compile_emit(c, node, ins);
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
        return rx_compile_loop(c, node, dst);
    case N_BIND:
        return rx_compile_bind(c, node, dst);
    case N_OPT_MAP:
        return rx_compile_opt_map(c, node, dst);
    case N_AGGREGATE:
        return rx_compile_emit(c, node, (struct rx_ins){.op = OP_SLOT, .dst = dst, .x = (uint32_t)node->index});
    }
    return -EINVAL;
}

/* Emits the node as it stands; the temporaries that it took are free again afterwards. */
static int compile_value(struct rx_compiler *c, struct rx_node *node, int16_t dst)
{
    int saved = c->next_reg;
    int r = compile_kind(c, node, dst);
    c->next_reg = saved;
    return r;
}

int rx_compile(struct rx_compiler *c, struct rx_node *node)
{
    int16_t reg = 0;
    int r = rx_compile_operand(c, node, &reg);
    if (r < 0)
        return r;
    if (rx_code_emit(c, node, (struct rx_ins){.op = OP_RETURN, .a = reg}) < 0)
        return -ENOMEM;
    if (node->kind == N_LITERAL)
        c->expr->is_constant = true;
    if (node->kind == N_IDENT && node->resolution == R_FIELD)
        c->expr->as_field = rx_key_intern(c->options->heap, node->name, node->length);
    return link_code(c);
}
