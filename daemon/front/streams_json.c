/* The plain JSON answers of a stream: the latest value, the latest of each key, or a piece of history. */
#include "core/io/serve/stream_meta.h"
#include "daemon/front/streams_private.h"

#include <stdio.h>

struct reply {
    struct rx_buffer out;
    struct rx_selection *selection;
    uint64_t count, missed, generation;
    bool array, meta;
};

static void add(struct reply *r, const struct rx_frame_view *f)
{
    if (r->array && r->count)
        rx_buffer_text(&r->out, ",");
    if (r->meta)
        rx_meta_json(&r->out, r->generation, f);
    else
        rx_buffer_append(&r->out, f->json, f->json_length);
    r->count++;
}

static void add_latest(void *arg, const struct rx_frame_view *f)
{
    struct reply *r = arg;
    if (rx_selection_test(r->selection, f))
        add(r, f);
}

static void add_history(struct reply *r, const struct stream *s, uint64_t from)
{
    uint64_t last = rx_log_last(s->log);
    for (uint64_t at = from; at <= last; at++) {
        struct rx_frame_view f;
        uint64_t next = rx_log_next(s->log, at);
        r->missed += r->missed == RX_MISSED_UNKNOWN ? 0 : next - at;
        at = next;
        if (rx_log_frame(s->log, at, &f) && !f.terminal && rx_selection_test(r->selection, &f))
            add(r, &f);
    }
}

/* Without keys a selection looks for the latest that it wants. */
static void add_latest_selected(struct reply *r, const struct stream *s)
{
    struct rx_frame_view f;
    for (uint64_t i = rx_log_last(s->log) + 1; !r->count && (i = rx_log_previous(s->log, i));)
        if (rx_log_frame(s->log, i, &f) && !f.terminal && rx_selection_test(r->selection, &f))
            add(r, &f);
}

static void collect_answer(struct reply *r, struct stream *s, const struct rx_subscription *of, bool history)
{
    if (history)
        add_history(r, s, of->cursor);
    else if (!s->keyed && of->selection)
        add_latest_selected(r, s);
    else
        rx_log_snapshot(s->log, rx_sched_wall(rx_loop_sched(s->streams->loop)), add_latest, r);
}

/* Where a poller goes on (?since=), and what it missed. */
static void set_headers(struct stream *s, struct rx_http_request *request, uint64_t missed)
{
    char text[48];
    snprintf(text, sizeof text, "%llu-%llu", (unsigned long long)rx_log_generation(s->log),
             (unsigned long long)rx_log_last(s->log));
    rx_http_set_header(request, "Rxd-Last-Id", text);
    rx_http_set_header(request, "Cache-Control", "no-store");
    if (!missed)
        return;
    snprintf(text, sizeof text, "%llu", (unsigned long long)missed);
    rx_http_set_header(request, "Rxd-Missed", missed == RX_MISSED_UNKNOWN ? "unknown" : text);
}

void streams_reply_json(struct stream *s, struct rx_http_request *request, const struct rx_subscription *of,
                        bool history)
{
    struct reply r = {.selection = of->selection,
                      .missed = of->missed,
                      .generation = rx_log_generation(s->log),
                      .array = history || s->keyed,
                      .meta = of->meta};
    if (r.array)
        rx_buffer_text(&r.out, "[");
    collect_answer(&r, s, of, history);
    rx_buffer_text(&r.out, r.array ? "]\n" : "\n");
    set_headers(s, request, r.missed);
    if (r.out.failed)
        rx_http_reply_error(request, 503, "out of memory");
    else if (rx_selection_exhausted(of->selection))
        streams_refuse_cost(request);
    else if (!r.array && !r.count)
        rx_http_reply(request, 204, NULL, NULL, 0);
    else
        rx_http_reply(request, 200, "application/json", r.out.data, r.out.length);
    rx_buffer_finish(&r.out);
}
