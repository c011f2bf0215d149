/* The site of one worker. */
#include "daemon/front/site_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/client/client.h"
#include "daemon/log.h"

#define SILENCE (5 * RX_SEC) /* an attempt to connect that is still going on */

size_t rx_site_brokers(const struct rx_site_owner *owner) { return owner->brokers.count; }

bool rx_site_broker_status(const struct rx_site_owner *owner, size_t i, struct rx_broker_status *ret)
{
    if (!owner->brokers.items[i]->broker)
        return false;
    rx_broker_status(owner->brokers.items[i]->broker, ret);
    return ret->used;
}

/* ---- HTTP ---- */

static struct rx_client *find_client(struct rx_site *site, struct rx_error *reterr)
{
    struct rx_site_owner *owner = site->owner;
    if (!owner->client)
        rx_client_create(site->loop, &owner->client, reterr);
    return owner->client;
}

/* ---- reload ---- */

int rx_site_prepare(struct rx_site_owner *owner, const struct rx_forest *forest, struct rx_diagnostics *diagnostics)
{
    int r = site_read_brokers(owner, forest, &owner->staged, diagnostics);
    owner->staging = r == 0;
    if (r < 0)
        site_drop_brokers(&owner->staged);
    return r;
}

void rx_site_commit(struct rx_site_owner *owner)
{
    struct brokers old = owner->brokers;
    owner->brokers = owner->staged;
    owner->staged = (struct brokers){0};
    owner->staging = false;
    site_drop_brokers(&old);
    for (size_t i = 0; i < owner->brokers.count; i++)
        if (owner->brokers.items[i]->broker)
            rx_broker_drop_unused(owner->brokers.items[i]->broker);
    if (owner->client)
        rx_client_drop_left(owner->client);
    rx_ws_pool_drop(&owner->site.websockets);
}

void rx_site_abandon(struct rx_site_owner *owner)
{
    owner->staging = false;
    site_drop_brokers(&owner->staged);
}

/* ---- streams ---- */

static struct rx_log_writer *open_stream(struct rx_site *site, const char *name,
                                         const struct rx_stream_options *options, struct rx_error *reterr)
{
    struct rx_site_owner *owner = site->owner;
    struct rx_log_writer *writer = NULL;
    int r = rx_streams_acquire(owner->options.streams, name, options, &writer);
    if (r < 0)
        rx_error_set(reterr, r, "cannot serve the stream \"%s\": %s", name,
                     r == -EBUSY ? "somebody else serves it" : strerror(-r));
    return writer;
}

static void close_stream(struct rx_site *site, const char *name)
{
    struct rx_site_owner *owner = site->owner;
    rx_streams_release(owner->options.streams, name);
}

static void log_line(struct rx_site *site, int level, const char *message, const char *const *pairs)
{
    (void)site;
    rx_log(level <= 3   ? RX_LOG_ERROR
           : level <= 4 ? RX_LOG_WARNING
           : level <= 6 ? RX_LOG_INFO
                        : RX_LOG_DEBUG,
           message, pairs);
}

/* ---- life ---- */

int rx_site_create(const struct rx_site_options *options, struct rx_diagnostics *diagnostics,
                   struct rx_site_owner **ret)
{
    struct rx_site_owner *owner = calloc(1, sizeof *owner);
    if (!owner)
        return -ENOMEM;
    owner->options = *options;
    owner->site = (struct rx_site){.loop = options->loop,
                                   .broker = site_find_broker,
                                   .broker_of = site_broker_of,
                                   .client = find_client,
                                   .stream = open_stream,
                                   .stream_done = close_stream,
                                   .log = log_line,
                                   .owner = owner};
    int r = site_read_brokers(owner, options->forest, &owner->brokers, diagnostics);
    if (r < 0) {
        rx_site_destroy(owner);
        return r;
    }
    *ret = owner;
    return 0;
}

void rx_site_destroy(struct rx_site_owner *owner)
{
    if (!owner)
        return;
    site_drop_brokers(&owner->staged);
    site_drop_brokers(&owner->brokers);
    rx_client_destroy(owner->client);
    rx_ws_pool_drop(&owner->site.websockets);
    free(owner);
}

struct rx_site *rx_site_of(struct rx_site_owner *owner) { return &owner->site; }

static void add_broker(struct rx_metrics *m, const struct rx_broker_status *s, const char *worker)
{
    const char *labels[] = {"broker", s->name, "worker", worker, NULL};
    rx_metrics_count(m, RX_METRIC_BROKER_CONNECTED, s->connected, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_CONNECTS, s->connects, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_DISCONNECTS, s->disconnects, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_FAILURES, s->failures, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_GAPS, s->gaps, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_RECEIVED, s->received, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_SENT, s->sent, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_UNCLAIMED, s->unclaimed, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_DROPPED, s->dropped, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_QUEUED, s->queued, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_ORPHANS, s->orphans, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_INFLIGHT, s->inflight, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_UNANSWERED, s->unanswered, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_PARKED_DROPPED, s->parked_dropped, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_OVERSIZED, s->oversized, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_TAKEN_OVER, s->taken_over, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_REFUSED_NOW, s->refused_now, labels);
    rx_metrics_count(m, RX_METRIC_BROKER_PUBLISHES_REFUSED, s->publishes_refused, labels);
}

void rx_site_metrics(const struct rx_site_owner *owner, struct rx_metrics *m)
{
    char worker[12];
    snprintf(worker, sizeof worker, "%u", owner->options.worker);
    const char *labels[] = {"worker", worker, NULL};
    rx_metrics_count(m, RX_METRIC_WORKER_LIVE_BYTES, rx_heap_live_bytes(owner->options.heap), labels);
    rx_metrics_count(m, RX_METRIC_WORKER_BLOCKS, rx_heap_live_blocks(owner->options.heap), labels);
    rx_metrics_count(m, RX_METRIC_WORKER_TURNS, rx_loop_turns(owner->options.loop), labels);
    for (size_t i = 0; i < owner->brokers.count; i++) {
        struct rx_broker_status status;
        if (rx_site_broker_status(owner, i, &status))
            add_broker(m, &status, worker);
    }
}

/* A connection that is being made for the first time is not up yet, and no news. One that was lost and is back since the
 * last round has been down all the same. */
static void state_connection(const struct rx_site_owner *owner, struct named_broker *b,
                             const struct rx_broker_status *s, struct rx_health *h)
{
    bool lost = s->disconnects > b->losses;
    b->losses = s->disconnects;
    rx_time waited = rx_sched_now(rx_loop_sched(owner->options.loop)) - s->since;
    const char *reason = s->last_error[0] ? s->last_error : waited > SILENCE ? "it does not answer" : "";
    if (s->connected)
        reason = s->last_loss;
    if (!s->connected || lost)
        rx_health_holds(h, RX_CONDITION_BROKER_DOWN, s->name, "", reason, s->failures);
}

void rx_site_health(struct rx_site_owner *owner, struct rx_health *h)
{
    for (size_t i = 0; i < owner->brokers.count; i++) {
        struct rx_broker_status s;
        if (!rx_site_broker_status(owner, i, &s))
            continue;
        state_connection(owner, owner->brokers.items[i], &s, h);
        if (s.refused_now)
            rx_health_holds(h, RX_CONDITION_SUBSCRIPTION_REFUSED, s.name, "", s.refusal, s.refused_now);
        rx_health_counts(h, RX_CONDITION_PUBLISH_REFUSED, s.name, "", s.publishes_refused, s.publish_refusal);
        rx_health_counts(h, RX_CONDITION_CLIENT_ID_SHARED, s.name, "", s.taken_over, s.client_id);
        rx_health_counts(h, RX_CONDITION_UNCLAIMED, s.name, "", s.unclaimed, s.unclaimed_topic);
        rx_health_counts(h, RX_CONDITION_OVERSIZED, s.name, "", s.oversized, "larger than `max_packet`");
        rx_health_counts(h, RX_CONDITION_PARKED_DROPPED, s.name, "", s.parked_dropped, "more than are kept");
        rx_health_counts(h, RX_CONDITION_SESSION_FORGOTTEN, s.name, "", s.gaps, "it came back without our session");
        rx_health_counts(h, RX_CONDITION_BROKER_DROPS, s.name, "", s.dropped, "its queue here is full, or it refuses");
    }
}
