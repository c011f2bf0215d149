/* A step as the user wrote it: the operator's name and value, and what stands beside them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/registry.h"

static const char *const verdicts[] = {"dead_letter", "drop", "fail", "null", NULL}; /* enum rx_on_error */

const struct rx_option rx_step_siblings[] = {
    {.name = "id", .help = "a name for the step, once in its pipeline", .type = RX_OPTION_STRING},
    {.name = "on_error",
     .help = "what becomes of an event that the step cannot take",
     .type = RX_OPTION_ENUM,
     .fallback = "dead_letter",
     .choices = verdicts},
    {0},
};

static int read_on_error(struct rx_planner *planner, const struct rx_tree *value, enum rx_on_error *ret)
{
    for (int i = 0; value->text && verdicts[i]; i++) {
        if (strcmp(value->text, verdicts[i]) == 0) {
            *ret = (enum rx_on_error)i;
            return 0;
        }
    }
    rx_diagnosef(planner->diagnostics, value, "on_error: dead_letter | drop | fail | null", "on_error cannot be \"%s\"",
                 value->text ? value->text : "a mapping");
    return -EINVAL;
}

static int read_id(struct rx_planner *planner, const struct rx_tree *value, const struct rx_tree **ret)
{
    if (value->kind == RX_TREE_SCALAR) {
        *ret = value;
        return 0;
    }
    rx_diagnosef(planner->diagnostics, value, "id: the_loud_ones", "an id is a name");
    return -EINVAL;
}

/* Beside the operator: one of its options, a sibling misspelt, or the next step without its dash. */
static int refuse_second_key(struct rx_planner *planner, const struct rx_tree *key, const struct rx_written_step *step)
{
    static const char *const siblings[] = {"id", "on_error", NULL};
    const struct rx_operator_class *class = rx_registry_operator(step->name);
    const char *near = rx_nearest(key->text, siblings);
    char hint[200] = "start each step with its own \"- \"";
    if (class && rx_class_has_option(&class->base, key->text)) {
        bool bare = step->value && step->value->kind == RX_TREE_SCALAR;
        snprintf(hint, sizeof hint, "put both in braces: - %s: {%s%s%.40s, %.40s: ...}", step->name,
                 bare ? rx_class_positional(&class->base) : "", bare ? ": " : "", bare ? step->value->text : "...",
                 key->text);
        rx_diagnosef(planner->diagnostics, key, hint, "`%s` is an option of `%s`, and stands beside it", key->text,
                     step->name);
        return -EINVAL;
    }
    if (near && !rx_registry_operator(key->text))
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    rx_diagnosef(planner->diagnostics, key, hint, "a step has one operator, and this one has \"%s\" already",
                 step->name);
    return -EINVAL;
}

static bool is_beside(const char *operator, const char * key)
{
    const struct rx_operator_class *class = rx_registry_operator(operator);
    return class && rx_class_has_sibling(&class->base, key);
}

static int read_step_key(struct rx_planner *planner, const struct rx_tree *key, const struct rx_tree *value,
                         struct rx_written_step *step)
{
    if (strcmp(key->text, "id") == 0)
        return read_id(planner, value, &step->id);
    if (strcmp(key->text, "on_error") == 0)
        return read_on_error(planner, value, &step->on_error);
    if (step->name && is_beside(step->name, key->text) && !step->beside) {
        step->beside = key;
        step->beside_value = value;
        return 0;
    }
    bool first = step->name && is_beside(key->text, step->name) && !step->beside;
    if (step->name && !first)
        return refuse_second_key(planner, key, step);
    if (first) {
        step->beside = step->where;
        step->beside_value = step->value;
    }
    step->name = key->text;
    step->where = key;
    step->value = value;
    return 0;
}

/* The options as one mapping, with what stands beside the step. */
static int join_options(struct rx_planner *planner, struct rx_written_step *step)
{
    struct rx_tree *tree = step->beside ? rx_planner_alloc(planner, sizeof *tree) : NULL;
    struct rx_tree **parts = tree ? rx_planner_alloc(planner, 4 * sizeof *parts) : NULL;
    struct rx_tree *name = parts ? rx_planner_alloc(planner, sizeof *name) : NULL;
    const char *positional = rx_class_positional(&step->class->base);
    if (!step->beside)
        return 0;
    if (!name) {
        rx_diagnose_starved(planner->diagnostics, step->where);
        return -ENOMEM;
    }
    *name = *step->where;
    name->text = positional;
    name->length = strlen(positional);
    parts[0] = name;
    parts[1] = (struct rx_tree *)(uintptr_t)step->beside;
    parts[2] = (struct rx_tree *)(uintptr_t)step->value;
    parts[3] = (struct rx_tree *)(uintptr_t)step->beside_value;
    *tree = (struct rx_tree){.kind = RX_TREE_MAP,
                             .options = true,
                             .file = step->where->file,
                             .at = step->value->at,
                             .count = 2,
                             .keys = parts,
                             .items = parts + 2};
    step->value = tree;
    return 0;
}

/* What RxJS has as an operator, and every stream with a name is here. */
static bool is_sharing(const char *name)
{
    static const char *const names[] = {"share", "share_replay", "shareReplay", "publish", "ref_count", "refCount"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int find_class(struct rx_planner *planner, struct rx_written_step *step)
{
    step->class = rx_registry_operator(step->name);
    if (step->class)
        return 0;
    const char *near = rx_registry_nearest_operator(step->name);
    char hint[200], first[64];
    size_t word = strcspn(step->name, " ");
    snprintf(first, sizeof first, "%.*s", word < sizeof first ? (int)word : 0, step->name);
    if (step->name[word] && rx_registry_operator(first))
        snprintf(hint, sizeof hint, "write a colon behind the name: \"- %s:%.100s\"", first, step->name + word);
    else if (rx_registry_creation(step->name))
        snprintf(hint, sizeof hint, "it is a stream of its own, and stands where one is read: %s",
                 rx_registry_creation(step->name)->base.example);
    else if (rx_expr_is_aggregate(step->name))
        snprintf(hint, sizeof hint, "aggregates have a step of their own: \"- aggregate: {x: %.40s(value)}\"",
                 step->name);
    else if (is_sharing(step->name))
        snprintf(hint, sizeof hint, "what has a name is shared; beside `from`, or a source's kind: %s",
                 rx_share_class.example);
    else if (near)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    else
        snprintf(hint, sizeof hint, "`rxd operators` lists them all");
    rx_diagnosef(planner->diagnostics, step->where, hint, "there is no operator \"%s\"", step->name);
    return -EINVAL;
}

static int finish_step(struct rx_planner *planner, struct rx_written_step *step)
{
    if (find_class(planner, step) < 0)
        return -EINVAL;
    int r = join_options(planner, step);
    return r == 0 ? rx_planner_place_streams(planner, step) : r;
}

int rx_planner_read_step(struct rx_planner *planner, const struct rx_tree *tree, struct rx_written_step *step)
{
    *step = (struct rx_written_step){.on_error = RX_DEAD_LETTER};
    if (tree->kind == RX_TREE_SCALAR) {
        step->name = tree->text;
        step->where = tree;
        return find_class(planner, step);
    }
    int failed = tree->kind == RX_TREE_MAP ? 0 : -EINVAL;
    for (size_t i = 0; failed == 0 && i < tree->count; i++)
        failed = read_step_key(planner, tree->keys[i], tree->items[i], step);
    if (failed == 0 && step->name)
        return finish_step(planner, step);
    if (failed == 0 || tree->kind == RX_TREE_LIST)
        rx_diagnosef(planner->diagnostics, tree, "a step is \"- take: 3\" or \"- pairwise\"",
                     "expected a step here: an operator's name, with its options");
    return -EINVAL;
}
