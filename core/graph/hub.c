/* Hubs: shared streams with a reference-counted producer. */
#include "core/graph/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/hub_index.h"
#include "core/graph/hub_private.h"

/* The next to be served by a delivery in progress; deliveries nest when a subscription replays at once. */
struct cursor {
    struct rx_observer *next;
    struct cursor *outer;
    /* Of events that were looked up (only the outermost delivery does): */
    bool indexed; /* `next` is the next plain one */
    const struct rx_note *note;
    struct rx_hit *hits;
    size_t at, count;
    const struct rx_observer *current; /* who is given a hit, and how many events of the span it has seen with it */
    uint64_t current_born;
    size_t current_seen;
};

struct rx_hub *rx_hub_create(struct rx_engine *engine, const char *name)
{
    size_t length = strlen(name);
    struct rx_hub *hub = calloc(1, sizeof *hub + length + 1);
    if (!hub)
        return NULL;
    memcpy(hub->name, name, length);
    hub->engine = engine;
    hub->watermark = hub->initial = RX_WATERMARK_CLOCK;
    rx_hub_init_share(hub);
    return hub;
}

void rx_hub_destroy(struct rx_hub *hub)
{
    if (!hub)
        return;
    rx_hub_stay(hub);
    rx_event_queue_finish(&hub->kept);
    rx_hub_index_destroy(hub->index);
    free(hub->error);
    free(hub);
}

void rx_hub_set_producer(struct rx_hub *hub, const struct rx_producer *producer) { hub->producer = *producer; }
void rx_hub_set_singles(struct rx_hub *hub, bool singles) { hub->singles = singles; }

bool rx_hub_singles(const struct rx_hub *hub) { return hub->singles; }

/* Who comes in the midst of a span is given what was before it, and then the rest: one by one there is no midst. */
void rx_hub_set_share(struct rx_hub *hub, const struct rx_share *share, bool timed)
{
    hub->share = *share;
    hub->timed = timed;
    hub->singles = hub->singles || share->replay > 0;
}

void rx_hub_set_told(struct rx_hub *hub) { hub->watermark = hub->initial = RX_WATERMARK_NONE; }
const char *rx_hub_name(const struct rx_hub *hub) { return hub->name; }
size_t rx_hub_subscribers(const struct rx_hub *hub) { return hub->subscribers; }
struct rx_hub_stats rx_hub_stats(const struct rx_hub *hub) { return hub->stats; }

/* ---- the account of those that are not asked ---- */

/* It has not seen the last `unseen` events of the span that is being delivered. */
static void account(const struct rx_observer *o, const struct rx_event *unseen, size_t count)
{
    struct rx_gated *g = o->gated;
    uint64_t missed = o->hub->seen - count - g->seen - g->given, absent = rx_hub_field_absent(g);
    struct rx_ledger *leaf = g->leaf->ledger, *gate = g->gate->ledger;
    leaf->in += missed;
    leaf->accounts[RX_USED] += missed;
    leaf->out += missed;
    gate->in += missed;
    gate->accounts[RX_FILTERED] += missed;
    gate->accounts[RX_ABSENT] += absent - g->absent - rx_hub_field_absent_in(g, unseen, count);
    g->seen = o->hub->seen;
    g->absent = absent;
    g->given = 0;
}

void rx_observer_account(struct rx_observer *o)
{
    if (o->hub && o->gated)
        account(o, NULL, 0);
}

/* Whoever is subscribed now is in it. Without memory for it each is asked. */
static void renew_index(struct rx_hub *hub)
{
    hub->index_stale = false;
    for (struct rx_observer *o = hub->index ? hub->first : NULL; o; o = o->following)
        if (o->gated) {
            account(o, NULL, 0);
            o->gated->field = NULL;
            o->gated->absent = 0;
        }
    rx_hub_index_destroy(hub->index);
    hub->index = hub->gated >= hub->engine->index_from ? rx_hub_index_create(hub->first) : NULL;
}

/* One that leaves in the midst of a delivery has seen a part of it; not one that came in its course. */
static void account_leaving(const struct rx_observer *o)
{
    for (struct cursor *c = o->gated->field ? o->hub->cursors : NULL; c; c = c->outer) {
        if (!c->indexed)
            continue;
        size_t seen = o == c->current ? c->current_seen : o->born < c->current_born ? c->note->count : 0;
        account(o, c->note->span + seen, c->note->count - seen);
        for (size_t i = c->at; i < c->count; i++)
            if (c->hits[i].observer == o)
                c->hits[i].observer = NULL;
        return;
    }
    account(o, NULL, 0);
}

/* ---- subscribers ---- */

static void link_plain(struct rx_hub *hub, struct rx_observer *o)
{
    struct rx_observer *before = hub->last_plain;
    while (before && before->born > o->born)
        before = before->previous_plain;
    o->previous_plain = before;
    o->following_plain = before ? before->following_plain : hub->first_plain;
    *(before ? &before->following_plain : &hub->first_plain) = o;
    *(o->following_plain ? &o->following_plain->previous_plain : &hub->last_plain) = o;
}

static void unlink_plain(struct rx_hub *hub, struct rx_observer *o)
{
    *(o->previous_plain ? &o->previous_plain->following_plain : &hub->first_plain) = o->following_plain;
    *(o->following_plain ? &o->following_plain->previous_plain : &hub->last_plain) = o->previous_plain;
}

static void link_gated(struct rx_hub *hub, struct rx_observer *o)
{
    hub->index_stale = true;
    hub->gated++;
    o->gated->seen = hub->seen;
    o->gated->given = o->gated->absent = 0;
    o->gated->field = NULL;
}

static void unlink_gated(struct rx_hub *hub, struct rx_observer *o)
{
    account_leaving(o);
    o->gated->field = NULL;
    hub->index_stale = true;
    hub->gated--;
}

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
    if (o->gated)
        link_gated(hub, o);
    else
        link_plain(hub, o);
}

static void unlink(struct rx_observer *o)
{
    struct rx_hub *hub = o->hub;
    if (o->gated)
        unlink_gated(hub, o);
    for (struct cursor *c = hub->cursors; c; c = c->outer)
        if (c->next == o)
            c->next = c->indexed ? o->following_plain : o->following;
    if (!o->gated)
        unlink_plain(hub, o);
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

void rx_hub_list_idle(struct rx_hub *hub)
{
    if (hub->listed_idle)
        return;
    hub->listed_idle = true;
    hub->next_idle = hub->engine->idle_hubs;
    hub->engine->idle_hubs = hub;
}

static void run(struct rx_hub *hub)
{
    if (hub->running)
        return;
    hub->running = true;
    if (hub->producer.start)
        hub->producer.start(hub->producer.arg, hub);
}

static void refuse(const struct rx_hub *hub, struct rx_observer *o)
{
    struct rx_error error;
    rx_error_set(&error, -ENOMEM, "out of memory for what %s has kept", hub->name);
    unlink(o);
    tell_end(o, &error);
}

static void begin(struct rx_hub *hub, struct rx_observer *o)
{
    if (hub->ended != OPEN) {
        unlink(o);
        tell_end(o, hub->ended == FAILED ? why(hub) : NULL);
    } else {
        run(hub);
    }
}

void rx_hub_subscribe(struct rx_hub *hub, struct rx_observer *o)
{
    rx_engine_enter(hub->engine);
    rx_hub_stay(hub);
    link_in(hub, o, ++hub->births);
    if (hub->producer.subscribed)
        hub->producer.subscribed(hub->producer.arg, hub, o);
    uint64_t born = o->born;
    int r = rx_hub_give_kept(hub, o);
    if (r < 0)
        refuse(hub, o);
    else if (rx_hub_has(hub, o, born))
        begin(hub, o);
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
    if (!hub->first && hub->running && !rx_hub_linger(hub))
        rx_hub_list_idle(hub);
    rx_engine_leave(hub->engine);
}

void rx_hub_settle(struct rx_hub *hub)
{
    for (struct rx_hub *next; hub; hub = next) {
        next = hub->next_idle;
        hub->listed_idle = false;
        if (hub->first || rx_hub_lingers(hub) || hub->ended != OPEN)
            continue;
        rx_hub_forget_kept(hub);
        if (!hub->running)
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

/* ---- events that are looked up ---- */

static void give(struct cursor *c, struct rx_observer *o, const struct rx_event *span, size_t n, size_t seen)
{
    o->gated->given += n;
    c->current = o;
    c->current_born = o->born;
    c->current_seen = seen;
    o->note(o, &(struct rx_note){.kind = RX_NEXT, .span = span, .count = n});
}

/* All hits of the first one's subscriber: one by one where it may leave in their midst, for the sake of its account. */
static void give_hits(struct cursor *c)
{
    struct rx_event some[RX_SPAN_MAX];
    struct rx_observer *o = c->hits[c->at].observer;
    bool together = o->gated->leaf->span_ok;
    size_t n = 0;
    while (c->at < c->count && c->hits[c->at].observer == o) {
        size_t at = c->hits[c->at++].at;
        some[n++] = c->note->span[at];
        bool more = c->at < c->count && c->hits[c->at].observer == o;
        if (together && more)
            continue;
        give(c, o, some, n, at + 1);
        n = 0;
    }
}

/* Plain subscribers and hits, in the order of subscription. */
static void deliver_found(struct rx_hub *hub, struct cursor *c)
{
    uint64_t births = hub->births;
    c->next = hub->first_plain;
    c->outer = hub->cursors;
    hub->cursors = c;
    hub->seen += c->note->count;
    hub->stats.deliveries += hub->gated * c->note->count;
    for (;;) {
        while (c->at < c->count && !c->hits[c->at].observer)
            c->at++;
        struct rx_observer *plain = c->next && c->next->born <= births ? c->next : NULL;
        bool hit = c->at < c->count;
        if (!plain && !hit)
            break;
        if (hit && (!plain || c->hits[c->at].born < plain->born)) {
            give_hits(c);
            continue;
        }
        c->next = plain->following_plain;
        c->current = NULL;
        c->current_born = plain->born;
        hub->stats.deliveries += c->note->count;
        plain->note(plain, c->note);
    }
    hub->cursors = c->outer;
}

static void deliver_by_index(struct rx_hub *hub, const struct rx_note *note)
{
    size_t done = 0;
    while (done < note->count && hub->index && !hub->index_stale) {
        struct rx_note some = {.kind = RX_NEXT, .span = note->span + done};
        struct cursor c = {.indexed = true, .note = &some};
        int n = rx_hub_index_find(hub->index, some.span, note->count - done, &c.hits, &c.count);
        if (n < 0)
            break;
        some.count = (size_t)n;
        done += (size_t)n;
        deliver_found(hub, &c);
    }
    if (done < note->count)
        deliver(hub, &(struct rx_note){.kind = RX_NEXT, .span = note->span + done, .count = note->count - done});
}

static void deliver_events(struct rx_hub *hub, const struct rx_note *note)
{
    if (hub->index_stale && !hub->cursors)
        renew_index(hub);
    if (hub->index && !hub->cursors)
        deliver_by_index(hub, note);
    else
        deliver(hub, note);
}

static void deliver_pass(struct rx_hub *hub, const struct rx_note *note)
{
    rx_pass_begin(hub->engine);
    deliver_events(hub, note);
    rx_pass_end(hub->engine);
}

/* What is kept goes one by one (rx_hub_set_share). */
static void deliver_next(struct rx_hub *hub, const struct rx_note *note)
{
    hub->stats.events += note->count;
    hub->stats.last_time = note->span[note->count - 1].time;
    if (!hub->singles && hub->first)
        deliver_pass(hub, note);
    else if (!hub->singles)
        hub->stats.unheard += note->count;
    for (size_t i = 0; hub->singles && i < note->count; i++) {
        rx_hub_keep(hub, &note->span[i]);
        if (hub->first)
            deliver_pass(hub, &(struct rx_note){.kind = RX_NEXT, .span = &note->span[i], .count = 1});
        else
            hub->stats.unheard++;
    }
}

/* Every present subscriber is told; one that subscribes again meanwhile starts the producer anew. */
static void finish(struct rx_hub *hub, const struct rx_error *error)
{
    bool stays = hub->share.replay && !error;
    rx_hub_stay(hub);
    if (hub->producer.sticky || stays) {
        hub->ended = error ? FAILED : COMPLETED;
        if (error)
            keep_why(hub, error);
    }
    if (!stays)
        rx_hub_forget_kept(hub);
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

/* One that is no event. */
static void pass_on(struct rx_hub *hub, const struct rx_note *note)
{
    if (rx_note_ends(note)) {
        struct rx_error copy = note->kind == RX_ERROR ? *note->error : (struct rx_error){.code = 0};
        finish(hub, note->kind == RX_ERROR ? &copy : NULL);
        return;
    }
    if (note->kind == RX_WATERMARK)
        hub->watermark = note->watermark;
    else if (note->kind == RX_LINK)
        hub->away = note->away;
    deliver(hub, note);
}

void rx_hub_note(struct rx_hub *hub, const struct rx_note *note)
{
    if (hub->ended != OPEN)
        return;
    rx_engine_enter(hub->engine);
    if (note->kind == RX_NEXT) {
        if (note->count)
            deliver_next(hub, note);
    } else {
        rx_pass_begin(hub->engine);
        pass_on(hub, note);
        rx_pass_end(hub->engine);
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

rx_time rx_hub_begins_at(const struct rx_hub *hub)
{
    return hub->kept.count && hub->timed ? RX_WATERMARK_NONE : hub->watermark;
}

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
    rx_pass_begin(hub->engine);
    o->note(o, &(struct rx_note){.kind = RX_NEXT, .span = span, .count = n});
    rx_pass_end(hub->engine);
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
    rx_hub_save_share(hub, w);
}

static void load_error(struct rx_hub *hub, struct rx_reader *r)
{
    size_t length = 0;
    const char *message = rx_read_text(r, &length);
    struct rx_error error;
    rx_error_set(&error, -EIO, "%.*s", (int)length, message ? message : "");
    keep_why(hub, &error);
}

void rx_hub_resume(struct rx_hub *hub)
{
    if (rx_hub_lingers(hub))
        run(hub);
}

void rx_hub_forget(struct rx_hub *hub)
{
    rx_hub_forget_kept(hub);
    if (!hub->producer.sticky)
        hub->ended = OPEN;
}

void rx_hub_load(struct rx_hub *hub, struct rx_reader *r)
{
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
    if (hub->ended == FAILED)
        load_error(hub, r);
    rx_hub_load_share(hub, r);
    rx_engine_enter(hub->engine); /* at the end of the turn it is seen whether one of its readers is still there */
    if (hub->kept.count)
        rx_hub_list_idle(hub);
    rx_engine_leave(hub->engine);
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
