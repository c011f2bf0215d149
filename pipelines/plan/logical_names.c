/* Names: results that would hide a key, aggregates where there is one event, texts that lack their quotes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/names.h"

static const char word[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

static const struct rx_tree *option_of_type(const struct rx_step *step, enum rx_option_type type)
{
    const struct rx_class *class = &step->class->base;
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (o->type == type && rx_option_tree(class, step->options, o))
            return rx_option_tree(class, step->options, o);
    return NULL;
}

static void tell_key(const struct rx_tree *name, void (*each)(void *arg, const char *name, size_t length), void *arg)
{
    bool ticks = name->kind == RX_TREE_SCALAR && name->length > 2 && name->text[0] == '`';
    if (name->kind == RX_TREE_SCALAR)
        each(arg, name->text + ticks, name->length - 2 * ticks);
}

void rx_planner_each_key(const struct rx_step *opener, void (*each)(void *arg, const char *name, size_t length),
                         void *arg)
{
    const struct rx_tree *by = option_of_type(opener, RX_OPTION_KEYS);
    if (by && by->kind == RX_TREE_SCALAR)
        tell_key(by, each, arg);
    for (size_t i = 0; by && by->kind != RX_TREE_SCALAR && i < by->count; i++)
        tell_key(by->kind == RX_TREE_MAP ? by->keys[i] : by->items[i], each, arg);
}

/* ---- a result named as a key of the group ---- */

struct clash {
    struct rx_planner *planner;
    const struct rx_tree *results;
};

static void refuse_hidden(void *arg, const char *name, size_t length)
{
    const struct clash *c = arg;
    for (size_t i = 0; i < c->results->count; i++) {
        const struct rx_tree *key = c->results->keys[i];
        if (key->length == length && memcmp(key->text, name, length) == 0)
            rx_diagnosef(c->planner->diagnostics, key, "give it another name",
                         "a result named \"%s\" would hide the group's key, which every result has", key->text);
    }
}

static void check_results(struct rx_planner *planner, const struct rx_step *step, const struct rx_scope *scope)
{
    const struct rx_tree *results = option_of_type(step, RX_OPTION_AGGREGATES);
    if (!results || results->kind != RX_TREE_MAP)
        return;
    for (; scope; scope = scope->outer)
        if (scope->opener->class->base.flags & RX_OPENS_GROUP)
            rx_planner_each_key(scope->opener, refuse_hidden, &(struct clash){planner, results});
}

/* ---- filter: avg(value) > 80 directly behind a window ---- */

/* The first aggregate called in an expression's text, outside of quotes; its length, 0: there is none. */
static size_t find_aggregate(const char *text, size_t *ret_at)
{
    char name[32], quote = 0;
    for (size_t i = 0; text[i];) {
        size_t n = strspn(text + i, word);
        if (quote || n == 0) {
            quote = quote ? (text[i] == quote ? 0 : quote) : strchr("\"'", text[i]) ? text[i] : 0;
            i++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : 0, text + i);
        if (text[i + n] == '(' && (i == 0 || text[i - 1] != '.') && rx_expr_is_aggregate(name)) {
            *ret_at = i;
            return n;
        }
        i += n;
    }
    return 0;
}

/* In a window, before it is reduced, an expression sees one event at a time. */
static void check_conditions(struct rx_planner *planner, const struct rx_step *step, const struct rx_scope *scope)
{
    const struct rx_tree *condition = option_of_type(step, RX_OPTION_EXPR);
    size_t at, n;
    if (!scope || !(scope->opener->class->base.flags & RX_OPENS_WINDOW) || !condition || step->facts.reduces ||
        condition->kind != RX_TREE_SCALAR || (n = find_aggregate(condition->text, &at)) == 0)
        return;
    struct rx_error error = {0};
    rx_error_set(&error, -1, "%.*s is of many events, and `%s` sees one at a time", (int)n, condition->text + at,
                 step->class->base.name);
    rx_error_hint(&error, "first - aggregate: {x: %.*s(...)}, then - %s: x > 3", (int)n, condition->text + at,
                  step->class->base.name);
    error.at.offset = at;
    rx_diagnose_inside(planner->diagnostics, condition, &error);
}

/* Results so far come from the window where there is one. */
static void check_running(struct rx_planner *planner, const struct rx_step *step, const struct rx_scope *scope)
{
    if (!(step->class->base.flags & RX_REDUCES) || step->facts.reduces)
        return;
    for (; scope; scope = scope->outer)
        if (scope->opener->class->base.flags & RX_OPENS_WINDOW) {
            rx_diagnosef(planner->diagnostics, step->where, "write it there: window: {size: 5m, emit: updates}",
                         "inside a window results so far are the window's to emit, and `%s` has `emit` beside it",
                         step->class->base.name);
            return;
        }
}

void rx_planner_check_names(struct rx_planner *planner, const struct rx_step *step, const struct rx_scope *scope)
{
    check_running(planner, step, scope);
    check_results(planner, step, scope);
    check_conditions(planner, step, scope);
}

/* ---- device == kitchen ---- */

/* Names to how they are known: captures of topics, and what steps make, or read in earnest. */
struct known_names {
    struct rx_planner *planner;
    struct rx_names *captures, *others;
    int result;
};

/* The text lives as long as the plan. */
static void note_name(struct known_names *k, struct rx_names *names, const char *text)
{
    if (rx_names_put(names, text, k) < 0)
        k->result = -ENOMEM;
}

static void note_capture(struct known_names *k, const char *text, size_t length)
{
    char *name = rx_planner_alloc(k->planner, length + 1);
    if (name)
        note_name(k, k->captures, memcpy(name, text, length));
    else
        k->result = -ENOMEM;
}

static void note_captures(struct known_names *k, const struct rx_tree *topics)
{
    for (size_t i = 0; topics->kind == RX_TREE_LIST && i < topics->count; i++)
        note_captures(k, topics->items[i]);
    for (const char *c = topics->text; c && (c = strchr(c, '{')); c++)
        note_capture(k, c + 1, strspn(c + 1, word));
}

static void note_sources(struct known_names *k)
{
    const struct rx_logical *plan = k->planner->plan;
    for (size_t i = 0; i < plan->source_count; i++) {
        const struct rx_class *class = &plan->sources[i]->class->base;
        for (const struct rx_option *o = class->options; o && o->name; o++) {
            const struct rx_tree *topics =
                o->flags & RX_CAPTURES ? rx_option_tree(class, plan->sources[i]->options, o) : NULL;
            if (topics)
                note_captures(k, topics);
        }
    }
}

/* IDENT == IDENT from `at` on, nothing but names; false: there is no more. */
static bool next_comparison(const char *text, size_t *at, size_t ends[4])
{
    for (const char *sign; (sign = strpbrk(text + *at, "=!")); *at = (size_t)(sign - text) + 1) {
        size_t s = (size_t)(sign - text), left = s, begin, right = s + 2, end;
        if (text[s + 1] != '=' || text[s + 2] == '=')
            continue;
        while (left > 0 && text[left - 1] == ' ')
            left--;
        for (begin = left; begin > 0 && strchr(word, text[begin - 1]);)
            begin--;
        right += strspn(text + right, " ");
        end = right + strspn(text + right, word);
        bool whole = begin < left && end > right && (begin == 0 || !strchr(".'\"`", text[begin - 1])) &&
                     !strchr(".([`", text[end] ? text[end] : ' ') && !strchr("0123456789", text[right]);
        if (!whole)
            continue;
        memcpy(ends, (size_t[]){begin, left, right, end}, 4 * sizeof *ends);
        *at = s + 2;
        return true;
    }
    return false;
}

/* By a topic, or by a step before this one. */
static bool is_given(const struct known_names *k, const struct rx_logical_node *node, const char *name)
{
    for (size_t i = 0; i < node->known.count; i++)
        if (strcmp(node->known.types[i].name, name) == 0)
            return true;
    return rx_names_get(k->captures, name);
}

/* A comparison of two names in a step's condition, one by one. */
struct comparison {
    const struct rx_tree *condition; /* NULL: there is none */
    size_t at, ends[4];
    char left[64], right[64];
};

static struct comparison comparisons_of(const struct rx_logical_node *node)
{
    const struct rx_tree *condition = option_of_type(node->step, RX_OPTION_EXPR);
    return (struct comparison){.condition = condition && condition->kind == RX_TREE_SCALAR ? condition : NULL};
}

static bool next(struct comparison *c)
{
    if (!c->condition || !next_comparison(c->condition->text, &c->at, c->ends))
        return false;
    snprintf(c->left, sizeof c->left, "%.*s", (int)(c->ends[1] - c->ends[0]), c->condition->text + c->ends[0]);
    snprintf(c->right, sizeof c->right, "%.*s", (int)(c->ends[3] - c->ends[2]), c->condition->text + c->ends[2]);
    return true;
}

/* Read here as one side of a comparison whose other side is given: perhaps a text that lacks its quotes. */
static bool may_be_text(const struct known_names *k, const struct rx_logical_node *node, const char *name)
{
    for (struct comparison c = comparisons_of(node); next(&c);)
        if ((strcmp(c.right, name) == 0 && is_given(k, node, c.left)) ||
            (strcmp(c.left, name) == 0 && is_given(k, node, c.right)))
            return true;
    return false;
}

/* What steps make by name, and what they read in earnest. */
static void note_step(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct known_names *k = arg;
    const struct rx_tree *made = rx_tree_whole(node->step->options);
    (void)depth;
    for (size_t i = 0; made && made->kind == RX_TREE_MAP && i < made->count; i++)
        note_name(k, k->others, made->keys[i]->text);
    for (size_t i = 0; i < node->need.count; i++)
        if (!may_be_text(k, node, node->need.fields[i]))
            note_name(k, k->others, node->need.fields[i]);
}

static bool is_known(const struct known_names *k, const char *name)
{
    static const char *const words[] = {"true", "false", "null",  "event", "event_time",
                                        "meta", "outer", "value", "window"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return rx_names_get(k->captures, name) || rx_names_get(k->others, name);
}

static void remark(struct rx_planner *planner, const struct rx_tree *condition, const char *name, size_t at)
{
    struct rx_error note = {0};
    rx_error_set(&note, -EINVAL, "%s is read as the name of a field, and nothing here gives one", name);
    rx_error_hint(&note, "for the text write \"%s\", with quotes", name);
    note.at.offset = at;
    rx_remark_inside(planner->diagnostics, condition, &note);
}

static void look_for_texts(void *arg, const struct rx_logical_node *node, unsigned depth)
{
    struct known_names *k = arg;
    (void)depth;
    if (node->known.closed || node->known.declared) /* the compiler tells of any name that is not there */
        return;
    for (struct comparison c = comparisons_of(node); next(&c);) {
        if (is_given(k, node, c.left) && !is_given(k, node, c.right) && !is_known(k, c.right))
            remark(k->planner, c.condition, c.right, c.ends[2]);
        else if (is_given(k, node, c.right) && !is_given(k, node, c.left) && !is_known(k, c.left))
            remark(k->planner, c.condition, c.left, c.ends[0]);
    }
}

int rx_planner_remarks(struct rx_planner *planner)
{
    const struct rx_logical *plan = planner->plan;
    struct known_names k = {.planner = planner, .captures = rx_names_create(), .others = rx_names_create()};
    if (!k.captures || !k.others)
        k.result = -ENOMEM;
    else
        note_sources(&k);
    for (size_t i = 0; k.result == 0 && i < plan->pipeline_count; i++)
        rx_logical_walk(plan->pipelines[i].graph, note_step, &k);
    for (size_t i = 0; k.result == 0 && i < plan->pipeline_count; i++)
        rx_logical_walk(plan->pipelines[i].graph, look_for_texts, &k);
    rx_names_destroy(k.captures);
    rx_names_destroy(k.others);
    return k.result;
}
