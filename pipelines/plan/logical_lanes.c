/* Lanes: what may stand behind `parallel`. What comes out for a key must not depend on which other keys its lane has: a step keeps
 * something only for a group that is of one key, and nothing in a lane reaches outside of it. */
#include <ctype.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"

struct lanes {
    struct rx_planner *planner;
    const struct rx_step *opener;
    const struct rx_tree *by;
    const struct rx_tree
        *lost; /* the operator's name of a step that changed what the keys are made of; NULL: none did */
};

static const struct rx_tree *keys_of(const struct rx_step *step)
{
    for (const struct rx_option *o = step->class->base.options; o && o->name; o++)
        if (o->type == RX_OPTION_KEYS)
            return rx_option_tree(&step->class->base, step->options, o);
    return NULL;
}

static size_t key_count(const struct rx_tree *keys) { return keys->kind == RX_TREE_SCALAR ? 1 : keys->count; }

static const struct rx_tree *key_at(const struct rx_tree *keys, size_t i)
{
    return keys->kind == RX_TREE_SCALAR ? keys : keys->items[i];
}

static bool same_text(const struct rx_tree *a, const struct rx_tree *b)
{
    return a->kind == RX_TREE_SCALAR && b->kind == RX_TREE_SCALAR && strcmp(a->text, b->text) == 0;
}

/* All events of a group have one key of the lanes'. */
static bool is_finer(const struct lanes *l, const struct rx_tree *group)
{
    bool all = group && l->by;
    for (size_t i = 0; all && i < key_count(l->by); i++) {
        bool found = false;
        for (size_t k = 0; k < key_count(group) && !found; k++)
            found = same_text(key_at(l->by, i), key_at(group, k));
        all = found;
    }
    return all;
}

/* ---- what a step does to the fields that the keys are made of ---- */

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool names(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = text; length && (at = strstr(at, name)); at++)
        if ((at == text || !is_word(at[-1])) && !is_word(at[length]))
            return true;
    return false;
}

static bool in_keys(const struct lanes *l, const char *name)
{
    bool found = false;
    for (size_t i = 0; l->by && i < key_count(l->by) && !found; i++)
        found = key_at(l->by, i)->kind == RX_TREE_SCALAR && names(key_at(l->by, i)->text, name);
    return found;
}

/* Whether an object of expressions makes each key's field of itself: {device: device, ...}. */
static bool hands_on(const struct lanes *l, const struct rx_tree *object)
{
    bool all = object && object->kind == RX_TREE_MAP && l->by;
    for (size_t i = 0; all && i < key_count(l->by); i++) {
        const struct rx_tree *key = key_at(l->by, i), *made = NULL;
        if (key->kind == RX_TREE_SCALAR)
            made = rx_tree_get(object, key->text);
        all = made && same_text(made, key);
    }
    return all;
}

static bool mentions(const struct lanes *l, const struct rx_tree *tree)
{
    if (tree->kind == RX_TREE_SCALAR)
        return in_keys(l, tree->text);
    bool found = false;
    for (size_t i = 0; i < tree->count && !found; i++)
        found = tree->kind == RX_TREE_MAP ? in_keys(l, tree->keys[i]->text) : mentions(l, tree->items[i]);
    return found;
}

static bool changes_keys(const struct lanes *l, const struct rx_step *step)
{
    const struct rx_tree *options = rx_tree_whole(step->options), *into = rx_tree_get(step->options, "into");
    switch (step->facts.output) {
    case RX_OUTPUT_PASSES:
        return false;
    case RX_OUTPUT_EDITS:
        return into ? mentions(l, into) : options && mentions(l, options);
    case RX_OUTPUT_REPLACES:
        return !hands_on(l, options);
    default:
        return true;
    }
}

/* ---- refusals ---- */

static void refuse(const struct lanes *l, const struct rx_step *step, const char *hint, const char *why)
{
    rx_diagnosef(l->planner->diagnostics, step->where, hint, "\"%s\" behind `parallel`: %s", step->class->base.name,
                 why);
}

static bool keeps(const struct rx_step *step)
{
    const struct rx_facts *f = &step->facts;
    return f->reduces || f->ends_early || f->values || f->events || f->bytes || f->keys || f->windows || f->at_end ||
           step->class->timer_slots;
}

static bool reads_table(const struct rx_step *step)
{
    for (const struct rx_option *o = step->class->base.options; o && o->name; o++)
        if (o->flags & RX_TABLE && rx_option_tree(&step->class->base, step->options, o))
            return true;
    return false;
}

/* True: and it has been told. */
static bool reaches_out(const struct lanes *l, const struct rx_logical_node *node)
{
    const struct rx_step *step = node->step;
    static const char outside[] =
        "put it before `parallel`, or behind \"- merge\", where the lanes are one stream again";
    if (node->reads)
        rx_diagnosef(l->planner->diagnostics, step->where, outside,
                     "a step behind `parallel` reads another stream, which is not in the lanes");
    else if (node->opened || (node->scope && !(step->class->base.flags & (RX_OPENS_GROUP | RX_OPENS_WINDOW))))
        refuse(l, step, outside, "it reads another stream, which is not in the lanes");
    else if (step->class->answer)
        refuse(l, step, outside, "it asks the outside, which takes no core");
    else if (reads_table(step))
        refuse(l, step, outside, "its file is read where the pipeline runs, not in the lanes");
    else if (step->facts.opens_unasked)
        refuse(l, step, "leave out `expect`, or put it behind \"- merge\"",
               "each lane would open groups for keys that are another's");
    else
        return false;
    return true;
}

static void check_inside(const struct lanes *l, const struct rx_logical_graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        reaches_out(l, &graph->nodes[i]);
        if (graph->nodes[i].scope)
            check_inside(l, graph->nodes[i].scope);
    }
}

static void refuse_group(const struct lanes *l, const struct rx_step *step)
{
    if (l->lost)
        rx_diagnosef(l->planner->diagnostics, step->where,
                     "group before the key changes, or let it through: map: {KEY: KEY, ...}",
                     "this groups by what `%s` in line %u may have changed: a group could be in several lanes",
                     l->lost->text, l->lost->at.line);
    else
        rx_diagnosef(l->planner->diagnostics, step->where,
                     "group by at least the keys of `parallel`, or put \"- merge\" before it",
                     "this group is not of one key of `parallel` in line %u: it would be in several lanes",
                     l->opener->where->at.line);
}

void rx_planner_check_lanes(struct rx_planner *planner, const struct rx_step *opener,
                            const struct rx_logical_graph *graph)
{
    struct lanes l = {.planner = planner, .opener = opener, .by = keys_of(opener)};
    for (size_t i = 0; i < graph->count; i++) {
        const struct rx_logical_node *node = &graph->nodes[i];
        const struct rx_step *step = node->step;
        if (reaches_out(&l, node) || step->class->base.flags & RX_INTERNAL)
            continue;
        bool group = step->class->base.flags & RX_OPENS_GROUP;
        if (group && is_finer(&l, keys_of(step)) && !l.lost)
            check_inside(&l, node->scope);
        else if (group)
            refuse_group(&l, step);
        else if (keeps(step))
            refuse(&l, step,
                   "put \"- group_by: KEY\" before it, with the key of `parallel`, or \"- merge\" for the whole stream",
                   "it looks at many events, and would see those of its lane alone");
        if (!l.lost && changes_keys(&l, step))
            l.lost = step->where;
    }
}
