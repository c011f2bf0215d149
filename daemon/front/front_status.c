/* What is asked of all workers at once: /metrics, /readyz; and /healthz. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/front_private.h"

#define ANSWER_DEADLINE (2 * RX_SEC)

/* A question to all workers: answered when the last has answered, or at the deadline with what is there. */
struct gather {
    struct gather *next;
    struct rx_front *front;
    struct rx_timer deadline;
    struct rx_http_request *request; /* NULL: answered */
    void (*answer)(struct gather *);
    unsigned asked, waiting;
    struct rx_metrics metrics;
    struct rx_job_broker brokers[RX_JOB_BROKERS_MAX];
    size_t broker_count;
    unsigned pipelines_waiting;
};

static void unlink_gather(struct gather *g)
{
    struct gather **link = &g->front->gathers;
    while (*link != g)
        link = &(*link)->next;
    *link = g->next;
}

static void destroy_gather(struct gather *g)
{
    rx_sched_stop(rx_loop_sched(g->front->loop), &g->deadline);
    rx_metrics_finish(&g->metrics);
    free(g);
}

static void answer_once(struct gather *g)
{
    if (g->request)
        g->answer(g);
    g->request = NULL;
    if (g->waiting == 0) {
        unlink_gather(g);
        destroy_gather(g);
    }
}

static void on_deadline(struct rx_timer *timer)
{
    answer_once((struct gather *)(void *)((char *)timer - offsetof(struct gather, deadline)));
}

void rx_front_forget(struct rx_front *f)
{
    for (struct gather *g = f->gathers, *next; g; g = next) {
        next = g->next;
        destroy_gather(g);
    }
    f->gathers = NULL;
}

static void ask_all(struct rx_front *f, struct rx_http_request *request, void (*answer)(struct gather *))
{
    struct gather *g = calloc(1, sizeof *g);
    if (!g) {
        rx_http_reply_error(request, 503, "out of memory");
        return;
    }
    *g = (struct gather){.next = f->gathers, .front = f, .request = request, .answer = answer};
    g->deadline.fire = on_deadline;
    f->gathers = g;
    for (unsigned i = 0; i < f->worker_count; i++) {
        struct rx_job *job = rx_job_create(RX_JOB_STATUS, g);
        g->asked++;
        if (job && rx_worker_ask(f->workers[i], job))
            g->waiting++;
        else
            rx_job_destroy(job);
    }
    if (g->waiting == 0)
        answer_once(g);
    else
        rx_sched_arm(rx_loop_sched(f->loop), &g->deadline, rx_sched_now(rx_loop_sched(f->loop)) + ANSWER_DEADLINE);
}

void rx_front_take_status(const struct rx_job *job)
{
    struct gather *g = job->context;
    rx_metrics_merge(&g->metrics, &job->metrics);
    g->pipelines_waiting += job->waiting;
    for (size_t i = 0; i < job->broker_count; i++) {
        size_t k = 0;
        while (k < g->broker_count && strcmp(g->brokers[k].name, job->brokers[i].name) != 0)
            k++;
        if (k == RX_JOB_BROKERS_MAX)
            continue;
        if (k == g->broker_count)
            g->brokers[g->broker_count++] = job->brokers[i];
        else
            g->brokers[k].connected = g->brokers[k].connected && job->brokers[i].connected;
    }
    g->waiting--;
    if (g->waiting == 0)
        answer_once(g);
}

/* ---- /metrics ---- */

static void add_stream(void *arg, const struct rx_stream_info *s)
{
    struct rx_metrics *m = arg;
    const char *labels[] = {"stream", s->name, NULL, NULL, NULL};
    rx_metrics_count(m, RX_METRIC_SERVED_FRAMES, s->events, labels);
    rx_metrics_count(m, RX_METRIC_SERVED_SUBSCRIBERS, s->fanout.subscribers, labels);
    rx_metrics_count(m, RX_METRIC_SERVED_KEYS, s->keys, labels);
    rx_metrics_count(m, RX_METRIC_SERVED_SENT, s->fanout.frames, labels);
    rx_metrics_count(m, RX_METRIC_SERVED_BYTES, s->fanout.bytes, labels);
    rx_metrics_count(m, RX_METRIC_SERVED_LOST, s->lost, labels);
    labels[2] = "reason";
    labels[3] = "slow";
    rx_metrics_count(m, RX_METRIC_SERVED_SKIPPED, s->fanout.skipped, labels);
    labels[3] = "burst";
    rx_metrics_count(m, RX_METRIC_SERVED_SKIPPED, s->fanout.lost, labels);
    labels[3] = "stalled";
    rx_metrics_count(m, RX_METRIC_SERVED_DROPPED, s->fanout.stalled, labels);
    labels[3] = "overtaken";
    rx_metrics_count(m, RX_METRIC_SERVED_DROPPED, s->fanout.overtaken, labels);
}

static void answer_metrics(struct gather *g)
{
    struct rx_http_stats http = rx_http_stats(g->front->server);
    struct rx_buffer out = {0};
    rx_metrics_of_process(&g->metrics);
    rx_metrics_count(&g->metrics, RX_METRIC_HTTP_CONNECTIONS, http.connections, NULL);
    rx_metrics_count(&g->metrics, RX_METRIC_HTTP_OPEN, http.open, NULL);
    rx_metrics_count(&g->metrics, RX_METRIC_HTTP_REQUESTS, http.requests, NULL);
    rx_metrics_count(&g->metrics, RX_METRIC_HTTP_REFUSED, http.refused, NULL);
    rx_metrics_count(&g->metrics, RX_METRIC_HTTP_TIMED_OUT, http.timed_out, NULL);
    rx_streams_each(g->front->streams, add_stream, &g->metrics);
    rx_metrics_render(&g->metrics, &out);
    if (out.failed || g->waiting)
        rx_http_reply_error(g->request, 503, out.failed ? "out of memory" : "a worker did not answer in time");
    else
        rx_http_reply(g->request, 200, "text/plain; version=0.0.4; charset=utf-8", out.data, out.length);
    rx_buffer_finish(&out);
}

static void on_metrics(void *arg, struct rx_http_request *request) { ask_all(arg, request, answer_metrics); }

/* ---- /healthz, /readyz ---- */

static void on_health(void *arg, struct rx_http_request *request)
{
    bool healthy = rx_front_healthy(arg);
    const char *body = healthy ? "{\"healthy\":true}\n" : "{\"healthy\":false}\n";
    rx_http_reply(request, healthy ? 200 : 503, "application/json", body, strlen(body));
}

static void answer_ready(struct gather *g)
{
    struct rx_buffer out = {0};
    bool ready = g->waiting == 0 && g->pipelines_waiting == 0 && !g->front->draining;
    for (size_t i = 0; i < g->broker_count; i++)
        ready = ready && g->brokers[i].connected;
    rx_buffer_printf(&out, "{\"ready\":%s,\"version\":\"" RXD_VERSION "\",\"brokers\":{", ready ? "true" : "false");
    for (size_t i = 0; i < g->broker_count; i++) {
        rx_buffer_text(&out, i ? "," : "");
        rx_json_write_string(&out, g->brokers[i].name, strlen(g->brokers[i].name));
        rx_buffer_text(&out, g->brokers[i].connected ? ":\"connected\"" : ":\"disconnected\"");
    }
    rx_buffer_printf(&out, "},\"pipelines_restarting\":%u,\"draining\":%s}\n", g->pipelines_waiting,
                     g->front->draining ? "true" : "false");
    if (out.failed)
        rx_http_reply_error(g->request, 503, "out of memory");
    else
        rx_http_reply(g->request, ready ? 200 : 503, "application/json", out.data, out.length);
    rx_buffer_finish(&out);
}

static void on_ready(void *arg, struct rx_http_request *request) { ask_all(arg, request, answer_ready); }

int rx_front_status_routes(struct rx_front *f)
{
    int r = rx_http_route(f->server, RX_HTTP_GET | RX_HTTP_HEAD, "/metrics", on_metrics, f);
    if (r == 0)
        r = rx_http_route(f->server, RX_HTTP_GET | RX_HTTP_HEAD, "/healthz", on_health, f);
    return r == 0 ? rx_http_route(f->server, RX_HTTP_GET | RX_HTTP_HEAD, "/readyz", on_ready, f) : r;
}
