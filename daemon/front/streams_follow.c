/* From a request to a subscriber: the response's head, and the connection taken over. */
#include "daemon/front/streams_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void unlink_takeover(struct takeover *t)
{
    struct takeover **link = &t->streams->takeovers;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
}

void streams_forget(struct rx_streams *streams, const struct stream *s)
{
    for (struct takeover *t = streams->takeovers, *next; t; t = next) {
        next = t->next;
        if (s && t->stream != s)
            continue;
        unlink_takeover(t);
        rx_selection_unref(t->subscription.selection);
        t->subscription.selection = NULL;
        t->streams = NULL;
        t->stream = NULL;
    }
}

static void destroy(struct takeover *t)
{
    if (t->streams)
        unlink_takeover(t);
    rx_selection_unref(t->subscription.selection);
    free(t);
}

static void on_closed(void *http) { rx_http_release(http); }

static void on_taken(void *arg, int fd, const char *ahead, size_t ahead_length)
{
    struct takeover *t = arg;
    struct rx_subscription *s = &t->subscription;
    s->ahead = ahead;
    s->ahead_length = ahead_length;
    s->on_closed = on_closed;
    s->arg = t->http;
    bool made = fd >= 0 && t->stream && rx_conn_of_fd(t->stream->streams->loop, fd, &s->conn) == 0;
    if (fd >= 0 && !made)
        close(fd);
    if (fd >= 0 && (!made || rx_fanout_subscribe(t->stream->fanout, s) < 0))
        rx_http_release(t->http);
    destroy(t);
}

static int write_greeting(struct takeover *t, struct rx_http_request *request)
{
    static const char *const types[] = {"text/event-stream", "application/x-ndjson"};
    char accept[29];
    if (t->subscription.kind != RX_WEBSOCKET)
        return snprintf(t->greeting, sizeof t->greeting,
                        "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nCache-Control: no-store\r\n"
                        "X-Accel-Buffering: no\r\nConnection: close\r\n\r\n",
                        types[t->subscription.kind]);
    return rx_http_wants_websocket(request, accept)
               ? snprintf(t->greeting, sizeof t->greeting,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n",
                          accept)
               : 0;
}

void streams_follow(struct stream *s, struct rx_http_request *request, const struct rx_subscription *of)
{
    struct takeover *t = calloc(1, sizeof *t);
    if (!t) {
        rx_http_reply_error(request, 503, "out of memory");
        return;
    }
    t->subscription = *of;
    rx_selection_ref(of->selection);
    t->subscription.greeting_length = (size_t)write_greeting(t, request);
    t->subscription.greeting = t->greeting;
    t->stream = s;
    t->streams = s->streams;
    t->http = s->streams->http;
    t->next = s->streams->takeovers;
    s->streams->takeovers = t;
    if (rx_http_take_over(request, on_taken, t) < 0) {
        destroy(t);
        rx_http_reply_error(request, 503, "the connection cannot be followed now");
    }
}
