/* Paces: how far apart events come, as far as steps say so (facts.h), and what cannot be meant with that: a step that waits for a
 * silence which the step before it never leaves; a window too short to hold two of the events that come. Only warnings come of it. */
#include <errno.h>
#include <stdio.h>

#include "pipelines/plan/logical_private.h"

static const struct rx_pace unknown;

static struct rx_pace pace_of_outlet(const struct rx_outlet *outlet)
{
    const struct rx_logical_pipeline *p = outlet->pipeline;
    return p && outlet == &p->out ? p->graph->nodes[p->graph->count - 1].pace : unknown;
}

static struct rx_pace pace_before(const struct rx_logical_graph *graph, const struct rx_logical_node *node,
                                  struct rx_pace entry)
{
    if (node->reads)
        return pace_of_outlet(node->reads);
    if (node->step->class == &rx_operator_entry)
        return entry;
    return node->input_count == 1 ? graph->nodes[node->inputs[0].node].pace : unknown;
}

static struct rx_pace own_pace(const struct rx_step *step)
{
    const struct rx_facts *facts = &step->facts;
    return (struct rx_pace){.spacing = facts->spacing, .rhythm = facts->rhythm, .of = step};
}

static bool has_pace(const struct rx_facts *facts) { return facts->spacing > 0 || facts->rhythm > 0; }

/* What passes some of its events may leave out any of them: that keeps them apart, and not regular. */
static struct rx_pace pace_after(const struct rx_step *step, struct rx_pace in)
{
    if (has_pace(&step->facts))
        return own_pace(step);
    switch (step->facts.output) {
    case RX_OUTPUT_PASSES:
        in.rhythm = 0;
        return in;
    case RX_OUTPUT_EDITS:
    case RX_OUTPUT_REPLACES:
        return step->facts.reduces ? unknown : in;
    default:
        return unknown;
    }
}

/* Results of a window come at its pace; those of several groups between one another. */
static struct rx_pace pace_behind_scope(const struct rx_logical_node *node)
{
    const struct rx_logical_node *exit = &node->scope->nodes[node->scope->count - 1];
    struct rx_pace pace = exit->pace;
    if (node->step->class->collects || node->step->class->base.flags & RX_OPENS_WINDOW)
        return exit->step->facts.reduces ? own_pace(node->step) : unknown;
    pace.spacing = 0;
    return node->step->class->base.flags & (RX_OPENS_GROUP | RX_OPENS_LANES) ? pace : unknown;
}

static void remark(struct rx_planner *planner, const struct rx_step *step, const char *hint, const char *message)
{
    struct rx_error note = {.code = -EINVAL};
    rx_error_set(&note, -EINVAL, "%s", message);
    rx_error_hint(&note, "%s", hint);
    rx_remark(planner->diagnostics, step->where, &note);
}

static void check_quiet(struct rx_planner *planner, const struct rx_step *step, struct rx_pace in)
{
    char message[240], hint[160], quiet[40], rhythm[40];
    if (in.rhythm <= 0 || step->facts.quiet <= in.rhythm)
        return;
    rx_format_duration(step->facts.quiet, quiet, sizeof quiet);
    rx_format_duration(in.rhythm, rhythm, sizeof rhythm);
    snprintf(message, sizeof message,
             "`%s` waits until nothing has come for %s, but `%s` in line %u puts out every %s while there are events",
             step->where->text, quiet, in.of->where->text, in.of->where->at.line, rhythm);
    snprintf(hint, sizeof hint, "make it shorter than %s, or leave it out; for fewer results make `%s` longer", rhythm,
             in.of->where->text);
    remark(planner, step, hint, message);
}

static void check_gathering(struct rx_planner *planner, const struct rx_step *step, struct rx_pace in)
{
    char message[240], hint[160], gathers[40], spacing[40];
    if (step->facts.gathers <= 0 || step->facts.gathers >= in.spacing)
        return;
    rx_format_duration(step->facts.gathers, gathers, sizeof gathers);
    rx_format_duration(in.spacing, spacing, sizeof spacing);
    snprintf(message, sizeof message,
             "what `%s` in line %u puts out is at least %s apart: `%s` of %s holds one event at most",
             in.of->where->text, in.of->where->at.line, spacing, step->where->text, gathers);
    snprintf(hint, sizeof hint, "make it longer than %s, or put it before `%s`", spacing, in.of->where->text);
    remark(planner, step, hint, message);
}

static void pace_graph(struct rx_planner *planner, struct rx_logical_graph *graph, struct rx_pace entry)
{
    for (size_t i = 0; i < graph->count; i++) {
        struct rx_logical_node *node = &graph->nodes[i];
        struct rx_pace in = pace_before(graph, node, entry);
        check_quiet(planner, node->step, in);
        check_gathering(planner, node->step, in);
        node->pace = node->input_count == 0 ? in : pace_after(node->step, in);
        if (!node->scope)
            continue;
        bool group = node->step->class->base.flags & (RX_OPENS_GROUP | RX_OPENS_LANES);
        pace_graph(planner, node->scope, (struct rx_pace){in.spacing, group ? 0 : in.rhythm, in.of});
        node->pace = pace_behind_scope(node);
    }
}

void rx_planner_paces(struct rx_planner *planner)
{
    struct rx_logical *plan = planner->plan;
    for (size_t i = 0; i < plan->pipeline_count; i++)
        pace_graph(planner, plan->pipelines[plan->ordered[i]].graph, unknown);
}
