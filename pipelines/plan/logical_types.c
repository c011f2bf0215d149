/* Types known early: what aggregate and map declare, the expressions of the steps behind them may rely on. */
#include <string.h>

#include "pipelines/plan/logical_private.h"

/* The one option that makes the whole event of named expressions; NULL: the class has none. */
static const struct rx_option *maker_of(const struct rx_class *class)
{
    if (!(class->flags & RX_REPLACES))
        return NULL;
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (o->flags & RX_WHOLE &&
            (o->type == RX_OPTION_SHAPER || o->type == RX_OPTION_AGGREGATES || o->type == RX_OPTION_TEMPLATE))
            return o;
    return NULL;
}

/* Expressions stand in order of writing; a nested object would come between them. */
static bool is_flat(const struct rx_tree *object)
{
    if (!object || object->kind != RX_TREE_MAP)
        return false;
    for (size_t i = 0; i < object->count; i++)
        if (object->items[i]->kind != RX_TREE_SCALAR)
            return false;
    return true;
}

/* ---- the types of an output: the keys of the scopes around it, then its own fields ---- */

struct types {
    struct rx_planner *planner;
    struct rx_expr_type *types; /* NULL: they are only counted */
    size_t count;
};

static void add_type(struct types *t, const char *name, unsigned kinds)
{
    if (t->types)
        t->types[t->count] = (struct rx_expr_type){.name = name, .kinds = kinds};
    t->count++;
}

static void add_key(void *arg, const char *name, size_t length)
{
    struct types *t = arg;
    char *copy = t->types ? rx_planner_alloc(t->planner, length + 1) : NULL;
    if (copy)
        memcpy(copy, name, length);
    add_type(t, copy ? copy : "", RX_EXPR_KIND_ANY);
}

static void add_scopes(struct types *t, const struct rx_scope *scope)
{
    for (; scope; scope = scope->outer) {
        if (scope->opener->class->base.flags & RX_OPENS_GROUP)
            rx_planner_each_key(scope->opener, add_key, t);
        else if (scope->opener->class->base.flags & RX_OPENS_WINDOW)
            add_type(t, "window", RX_EXPR_KIND_ANY);
    }
}

/* Kinds are known where expressions stand in order of writing, one for each name. */
static void add_fields(struct types *t, const struct rx_shaper *shaper, const struct rx_tree *object)
{
    for (size_t i = 0; i < object->count; i++)
        add_type(t, object->keys[i]->text,
                 shaper ? rx_expr_kinds(rx_shaper_expr(shaper, i)) : (unsigned)RX_EXPR_KIND_ANY);
}

/* Calls `collect` twice: to count, and to fill. */
static struct rx_known known_of(struct rx_planner *planner, void (*collect)(struct types *, const void *),
                                const void *what)
{
    struct types t = {.planner = planner};
    collect(&t, what);
    t.types = rx_planner_alloc(planner, (t.count + 1) * sizeof *t.types);
    t.count = 0;
    if (!t.types)
        return (struct rx_known){0};
    collect(&t, what);
    return (struct rx_known){.types = t.types, .count = t.count};
}

/* ---- a step that makes the whole event ---- */

struct made {
    const struct rx_shaper *shaper; /* NULL: kinds are not known */
    const struct rx_tree *object;
    const struct rx_scope *scope;
};

static void collect_made(struct types *t, const void *what)
{
    const struct made *made = what;
    add_fields(t, made->shaper, made->object);
    add_scopes(t, made->scope);
}

static struct rx_known known_of_made(struct rx_planner *planner, const struct rx_step *step,
                                     const struct rx_option *maker, const void *image, const struct rx_scope *scope)
{
    struct made made = {.object = rx_tree_whole(step->options), .scope = scope};
    const struct rx_shaper *shaper;
    memcpy(&shaper, (const char *)image + maker->offset, sizeof shaper);
    if (is_flat(made.object) && maker->type != RX_OPTION_TEMPLATE && rx_shaper_expr_count(shaper) == made.object->count)
        made.shaper = shaper;
    struct rx_known known = known_of(planner, collect_made, &made);
    known.closed = known.count > 0;
    return known;
}

/* ---- a step that adds fields ---- */

struct added {
    struct rx_known before;
    const struct rx_step *step;
    bool none; /* it does not say which */
};

/* The object of the fields that it sets, or the name of the one that it fills; NULL: it is no such option, or was not given. */
static const struct rx_tree *names_of(const struct rx_step *step, const struct rx_option *o)
{
    const struct rx_tree *tree = rx_option_tree(&step->class->base, step->options, o);
    bool object = o->flags & RX_WHOLE && (o->type == RX_OPTION_SHAPER || o->type == RX_OPTION_VALUE);
    bool name = strcmp(o->name, "into") == 0;
    return tree && ((object && tree->kind == RX_TREE_MAP) || (name && tree->kind == RX_TREE_SCALAR)) ? tree : NULL;
}

static void collect_added(struct types *t, const void *what)
{
    const struct added *a = what;
    for (size_t i = 0; i < a->before.count; i++)
        add_type(t, a->before.types[i].name, a->before.types[i].kinds);
    for (const struct rx_option *o = a->step->class->base.options; o && o->name; o++) {
        const struct rx_tree *names = names_of(a->step, o);
        if (names && names->kind == RX_TREE_MAP)
            add_fields(t, NULL, names);
        else if (names)
            add_type(t, names->text, RX_EXPR_KIND_ANY);
        else if (strcmp(o->name, "into") == 0 && o->fallback)
            add_type(t, o->fallback, RX_EXPR_KIND_ANY);
    }
    if (a->step->class->base.flags & RX_OPENS_GROUP)
        rx_planner_each_key(a->step, add_key, t);
}

/* A field that is set anew has another kind from here on: its name comes last, and the last counts. */
static struct rx_known known_of_added(struct rx_planner *planner, const struct rx_step *step, struct rx_known before)
{
    struct added added = {.before = before, .step = step};
    struct rx_known known = known_of(planner, collect_added, &added);
    bool said = known.count > before.count;
    known.closed = said && before.closed;
    known.declared = said && before.declared;
    return said ? known : (struct rx_known){0};
}

void rx_planner_types_after(struct rx_planner *planner, const struct rx_step *step, unsigned inputs, const void *image,
                            const struct rx_scope *scope)
{
    const struct rx_option *maker = maker_of(&step->class->base);
    struct rx_known before = rx_plan_known(planner->scratch), after = {0};
    bool group = step->class->base.flags & RX_OPENS_GROUP;
    if (maker && step->options && step->options->kind == RX_TREE_MAP)
        after = known_of_made(planner, step, maker, image, scope);
    else if (inputs <= 1 && (group || step->facts.output == RX_OUTPUT_EDITS))
        after = known_of_added(planner, step, before);
    else if (inputs <= 1 && step->facts.output == RX_OUTPUT_PASSES)
        after = before;
    rx_plan_know(planner->scratch, after);
}

/* ---- a stream that is read ---- */

/* The name in braces that begins at `c`, or its length 0. */
static size_t capture_at(const char *c)
{
    size_t length = strcspn(c + 1, "}.");
    return c[1 + length] ? length : 0;
}

static void add_captures(struct types *t, const struct rx_tree *topics)
{
    for (size_t i = 0; topics->kind == RX_TREE_LIST && i < topics->count; i++)
        add_captures(t, topics->items[i]);
    for (const char *c = topics->text; c && (c = strchr(c, '{')); c++)
        if (capture_at(c))
            add_key(t, c + 1, capture_at(c));
}

static bool is_columns(const struct rx_tree *tree)
{
    return tree->kind == RX_TREE_LIST || (strcmp(tree->text, "true") != 0 && strcmp(tree->text, "false") != 0);
}

static void add_columns(struct types *t, const struct rx_tree *names)
{
    for (size_t i = 0; names->kind == RX_TREE_LIST && i < names->count; i++)
        add_columns(t, names->items[i]);
    if (names->kind == RX_TREE_SCALAR)
        add_type(t, names->text, RX_EXPR_KIND_ANY);
}

/* Options of a source, and of what stands beside its kind, that name fields. */
static void add_options(struct types *t, const struct rx_class *class, const struct rx_tree *value, unsigned flag)
{
    for (const struct rx_option *o = class->options; o && o->name; o++) {
        const struct rx_tree *tree = value ? rx_option_tree(class, value, o) : NULL;
        if (tree && o->type == RX_OPTION_GROUP)
            add_options(t, o->group, tree, flag);
        else if (tree && o->flags & flag & RX_CAPTURES)
            add_captures(t, tree);
        else if (tree && o->flags & flag & RX_COLUMNS && tree->kind != RX_TREE_MAP && is_columns(tree))
            add_columns(t, tree);
    }
}

static void collect_columns(struct types *t, const void *what)
{
    const struct rx_logical_source *s = what;
    for (const char *const *field = s->class->fields; field && *field; field++)
        add_type(t, *field, RX_EXPR_KIND_ANY);
    add_options(t, &s->class->base, s->options, RX_COLUMNS);
    add_options(t, &rx_source_common, s->common, RX_COLUMNS);
}

static void collect_captures(struct types *t, const void *what)
{
    const struct rx_logical_source *s = what;
    add_options(t, &s->class->base, s->options, RX_CAPTURES);
}

static void collect_all(struct types *t, const void *what)
{
    collect_columns(t, what);
    collect_captures(t, what);
}

struct rx_known rx_planner_types_of(struct rx_planner *planner, const struct rx_outlet *outlet)
{
    struct rx_known known = {0};
    if (outlet->pipeline && outlet == &outlet->pipeline->out)
        known = outlet->pipeline->known;
    if (!outlet->source || outlet != &outlet->source->out || !outlet->source->class)
        return known;
    bool declared = known_of(planner, collect_columns, outlet->source).count > 0;
    known = known_of(planner, declared ? collect_all : collect_captures, outlet->source);
    known.declared = declared;
    return known;
}
