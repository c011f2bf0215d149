/* The writing ends of the served streams: who has them, and what the front must still take over. Any thread.
 *
 * A stream outlives whoever writes it: after a reload another sink, perhaps on another worker, goes on with its ids,
 * history and subscribers. */
#include "daemon/front/streams_private.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct stream_writer {
    const char *name;
    struct rx_log_writer *writer;
    bool used; /* somebody writes */

    struct stream_writer *next_change; /* for the front */
    bool changed;
    struct rx_log *log; /* to be served; NULL: it is */
    struct rx_stream_options options;
    char text[];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct stream_writer *)a)->name, ((const struct stream_writer *)b)->name);
}

static struct stream_writer *find_writer(struct stream_writers *all, const char *name)
{
    struct stream_writer **found = tfind(&(struct stream_writer){.name = name}, &all->tree, by_name);
    return found ? *found : NULL;
}

/* Distinguishes the ids of a stream from those of all before it, in this run and in earlier ones. */
static uint64_t next_generation(struct stream_writers *all)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    all->generation = now > all->generation ? now : all->generation + 1;
    return all->generation;
}

static void destroy_writer(struct stream_writer *w)
{
    rx_log_writer_destroy(w->writer);
    rx_log_destroy(w->log);
    free(w);
}

static struct stream_writer *make_writer(struct rx_streams *streams, const char *name,
                                         const struct rx_stream_options *options)
{
    struct stream_writers *all = &streams->writers;
    size_t length = strlen(name) + 1;
    struct stream_writer *w = calloc(1, sizeof *w + length);
    if (!w)
        return NULL;
    memcpy(w->text, name, length);
    w->name = w->text;
    if (rx_log_create(next_generation(all), &options->limits, &w->writer, &w->log) == 0 &&
        tsearch(w, &all->tree, by_name)) {
        rx_log_writer_set_inbox(w->writer, streams->inbox);
        return w;
    }
    if (w->writer)
        destroy_writer(w);
    else
        free(w);
    return NULL;
}

static void note_change(struct stream_writers *all, struct stream_writer *w)
{
    if (w->changed)
        return;
    w->changed = true;
    w->next_change = all->changes;
    all->changes = w;
}

int rx_streams_acquire(struct rx_streams *streams, const char *name, const struct rx_stream_options *options,
                       struct rx_log_writer **ret)
{
    struct stream_writers *all = &streams->writers;
    int r = 0;
    pthread_mutex_lock(&all->lock);
    struct stream_writer *w = find_writer(all, name);
    if (!w && !(w = make_writer(streams, name, options)))
        r = -ENOMEM;
    else if (w->used)
        r = -EBUSY;
    if (r == 0) {
        w->used = true;
        w->options = *options;
        note_change(all, w);
        *ret = w->writer;
    }
    pthread_mutex_unlock(&all->lock);
    if (r == 0)
        rx_wake_signal(streams->wake);
    return r;
}

void rx_streams_release(struct rx_streams *streams, const char *name)
{
    pthread_mutex_lock(&streams->writers.lock);
    struct stream_writer *w = find_writer(&streams->writers, name);
    if (w)
        w->used = false;
    pthread_mutex_unlock(&streams->writers.lock);
}

/* ---- the front's thread ---- */

/* The next change, which is the front's then; false: none. */
static bool take_change(struct stream_writers *all, struct stream_writer **ret, struct rx_log **ret_log,
                        struct rx_stream_options *ret_options)
{
    pthread_mutex_lock(&all->lock);
    struct stream_writer *w = all->changes;
    if (w) {
        all->changes = w->next_change;
        w->changed = false;
        *ret_log = w->log;
        *ret_options = w->options;
        w->log = NULL;
    }
    pthread_mutex_unlock(&all->lock);
    *ret = w;
    return w != NULL;
}

static void put_change_back(struct stream_writers *all, struct stream_writer *w, struct rx_log *log)
{
    pthread_mutex_lock(&all->lock);
    w->log = log;
    note_change(all, w);
    pthread_mutex_unlock(&all->lock);
}

/* Without memory the rest waits for the next time. */
void streams_settle(struct rx_streams *streams)
{
    struct stream_writer *w;
    struct rx_log *log;
    struct rx_stream_options options;
    while (take_change(&streams->writers, &w, &log, &options)) {
        struct stream *s = log ? NULL : streams_find(streams, w->name);
        if (s)
            stream_configure(s, &options);
        if (log && streams_add(streams, w->name, log, &options) < 0) {
            put_change_back(&streams->writers, w, log);
            return;
        }
    }
}

struct unused {
    struct stream_writer *first;
};

static void collect_unused(const void *node, VISIT visit, void *arg)
{
    struct stream_writer *w = *(struct stream_writer *const *)node;
    struct unused *unused = arg;
    if ((visit != postorder && visit != leaf) || w->used)
        return;
    w->next_change = unused->first;
    unused->first = w;
}

/* What could not be settled yet keeps all: the next reload sweeps. */
void rx_streams_sweep(struct rx_streams *streams)
{
    struct unused unused = {0};
    streams_settle(streams);
    pthread_mutex_lock(&streams->writers.lock);
    if (!streams->writers.changes)
        twalk_r(streams->writers.tree, collect_unused, &unused);
    for (struct stream_writer *w = unused.first; w; w = w->next_change)
        tdelete(w, &streams->writers.tree, by_name);
    pthread_mutex_unlock(&streams->writers.lock);
    for (struct stream_writer *w = unused.first, *next; w; w = next) {
        next = w->next_change;
        rx_log_publish(w->writer);
        rx_streams_remove(streams, w->name);
        destroy_writer(w);
    }
}

void streams_writers_finish(struct stream_writers *all)
{
    while (all->tree) {
        struct stream_writer *w = *(struct stream_writer **)all->tree;
        tdelete(w, &all->tree, by_name);
        destroy_writer(w);
    }
    pthread_mutex_destroy(&all->lock);
}
