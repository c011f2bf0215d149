/* Steps: their identities, and where each keeps its account. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/logical_private.h"
#include "pipelines/plan/names.h"

/* How many steps of each name the pipeline has so far. */
struct rx_ordinals {
    struct rx_ordinals *next;
    const char *name;
    unsigned count;
};

void rx_planner_finish_steps(struct rx_planner *planner)
{
    for (struct rx_ordinals *o = planner->ordinals, *next; o; o = next) {
        next = o->next;
        free(o);
    }
    planner->ordinals = NULL;
    rx_names_destroy(planner->ids);
    planner->ids = NULL;
}

int rx_planner_begin_steps(struct rx_planner *planner)
{
    planner->steps = planner->inline_sources = 0;
    planner->ids = rx_names_create();
    return planner->ids ? 0 : -ENOMEM;
}

static unsigned next_ordinal(struct rx_planner *planner, const char *name)
{
    struct rx_ordinals **at = &planner->ordinals;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            return 0;
        (*at)->name = name;
    }
    return ++(*at)->count;
}

static bool check_id(struct rx_planner *planner, const struct rx_tree *id)
{
    if (rx_is_name(id->text))
        return true;
    rx_diagnosef(planner->diagnostics, id, "letters, digits, _ and -; not a digit first", "\"%s\" cannot be an id",
                 id->text);
    return false;
}

static const char *identity(struct rx_planner *planner, const struct rx_step_words *words)
{
    char text[400];
    const char *pipeline = planner->pipeline->name;
    if (words->parent)
        snprintf(text, sizeof text, "%s/%s", words->parent->id, words->name);
    else if (words->id)
        snprintf(text, sizeof text, "%.180s/%.180s", pipeline, words->id->text);
    else
        snprintf(text, sizeof text, "%.180s/%s/%u", pipeline, words->name, next_ordinal(planner, words->name));
    return rx_planner_text(planner, text);
}

static const char *label(struct rx_planner *planner, const struct rx_step_words *words)
{
    char text[160];
    if (words->label || words->id)
        return rx_planner_text(planner, words->label ? words->label : words->id->text);
    snprintf(text, sizeof text, "%u.%s", planner->steps, words->name);
    return rx_planner_text(planner, text);
}

static int grow(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    size_t capacity = planner->step_capacity ? planner->step_capacity * 2 : 64;
    struct rx_step **steps = realloc(plan->steps, capacity * sizeof *steps);
    if (!steps)
        return -ENOMEM;
    plan->steps = steps;
    planner->step_capacity = capacity;
    return 0;
}

static void refuse_repeated(struct rx_planner *planner, const struct rx_tree *id, const struct rx_step *other)
{
    rx_diagnosef(planner->diagnostics, id, "an id names one step of its pipeline: give each its own",
                 "there is a step \"%s\" in this pipeline already, in line %u", id->text, other->where->at.line);
}

static struct rx_facts facts_of(const struct rx_operator_class *class)
{
    unsigned flags = class->base.flags;
    return (struct rx_facts){
        .output = flags & RX_REPLACES ? RX_OUTPUT_REPLACES
                  : flags & RX_EDITS  ? RX_OUTPUT_EDITS
                  : flags & RX_PASSES ? RX_OUTPUT_PASSES
                                      : RX_OUTPUT_ANY,
        .reduces = flags & RX_REDUCES,
        .ends_early = flags & RX_ENDS_EARLY,
        .at_end = flags & RX_AT_END || (flags & RX_REDUCES && !(flags & RX_ENDS_EARLY)),
        .spans = flags & RX_SPAN_SAFE,
        .needs_order = (class->save || flags & RX_ENDS_EARLY) && !(flags & (RX_ANY_ORDER | RX_OPENS_GROUP)),
        .lates = class->watermark || class->collects,
        .values = class->save != NULL,
    };
}

struct rx_step *rx_planner_add_step(struct rx_planner *planner, const struct rx_step_words *words)
{
    struct rx_logical *plan = planner->plan;
    struct rx_step *step = rx_planner_alloc(planner, sizeof *step);
    const struct rx_tree *id = words->id && check_id(planner, words->id) ? words->id : NULL;
    if (!step || (plan->step_count == planner->step_capacity && grow(planner) < 0))
        return NULL;
    *step = (struct rx_step){
        .label = label(planner, words),
        .pipeline = planner->pipeline->name,
        .class = words->class,
        .where = words->where,
        .options = words->options,
        .on_error = words->on_error,
        .facts = facts_of(words->class),
        .number = (uint32_t)plan->step_count,
    };
    struct rx_step_words checked = *words;
    checked.id = id;
    step->id = identity(planner, &checked);
    if (!step->id || !step->label)
        return NULL;
    const struct rx_step *other = rx_names_get(planner->ids, step->id);
    if (other && id)
        refuse_repeated(planner, id, other);
    if (rx_names_put(planner->ids, step->id, step) < 0)
        return NULL;
    plan->steps[plan->step_count++] = step;
    return step;
}
