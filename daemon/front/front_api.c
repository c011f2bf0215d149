/* The front's own part of the HTTP API: ingest, the live page. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/front_private.h"
#include "web/assets.h"

/* ---- POST /sources/NAME ---- */

static void answer_ingest(struct rx_job *job)
{
    struct rx_http_request *request = job->context;
    const struct rx_ingest *in = &job->ingest;
    struct rx_buffer out = {0};
    rx_buffer_printf(&out, "{\"accepted\":%llu", (unsigned long long)in->accepted);
    if (in->status >= 400) {
        rx_buffer_text(&out, ",\"error\":");
        rx_json_write_string(&out, in->error.message, strlen(in->error.message));
        if (in->error.at.line)
            rx_buffer_printf(&out, ",\"line\":%u,\"column\":%u", in->error.at.line, in->error.at.column);
    }
    rx_buffer_text(&out, "}\n");
    if (in->status == 429 || in->status == 503)
        rx_http_set_header(request, "Retry-After", "1");
    rx_http_reply(request, in->status, "application/json", out.data, out.length);
    rx_buffer_finish(&out);
}

/* The worker that runs the source; NULL: there is no such source, or it takes no POSTs. */
static struct rx_worker *find_source(struct rx_front *f, const char *name, bool *ret_known)
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

static void on_ingest(void *arg, struct rx_http_request *request)
{
    struct rx_front *f = arg;
    bool known;
    struct rx_worker *worker = find_source(f, rx_http_tail(request), &known);
    if (!worker) {
        rx_http_reply_error(request, known ? 405 : 404,
                            known ? "the source \"%s\" takes no POSTs: only http sources do"
                                  : "there is no source \"%s\"",
                            rx_http_tail(request));
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
    if (job->kind == RX_JOB_INGEST)
        answer_ingest(job);
    else if (job->kind == RX_JOB_STATUS)
        rx_front_take_status(job);
    else if (job->kind != RX_JOB_PING)
        rx_front_take_reload(f, job);
    rx_job_destroy(job);
}

/* ---- the live page ---- */

static void on_page(void *arg, struct rx_http_request *request)
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

int rx_front_routes(struct rx_front *f)
{
    int r = rx_http_route(f->server, RX_HTTP_POST, "/sources/", on_ingest, f);
    if (r == 0)
        r = rx_front_status_routes(f);
    return r == 0 ? rx_http_route(f->server, RX_HTTP_GET | RX_HTTP_HEAD, "/", on_page, f) : r;
}
