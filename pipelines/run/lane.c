/* A lane. */
#include "pipelines/run/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- what comes out ---- */

static void put_event(struct rx_lane *lane, enum rx_parcel_tag tag, const struct rx_event *event)
{
    struct rx_writer *out = &lane->current->out;
    rx_write_uint(out, tag);
    rx_cross_event(&lane->to_owner, out, event);
}

static void put_error(struct rx_lane *lane, const struct rx_error *error)
{
    struct rx_writer *out = &lane->current->out;
    rx_write_uint(out, RX_PARCEL_ERROR);
    rx_write_int(out, error->code);
    rx_write_text(out, error->message, strlen(error->message));
}

static void on_part_note(void *arg, const struct rx_note *note)
{
    struct rx_lane_part *part = arg;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++)
        put_event(part->lane, RX_PARCEL_EVENT, &note->span[i]);
    if (rx_note_ends(note))
        part->instance = NULL;
    if (note->kind == RX_ERROR)
        put_error(part->lane, note->error);
}

static void on_branch_note(struct rx_observer *o, const struct rx_note *note)
{
    struct rx_branch_observer *b = (struct rx_branch_observer *)(void *)o;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++) {
        if (b->tag != RX_PARCEL_BRANCH) {
            put_event(b->lane, b->tag, &note->span[i]);
            continue;
        }
        rx_write_uint(&b->lane->current->out, b->tag);
        rx_write_uint(&b->lane->current->out, b->which);
        rx_cross_event(&b->lane->to_owner, &b->lane->current->out, &note->span[i]);
    }
}

/* ---- what comes in ---- */

static bool begin_part(struct rx_lane *lane, struct rx_lane_part *part)
{
    if (!part->begun)
        part->instance =
            rx_lane_instance_start(lane->world.engine, lane->node->subgraphs[0], on_part_note, part, lane->watermark);
    part->begun = true;
    return part->instance;
}

static void give(struct rx_lane *lane, unsigned number, const struct rx_event *span, size_t n)
{
    struct rx_lane_part *part = &lane->parts[number];
    if (begin_part(lane, part))
        rx_instance_pass(part->instance, span, n);
}

/* What has been gathered, part by part: of each in order. */
static void give_gathered(struct rx_lane *lane)
{
    struct rx_event span[RX_PARCEL_EVENTS];
    uint32_t left = 0;
    for (size_t i = 0; i < lane->gathered; i++)
        left |= 1u << lane->part_of[i];
    for (; left && !atomic_load_explicit(&lane->closing, memory_order_relaxed); left &= left - 1) {
        unsigned part = (unsigned)__builtin_ctz(left);
        size_t n = 0;
        for (size_t i = 0; i < lane->gathered; i++)
            if (lane->part_of[i] == part)
                span[n++] = lane->events[i];
        give(lane, part, span, n);
    }
    for (size_t i = 0; i < lane->gathered; i++)
        rx_event_unref(&lane->events[i]);
    lane->gathered = 0;
}

static void gather(struct rx_lane *lane, struct rx_reader *r)
{
    if (lane->gathered == RX_PARCEL_EVENTS)
        give_gathered(lane);
    lane->part_of[lane->gathered] = (uint8_t)rx_read_uint(r);
    lane->events[lane->gathered++] = rx_crossed_event(&lane->from_owner, r);
}

static void each_part(struct rx_lane *lane, void (*what)(struct rx_instance *, const void *arg), const void *arg)
{
    for (unsigned i = 0; i < RX_PARTS_MAX; i++)
        if (lane->parts[i].instance)
            what(lane->parts[i].instance, arg);
}

static void tell_time(struct rx_instance *instance, const void *t)
{
    rx_instance_watermark(instance, *(const rx_time *)t);
}

static void tell_completion(struct rx_instance *instance, const void *arg)
{
    (void)arg;
    rx_instance_complete(instance);
}

static void tell_failure(struct rx_instance *instance, const void *error) { rx_instance_error(instance, error); }

/* What the steps had to put out at the end is out when no part is left: a delay may take its time. */
static void finish_when_quiet(struct rx_lane *lane)
{
    for (unsigned i = 0; i < RX_PARTS_MAX; i++)
        if (lane->parts[i].instance)
            return;
    rx_write_uint(&lane->current->out, RX_PARCEL_COMPLETE);
    lane->completing = false;
}

static void read_error(struct rx_lane *lane, struct rx_reader *r)
{
    struct rx_error error;
    size_t length;
    int code = (int)rx_read_int(r);
    const char *message = rx_read_text(r, &length);
    rx_error_set(&error, code, "%.*s", (int)length, message);
    each_part(lane, tell_failure, &error);
    put_error(lane, &error);
}

static void obey(struct rx_lane *lane, struct rx_reader *r)
{
    enum rx_parcel_tag tag = (enum rx_parcel_tag)rx_read_uint(r);
    struct rx_writer *out = &lane->current->out;
    if (tag == RX_PARCEL_EVENT) {
        gather(lane, r);
        return;
    }
    give_gathered(lane);
    if (tag == RX_PARCEL_WATERMARK) {
        lane->watermark = rx_read_int(r);
        each_part(lane, tell_time, &lane->watermark);
    } else if (tag == RX_PARCEL_BARRIER) {
        rx_write_uint(out, tag);
        rx_write_uint(out, rx_read_uint(r));
    } else if (tag == RX_PARCEL_COMPLETE) {
        lane->completing = true;
        each_part(lane, tell_completion, NULL);
    } else {
        read_error(lane, r);
    }
}

/* ---- a parcel ---- */

void rx_lane_account(struct rx_lane *lane, struct rx_ledger *accounts)
{
    const struct rx_ledger *now = &lane->world.plan->ledgers[lane->first_step];
    for (size_t i = 0; i < lane->step_count; i++) {
        const struct rx_ledger *before = &lane->published[i];
        accounts[i].in += now[i].in - before->in;
        accounts[i].out += now[i].out - before->out;
        for (unsigned k = 0; k < RX_ACCOUNTS; k++)
            accounts[i].accounts[k] += now[i].accounts[k] - before->accounts[k];
        accounts[i].held += now[i].held - before->held;
        accounts[i].keys_evicted += now[i].keys_evicted - before->keys_evicted;
    }
    memcpy(lane->published, now, lane->step_count * sizeof *now);
}

static rx_time clock_now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

static void work_on(struct rx_lane *lane, struct rx_parcel *parcel)
{
    struct rx_sched *sched = lane->world.sched;
    struct rx_reader r = {.data = (const unsigned char *)parcel->in.buffer.data,
                          .length = parcel->in.buffer.length,
                          .heap = lane->world.heap};
    lane->current = parcel;
    if (rx_sched_drift(sched) != parcel->drift)
        rx_sched_set_drift(sched, parcel->drift);
    rx_sched_run_until(sched, parcel->now, false);
    rx_engine_enter(lane->world.engine);
    while (r.position < r.length && !atomic_load_explicit(&lane->closing, memory_order_relaxed))
        obey(lane, &r);
    give_gathered(lane);
    rx_engine_leave(lane->world.engine);
    if (parcel->through)
        rx_sched_run_until(sched, parcel->now, true);
    if (lane->completing)
        finish_when_quiet(lane);
    rx_lane_account(lane, parcel->accounts);
    parcel->next_due = rx_sched_next_due(sched);
    parcel->failed = rx_reader_failed(&r) || parcel->out.buffer.failed || parcel->in.buffer.failed;
    lane->current = NULL;
}

static void run(struct rx_task *task)
{
    struct rx_lane *lane = (struct rx_lane *)(void *)task;
    rx_crew_lock(lane->crew);
    struct rx_parcel *parcel = lane->waiting;
    if (parcel && !(lane->waiting = parcel->next))
        lane->waiting_tail = &lane->waiting;
    rx_crew_unlock(lane->crew);
    if (!parcel)
        return;
    rx_time begun = clock_now(CLOCK_THREAD_CPUTIME_ID);
    work_on(lane, parcel);
    atomic_fetch_add_explicit(&lane->busy, (uint64_t)(clock_now(CLOCK_THREAD_CPUTIME_ID) - begun),
                              memory_order_relaxed);
    rx_crew_lock(lane->crew);
    if (lane->waiting)
        rx_crew_post(lane->crew, task);
    lane->done(parcel);
    rx_crew_unlock(lane->crew);
}

/* ---- life ---- */

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
    *b = (struct rx_branch_observer){.observer = {.note = on_branch_note}, .lane = lane, .tag = tag, .which = which};
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
    lane->task.run = run;
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
    part->instance = rx_graph_load(lane->world.engine, lane->node->subgraphs[0], on_part_note, part, &own);
    own.heap = r->heap;
    *r = own;
}

void rx_lane_load_time(struct rx_lane *lane, rx_time watermark, bool completing)
{
    lane->watermark = watermark;
    lane->completing = completing;
    lane->next_due = rx_sched_next_due(lane->world.sched);
}
