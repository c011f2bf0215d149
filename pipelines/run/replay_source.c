/* Replayed sources. */
#include "pipelines/run/replay_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static struct rx_event event_at(const struct rx_replay_feed *feed, struct rx_value value)
{
    return (struct rx_event){.value = value, .time = rx_sched_now(feed->engine->sched)};
}

static void arm_next(struct run *run)
{
    struct rx_replay_feed *feed = run->feed;
    if (run->next >= feed->note_count)
        return;
    rx_sched_arm_at(feed->engine->sched, &run->timer, run->base + feed->notes[run->next].at,
                    run->first_sequence + run->next);
}

static void hand_over(struct run *run, const struct rx_replay_note *note)
{
    struct rx_error error;
    if (note->kind == RX_NEXT) {
        struct rx_event event = event_at(run->feed, note->value);
        rx_observer_next(run->observer, &event, 1);
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
    if (run->log != SIZE_MAX)
        feed->subscriptions[run->log].unsubscribed = rx_sched_now(feed->engine->sched);
    rx_sched_stop(feed->engine->sched, &run->timer);
    run->over = true;
    if (!run->firing)
        free(run);
}

void rx_replay_feed_init(struct rx_replay_feed *feed, struct rx_engine *engine, struct rx_plan_source *source,
                         size_t span_max)
{
    *feed = (struct rx_replay_feed){.engine = engine, .source = source};
    feed->span_max = span_max == 0 ? 1 : span_max < RX_SPAN_MAX ? span_max : RX_SPAN_MAX;
    rx_hub_set_producer(source->hub, &(struct rx_producer){.subscribed = on_subscribed,
                                                           .unsubscribed = on_unsubscribed,
                                                           .arg = feed,
                                                           .sticky = !source->cold});
}

static void drop_note(struct rx_replay_note *note)
{
    if (note->kind == RX_NEXT)
        rx_value_unref(note->value);
    free(note->error);
}

void rx_replay_feed_finish(struct rx_replay_feed *feed)
{
    for (size_t i = 0; i < feed->span_length; i++)
        rx_value_unref(feed->span[i].value);
    for (size_t i = 0; i < feed->note_count; i++)
        drop_note(&feed->notes[i]);
    free(feed->notes);
    free(feed->subscriptions);
}

void rx_replay_feed_flush(struct rx_replay_feed *feed)
{
    size_t n = feed->span_length;
    feed->span_length = 0;
    rx_hub_next(feed->source->hub, feed->span, n);
    for (size_t i = 0; i < n; i++)
        rx_value_unref(feed->span[i].value);
}

static void happen(struct rx_replay_feed *feed, struct rx_replay_note *note)
{
    if (note->kind == RX_NEXT) {
        feed->span[feed->span_length++] = event_at(feed, note->value);
        if (feed->span_length == feed->span_max)
            rx_replay_feed_flush(feed);
        return;
    }
    rx_replay_feed_flush(feed);
    struct rx_error error;
    if (note->kind == RX_ERROR) {
        rx_error_set(&error, -EIO, "%s", note->error);
        rx_hub_error(feed->source->hub, &error);
    } else {
        rx_hub_complete(feed->source->hub);
    }
    drop_note(note);
}

int rx_replay_feed_add_take(struct rx_replay_feed *feed, struct rx_replay_note *note)
{
    if (!feed->source->cold) {
        happen(feed, note);
        return 0;
    }
    if (!grow((void **)&feed->notes, &feed->note_capacity, feed->note_count, sizeof *feed->notes)) {
        drop_note(note);
        return -ENOMEM;
    }
    feed->notes[feed->note_count++] = *note;
    return 0;
}
