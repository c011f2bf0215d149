/* Replayed sources. */
#include "pipelines/run/replay_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/source_private.h"

/* One subscription to a cold source. All its notes have their places in the order of time from the start: they take
 * consecutive sequence numbers at subscription, as an RxJS cold observable schedules everything at once. */
struct run {
    struct rx_timer timer;
    struct rx_replay_feed *feed;
    struct rx_observer *observer;
    size_t log; /* its row in feed->subscriptions */
    rx_time base;
    uint64_t first_sequence;
    size_t next;
    bool firing, over;
};

int rx_replay_note_freeze(struct rx_replay_note *note)
{
    struct rx_writer w = {0};
    if (note->kind != RX_NEXT || note->frozen.length)
        return 0;
    rx_write_value(&w, note->value);
    if (w.buffer.failed) {
        rx_buffer_finish(&w.buffer);
        return -ENOMEM;
    }
    rx_value_unref(note->value);
    note->value = rx_null();
    note->frozen = w.buffer;
    return 0;
}

void rx_replay_note_finish(struct rx_replay_note *note)
{
    if (note->kind == RX_NEXT)
        rx_value_unref(note->value);
    rx_buffer_finish(&note->frozen);
    free(note->error);
    free(note->topic);
}

/* The caller's. */
static struct rx_value thawed(const struct rx_replay_feed *feed, const struct rx_replay_note *note)
{
    struct rx_reader r = {
        .data = (const unsigned char *)note->frozen.data, .length = note->frozen.length, .heap = feed->engine->heap};
    return note->frozen.length ? rx_read_value(&r) : rx_value_ref(note->value);
}

/* `split`: a list is its elements, as live. */
static void each_value(const struct rx_replay_feed *feed, const struct rx_replay_note *note,
                       void (*take)(void *arg, struct rx_value, const struct rx_replay_note *), void *arg)
{
    struct rx_value value = thawed(feed, note);
    bool split = value.kind == RX_LIST && feed->source->source->common->formats.split;
    if (!split) {
        take(arg, value, note);
        return;
    }
    for (uint32_t i = 0; i < value.u.list->count; i++)
        take(arg, rx_value_ref(value.u.list->items[i]), note);
    rx_value_unref(value);
}

/* As a message of that topic: captures, and what meta tells. */
static int make_event_take(struct rx_source *source, struct rx_source_work *work, struct rx_value value,
                           const struct rx_replay_note *note, struct rx_event *ret, struct rx_error *reterr)
{
    struct rx_message_info info = {.topic = NULL};
    const char *topic = note->topic;
    *ret = (struct rx_event){.value = value};
    if (topic && !source->class->of_topic(source, topic, strlen(topic), &info))
        return rx_error_set(reterr, -ENOMSG, "the topic \"%.100s\" is none of the source's", topic);
    info.retained = note->retained;
    int r = rx_source_record_take(&work->records, source, value, &info, &ret->value);
    if (r == 0 && (source->reaches & RX_REACHES_META))
        r = rx_source_record_meta(&work->records, source, &info, &ret->meta);
    return r < 0 ? rx_error_set(reterr, r, "out of memory") : rx_source_stamp(source, ret, reterr);
}

/* False: it could not be, and went to SOURCE.errors. */
static bool event_of_take(struct rx_replay_feed *feed, struct rx_value value, const struct rx_replay_note *note,
                          struct rx_event *ret)
{
    struct rx_source *source = feed->source->source;
    struct rx_source_work *work = rx_source_work_of(source);
    struct rx_error error = {0};
    if (!work) {
        rx_value_unref(value);
        feed->failed = true;
        return false;
    }
    int r = make_event_take(source, work, rx_source_record_pruned_take(source, value), note, ret, &error);
    if (r < 0)
        rx_source_reject_event_take(source, *ret, r, &error);
    return r == 0;
}

static void arm_next(struct run *run)
{
    struct rx_replay_feed *feed = run->feed;
    if (run->next >= feed->note_count)
        return;
    rx_sched_arm_at(feed->engine->sched, &run->timer, run->base + feed->notes[run->next].at,
                    run->first_sequence + run->next);
}

static void hand_over_take(void *arg, struct rx_value value, const struct rx_replay_note *note)
{
    struct run *run = arg;
    struct rx_event event;
    if (run->over) {
        rx_value_unref(value);
        return;
    }
    if (!event_of_take(run->feed, value, note, &event))
        return;
    rx_observer_next(run->observer, &event, 1);
    rx_event_unref(&event);
}

static void hand_over(struct run *run, const struct rx_replay_note *note)
{
    struct rx_error error;
    if (note->kind == RX_NEXT) {
        each_value(run->feed, note, hand_over_take, run);
        return;
    }
    if (note->kind == RX_ERROR)
        rx_error_set(&error, -EIO, "%s", note->error);
    rx_observer_end(run->observer, note->kind == RX_ERROR ? &error : NULL);
}

static void on_note(struct rx_timer *timer)
{
    struct run *run = (struct run *)(void *)timer;
    run->firing = true;
    hand_over(run, &run->feed->notes[run->next++]);
    run->firing = false;
    if (run->over)
        free(run);
    else
        arm_next(run);
}

/* ---- the log of subscriptions ---- */

static bool grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 16;
    void *bigger = realloc(*array, more * size);
    if (!bigger)
        return false;
    *array = bigger;
    *capacity = more;
    return true;
}

static size_t log_subscribed(struct rx_replay_feed *feed)
{
    if (!grow((void **)&feed->subscriptions, &feed->subscription_capacity, feed->subscription_count,
              sizeof *feed->subscriptions)) {
        feed->failed = true;
        return SIZE_MAX;
    }
    feed->subscriptions[feed->subscription_count] =
        (struct rx_replay_subscription){.subscribed = rx_sched_now(feed->engine->sched), .unsubscribed = RX_TIME_NEVER};
    return feed->subscription_count++;
}

static void on_subscribed(void *arg, struct rx_hub *hub, struct rx_observer *o)
{
    struct rx_replay_feed *feed = arg;
    struct run *run = calloc(1, sizeof *run);
    (void)hub;
    o->ticket = run;
    if (!run) {
        feed->failed = true;
        return;
    }
    *run = (struct run){.timer = {.fire = on_note}, .feed = feed, .observer = o};
    run->log = log_subscribed(feed);
    run->base = rx_sched_now(feed->engine->sched);
    if (!feed->source->cold)
        return;
    run->first_sequence = rx_sched_reserve(feed->engine->sched);
    for (size_t i = 1; i < feed->note_count; i++)
        rx_sched_reserve(feed->engine->sched);
    arm_next(run);
}

static void on_unsubscribed(void *arg, struct rx_hub *hub, struct rx_observer *o)
{
    struct rx_replay_feed *feed = arg;
    struct run *run = o->ticket;
    (void)hub;
    if (!run)
        return;
    if (run->log != SIZE_MAX && !feed->quiet)
        feed->subscriptions[run->log].unsubscribed = rx_sched_now(feed->engine->sched);
    rx_sched_stop(feed->engine->sched, &run->timer);
    run->over = true;
    if (!run->firing)
        free(run);
}

/* A subscription's part of the state: its row in the log; and, of a cold source, from when it counts, the numbers that its
 * notes take, and how many have come. */
static void save_ticket(void *arg, struct rx_observer *o, struct rx_writer *w)
{
    const struct run *run = o->ticket;
    (void)arg;
    rx_write_bool(w, run != NULL);
    if (!run)
        return;
    rx_write_uint(w, run->log);
    rx_write_int(w, run->base);
    rx_write_uint(w, run->first_sequence);
    rx_write_uint(w, run->next);
}

static void load_ticket(void *arg, struct rx_hub *hub, struct rx_observer *o, struct rx_reader *r)
{
    struct rx_replay_feed *feed = arg;
    struct run *run = rx_read_bool(r) ? calloc(1, sizeof *run) : NULL;
    (void)hub;
    o->ticket = run;
    if (!run)
        return;
    *run = (struct run){.timer = {.fire = on_note}, .feed = feed, .observer = o};
    run->log = rx_read_uint(r);
    run->base = rx_read_int(r);
    run->first_sequence = rx_read_uint(r);
    run->next = rx_read_uint(r);
    if (feed->source->cold)
        arm_next(run);
}

void rx_replay_feed_bind(struct rx_replay_feed *feed, struct rx_engine *engine, struct rx_plan_source *source)
{
    feed->engine = engine;
    feed->source = source;
    rx_hub_set_producer(source->hub, &(struct rx_producer){.subscribed = on_subscribed,
                                                           .unsubscribed = on_unsubscribed,
                                                           .save_ticket = save_ticket,
                                                           .load_ticket = load_ticket,
                                                           .arg = feed,
                                                           .sticky = !source->cold});
}

void rx_replay_feed_finish(struct rx_replay_feed *feed)
{
    for (size_t i = 0; i < feed->note_count; i++)
        rx_replay_note_finish(&feed->notes[i]);
    free(feed->notes);
    free(feed->subscriptions);
}

void rx_replay_feed_flush(struct rx_replay_feed *feed) { rx_source_flush(feed->source->source); }

static void add_take(void *arg, struct rx_value value, const struct rx_replay_note *note)
{
    struct rx_replay_feed *feed = arg;
    struct rx_source *source = feed->source->source;
    struct rx_event event;
    if (!event_of_take(feed, value, note, &event))
        return;
    rx_source_admit_take(source, source->work, event);
    if (source->work->length >= feed->span_max)
        rx_source_flush(source);
}

/* As a source that loses its connection, or has it again. */
static void set_away(struct rx_replay_feed *feed, bool away)
{
    if (feed->source->source->clock)
        rx_event_clock_connected(feed->source->source->clock, !away);
    rx_hub_link(feed->source->hub, away);
}

static void happen(struct rx_replay_feed *feed, struct rx_replay_note *note)
{
    if (note->kind == RX_NEXT) {
        each_value(feed, note, add_take, feed);
        rx_replay_note_finish(note);
        return;
    }
    rx_replay_feed_flush(feed);
    if (note->kind == RX_LINK) {
        set_away(feed, note->away);
        return;
    }
    rx_event_clock_stop(feed->source->source->clock);
    struct rx_error error;
    if (note->kind == RX_ERROR) {
        rx_error_set(&error, -EIO, "%s", note->error);
        rx_hub_error(feed->source->hub, &error);
    } else {
        rx_hub_complete(feed->source->hub);
    }
    rx_replay_note_finish(note);
}

int rx_replay_feed_add_take(struct rx_replay_feed *feed, struct rx_replay_note *note)
{
    if (!feed->source->cold || note->kind == RX_LINK) {
        happen(feed, note);
        return 0;
    }
    if (rx_replay_note_freeze(note) < 0 ||
        !grow((void **)&feed->notes, &feed->note_capacity, feed->note_count, sizeof *feed->notes)) {
        rx_replay_note_finish(note);
        return -ENOMEM;
    }
    feed->notes[feed->note_count++] = *note;
    return 0;
}
