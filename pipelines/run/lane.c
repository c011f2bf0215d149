/* A lane at work: what comes in with a parcel, and what goes out with it. */
#include "pipelines/run/lane.h"

#include <string.h>
#include <time.h>

/* ---- what comes out ---- */

/* NULL: there is no parcel, and the next one fails. So it is where memory ran out while state was loaded. */
static struct rx_writer *begin_letter(struct rx_lane *lane, enum rx_parcel_tag tag)
{
    if (!lane->current) {
        lane->lost = true;
        return NULL;
    }
    rx_write_uint(&lane->current->out, tag);
    return &lane->current->out;
}

static void put_event(struct rx_lane *lane, enum rx_parcel_tag tag, const struct rx_event *event)
{
    struct rx_writer *out = begin_letter(lane, tag);
    if (out)
        rx_cross_event(&lane->to_owner, out, event);
}

static void put_error(struct rx_lane *lane, const struct rx_error *error)
{
    struct rx_writer *out = begin_letter(lane, RX_PARCEL_ERROR);
    if (!out)
        return;
    rx_write_int(out, error->code);
    rx_write_text(out, error->message, strlen(error->message));
}

void rx_lane_on_part_note(void *arg, const struct rx_note *note)
{
    struct rx_lane_part *part = arg;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++)
        put_event(part->lane, RX_PARCEL_EVENT, &note->span[i]);
    if (rx_note_ends(note)) {
        part->instance = NULL;
        part->over = true;
    }
    if (note->kind == RX_ERROR)
        put_error(part->lane, note->error);
}

static void put_branch(struct rx_branch_observer *b, const struct rx_event *event)
{
    struct rx_writer *out = begin_letter(b->lane, b->tag);
    if (!out)
        return;
    if (b->tag == RX_PARCEL_BRANCH)
        rx_write_uint(out, b->which);
    rx_cross_event(&b->lane->to_owner, out, event);
}

void rx_lane_on_branch_note(struct rx_observer *o, const struct rx_note *note)
{
    struct rx_branch_observer *b = (struct rx_branch_observer *)(void *)o;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++)
        put_branch(b, &note->span[i]);
}

/* ---- what comes in ---- */

static bool begin_part(struct rx_lane *lane, struct rx_lane_part *part)
{
    if (part->begun)
        return part->instance;
    part->begun = true;
    struct rx_instance *started = rx_lane_instance_start(lane->world.engine, lane->node->subgraphs[0],
                                                         rx_lane_on_part_note, part, lane->watermark, lane->away);
    part->instance = part->over ? NULL : started;
    if (!started && !part->over)
        lane->lost = true;
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

static void tell_link(struct rx_instance *instance, const void *away)
{
    rx_lane_instance_link(instance, *(const bool *)away);
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
    } else if (tag == RX_PARCEL_LINK) {
        lane->away = rx_read_bool(r);
        each_part(lane, tell_link, &lane->away);
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
    parcel->failed = lane->lost || rx_reader_failed(&r) || parcel->out.buffer.failed || parcel->in.buffer.failed;
    lane->current = NULL;
}

void rx_lane_run(struct rx_task *task)
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
