/* The registry of served streams, and GET /streams. */
#include "daemon/front/api_streams.h"

#include "daemon/front/streams_private.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rx_time now_of(const struct rx_streams *streams) { return rx_sched_now(rx_loop_sched(streams->loop)); }

static void rate_advance(struct rate *r, rx_time now)
{
    int64_t second = now / RX_SEC;
    if (second - r->second > RATE_SECONDS)
        memset(r->counts, 0, sizeof r->counts);
    for (int64_t s = r->second + 1; s <= second && s <= r->second + RATE_SECONDS; s++)
        r->counts[s % (RATE_SECONDS + 1)] = 0;
    if (second > r->second)
        r->second = second;
}

static double rate_of(struct rate *r, rx_time now)
{
    rate_advance(r, now);
    uint64_t sum = 0;
    for (unsigned i = 0; i <= RATE_SECONDS; i++)
        sum += r->counts[i];
    rx_time span = RATE_SECONDS * RX_SEC + now % RX_SEC;
    rx_time age = now - r->since;
    span = age < span ? age : span;
    return (double)sum / ((double)(span < RX_SEC ? RX_SEC : span) / (double)RX_SEC);
}

static uint64_t frames_of(const struct stream *s) { return rx_log_last(s->log) - rx_log_lost(s->log); }

static void on_taken(void *arg)
{
    struct stream *s = arg;
    uint64_t frames = frames_of(s);
    rate_advance(&s->rate, now_of(s->streams));
    s->rate.counts[s->rate.second % (RATE_SECONDS + 1)] += frames - s->seen;
    s->seen = frames;
    struct rx_frame_view f;
    s->keyed = s->keyed || (rx_log_frame(s->log, rx_log_last(s->log), &f) && f.key);
}

static void on_news(void *stream) { rx_fanout_news(((struct stream *)stream)->fanout); }

static void on_wake(void *arg)
{
    struct rx_streams *streams = arg;
    streams_settle(streams);
    rx_log_inbox_take(streams->inbox, on_news);
}

static void close_stream(struct stream *s)
{
    rx_fanout_destroy(s->fanout);
    rx_log_destroy(s->log);
    rx_selections_destroy(s->selections);
    free(s);
}

/* Where the name is, or belongs. */
static size_t place(const struct rx_streams *streams, const char *name, bool *ret_there)
{
    size_t low = 0, high = streams->count;
    *ret_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(streams->list[middle]->name, name);
        if (order == 0)
            *ret_there = true;
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return low;
}

struct stream *streams_find(const struct rx_streams *streams, const char *name)
{
    bool there;
    size_t i = place(streams, name, &there);
    return there ? streams->list[i] : NULL;
}

const char *streams_nearest(const struct rx_streams *streams, const char *name)
{
    const char **names = calloc(streams->count + 1, sizeof *names);
    if (!names)
        return NULL;
    for (size_t i = 0; i < streams->count; i++)
        names[i] = streams->list[i]->name;
    const char *nearest = rx_nearest(name, names);
    free(names);
    return nearest;
}

static struct stream *create_stream(struct rx_streams *streams, const char *name, struct rx_log *log)
{
    size_t length = strlen(name) + 1;
    struct stream *s = calloc(1, sizeof *s + length);
    if (!s)
        return NULL;
    memcpy(s->name, name, length);
    s->streams = streams;
    s->rate.since = now_of(streams);
    s->rate.second = s->rate.since / RX_SEC;
    s->selections = rx_selections_create(streams->heap, &streams->filters);
    if (s->selections && rx_fanout_create(streams->fanouts, log, RX_SLOW_SKIP, &s->fanout) == 0) {
        s->log = log;
        rx_fanout_on_taken(s->fanout, on_taken, s);
        rx_log_set_reader(log, s);
        return s;
    }
    rx_selections_destroy(s->selections);
    free(s);
    return NULL;
}

void stream_configure(struct stream *s, const struct rx_stream_options *options)
{
    rx_log_set_limits(s->log, &options->limits);
    rx_fanout_set_slow(s->fanout, options->slow);
    s->keyed = s->keyed || options->keyed;
}

static bool insert(struct rx_streams *streams, size_t at, struct stream *s)
{
    if (streams->count == streams->capacity) {
        size_t capacity = streams->capacity ? streams->capacity * 2 : 8;
        struct stream **moved = realloc(streams->list, capacity * sizeof(struct stream *));
        if (!moved)
            return false;
        streams->list = moved;
        streams->capacity = capacity;
    }
    memmove(streams->list + at + 1, streams->list + at, (streams->count - at) * sizeof(struct stream *));
    streams->list[at] = s;
    streams->count++;
    return true;
}

int streams_add(struct rx_streams *streams, const char *name, struct rx_log *log,
                const struct rx_stream_options *options)
{
    bool there;
    size_t at = place(streams, name, &there);
    struct stream *s = there ? NULL : create_stream(streams, name, log);
    if (!s)
        return there ? -EEXIST : -ENOMEM;
    if (!insert(streams, at, s)) {
        rx_log_set_reader(log, NULL);
        s->log = NULL;
        close_stream(s);
        return -ENOMEM;
    }
    stream_configure(s, options);
    rx_fanout_collect(s->fanout);
    return 0;
}

void rx_streams_remove(struct rx_streams *streams, const char *name)
{
    bool there;
    size_t at = place(streams, name, &there);
    if (!there)
        return;
    struct stream *s = streams->list[at];
    memmove(streams->list + at, streams->list + at + 1, (--streams->count - at) * sizeof(struct stream *));
    close_stream(s);
}

static void collect_all(struct rx_streams *streams)
{
    streams_settle(streams);
    for (size_t i = 0; i < streams->count; i++)
        rx_fanout_collect(streams->list[i]->fanout);
}

bool rx_streams_drain(struct rx_streams *streams)
{
    size_t left = 0;
    collect_all(streams);
    for (size_t i = 0; i < streams->count; i++) {
        rx_fanout_drain(streams->list[i]->fanout);
        left += rx_fanout_stats(streams->list[i]->fanout).subscribers;
    }
    return left == 0;
}

void rx_streams_each(struct rx_streams *streams, void (*each)(void *arg, const struct rx_stream_info *), void *arg)
{
    streams_settle(streams);
    for (size_t i = 0; i < streams->count; i++) {
        struct stream *s = streams->list[i];
        each(arg, &(struct rx_stream_info){.name = s->name,
                                           .rate = rate_of(&s->rate, now_of(streams)),
                                           .events = frames_of(s),
                                           .lost = rx_log_lost(s->log),
                                           .last_time = rx_log_last_time(s->log),
                                           .keys = s->keyed ? rx_log_key_count(s->log) : 0,
                                           .generation = rx_log_generation(s->log),
                                           .first = rx_log_first(s->log),
                                           .last = rx_log_last(s->log),
                                           .fanout = rx_fanout_stats(s->fanout)});
    }
}

static json_t *id_of(const struct rx_stream_info *i, uint64_t sequence)
{
    return i->first > i->last
               ? json_null()
               : json_sprintf("%llu-%llu", (unsigned long long)i->generation, (unsigned long long)sequence);
}

/* As events show it. */
static json_t *time_of(const struct rx_stream_info *i)
{
    struct rx_buffer text = {0};
    rx_json_write(&text, i->events ? rx_timestamp(i->last_time) : rx_null());
    json_t *json = text.failed ? NULL : json_loadb(text.data, text.length, JSON_DECODE_ANY, NULL);
    rx_buffer_finish(&text);
    return json;
}

static void add_info(void *arg, const struct rx_stream_info *i)
{
    json_t **list = arg;
    uint64_t dropped = i->fanout.skipped + i->fanout.lost;
    uint64_t disconnected = i->fanout.stalled + i->fanout.overtaken + i->fanout.exhausted;
    json_t *row = json_pack("{s:s, s:f, s:I, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "name", i->name, "rate",
                            round(i->rate * 100) / 100, "events", (json_int_t)i->events, "last_event_time", time_of(i),
                            "keys", (json_int_t)i->keys, "subscribers", (json_int_t)i->fanout.subscribers, "dropped",
                            (json_int_t)dropped, "disconnected", (json_int_t)disconnected, "first_id",
                            id_of(i, i->first), "last_id", id_of(i, i->last));
    if (json_array_append_new(*list, row) == 0)
        return;
    json_decref(*list);
    *list = NULL;
}

void rx_streams_answer_list(void *arg, struct rx_http_request *request)
{
    json_t *list = json_array();
    collect_all(arg);
    rx_streams_each(arg, add_info, &list);
    rx_http_set_header(request, "Cache-Control", "no-store");
    rx_http_reply_json_take(request, 200, "application/json", list ? json_pack("{s:o}", "streams", list) : NULL);
}

static int init(struct rx_streams *streams, const struct rx_fanout_options *options)
{
    streams->heap = rx_heap_create(NULL);
    if (!streams->heap)
        return -ENOMEM;
    int r = rx_fanouts_create(streams->loop, options, &streams->fanouts);
    if (r == 0)
        r = rx_wake_create(streams->loop, on_wake, streams, &streams->wake);
    return r == 0 ? rx_log_inbox_create(streams->wake, &streams->inbox) : r;
}

int rx_streams_create(struct rx_loop *loop, struct rx_http_server *http, const struct rx_fanout_options *options,
                      struct rx_streams **ret)
{
    struct rx_streams *streams = calloc(1, sizeof *streams);
    if (!streams)
        return -ENOMEM;
    pthread_mutex_init(&streams->writers.lock, NULL);
    streams->loop = loop;
    streams->http = http;
    streams->filters.sched = rx_loop_sched(loop);
    int r = init(streams, options);
    if (r < 0) {
        rx_streams_destroy(streams);
        return r;
    }
    *ret = streams;
    return 0;
}

void rx_streams_destroy(struct rx_streams *streams)
{
    if (!streams)
        return;
    for (size_t i = 0; i < streams->count; i++)
        close_stream(streams->list[i]);
    free(streams->list);
    streams_writers_finish(&streams->writers);
    rx_fanouts_destroy(streams->fanouts);
    rx_log_inbox_destroy(streams->inbox);
    rx_wake_destroy(streams->wake);
    rx_heap_destroy(streams->heap);
    free(streams);
}
