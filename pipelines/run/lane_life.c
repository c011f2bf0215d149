/* Lanes and parcels made, saved, loaded and destroyed. */
#include "pipelines/run/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rx_parcel *rx_parcel_create(struct rx_lane *lane)
{
    struct rx_parcel *parcel = calloc(1, sizeof *parcel);
    struct rx_ledger *accounts = calloc(lane->step_count + 1, sizeof *accounts);
    if (!parcel || !accounts) {
        free(parcel);
        free(accounts);
        return NULL;
    }
    parcel->lane = lane;
    parcel->accounts = accounts;
    return parcel;
}

void rx_parcel_destroy(struct rx_parcel *parcel)
{
    if (!parcel)
        return;
    rx_buffer_finish(&parcel->in.buffer);
    rx_buffer_finish(&parcel->out.buffer);
    free(parcel->accounts);
    free(parcel);
}

struct search {
    const struct rx_step *step;
    const struct rx_node *found;
    uint32_t last; /* the number of the last step inside */
};

static void find_node(void *arg, const struct rx_node *node, unsigned depth)
{
    struct search *s = arg;
    (void)depth;
    if (node->step == s->step)
        s->found = node;
}

static void find_last(void *arg, const struct rx_node *node, unsigned depth)
{
    struct search *s = arg;
    (void)depth;
    for (unsigned i = 0; i < node->step_count; i++)
        s->last = node->steps[i]->number > s->last ? node->steps[i]->number : s->last;
}

static void observe(struct rx_lane *lane, struct rx_hub *hub, enum rx_parcel_tag tag, unsigned which)
{
    struct rx_branch_observer *b = &lane->observers[lane->observer_count++];
    *b = (struct rx_branch_observer){
        .observer = {.note = rx_lane_on_branch_note}, .lane = lane, .tag = tag, .which = which};
    rx_hub_subscribe(hub, &b->observer);
}

static int observe_all(struct rx_lane *lane, const struct rx_plan_pipeline *p)
{
    lane->observers = calloc(p->branch_count + 2, sizeof *lane->observers);
    if (!lane->observers)
        return -ENOMEM;
    observe(lane, p->errors, RX_PARCEL_ERRORS, 0);
    observe(lane, p->late, RX_PARCEL_LATE, 0);
    for (size_t i = 0; i < p->branch_count; i++)
        observe(lane, p->branches[i].hub, RX_PARCEL_BRANCH, (unsigned)i);
    return 0;
}

/* Steps outside of the lanes do not run here: their tables need no rows. */
static const char *no_rows(void *arg, const struct rx_step *step, bool *ret_any)
{
    (void)arg, (void)step;
    *ret_any = false;
    return "[]";
}

static int make_world(struct rx_lane *lane, const struct rx_logical *logical, const struct rx_op *op,
                      struct rx_error *reterr)
{
    const struct rx_step *step = op->node->step;
    const struct rx_logical_pipeline *p = rx_logical_find_pipeline(logical, step->pipeline);
    bool *here = calloc(logical->pipeline_count + 1, sizeof *here);
    if (!here)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    here[p->position] = true;
    struct rx_plan_options options = {.pipelines_here = here, .rows = no_rows};
    int r = rx_world_create(logical, &options, &lane->world, reterr);
    free(here);
    if (r < 0)
        return r;
    struct search s = {.step = step, .last = step->number};
    rx_plan_walk(lane->world.plan->pipelines[0].graph, find_node, &s);
    rx_plan_walk(s.found->subgraphs[0], find_last, &s);
    lane->node = s.found;
    lane->first_step = step->number + 1;
    lane->step_count = s.last - step->number;
    return 0;
}

static int make(struct rx_lane *lane, const struct rx_logical *logical, const struct rx_op *op, struct rx_error *reterr)
{
    const struct rx_engine *owner = rx_op_engine(op);
    int r = make_world(lane, logical, op, reterr);
    if (r < 0)
        return r;
    lane->away = rx_op_is_away(op);
    lane->world.engine->log = owner->log;
    lane->world.engine->log_arg = owner->log_arg;
    rx_sched_run_until(lane->world.sched, rx_now(op), false);
    lane->from_owner.heap = lane->world.heap;
    lane->from_lane.heap = owner->heap;
    lane->published = calloc(lane->step_count + 1, sizeof *lane->published);
    if (!lane->published || observe_all(lane, &lane->world.plan->pipelines[0]) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return 0;
}

int rx_lane_create(const struct rx_logical *logical, struct rx_crew *crew, const struct rx_op *op, struct rx_lane **ret,
                   struct rx_error *reterr)
{
    struct rx_lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    lane->task.run = rx_lane_run;
    lane->crew = crew;
    lane->waiting_tail = &lane->waiting;
    lane->flight_tail = &lane->flight;
    lane->watermark = RX_WATERMARK_CLOCK;
    lane->next_due = RX_TIME_NEVER;
    for (unsigned i = 0; i < RX_PARTS_MAX; i++)
        lane->parts[i].lane = lane;
    int r = make(lane, logical, op, reterr);
    if (r < 0) {
        rx_lane_destroy(lane, NULL);
        return r;
    }
    *ret = lane;
    return 0;
}

static void end_world(struct rx_lane *lane, struct rx_ledger *accounts)
{
    rx_engine_enter(lane->world.engine);
    for (unsigned i = 0; i < RX_PARTS_MAX; i++)
        rx_graph_stop(lane->parts[i].instance);
    for (size_t i = 0; i < lane->observer_count; i++)
        rx_hub_unsubscribe(&lane->observers[i].observer);
    rx_engine_leave(lane->world.engine);
    if (accounts)
        rx_lane_account(lane, accounts);
    rx_crossing_in_finish(&lane->from_owner);
    rx_crossing_out_finish(&lane->to_owner);
}

void rx_lane_destroy(struct rx_lane *lane, struct rx_ledger *accounts)
{
    if (!lane)
        return;
    rx_crossing_out_finish(&lane->to_lane);
    rx_crossing_in_finish(&lane->from_lane);
    if (lane->world.engine)
        end_world(lane, accounts);
    rx_world_destroy(&lane->world);
    free(lane->observers);
    free(lane->published);
    free(lane);
}

/* ---- state ---- */

void rx_lane_save_common(const struct rx_lane *lane, struct rx_writer *w)
{
    rx_write_uint(w, lane->step_count);
    for (size_t i = 0; i < lane->step_count; i++)
        rx_node_run_save(&lane->world.plan->runs[lane->first_step + i], w);
}

void rx_lane_load_common(struct rx_lane *lane, struct rx_reader *r)
{
    if (rx_read_uint(r) != lane->step_count)
        rx_reader_fail(r, -EBADMSG);
    for (size_t i = 0; i < lane->step_count && !rx_reader_failed(r); i++)
        rx_node_run_load(&lane->world.plan->runs[lane->first_step + i], r);
}

void rx_lane_save_part(struct rx_lane *lane, unsigned number, struct rx_writer *w)
{
    const struct rx_lane_part *part = &lane->parts[number];
    rx_write_bool(w, part->begun);
    rx_write_bool(w, part->instance != NULL);
    if (part->instance)
        rx_instance_save(part->instance, w);
}

void rx_lane_load_part(struct rx_lane *lane, unsigned number, struct rx_reader *r)
{
    struct rx_lane_part *part = &lane->parts[number];
    part->begun = rx_read_bool(r);
    if (!rx_read_bool(r))
        return;
    struct rx_reader own = *r;
    own.heap = lane->world.heap;
    struct rx_instance *loaded =
        rx_graph_load(lane->world.engine, lane->node->subgraphs[0], rx_lane_on_part_note, part, &own);
    part->instance = part->over ? NULL : loaded;
    if (!part->instance)
        rx_reader_fail(&own, -ENOMEM);
    own.heap = r->heap;
    *r = own;
}

void rx_lane_load_time(struct rx_lane *lane, rx_time watermark, bool away, bool completing)
{
    lane->watermark = watermark;
    lane->away = away;
    lane->completing = completing;
    lane->next_due = rx_sched_next_due(lane->world.sched);
}
