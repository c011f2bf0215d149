/* Pipelines as producers of their hubs: a sub-graph runs while somebody subscribes. */
#include "pipelines/run/pipeline_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rx_pipeline_run {
    struct rx_plan *plan;
    struct rx_plan_pipeline *pipeline;
    struct rx_instance *instance;
    bool kept;
    int64_t *held; /* while loading: what each step is to hold in the end */
};

/* What branches off has the pipeline's time, and ends with it. */
static void on_note(void *arg, const struct rx_note *note)
{
    struct rx_pipeline_run *run = arg;
    if (rx_note_ends(note))
        run->instance = NULL;
    for (size_t i = 0; i < run->pipeline->branch_count && note->kind != RX_NEXT; i++)
        rx_hub_note(run->pipeline->branches[i].hub, note);
    rx_hub_note(run->pipeline->hub, note);
}

/* One that was loaded runs already when its first subscriber is loaded. */
static void start(void *arg, struct rx_hub *hub)
{
    struct rx_pipeline_run *run = arg;
    (void)hub;
    if (!run->instance)
        run->instance = rx_graph_start(run->plan->engine, run->pipeline->graph, on_note, run);
}

struct rx_instance *rx_pipeline_run_instance(const struct rx_pipeline_run *run) { return run->instance; }

void rx_pipeline_run_discard(struct rx_pipeline_run *run)
{
    rx_graph_stop(run->instance);
    run->instance = NULL;
}

static void stop(void *arg, struct rx_hub *hub)
{
    (void)hub;
    rx_pipeline_run_discard(arg);
}

int rx_pipelines_bind(struct rx_plan *plan)
{
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        struct rx_plan_pipeline *p = &plan->pipelines[i];
        p->run = rx_plan_alloc(plan->arena, sizeof *p->run);
        if (!p->run)
            return -ENOMEM;
        *p->run = (struct rx_pipeline_run){.plan = plan, .pipeline = p};
        rx_hub_set_producer(p->hub, &(struct rx_producer){.start = start, .stop = stop, .arg = p->run});
    }
    return 0;
}

void rx_pipelines_account(const struct rx_plan *plan)
{
    for (size_t i = 0; i < plan->pipeline_count; i++)
        rx_graph_account(plan->pipelines[i].run->instance);
}

/* ---- state ---- */

bool rx_pipeline_run_kept(const struct rx_pipeline_run *run) { return run->kept; }

static void save_step(const struct rx_plan *plan, size_t number, struct rx_writer *w)
{
    const struct rx_step *step = plan->steps[number];
    rx_write_text(w, step->id, strlen(step->id));
    rx_write_text(w, step->class->base.name, strlen(step->class->base.name));
    rx_write_uint(w, step->class->state_version);
    rx_write_uint(w, step->hash);
    rx_ledger_save(&plan->ledgers[number], w);
    rx_node_run_save(&plan->runs[number], w);
}

static bool reads_text(struct rx_reader *r, const char *expected)
{
    size_t length = 0;
    const char *text = rx_read_text(r, &length);
    return text && length == strlen(expected) && memcmp(text, expected, length) == 0;
}

static bool same_step(const struct rx_step *step, struct rx_reader *r)
{
    struct rx_ledger ledger = {0};
    int64_t held;
    bool same = reads_text(r, step->id) && reads_text(r, step->class->base.name) &&
                rx_read_uint(r) == step->class->state_version && rx_read_uint(r) == step->hash;
    if (!same)
        return false;
    rx_ledger_load(&ledger, r, &held);
    rx_frame_open(r);
    return !rx_reader_failed(r);
}

static void load_step(struct rx_pipeline_run *run, size_t number, struct rx_reader *r)
{
    size_t length;
    rx_read_text(r, &length);
    rx_read_text(r, &length);
    rx_read_uint(r);
    rx_read_uint(r);
    rx_ledger_load(&run->plan->ledgers[number], r, &run->held[number - run->pipeline->first_step]);
    rx_node_run_load(&run->plan->runs[number], r);
}

void rx_pipeline_run_save(struct rx_pipeline_run *run, struct rx_writer *w)
{
    const struct rx_plan_pipeline *p = run->pipeline;
    rx_graph_account(run->instance);
    rx_write_uint(w, p->step_count);
    for (size_t i = 0; i < p->step_count; i++)
        save_step(run->plan, p->first_step + i, w);
    rx_hub_save(p->hub, w);
    rx_write_bool(w, run->instance != NULL);
    if (run->instance)
        rx_instance_save(run->instance, w);
}

bool rx_pipeline_run_same(const struct rx_pipeline_run *run, const struct rx_reader *reader)
{
    const struct rx_plan_pipeline *p = run->pipeline;
    struct rx_reader r = *reader;
    bool same = rx_read_uint(&r) == p->step_count;
    for (size_t i = 0; i < p->step_count && same; i++)
        same = same_step(run->plan->steps[p->first_step + i], &r);
    return same;
}

/* What the ops say that they hold is what was held. */
static bool held_as_saved(const struct rx_pipeline_run *run)
{
    const struct rx_plan_pipeline *p = run->pipeline;
    for (size_t i = 0; i < p->step_count; i++)
        if (run->plan->ledgers[p->first_step + i].held != run->held[i])
            return false;
    return true;
}

static int load(struct rx_pipeline_run *run, struct rx_reader *r)
{
    const struct rx_plan_pipeline *p = run->pipeline;
    rx_read_uint(r);
    for (size_t i = 0; i < p->step_count; i++)
        load_step(run, p->first_step + i, r);
    rx_hub_load(p->hub, r);
    if (rx_read_bool(r))
        run->instance = rx_graph_load(run->plan->engine, p->graph, on_note, run, r);
    rx_hub_resume(p->hub);
    if (!rx_reader_failed(r) && (r->position != r->length || !held_as_saved(run)))
        rx_reader_fail(r, -EBADMSG);
    return r->failed;
}

int rx_pipeline_run_load(struct rx_pipeline_run *run, struct rx_reader *r)
{
    run->held = calloc(run->pipeline->step_count + 1, sizeof *run->held);
    int result = run->held ? load(run, r) : -ENOMEM;
    free(run->held);
    run->held = NULL;
    run->kept = result == 0;
    if (result < 0)
        rx_pipeline_run_discard(run);
    return result;
}
