/* http: events that clients POST: one JSON value, an array of values, NDJSON, or another format's body. */
#include <errno.h>
#include <string.h>

#include "core/feed/source.h"

struct http {
    struct rx_source source;
    bool paused;
};

static bool is_blank(const struct rx_ingest *ingest)
{
    return !ingest->body ||
           rx_format_skip_space(ingest->body, ingest->body + ingest->length) == ingest->body + ingest->length;
}

/* What the Content-Type names, unless the user has said what bodies are. */
static enum rx_format format_of(const struct rx_source *source, const struct rx_ingest *ingest, bool *ret_lines)
{
    enum rx_format format = rx_source_format(source), named = rx_format_of_type(ingest->type, format, ret_lines);
    return source->common && source->common->format_given ? format : named;
}

static int status_of(int code) { return code == -EMSGSIZE ? 413 : code == -ENOENT ? 415 : code == -ENOMEM ? 503 : 400; }

static void refuse(struct rx_ingest *ingest, const struct rx_error *error)
{
    const struct rx_place *at = &error->at;
    ingest->status = status_of(error->code);
    ingest->error = *error;
    if (at->line)
        rx_error_set(&ingest->error, error->code, "line %u, column %u: %s", at->line, at->column, error->message);
    memcpy(ingest->error.hint, error->hint, sizeof error->hint);
    ingest->error.at = *at;
}

static void ingest(struct rx_source *source, struct rx_ingest *ingest)
{
    struct rx_error error;
    bool lines;
    enum rx_format format = format_of(source, ingest, &lines);
    ingest->status = 202;
    ingest->accepted = 0;
    if (((struct http *)source)->paused) {
        ingest->status = 429;
        rx_error_set(&ingest->error, -EAGAIN, "what this source feeds has no room; try again");
        return;
    }
    if (is_blank(ingest)) {
        ingest->status = 400;
        rx_error_set(&ingest->error, -EBADMSG, "the body is empty: expected JSON, a JSON array or NDJSON");
        return;
    }
    if (rx_source_body(source, format, lines, ingest->body, ingest->length, &ingest->accepted, &error) < 0)
        refuse(ingest, &error);
    rx_source_flush(source);
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    (void)reterr;
    source->running = true;
    return 0;
}

static void set_paused(struct rx_source *source, bool paused) { ((struct http *)source)->paused = paused; }

static void stop(struct rx_source *source) { source->running = false; }

const struct rx_source_class rx_source_http = {
    .base = {.name = "http",
             .summary = "Events POSTed to /sources/NAME, or sent there over a WebSocket: a JSON value, an array of "
                        "values, NDJSON, or "
                        "what the Content-Type says",
             .state_size = sizeof(struct http),
             .example = "http: {}"},
    .format = RX_FORMAT_JSON,
    .start = start,
    .pause = set_paused,
    .stop = stop,
    .ingest = ingest,
    .dispose = stop,
};
