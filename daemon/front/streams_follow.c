/* From a request to a subscriber: the response's head, and the connection taken over. */
#include "daemon/front/streams_private.h"

#include <stdlib.h>

static void on_closed(void *http) { rx_http_release(http); }

static void write_greeting(struct rx_buffer *out, const struct rx_http_request *request, enum rx_subscriber_kind kind)
{
    char accept[29];
    if (kind == RX_WEBSOCKET && rx_http_wants_websocket(request, accept))
        rx_buffer_printf(out,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: %s\r\n",
                         accept);
    else
        rx_buffer_printf(out,
                         "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nCache-Control: no-store\r\n"
                         "X-Accel-Buffering: no\r\nConnection: close\r\n",
                         kind == RX_SSE ? "text/event-stream" : "application/x-ndjson");
    rx_buffer_text(out, rx_http_header_lines(request));
    rx_buffer_text(out, "\r\n");
}

void streams_follow(struct stream *s, struct rx_http_request *request, const struct rx_subscription *of)
{
    struct rx_http_server *http = s->streams->http;
    struct rx_subscription subscription = *of;
    struct rx_buffer greeting = {0};
    struct rx_http_taken taken;
    write_greeting(&greeting, request, of->kind);
    if (greeting.failed || rx_http_take_over(request, &taken) < 0) {
        rx_http_set_header(request, "Retry-After", "1");
        rx_http_reply_error(request, 503, "the connection cannot be followed now");
        rx_buffer_finish(&greeting);
        return;
    }
    subscription.conn = taken.conn;
    subscription.ahead = taken.ahead;
    subscription.ahead_length = taken.ahead_length;
    subscription.greeting = greeting.data;
    subscription.greeting_length = greeting.length;
    subscription.on_closed = on_closed;
    subscription.arg = http;
    if (rx_fanout_subscribe(s->fanout, &subscription) < 0)
        rx_http_release(http);
    rx_buffer_finish(&greeting);
    free(taken.ahead);
}
