/* What is asked of all workers at once: /metrics, /readyz; and /healthz. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/utf8.h"
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
    struct rx_job_broker *brokers; /* of all workers, by name */
    size_t broker_count;
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
    free(g->brokers);
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

static void take_brokers(struct gather *g, const struct rx_job *job)
{
    struct rx_job_broker *all = realloc(g->brokers, (g->broker_count + job->broker_count + 1) * sizeof *all);
    if (!all)
        return;
    g->brokers = all;
    for (size_t i = 0; i < job->broker_count; i++) {
        size_t k = 0;
        while (k < g->broker_count && strcmp(all[k].name, job->brokers[i].name) != 0)
            k++;
        if (k == g->broker_count)
            all[g->broker_count++] = job->brokers[i];
        else
            all[k].connected = all[k].connected && job->brokers[i].connected;
    }
}

void rx_front_take_status(const struct rx_job *job)
{
    struct gather *g = job->context;
    rx_metrics_merge(&g->metrics, &job->metrics);
    take_brokers(g, job);
    g->waiting--;
    if (g->waiting == 0)
        answer_once(g);
}

/* What stands, and whether that is ready: no fault, nobody silent, not on the way out. */
static bool take_conditions(struct gather *g, struct rx_conditions *ret)
{
    rx_front_look(g->front);
    return rx_front_conditions(g->front, ret) == 0 && !rx_conditions_fault(ret) && g->waiting == 0 &&
           !g->front->draining;
}

/* ---- /metrics ---- */

static void add_conditions(struct rx_metrics *m, const struct rx_conditions *c, bool ready)
{
    rx_metrics_count(m, RX_METRIC_READY, ready, NULL);
    for (size_t i = 0; i < c->count; i++) {
        const struct rx_condition *one = &c->list[i];
        const char *labels[] = {
            "kind", rx_condition_classes[one->kind].name, "subject", one->subject, "part", one->part, NULL};
        rx_metrics_count(m, RX_METRIC_CONDITION, 1, labels);
    }
    for (size_t i = 0; i < RX_CONDITIONS; i++) {
        const char *labels[] = {"kind", rx_condition_classes[i].name, NULL};
        rx_metrics_count(m, RX_METRIC_CONDITIONS_BEGUN, c->begun[i], labels);
    }
}

static void add_reloads(struct rx_metrics *m, const struct rx_front *f)
{
    rx_metrics_count(m, RX_METRIC_RELOADS, f->reloads, (const char *[]){"outcome", "done", NULL});
    rx_metrics_count(m, RX_METRIC_RELOADS, f->reloads_refused, (const char *[]){"outcome", "refused", NULL});
}

static void add_http(struct rx_metrics *m, const struct rx_http_stats *http)
{
    rx_metrics_count(m, RX_METRIC_HTTP_CONNECTIONS, http->connections, NULL);
    rx_metrics_count(m, RX_METRIC_HTTP_OPEN, http->open, NULL);
    rx_metrics_count(m, RX_METRIC_HTTP_REQUESTS, http->requests, NULL);
    rx_metrics_count(m, RX_METRIC_HTTP_REFUSED, http->refused, NULL);
    rx_metrics_count(m, RX_METRIC_HTTP_TIMED_OUT, http->timed_out, NULL);
}

/* A worker that has not answered in time is left out; the conditions tell. */
static void answer_metrics(struct gather *g)
{
    struct rx_http_stats http = rx_http_stats(g->front->server);
    struct rx_conditions conditions = {0};
    struct rx_buffer out = {0};
    bool ready = take_conditions(g, &conditions);
    rx_metrics_of_process(&g->metrics);
    rx_front_clock_metrics(g->front, &g->metrics);
    add_conditions(&g->metrics, &conditions, ready);
    add_reloads(&g->metrics, g->front);
    rx_front_tap_metrics(g->front, &g->metrics);
    add_http(&g->metrics, &http);
    rx_streams_metrics(g->front->streams, &g->metrics);
    rx_metrics_render(&g->metrics, &out);
    if (out.failed)
        rx_http_reply_error(g->request, 503, "out of memory");
    else
        rx_http_reply(g->request, 200, "text/plain; version=0.0.4; charset=utf-8", out.data, out.length);
    rx_buffer_finish(&out);
    rx_conditions_finish(&conditions);
}

void rx_front_answer_metrics(void *arg, struct rx_http_request *request) { ask_all(arg, request, answer_metrics); }

/* ---- /healthz, /readyz ---- */

/* Reasons hold what the outside sent, and may be cut inside a character. */
static json_t *json_text(const char *text)
{
    char mended[3 * sizeof((struct rx_condition *)0)->reason];
    size_t length = rx_utf8_mend(text, strlen(text), mended, sizeof mended);
    return json_stringn(mended, length);
}

void rx_front_answer_health(void *arg, struct rx_http_request *request)
{
    struct rx_front *f = arg;
    json_t *stalled = json_array();
    for (unsigned i = rx_front_stalled(f, 0); i < f->worker_count; i = rx_front_stalled(f, i + 1))
        json_array_append_new(stalled, json_integer(i));
    bool healthy = json_array_size(stalled) == 0;
    rx_http_reply_json_take(request, healthy ? 200 : 503, "application/json",
                            json_pack("{s:b, s:o}", "healthy", healthy, "stalled_workers", stalled));
}

static json_t *json_of(const struct rx_condition *c)
{
    const struct rx_condition_class *class = &rx_condition_classes[c->kind];
    char since[40];
    time_t seconds = (time_t)(c->since / RX_SEC);
    struct tm tm;
    strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:s}", "kind", class->name, "severity",
                          class->severity == RX_FAULT ? "fault" : "warning", "about", class->subject, "subject",
                          json_text(c->subject), "what", class->begins, "reason", json_text(c->reason), "since", since);
    if (o && c->part[0])
        json_object_set_new(o, "part", json_text(c->part));
    if (o && c->count)
        json_object_set_new(o, "count", json_integer((json_int_t)c->count));
    return o;
}

static json_t *json_conditions(const struct rx_conditions *conditions)
{
    json_t *list = json_array();
    for (int severity = RX_FAULT; severity >= RX_WARNING; severity--)
        for (size_t i = 0; i < conditions->count; i++)
            if ((int)rx_condition_classes[conditions->list[i].kind].severity == severity)
                json_array_append_new(list, json_of(&conditions->list[i]));
    return list;
}

static json_t *json_brokers(const struct gather *g)
{
    json_t *brokers = json_object();
    for (size_t i = 0; i < g->broker_count; i++)
        json_object_set_new(brokers, g->brokers[i].name,
                            json_string(g->brokers[i].connected ? "connected" : "disconnected"));
    return brokers;
}

static void answer_ready(struct gather *g)
{
    struct rx_conditions conditions = {0};
    bool ready = take_conditions(g, &conditions);
    uint64_t unlisted = conditions.unlisted[RX_FAULT] + conditions.unlisted[RX_WARNING];
    json_t *body =
        json_pack("{s:b, s:s, s:b, s:i, s:o, s:o, s:I}", "ready", ready, "version", RXD_VERSION, "draining",
                  g->front->draining, "workers_unanswered", (int)g->waiting, "conditions", json_conditions(&conditions),
                  "brokers", json_brokers(g), "conditions_unlisted", (json_int_t)unlisted);
    rx_http_reply_json_take(g->request, ready ? 200 : 503, "application/json", body);
    rx_conditions_finish(&conditions);
}

void rx_front_answer_ready(void *arg, struct rx_http_request *request) { ask_all(arg, request, answer_ready); }
