/* GET /sources/NAME: what comes into a source, as it comes (`rxd record`), in the forms of a stream.
 *
 * A tap is there while somebody follows it: the first who asks makes the worker write the source's messages into a log, which is
 * served as the streams are; once nobody has followed for a while, the worker is told to stop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/front/front_private.h"

#define LOG_BYTES  ((size_t)16 << 20) /* of messages that a follower may be behind */
#define LOG_FRAMES 64                 /* of history, for who comes back at once */
#define IDLE       (5 * RX_SEC)       /* without anybody, until it ends */

struct rx_front_tap {
    struct rx_front_tap *next;
    struct rx_worker *worker;
    struct rx_log_writer *log;
    unsigned asked; /* questions to the worker in the air */
    bool served;    /* the worker writes */
    bool leaving;   /* one of them is to stop */
    size_t followers;
    rx_time followed; /* when anybody was seen last */
    char name[];
};

static rx_time now_of(const struct rx_front *f) { return rx_sched_now(rx_loop_sched(f->loop)); }

static struct rx_front_tap **find(struct rx_front *f, const char *name)
{
    struct rx_front_tap **link = &f->taps;
    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

static struct rx_front_tap *make(struct rx_front *f, const char *name, struct rx_worker *worker)
{
    size_t length = strlen(name) + 1;
    struct rx_front_tap *tap = calloc(1, sizeof *tap + length);
    struct rx_stream_options options = {.limits = {.max_bytes = LOG_BYTES, .max_frames = LOG_FRAMES}};
    if (!tap)
        return NULL;
    memcpy(tap->name, name, length);
    tap->worker = worker;
    tap->followed = now_of(f);
    if (rx_streams_acquire(f->tapped, name, &options, &tap->log) < 0) {
        free(tap);
        return NULL;
    }
    tap->next = f->taps;
    f->taps = tap;
    return tap;
}

static void drop(struct rx_front *f, struct rx_front_tap **link)
{
    struct rx_front_tap *tap = *link;
    *link = tap->next;
    rx_streams_release(f->tapped, tap->name);
    free(tap);
}

/* The context of the question is the request; NULL: none waits for it. */
static bool ask(struct rx_front_tap *tap, enum rx_job_kind kind, struct rx_http_request *request)
{
    struct rx_job *job = rx_job_create(kind, request);
    if (job)
        job->source = strdup(tap->name);
    if (job && job->source) {
        job->tap.log = tap->log;
        if (rx_worker_ask(tap->worker, job)) {
            tap->asked++;
            return true;
        }
    }
    rx_job_destroy(job);
    return false;
}

static void come_again(struct rx_http_request *request, const char *why)
{
    rx_http_set_header(request, "Retry-After", "1");
    rx_http_reply_error(request, 503, "%s", why);
}

/* NULL: it was refused. */
static struct rx_worker *worker_of(const struct rx_front *f, struct rx_http_request *request)
{
    const struct rx_logical_source *s = rx_logical_find_source(f->logical, rx_http_tail(request));
    unsigned worker = s ? f->shares.sources[s->position] : RX_NOWHERE;
    if (!s)
        rx_http_reply_error(request, 404, "there is no source \"%.100s\"", rx_http_tail(request));
    else if (worker == RX_NOWHERE)
        rx_http_reply_error(request, 409, "no pipeline reads the source \"%.100s\": nothing comes",
                            rx_http_tail(request));
    return worker == RX_NOWHERE ? NULL : f->workers[worker];
}

static void follow(struct rx_front *f, struct rx_http_request *request)
{
    struct rx_worker *worker = worker_of(f, request);
    if (!worker)
        return;
    struct rx_front_tap *tap = *find(f, rx_http_tail(request));
    if (!tap)
        tap = make(f, rx_http_tail(request), worker);
    if (tap && (tap->leaving || tap->worker != worker))
        come_again(request, "the source is let go, or moved to another worker by a reload");
    else if (!tap || !ask(tap, RX_JOB_TAP, request))
        come_again(request, tap ? "the worker is too far behind" : "out of memory");
}

void rx_front_answer_source(void *arg, struct rx_http_request *request)
{
    const char *upgrade = rx_http_header(request, "Upgrade");
    if (upgrade && strcasecmp(upgrade, "websocket") == 0)
        rx_front_answer_ingest_socket(arg, request);
    else
        follow(arg, request);
}

void rx_front_take_tap(struct rx_front *f, const struct rx_job *job)
{
    struct rx_front_tap **link = find(f, job->source);
    (*link)->asked--;
    if (job->kind == RX_JOB_UNTAP) {
        drop(f, link);
        rx_streams_sweep(f->tapped);
    } else if (!job->tap.taken) {
        come_again(job->context, "the source does not run just now");
    } else {
        (*link)->served = true;
        (*link)->followed = now_of(f);
        rx_streams_answer(f->tapped, job->context);
    }
}

static void count(void *arg, const struct rx_stream_info *info)
{
    struct rx_front_tap *tap = *find(arg, info->name);
    if (tap)
        tap->followers = info->fanout.subscribers;
}

void rx_front_look_at_taps(struct rx_front *f)
{
    if (!f->taps)
        return;
    rx_streams_each(f->tapped, count, f);
    for (struct rx_front_tap *tap = f->taps; tap; tap = tap->next) {
        if (tap->followers > 0)
            tap->followed = now_of(f);
        else if (!tap->leaving && tap->asked == 0 && now_of(f) - tap->followed >= IDLE)
            tap->leaving = ask(tap, RX_JOB_UNTAP, NULL);
    }
}

void rx_front_tap_metrics(const struct rx_front *f, struct rx_metrics *m)
{
    unsigned n = 0;
    for (const struct rx_front_tap *tap = f->taps; tap; tap = tap->next)
        n += tap->served;
    rx_metrics_count(m, RX_METRIC_SOURCE_TAPS, n, NULL);
}

void rx_front_end_taps(struct rx_front *f)
{
    while (f->taps)
        drop(f, &f->taps);
}
