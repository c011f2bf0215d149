/* What clients of a stream say: nothing that is wanted but WebSocket control frames, and that they leave. */
#include "core/io/serve/fanout_private.h"

#include <errno.h>

enum { PONGS_MAX = 4 * RX_WS_CONTROL_MAX };

/* RFC 6455, 7.4: what may stand in a close frame. */
static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static void answer_close(struct subscriber *s, const uint8_t *payload, size_t length)
{
    unsigned code = length == 0 ? 1000 : length == 1 ? 0 : (unsigned)payload[0] << 8 | payload[1];
    subscriber_end(s, is_close_code(code) ? code : 1002, NULL, 0);
}

/* A client that pings without reading gets no more pongs than fit. */
static void control(void *arg, unsigned opcode, const uint8_t *payload, size_t length)
{
    struct subscriber *s = arg;
    if (opcode == RX_WS_CLOSE)
        answer_close(s, payload, length);
    else if (opcode == RX_WS_PING && s->phase == SERVING && (!s->pending || s->pending->length < PONGS_MAX))
        subscriber_queue_control(s, RX_WS_PONG, payload, length);
}

/* RFC 6455, 7.4.1: what is said to a client for its mistake. */
static unsigned close_code(int mistake) { return mistake == -EILSEQ ? 1007 : mistake == -EMSGSIZE ? 1009 : 1002; }

bool subscriber_hear(struct subscriber *s, const char *data, size_t length)
{
    s->heard = fanout_now(s->channel->fanout);
    if (s->channel->kind != RX_WEBSOCKET || s->phase != SERVING)
        return true;
    int r = rx_ws_input_feed(&s->input, data, length, control, s);
    if (r < 0 && r != -ENOMEM)
        subscriber_end(s, close_code(r), NULL, 0);
    return r != -ENOMEM;
}

static bool read_some(struct subscriber *s)
{
    struct rx_fanout *f = s->channel->fanout;
    ssize_t n = rx_conn_read(s->conn, f->all->scratch, sizeof f->all->scratch);
    if (n == -EAGAIN)
        return true;
    if (n > 0 && subscriber_hear(s, f->all->scratch, (size_t)n))
        return true;
    subscriber_close(s);
    return false;
}

void subscriber_ready(void *arg, unsigned events)
{
    struct subscriber *s = arg;
    if ((events & RX_READABLE) && !read_some(s))
        return;
    if ((events & RX_WRITABLE) || s->pending || s->phase == ENDING)
        subscriber_pump(s);
}
