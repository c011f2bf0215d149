/* Hubs: shared streams with a reference-counted producer. */
#include "core/graph/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/graph_private.h"

/* The next to be served by a delivery in progress; deliveries nest when a subscription replays at once. */
struct cursor {
    struct rx_observer *next;
    struct cursor *outer;
};

struct rx_hub {
    struct rx_engine *engine;
    char *name;
    struct rx_producer producer;
    struct rx_observer *first, *last;
    struct cursor *cursors;
    struct rx_hub *next_idle;
    size_t subscribers;
    uint64_t births;
    bool running, listed_idle, singles, away;
    enum { OPEN, COMPLETED, FAILED } ended; /* kept only by a sticky producer */
    struct rx_error *error;                 /* why it FAILED */
    rx_time watermark, initial;
    struct rx_hub_stats stats;
};

struct rx_hub *rx_hub_create(struct rx_engine *engine, const char *name)
{
    struct rx_hub *hub = calloc(1, sizeof *hub);
    char *copy = strdup(name);
    if (!hub || !copy) {
        free(hub);
        free(copy);
        return NULL;
    }
    hub->engine = engine;
    hub->name = copy;
    hub->watermark = hub->initial = RX_WATERMARK_CLOCK;
    return hub;
}

void rx_hub_destroy(struct rx_hub *hub)
{
    if (!hub)
        return;
    free(hub->name);
    free(hub->error);
    free(hub);
}

void rx_hub_set_producer(struct rx_hub *hub, const struct rx_producer *producer) { hub->producer = *producer; }
void rx_hub_set_singles(struct rx_hub *hub, bool singles) { hub->singles = singles; }

bool rx_hub_singles(const struct rx_hub *hub) { return hub->singles; }
void rx_hub_set_told(struct rx_hub *hub) { hub->watermark = hub->initial = RX_WATERMARK_NONE; }
const char *rx_hub_name(const struct rx_hub *hub) { return hub->name; }
size_t rx_hub_subscribers(const struct rx_hub *hub) { return hub->subscribers; }
struct rx_hub_stats rx_hub_stats(const struct rx_hub *hub) { return hub->stats; }

/* In the order of births: from the end, since nearly all are the youngest. */
static void link_in(struct rx_hub *hub, struct rx_observer *o, uint64_t born)
{
    struct rx_observer *before = hub->last;
    while (before && before->born > born)
        before = before->previous;
    o->hub = hub;
    o->born = born;
    o->previous = before;
    o->following = before ? before->following : hub->first;
    *(before ? &before->following : &hub->first) = o;
    *(o->following ? &o->following->previous : &hub->last) = o;
    hub->subscribers++;
}

static void unlink(struct rx_observer *o)
{
    struct rx_hub *hub = o->hub;
    for (struct cursor *c = hub->cursors; c; c = c->outer)
        if (c->next == o)
            c->next = o->following;
    *(o->previous ? &o->previous->following : &hub->first) = o->following;
    *(o->following ? &o->following->previous : &hub->last) = o->previous;
    o->hub = NULL;
    hub->subscribers--;
    if (hub->producer.unsubscribed)
        hub->producer.unsubscribed(hub->producer.arg, hub, o);
}

static void tell_end(struct rx_observer *o, const struct rx_error *error)
{
    o->note(o, &(struct rx_note){.kind = error ? RX_ERROR : RX_COMPLETE, .error = error});
}

static const struct rx_error *why(const struct rx_hub *hub)
{
    static const struct rx_error forgotten = {.code = -ENOMEM, .message = "out of memory for the reason"};
    return hub->error ? hub->error : &forgotten;
}

static void keep_why(struct rx_hub *hub, const struct rx_error *error)
{
    if (!hub->error)
        hub->error = malloc(sizeof *hub->error);
    if (hub->error)
        *hub->error = *error;
}

static void run(struct rx_hub *hub)
{
    if (hub->running)
        return;
    hub->running = true;
    if (hub->producer.start)
        hub->producer.start(hub->producer.arg, hub);
}

void rx_hub_subscribe(struct rx_hub *hub, struct rx_observer *o)
{
    rx_engine_enter(hub->engine);
    link_in(hub, o, ++hub->births);
    if (hub->producer.subscribed)
        hub->producer.subscribed(hub->producer.arg, hub, o);
    if (hub->ended != OPEN) {
        unlink(o);
        tell_end(o, hub->ended == FAILED ? why(hub) : NULL);
    } else {
        run(hub);
    }
    rx_engine_leave(hub->engine);
}

/* The producer stops at the end of the turn, unless somebody subscribed meanwhile: a hand-over does not restart it. */
void rx_hub_unsubscribe(struct rx_observer *o)
{
    struct rx_hub *hub = o->hub;
    if (!hub)
        return;
    rx_engine_enter(hub->engine);
    unlink(o);
    if (!hub->first && hub->running && !hub->listed_idle) {
        hub->listed_idle = true;
        hub->next_idle = hub->engine->idle_hubs;
        hub->engine->idle_hubs = hub;
    }
    rx_engine_leave(hub->engine);
}

void rx_hub_settle(struct rx_hub *hub)
{
    for (struct rx_hub *next; hub; hub = next) {
        next = hub->next_idle;
        hub->listed_idle = false;
        if (hub->first || !hub->running)
            continue;
        hub->running = false;
        hub->watermark = hub->initial;
        hub->away = false;
        if (hub->producer.stop)
            hub->producer.stop(hub->producer.arg, hub);
    }
}

/* Who subscribes during a delivery gets what comes after it (as an RxJS Subject copies its observers). */
static void deliver(struct rx_hub *hub, const struct rx_note *note)
{
    uint64_t births = hub->births;
    struct cursor cursor = {.next = hub->first, .outer = hub->cursors};
    hub->cursors = &cursor;
    for (struct rx_observer *o; (o = cursor.next) && o->born <= births;) {
        cursor.next = o->following;
        hub->stats.deliveries += note->kind == RX_NEXT ? note->count : 0;
        o->note(o, note);
    }
    hub->cursors = cursor.outer;
}

static void deliver_next(struct rx_hub *hub, const struct rx_note *note)
{
    hub->stats.events += note->count;
    hub->stats.last_time = note->span[note->count - 1].time;
    if (!hub->first)
        hub->stats.unheard += note->count;
    else if (!hub->singles)
        deliver(hub, note);
    else
        for (size_t i = 0; i < note->count; i++)
            deliver(hub, &(struct rx_note){.kind = RX_NEXT, .span = &note->span[i], .count = 1});
}

/* Every present subscriber is told; one that subscribes again meanwhile starts the producer anew. */
static void finish(struct rx_hub *hub, const struct rx_error *error)
{
    if (hub->producer.sticky) {
        hub->ended = error ? FAILED : COMPLETED;
        if (error)
            keep_why(hub, error);
    }
    hub->running = false;
    hub->watermark = hub->initial;
    hub->away = false;
    uint64_t births = hub->births;
    while (hub->first && hub->first->born <= births) {
        struct rx_observer *o = hub->first;
        unlink(o);
        tell_end(o, error);
    }
}

void rx_hub_note(struct rx_hub *hub, const struct rx_note *note)
{
    if (hub->ended != OPEN)
        return;
    rx_engine_enter(hub->engine);
    if (note->kind == RX_NEXT) {
        if (note->count)
            deliver_next(hub, note);
    } else if (rx_note_ends(note)) {
        struct rx_error copy = note->kind == RX_ERROR ? *note->error : (struct rx_error){.code = 0};
        finish(hub, note->kind == RX_ERROR ? &copy : NULL);
    } else {
        if (note->kind == RX_WATERMARK)
            hub->watermark = note->watermark;
        else if (note->kind == RX_LINK)
            hub->away = note->away;
        deliver(hub, note);
    }
    rx_engine_leave(hub->engine);
}

void rx_hub_next(struct rx_hub *hub, const struct rx_event *span, size_t n)
{
    rx_hub_note(hub, &(struct rx_note){.kind = RX_NEXT, .span = span, .count = n});
}

void rx_hub_complete(struct rx_hub *hub) { rx_hub_note(hub, &(struct rx_note){.kind = RX_COMPLETE}); }

void rx_hub_error(struct rx_hub *hub, const struct rx_error *error)
{
    rx_hub_note(hub, &(struct rx_note){.kind = RX_ERROR, .error = error});
}

void rx_hub_watermark(struct rx_hub *hub, rx_time t)
{
    rx_hub_note(hub, &(struct rx_note){.kind = RX_WATERMARK, .watermark = t});
}

void rx_hub_barrier(struct rx_hub *hub, uint64_t number)
{
    rx_hub_note(hub, &(struct rx_note){.kind = RX_BARRIER, .barrier = number});
}

rx_time rx_hub_reached(const struct rx_hub *hub) { return hub->watermark; }

void rx_hub_link(struct rx_hub *hub, bool away)
{
    if (hub->away != away)
        rx_hub_note(hub, &(struct rx_note){.kind = RX_LINK, .away = away});
}

bool rx_hub_is_away(const struct rx_hub *hub) { return hub->away; }

void rx_observer_next(struct rx_observer *o, const struct rx_event *span, size_t n)
{
    struct rx_hub *hub = o->hub;
    rx_engine_enter(hub->engine);
    hub->stats.events += n;
    hub->stats.deliveries += n;
    hub->stats.last_time = span[n - 1].time;
    o->note(o, &(struct rx_note){.kind = RX_NEXT, .span = span, .count = n});
    rx_engine_leave(hub->engine);
}

void rx_observer_end(struct rx_observer *o, const struct rx_error *error)
{
    struct rx_hub *hub = o->hub;
    rx_engine_enter(hub->engine);
    unlink(o);
    if (!hub->first)
        hub->running = false;
    tell_end(o, error);
    rx_engine_leave(hub->engine);
}

/* ---- state ---- */

void rx_hub_save(const struct rx_hub *hub, struct rx_writer *w)
{
    rx_write_uint(w, hub->births);
    rx_write_uint(w, hub->stats.events);
    rx_write_uint(w, hub->stats.deliveries);
    rx_write_uint(w, hub->stats.unheard);
    rx_write_int(w, hub->stats.last_time);
    rx_write_int(w, hub->watermark);
    rx_write_bool(w, hub->away);
    rx_write_uint(w, hub->ended);
    if (hub->ended == FAILED)
        rx_write_text(w, why(hub)->message, strlen(why(hub)->message));
}

void rx_hub_load(struct rx_hub *hub, struct rx_reader *r)
{
    size_t length = 0;
    hub->births = rx_read_uint(r);
    hub->stats.events = rx_read_uint(r);
    hub->stats.deliveries = rx_read_uint(r);
    hub->stats.unheard = rx_read_uint(r);
    hub->stats.last_time = rx_read_int(r);
    hub->watermark = rx_read_int(r);
    hub->away = rx_read_bool(r);
    uint64_t ended = rx_read_uint(r);
    if (ended > FAILED)
        rx_reader_fail(r, -EBADMSG);
    else
        hub->ended = ended == FAILED ? FAILED : ended == COMPLETED ? COMPLETED : OPEN;
    if (hub->ended != FAILED)
        return;
    const char *message = rx_read_text(r, &length);
    struct rx_error error;
    rx_error_set(&error, -EIO, "%.*s", (int)length, message ? message : "");
    keep_why(hub, &error);
}

void rx_observer_save(struct rx_observer *o, struct rx_writer *w)
{
    struct rx_hub *hub = o->hub;
    rx_write_uint(w, hub ? o->born : 0);
    if (hub && hub->producer.save_ticket)
        hub->producer.save_ticket(hub->producer.arg, o, w);
}

void rx_observer_load(struct rx_hub *hub, struct rx_observer *o, struct rx_reader *r)
{
    uint64_t born = rx_read_uint(r);
    if (!born || rx_reader_failed(r))
        return;
    rx_engine_enter(hub->engine);
    if (hub->births < born)
        hub->births = born;
    link_in(hub, o, born);
    if (hub->producer.load_ticket)
        hub->producer.load_ticket(hub->producer.arg, hub, o, r);
    if (hub->ended == OPEN)
        run(hub);
    rx_engine_leave(hub->engine);
}
