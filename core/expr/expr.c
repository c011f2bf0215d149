/* The public face: compiling, evaluating, and what an expression tells about itself. */
#include "core/expr/expr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/compiler.h"

/* What was gathered, and no more room than it takes: expressions live long, and there are many. */
static void *cut(struct rx_vector *vector, size_t size)
{
    void *less = vector->count ? realloc(vector->data, vector->count * size) : NULL;
    if (!vector->count)
        free(vector->data);
    return less || !vector->count ? less : vector->data;
}

/* Gives the parts that were gathered to the expression. */
static void adopt(struct rx_compiler *c)
{
    struct rx_expr *e = c->expr;
    e->code = cut(&c->code, sizeof *e->code);
    e->places = cut(&c->places, sizeof *e->places);
    e->accesses = cut(&c->accesses, sizeof *e->accesses);
    e->handlers = cut(&c->handlers, sizeof *e->handlers);
    e->shapes = cut(&c->shapes, sizeof *e->shapes);
    e->shape_count = (uint32_t)c->shapes.count;
    e->keys = cut(&c->keys, sizeof *e->keys);
    e->key_count = (uint32_t)c->keys.count;
    e->functions = cut(&c->functions, sizeof *e->functions);
    e->hints = cut(&c->hints, sizeof *e->hints);
    e->hint_count = (uint32_t)c->hints.count;
    e->fields = cut(&c->fields, sizeof *e->fields);
    e->field_count = (uint32_t)c->fields.count;
    e->aggregates = cut(&c->aggregates, sizeof *e->aggregates);
    e->aggregate_count = (uint32_t)c->aggregates.count;
    memcpy(e->cost, c->cost, sizeof e->cost);
}

static int compile(struct rx_compiler *c)
{
    struct rx_expr *e = c->expr;
    struct rx_ast *root;
    struct rx_lexer lexer = {e->text, e->length, 0, c->options->heap, &c->arena, c->reterr};
    if (!rx_utf8_valid(e->text, e->length))
        return rx_expr_complain(c->reterr, e->text, e->length, 0, "the expression is not valid UTF-8");
    int r = rx_expr_parse(&lexer, &root);
    if (r < 0 || (r = rx_check(c, root)) < 0 || (r = rx_check_whole_aggregate(c, root)) < 0 ||
        (r = rx_compile(c, root)) < 0)
        return r;
    e->kinds = root->kinds;
    return 0;
}

/* Constants live in the frame once the code is linked; a compilation that failed before still has them here. */
static void drop_constants(struct rx_compiler *c)
{
    struct rx_value *constants = c->constants.data;
    for (size_t i = 0; i < c->constants.count; i++)
        rx_value_unref(constants[i]);
    free(constants);
}

static struct rx_expr *create(const char *text, size_t length, const struct rx_expr_options *options)
{
    struct rx_expr *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->text = malloc(length + 1);
    if (!e->text) {
        free(e);
        return NULL;
    }
    memcpy(e->text, text, length);
    e->text[length] = '\0';
    e->length = length;
    e->heap = options->heap;
    e->budget = options->budget ? options->budget : RX_EXPR_BUDGET;
    return e;
}

static void clear_failures(struct rx_expr *e)
{
    for (uint32_t i = 0; i < e->failure_count; i++)
        rx_failure_clear(&e->failures[i]);
    e->failed = false;
}

int rx_expr_compile(const char *text, size_t length, const struct rx_expr_options *options, struct rx_expr **ret,
                    struct rx_error *reterr)
{
    if (length > RX_EXPR_TEXT_MAX)
        return rx_error_set(reterr, -EINVAL, "the expression is longer than %d bytes", RX_EXPR_TEXT_MAX);
    struct rx_expr *e = create(text, length, options);
    if (!e)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    struct rx_error unseen = {0};
    struct rx_compiler c = {.expr = e, .options = options, .reterr = reterr ? reterr : &unseen};
    int r = compile(&c);
    if (r < 0 && c.reterr->code == -ENOMEM) /* in the middle of looking for mistakes */
        r = -ENOMEM;
    adopt(&c);
    rx_arena_finish(&c.arena);
    clear_failures(e);
    if (r < 0) {
        drop_constants(&c);
        free(e->r ? e->r - e->constant_count : NULL); /* the frame, if any, borrowed them */
        e->r = NULL;
        rx_expr_destroy(e);
        return r;
    }
    free(c.constants.data);
    *ret = e;
    return 0;
}

void rx_expr_destroy(struct rx_expr *e)
{
    if (!e)
        return;
    clear_failures(e);
    for (uint32_t i = 0; i < e->loop_count; i++) {
        rx_loop_drop(&e->loops[i]);
        free(e->loops[i].items);
    }
    if (e->r) {
        for (uint32_t i = 1; i <= e->constant_count; i++)
            rx_value_unref(e->r[-(ptrdiff_t)i]);
        free(e->r - e->constant_count);
    }
    for (uint32_t i = 0; i < e->aggregate_count; i++)
        for (unsigned a = 0; a < e->aggregates[i].arg_count; a++)
            rx_expr_destroy(e->aggregates[i].args[a]);
    rx_expr_gate_destroy(e->gate);
    rx_regex_cache_destroy(e->regexes);
    rx_zone_cache_destroy(e->zones);
    for (uint32_t i = 0; i < e->shape_count; i++)
        rx_shape_unref(e->shapes[i]);
    for (uint32_t i = 0; i < e->key_count; i++)
        rx_key_drop(e->heap, e->keys[i]);
    free(e->code);
    free(e->places);
    free(e->accesses);
    free(e->handlers);
    free(e->failures);
    free(e->loops);
    free(e->shapes);
    free(e->functions);
    free(e->hints);
    free(e->fields);
    free(e->keys);
    free(e->aggregates);
    free(e->temps);
    free(e->text);
    free(e);
}

static int failed(struct rx_expr *e, int code, struct rx_error *reterr)
{
    if (reterr) {
        *reterr = (struct rx_error){0};
        rx_failure_describe(e, &e->failures[0], reterr);
        if (code == -ENOMEM)
            code = rx_heap_why(e->heap, reterr);
    }
    clear_failures(e);
    return code;
}

int rx_expr_eval(struct rx_expr *e, const struct rx_expr_env *env, struct rx_value *ret, struct rx_error *reterr)
{
    int r = rx_expr_run(e, env, 0, ret);
    if (__builtin_expect(r < 0, 0))
        return failed(e, r, reterr);
    if (__builtin_expect(e->failed, 0))
        clear_failures(e);
    return 0;
}

int rx_expr_test(struct rx_expr *e, const struct rx_expr_env *env, struct rx_error *reterr)
{
    struct rx_value value;
    int r = rx_expr_eval(e, env, &value, reterr);
    if (r < 0)
        return r;
    if (value.kind == RX_BOOL)
        return value.u.b;
    int code = value.kind == RX_NULL ? -ENODATA : -EINVAL;
    rx_error_set(reterr, code, "%s is %s, where true or false is needed", e->text,
                 value.kind == RX_NULL ? "null" : rx_kind_name((enum rx_kind)value.kind));
    if (reterr)
        reterr->at = (struct rx_place){1, 1, 0};
    rx_value_unref(value);
    return code;
}

const char *rx_expr_text(const struct rx_expr *e) { return e->text; }
bool rx_expr_is_constant(const struct rx_expr *e) { return e->is_constant; }
const struct rx_key *rx_expr_as_field(const struct rx_expr *e) { return e->as_field; }

bool rx_expr_is_slot(const struct rx_expr *e) { return e->is_slot; }

int rx_expr_reach(const struct rx_expr *e, struct rx_fields *fields, unsigned *ret_reaches)
{
    unsigned reaches = e->reaches;
    if (fields && e->reaches_all)
        rx_fields_add_all(fields);
    for (uint32_t i = 0; fields && i < e->field_count; i++) {
        int r = rx_fields_add(fields, e->fields[i]->text, e->fields[i]->length);
        if (r < 0)
            return r;
    }
    for (uint32_t i = 0; i < e->aggregate_count; i++)
        for (unsigned a = 0; a < e->aggregates[i].arg_count; a++) {
            unsigned more = 0;
            int r = rx_expr_reach(e->aggregates[i].args[a], fields, &more);
            if (r < 0)
                return r;
            reaches |= more;
        }
    if (ret_reaches)
        *ret_reaches = reaches;
    return 0;
}

size_t rx_expr_aggregate_count(const struct rx_expr *e) { return e->aggregate_count; }

const struct rx_aggregate_call *rx_expr_aggregate(const struct rx_expr *e, size_t i)
{
    return i < e->aggregate_count ? &e->aggregates[i] : NULL;
}

unsigned rx_expr_kinds(const struct rx_expr *e)
{
    if ((e->kinds & RX_K_ALL) == RX_K_ALL)
        return RX_EXPR_KIND_ANY;
    unsigned kinds = e->kinds & (RX_K_ALL >> 1);
    return e->kinds & RX_K_JSON ? kinds | RX_EXPR_KIND_NUMBER : kinds;
}

double rx_expr_cost(const struct rx_expr *e, double n)
{
    double total = 0, power = 1;
    for (size_t i = 0; i < sizeof e->cost / sizeof *e->cost; i++, power *= n)
        total += e->cost[i] * power;
    return total < (double)e->budget ? total : (double)e->budget;
}

uint64_t rx_expr_steps(const struct rx_expr *e) { return e->steps; }

size_t rx_expr_hint_count(const struct rx_expr *e) { return e->hint_count; }

const struct rx_error *rx_expr_hint(const struct rx_expr *e, size_t i)
{
    return i < e->hint_count ? &e->hints[i] : NULL;
}
