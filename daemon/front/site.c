/* The site of one worker. */
#include "daemon/front/site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/client/client.h"
#include "daemon/log.h"

#define SILENCE (5 * RX_SEC) /* an attempt to connect that is still going on */

/* A broker of the config. A reload keeps it where nothing in it has changed, with the connection, and with the config that
 * its options are borrowed from. */
struct named_broker {
    unsigned refs;
    const char *name;
    uint64_t hash; /* of the options */
    const struct rx_broker_options *options;
    struct rx_forest *forest;
    struct rx_plan_arena *arena;
    struct rx_broker *broker; /* made when a source or sink asks for it */
    uint64_t losses;          /* of the connection, that rx_site_health has told */
};

struct brokers {
    struct named_broker **items;
    size_t count;
};

struct rx_site_owner {
    struct rx_site site;
    struct rx_site_options options;
    struct brokers brokers, staged; /* staged: of a config that is being taken over */
    bool staging;
    struct rx_client *client; /* NULL: nobody has asked for it */
};

/* ---- brokers ---- */

/* What is still to be sent goes with it: that is told. */
static void end_broker(struct rx_broker *broker)
{
    struct rx_broker_status s;
    char count[24];
    if (!broker)
        return;
    rx_broker_status(broker, &s);
    if (s.queued + s.inflight > 0) {
        snprintf(count, sizeof count, "%zu", s.queued + s.inflight);
        const char *pairs[] = {"broker", s.name, "messages", count, "state", s.state, "error", s.last_error, NULL};
        rx_log(RX_LOG_WARNING, "messages to the broker are dropped: it did not take them in time", pairs);
    }
    rx_broker_destroy(broker);
}

static void drop_broker(struct named_broker *b)
{
    if (!b || --b->refs > 0)
        return;
    end_broker(b->broker);
    rx_plan_arena_destroy(b->arena);
    rx_forest_destroy(b->forest);
    free(b);
}

static void drop_all(struct brokers *brokers)
{
    for (size_t i = 0; i < brokers->count; i++)
        drop_broker(brokers->items[i]);
    free(brokers->items);
    *brokers = (struct brokers){0};
}

static struct named_broker *find(const struct brokers *brokers, const char *name)
{
    for (size_t i = 0; i < brokers->count; i++)
        if (strcmp(brokers->items[i]->name, name) == 0)
            return brokers->items[i];
    return NULL;
}

static struct rx_broker *find_broker(struct rx_site *site, const char *name)
{
    struct rx_site_owner *owner = site->owner;
    struct named_broker *b = find(owner->staging ? &owner->staged : &owner->brokers, name);
    struct rx_error error = {0};
    errno = b ? ENOMEM : ENOENT;
    if (b && !b->broker && rx_broker_create(site->loop, b->name, b->options, &b->broker, &error) < 0) {
        errno = error.code == -ENOMEM ? ENOMEM : EIO;
        const char *pairs[] = {"broker", name, "error", error.message, NULL};
        int why = errno;
        rx_log(RX_LOG_ERROR, "cannot set up the broker", pairs);
        errno = why;
    }
    return b ? b->broker : NULL;
}

/* Each worker has its own connection, and a broker drops one of two clients of the same name. */
static int name_client(struct rx_site_owner *owner, struct named_broker *b, struct rx_broker_options *options)
{
    if (!options->client_id || owner->options.worker == 0)
        return 0;
    size_t size = strlen(options->client_id) + 16;
    char *id = rx_plan_alloc(b->arena, size);
    if (!id)
        return -ENOMEM;
    snprintf(id, size, "%s-%u", options->client_id, owner->options.worker);
    options->client_id = id;
    return 0;
}

static struct named_broker *create_broker(struct rx_site_owner *owner, const struct rx_forest *forest, const char *name)
{
    struct named_broker *b = calloc(1, sizeof *b);
    struct rx_plan_arena *arena = rx_plan_arena_create(owner->options.heap);
    if (!b || !arena) {
        free(b);
        rx_plan_arena_destroy(arena);
        return NULL;
    }
    *b = (struct named_broker){.refs = 1, .name = name, .arena = arena, .forest = rx_forest_ref(forest)};
    return b;
}

static void warn(const struct rx_broker_options *options, const struct rx_tree *broker,
                 struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *client = rx_tree_get(broker, "client");
    const char *text;
    for (size_t i = 0; client && (text = rx_broker_warning(options, i)); i++) {
        struct rx_error note = {0};
        rx_error_set(&note, -EINVAL, "%s", text);
        rx_remark_inside(diagnostics, client, &note);
    }
}

/* NULL after a mistake, diagnosed; *ret_r is -ENOMEM where it is none. */
static struct named_broker *read_broker(struct rx_site_owner *owner, const struct rx_forest *forest,
                                        const struct rx_tree *key, const struct rx_tree *tree,
                                        struct rx_diagnostics *diagnostics, int *ret_r)
{
    struct rx_error error;
    struct named_broker *b = create_broker(owner, forest, key->text);
    struct rx_broker_options *options = b ? rx_plan_alloc(b->arena, rx_broker_class.state_size) : NULL;
    size_t told = rx_diagnostics_count(diagnostics);
    int parsed = options ? rx_options_parse(&rx_broker_class, tree, key, b->arena, options, diagnostics) : -ENOMEM;
    bool silent = parsed < 0 && rx_diagnostics_count(diagnostics) == told; /* no mistake of the config, then */
    *ret_r = parsed == -ENOMEM || silent || rx_diagnostics_starved(diagnostics) ? -ENOMEM : 0;
    if (parsed == 0) {
        *ret_r = *ret_r < 0 ? *ret_r : name_client(owner, b, options);
        if (rx_broker_check(options, &error) < 0)
            rx_diagnose(diagnostics, tree, &error);
        warn(options, tree, diagnostics);
        b->options = options;
        b->hash = rx_options_hash(&rx_broker_class, tree, options);
        if (*ret_r == 0)
            return b;
    }
    drop_broker(b);
    return NULL;
}

/* The one that runs already where it is the same. */
static struct named_broker *same_or_new(struct rx_site_owner *owner, struct named_broker *b)
{
    struct named_broker *old = find(&owner->brokers, b->name);
    if (!old || old->hash != b->hash)
        return b;
    old->refs++;
    drop_broker(b);
    return old;
}

static int read_brokers(struct rx_site_owner *owner, const struct rx_forest *forest, struct brokers *ret,
                        struct rx_diagnostics *diagnostics)
{
    const struct rx_tree *section = rx_forest_section(forest, "brokers");
    size_t n = section && section->kind == RX_TREE_MAP ? section->count : 0;
    int r = 0;
    ret->items = calloc(n + 1, sizeof(struct named_broker *));
    if (!ret->items)
        return -ENOMEM;
    if (section && section->kind != RX_TREE_MAP)
        rx_diagnosef(diagnostics, section, "home: {url: mqtt://127.0.0.1:1883}",
                     "brokers is a mapping of name to broker");
    for (size_t i = 0; i < n && r == 0; i++) {
        struct named_broker *b = read_broker(owner, forest, section->keys[i], section->items[i], diagnostics, &r);
        if (!b)
            continue;
        b = same_or_new(owner, b);
        ret->items[ret->count++] = b;
    }
    return r;
}

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
    int r = read_brokers(owner, forest, &owner->staged, diagnostics);
    owner->staging = r == 0;
    if (r < 0)
        drop_all(&owner->staged);
    return r;
}

void rx_site_commit(struct rx_site_owner *owner)
{
    struct brokers old = owner->brokers;
    owner->brokers = owner->staged;
    owner->staged = (struct brokers){0};
    owner->staging = false;
    drop_all(&old);
    for (size_t i = 0; i < owner->brokers.count; i++)
        if (owner->brokers.items[i]->broker)
            rx_broker_drop_unused(owner->brokers.items[i]->broker);
    if (owner->client)
        rx_client_drop_left(owner->client);
}

void rx_site_abandon(struct rx_site_owner *owner)
{
    owner->staging = false;
    drop_all(&owner->staged);
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
                                   .broker = find_broker,
                                   .client = find_client,
                                   .stream = open_stream,
                                   .stream_done = close_stream,
                                   .log = log_line,
                                   .owner = owner};
    int r = read_brokers(owner, options->forest, &owner->brokers, diagnostics);
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
    drop_all(&owner->staged);
    drop_all(&owner->brokers);
    rx_client_destroy(owner->client);
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
