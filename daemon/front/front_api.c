/* The front's own part of the HTTP API: ingest, the live page. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/front_private.h"
#include "web/assets.h"

/* ---- POST /sources/NAME ---- */

json_t *rx_front_ingest_members(const struct rx_ingest *in)
{
    json_t *members = json_pack("{s:I}", "accepted", (json_int_t)in->accepted);
    if (in->error.at.line) {
        json_object_set_new(members, "line", json_integer(in->error.at.line));
        json_object_set_new(members, "column", json_integer(in->error.at.column));
    }
    return members;
}

static void refuse_ingest(struct rx_http_request *request, const struct rx_ingest *in)
{
    if (in->status == 429 || in->status == 503)
        rx_http_set_header(request, "Retry-After", "1");
    rx_http_reply_problem_take(request, in->status, rx_front_ingest_members(in), "%s", in->error.message);
}

static void answer_ingest(struct rx_job *job)
{
    struct rx_http_request *request = job->context;
    const struct rx_ingest *in = &job->ingest;
    if (in->status >= 400)
        refuse_ingest(request, in);
    else
        rx_http_reply_json_take(request, in->status, "application/json",
                                json_pack("{s:I}", "accepted", (json_int_t)in->accepted));
}

struct rx_worker *rx_front_find_source(const struct rx_front *f, const char *name, bool *ret_known)
{
    const struct rx_logical_source *s = rx_logical_find_source(f->logical, name);
    *ret_known = s != NULL;
    if (!s || !s->class->ingest)
        return NULL;
    unsigned worker = f->shares.sources[s->position];
    return f->workers[worker == RX_NOWHERE ? 0 : worker];
}

static struct rx_job *ingest_job(struct rx_http_request *request, const char *source)
{
    struct rx_job *job = rx_job_create(RX_JOB_INGEST, request);
    const char *type = rx_http_header(request, "Content-Type");
    if (!job)
        return NULL;
    job->source = strdup(source);
    if (!job->source) {
        rx_job_destroy(job);
        return NULL;
    }
    job->ingest.body = rx_http_body_take(request, &job->ingest.length);
    snprintf(job->type, sizeof job->type, "%s", type ? type : "");
    return job;
}

void rx_front_refuse_source(struct rx_http_request *request, bool known)
{
    rx_http_reply_error(request, known ? 405 : 404,
                        known ? "the source \"%s\" takes no POSTs: only http sources do" : "there is no source \"%s\"",
                        rx_http_tail(request));
}

void rx_front_answer_ingest(void *arg, struct rx_http_request *request)
{
    struct rx_front *f = arg;
    bool known;
    struct rx_worker *worker = rx_front_find_source(f, rx_http_tail(request), &known);
    if (!worker) {
        rx_front_refuse_source(request, known);
        return;
    }
    struct rx_job *job = ingest_job(request, rx_http_tail(request));
    if (job && rx_worker_ask(worker, job))
        return;
    rx_job_destroy(job);
    rx_http_set_header(request, "Retry-After", "1");
    rx_http_reply_error(request, 429, "the worker is too far behind; try again");
}

void rx_front_done(void *front, struct rx_job *job)
{
    struct rx_front *f = front;
    rx_front_heard(front, job);
    if (job->socket) {
        rx_ingest_socket_done(job);
        return;
    }
    if (job->kind == RX_JOB_INGEST)
        answer_ingest(job);
    else if (job->kind == RX_JOB_STATUS)
        rx_front_take_status(job);
    else if (job->kind == RX_JOB_TAP || job->kind == RX_JOB_UNTAP)
        rx_front_take_tap(f, job);
    else if (job->kind != RX_JOB_PING)
        rx_front_take_reload(f, job);
    rx_job_destroy(job);
}

/* ---- the live page ---- */

void rx_front_answer_page(void *arg, struct rx_http_request *request)
{
    const struct rx_web_asset *asset = rx_web_find(rx_http_path(request));
    const char *seen = rx_http_header(request, "If-None-Match");
    (void)arg;
    if (!asset) {
        rx_http_reply_error(request, 404, "there is nothing at %s", rx_http_path(request));
        return;
    }
    rx_http_set_header(request, "ETag", asset->etag);
    rx_http_set_header(request, "Cache-Control", "no-cache");
    rx_http_set_header(request, "Content-Security-Policy",
                       "default-src 'self'; img-src data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'");
    rx_http_set_header(request, "X-Content-Type-Options", "nosniff");
    if (seen && strcmp(seen, asset->etag) == 0)
        rx_http_reply(request, 304, asset->type, "", 0);
    else
        rx_http_reply(request, 200, asset->type, asset->data, asset->size);
}
