/* Hubs beyond their last subscriber, and with late ones (share.h). */
#include <errno.h>

#include "core/graph/hub_private.h"

/* ---- beyond the last subscriber ---- */

bool rx_hub_lingers(const struct rx_hub *hub) { return rx_timer_armed(&hub->leaving); }

static void list_lingering(struct rx_hub *hub)
{
    hub->next_lingering = hub->engine->lingering_hubs;
    hub->engine->lingering_hubs = hub;
}

bool rx_hub_linger(struct rx_hub *hub)
{
    struct rx_sched *sched = hub->engine->sched;
    if (!hub->share.grace || hub->engine->closing ||
        rx_sched_arm(sched, &hub->leaving, rx_sched_now(sched) + hub->share.grace) < 0)
        return false;
    list_lingering(hub);
    return true;
}

void rx_hub_stay(struct rx_hub *hub)
{
    struct rx_hub **at = &hub->engine->lingering_hubs;
    while (*at && *at != hub)
        at = &(*at)->next_lingering;
    if (*at)
        *at = hub->next_lingering;
    rx_sched_stop(hub->engine->sched, &hub->leaving);
}

static void leave(struct rx_hub *hub)
{
    struct rx_engine *engine = hub->engine;
    rx_engine_enter(engine);
    rx_hub_stay(hub);
    if (!hub->first && hub->running)
        rx_hub_list_idle(hub);
    rx_engine_leave(engine);
}

static void on_leaving(struct rx_timer *timer)
{
    leave((struct rx_hub *)(void *)((char *)timer - offsetof(struct rx_hub, leaving)));
}

void rx_hub_init_share(struct rx_hub *hub) { hub->leaving = (struct rx_timer){.fire = on_leaving}; }

void rx_engine_close(struct rx_engine *engine)
{
    engine->closing = true;
    while (engine->lingering_hubs)
        leave(engine->lingering_hubs);
}

/* ---- for late subscribers ---- */

void rx_hub_forget_kept(struct rx_hub *hub) { rx_event_queue_drop(&hub->kept, hub->kept.count); }

/* What a hot source of a replay has while nobody subscribes is nobody's. */
void rx_hub_keep(struct rx_hub *hub, const struct rx_event *event)
{
    if (!hub->share.replay || !hub->running)
        return;
    if ((int64_t)hub->kept.count == hub->share.replay)
        rx_event_queue_drop(&hub->kept, 1);
    hub->stats.unkept += rx_event_queue_push(&hub->kept, event) < 0;
}

static void give_copies(struct rx_hub *hub, struct rx_observer *o, const struct rx_event_queue *copies)
{
    uint64_t born = o->born;
    for (size_t i = 0; i < copies->count && rx_hub_has(hub, o, born); i++) {
        struct rx_event event = *rx_event_queue_at(copies, i);
        if (!hub->timed)
            event.time = rx_sched_wall(hub->engine->sched); /* as of all that waited: it is when it goes on */
        hub->stats.deliveries++;
        hub->stats.replayed++;
        o->note(o, &(struct rx_note){.kind = RX_NEXT, .span = &event, .count = 1});
    }
    if (rx_hub_has(hub, o, born) && hub->timed && hub->ended == OPEN && hub->watermark != RX_WATERMARK_NONE)
        o->note(o, &(struct rx_note){.kind = RX_WATERMARK, .watermark = hub->watermark});
}

int rx_hub_give_kept(struct rx_hub *hub, struct rx_observer *o)
{
    struct rx_event_queue copies = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < hub->kept.count; i++)
        r = rx_event_queue_push(&copies, rx_event_queue_at(&hub->kept, i));
    if (r == 0 && copies.count)
        give_copies(hub, o, &copies);
    rx_event_queue_finish(&copies);
    return r;
}

void rx_hub_save_share(const struct rx_hub *hub, struct rx_writer *w)
{
    rx_event_queue_save(&hub->kept, w);
    rx_timer_save(&hub->leaving, w);
    rx_write_uint(w, hub->stats.replayed);
    rx_write_uint(w, hub->stats.unkept);
}

/* Under other options than it was saved with fewer may be kept, or no grace be left. */
void rx_hub_load_share(struct rx_hub *hub, struct rx_reader *r)
{
    rx_event_queue_drop(&hub->kept, hub->kept.count);
    if (rx_event_queue_load(&hub->kept, r) == 0 && (int64_t)hub->kept.count > hub->share.replay)
        rx_event_queue_drop(&hub->kept, hub->kept.count - (size_t)hub->share.replay);
    if (rx_timer_load(hub->engine->sched, &hub->leaving, r) < 0)
        rx_reader_fail(r, -ENOMEM);
    if (!hub->share.grace)
        rx_sched_stop(hub->engine->sched, &hub->leaving);
    if (rx_hub_lingers(hub))
        list_lingering(hub);
    hub->stats.replayed = rx_read_uint(r);
    hub->stats.unkept = rx_read_uint(r);
}
