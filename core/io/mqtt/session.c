/* A session's connections: CONNECT to goodbye, what is asked, keep-alive. */
#include "core/io/mqtt/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/session_private.h"

int rx_session_create(const struct rx_session_options *options, const struct rx_session_host *host, void *arg,
                      struct rx_session **ret)
{
    struct rx_session *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->options = *options;
    s->host = host;
    s->arg = arg;
    s->v5 = options->connect.v5;
    if (s->v5)
        s->options.connect.topic_aliases = RX_ALIASES;
    int r = rx_session_init_out(s);
    if (r < 0)
        rx_session_destroy(s);
    else
        *ret = s;
    return r;
}

void rx_session_destroy(struct rx_session *s)
{
    if (!s)
        return;
    rx_session_finish_out(s);
    rx_session_finish_in(s);
    rx_buffer_finish(&s->out);
    free(s);
}

int rx_session_flush(struct rx_session *s, rx_time now)
{
    if (s->out.failed)
        return -ENOMEM;
    if (s->out.length == 0)
        return 0;
    s->host->write(s->arg, s->out.data, s->out.length);
    s->last_out = now;
    rx_buffer_clear(&s->out);
    return 0;
}

size_t rx_session_collected(const struct rx_session *s) { return s->out.length; }

void rx_session_connect(struct rx_session *s, rx_time now)
{
    s->state = RX_SESSION_CONNECTING;
    s->why = NULL;
    s->reason = 0;
    s->last_in = now;
    s->pinged = 0;
    s->keep_alive = s->options.connect.keep_alive * RX_SEC;
    rx_connect_write(&s->out, &s->options.connect);
    rx_session_flush(s, now);
}

void rx_session_lost(struct rx_session *s)
{
    s->state = RX_SESSION_CLOSED;
    s->skip = 0;
    s->asked_count = 0;
    memset(s->asked, 0, sizeof s->asked);
    s->again = NULL;
    s->awaited = 0;
    rx_buffer_finish(&s->out);
    rx_session_forget_pending(s);
}

void rx_session_disconnect(struct rx_session *s)
{
    if (s->state != RX_SESSION_OPEN)
        return;
    rx_disconnect_write(&s->out, s->v5, RX_REASON_NORMAL);
    rx_session_flush(s, s->last_out);
}

const char *rx_session_why(const struct rx_session *s) { return s->why ? s->why : ""; }
uint8_t rx_session_reason(const struct rx_session *s) { return s->reason; }

int rx_session_refuse(struct rx_session *s, uint8_t reason, const char *why)
{
    if (s->why)
        return -EBADMSG;
    snprintf(s->why_text, sizeof s->why_text, "the broker sent %s", why);
    s->why = s->why_text;
    if (s->v5 && s->state == RX_SESSION_OPEN) {
        rx_disconnect_write(&s->out, true, reason);
        rx_session_flush(s, s->last_out);
    }
    return -EBADMSG;
}

/* What the broker itself says about the end: the reason, and its own words where it gives any. */
static int end_by_broker(struct rx_session *s, uint8_t reason, const char *prefix, const char *text, const char *words,
                         size_t length)
{
    s->reason = reason;
    snprintf(s->why_text, sizeof s->why_text, "%s: %s%s%.*s%s", prefix, text, words ? " (" : "",
             (int)(length < 120 ? length : 120), words ? words : "", words ? ")" : "");
    s->why = s->why_text;
    return -EBADMSG;
}

static int take_connack(struct rx_session *s, const struct rx_packet *packet)
{
    const char *why;
    if (s->state != RX_SESSION_CONNECTING)
        return rx_session_refuse(s, RX_REASON_PROTOCOL, "a second CONNACK");
    if (rx_connack_read(packet, s->v5, &s->connack, &why) < 0)
        return rx_session_refuse(s, RX_REASON_MALFORMED, why);
    const struct rx_connack *c = &s->connack;
    if (c->reason != 0)
        return end_by_broker(s, c->reason, "the broker refuses us",
                             s->v5 ? rx_reason_text(c->reason) : rx_connack_text_311(c->reason), c->reason_string,
                             c->reason_string_length);
    if (c->session_present && s->options.connect.clean)
        return rx_session_refuse(s, RX_REASON_PROTOCOL, "a CONNACK with a session that we did not ask for");
    if (c->has_keep_alive)
        s->keep_alive = c->keep_alive * RX_SEC;
    s->state = RX_SESSION_OPEN;
    if (!c->session_present)
        rx_session_forget_received(s);
    s->host->opened(s->arg, c->session_present);
    rx_session_send_again(s, c->session_present);
    return 0;
}

static int take_granted(struct rx_session *s, const struct rx_packet *packet)
{
    struct rx_granted granted;
    const char *why;
    if (rx_granted_read(packet, s->v5, &granted, &why) < 0)
        return rx_session_refuse(s, RX_REASON_MALFORMED, why);
    size_t slot = (size_t)granted.id - RX_ASKED_FIRST;
    if (granted.id < RX_ASKED_FIRST || slot >= RX_ASKED_MAX || !s->asked[slot])
        return 0; /* of an earlier connection */
    if (granted.count > 1)
        return rx_session_refuse(s, RX_REASON_PROTOCOL, "an answer with the wrong number of reasons");
    s->asked[slot] = false;
    s->asked_count--;
    s->host->granted(s->arg, granted.id, granted.count ? granted.reasons[0] : 0);
    return 0;
}

static int take_answer(struct rx_session *s, const struct rx_packet *packet)
{
    struct rx_answer answer;
    const char *why;
    if (rx_answer_read(packet, s->v5, &answer, &why) < 0)
        return rx_session_refuse(s, RX_REASON_MALFORMED, why);
    if (packet->type == RX_PACKET_DISCONNECT)
        return end_by_broker(s, answer.reason, "the broker ends the connection", rx_reason_text(answer.reason),
                             answer.reason_string, answer.reason_string_length);
    if (packet->type == RX_PACKET_PUBREL) {
        rx_session_release(s, &answer);
        return 0;
    }
    return rx_session_answered(s, packet->type, &answer);
}

static int take_packet(struct rx_session *s, const struct rx_packet *packet)
{
    if (packet->type == RX_PACKET_CONNACK)
        return take_connack(s, packet);
    if (packet->type == RX_PACKET_AUTH)
        return rx_session_refuse(s, RX_REASON_PROTOCOL, "AUTH, which nobody asked for");
    if (s->state != RX_SESSION_OPEN)
        return rx_session_refuse(s, RX_REASON_PROTOCOL, "another packet before CONNACK");
    switch (packet->type) {
    case RX_PACKET_PUBLISH:
        return rx_session_take(s, packet);
    case RX_PACKET_SUBACK:
    case RX_PACKET_UNSUBACK:
        return take_granted(s, packet);
    case RX_PACKET_PINGRESP:
        return packet->length ? rx_session_refuse(s, RX_REASON_MALFORMED, "a PINGRESP with something in it") : 0;
    default:
        return take_answer(s, packet);
    }
}

/* Whether there is a packet to take. 0: not yet; below 0: no more on this connection. */
static int next_packet(struct rx_session *s, const unsigned char *bytes, size_t length, struct rx_packet *packet)
{
    const char *why;
    int r = rx_packet_read(bytes, length, packet, &why);
    if (r < 0)
        return rx_session_refuse(s, RX_REASON_MALFORMED, why);
    if (packet->size > s->options.packet_maximum) {
        if (packet->type != RX_PACKET_PUBLISH || s->v5 || s->state != RX_SESSION_OPEN)
            return rx_session_refuse(s, RX_REASON_TOO_LARGE, "a packet that is larger than max_packet");
        return rx_session_pass_over(s, packet, length);
    }
    return r;
}

ssize_t rx_session_feed(struct rx_session *s, const unsigned char *bytes, size_t length, rx_time now)
{
    size_t used = 0;
    s->last_in = now;
    s->pinged = 0;
    while (used < length && s->state != RX_SESSION_CLOSED) {
        struct rx_packet packet;
        if (s->skip) {
            size_t n = s->skip < length - used ? s->skip : length - used;
            s->skip -= n;
            used += n;
            continue;
        }
        used += rx_session_take_run(s, bytes + used, length - used);
        if (used == length || s->state == RX_SESSION_CLOSED)
            break;
        int r = next_packet(s, bytes + used, length - used, &packet);
        if (r == 0)
            break;
        if (r > 0 && !s->skip) {
            r = take_packet(s, &packet);
            used += packet.size;
        }
        if (r < 0)
            return r;
    }
    return (ssize_t)used;
}

/* Keep-alive (MQTT 5.0, 3.1.2.10). */

static rx_time quiet_since(const struct rx_session *s) { return s->last_in < s->last_out ? s->last_in : s->last_out; }

rx_time rx_session_due(const struct rx_session *s)
{
    if (s->state != RX_SESSION_OPEN || s->keep_alive == 0)
        return RX_TIME_NEVER;
    return (s->pinged ? s->pinged : quiet_since(s)) + s->keep_alive;
}

int rx_session_tick(struct rx_session *s, rx_time now)
{
    if (now < rx_session_due(s))
        return 0;
    if (s->pinged) {
        snprintf(s->why_text, sizeof s->why_text, "the broker has not been heard for two keep-alives");
        s->why = s->why_text;
        return -ETIMEDOUT;
    }
    rx_pingreq_write(&s->out);
    rx_session_flush(s, now);
    s->pinged = now;
    return 0;
}

/* Subscriptions. */

static uint16_t take_asked(struct rx_session *s)
{
    while (s->asked[s->asked_next])
        s->asked_next = (s->asked_next + 1) % RX_ASKED_MAX;
    size_t slot = s->asked_next;
    s->asked_next = (slot + 1) % RX_ASKED_MAX;
    s->asked[slot] = true;
    s->asked_count++;
    return (uint16_t)(RX_ASKED_FIRST + slot);
}

int rx_session_subscribe(struct rx_session *s, const char *filter, int qos, uint32_t identifier, bool retained_once,
                         uint16_t *ret_id)
{
    if (s->state != RX_SESSION_OPEN || s->asked_count == RX_ASKED_MAX)
        return -EAGAIN;
    *ret_id = take_asked(s);
    struct rx_subscribe_out out = {.v5 = s->v5,
                                   .id = *ret_id,
                                   .filter = filter,
                                   .qos = qos,
                                   .identifier = s->connack.identifiers_available ? identifier : 0,
                                   .retained_once = retained_once};
    rx_subscribe_write(&s->out, &out);
    return 0;
}

int rx_session_unsubscribe(struct rx_session *s, const char *filter, uint16_t *ret_id)
{
    if (s->state != RX_SESSION_OPEN || s->asked_count == RX_ASKED_MAX)
        return -EAGAIN;
    *ret_id = take_asked(s);
    rx_unsubscribe_write(&s->out, s->v5, *ret_id, filter);
    return 0;
}
