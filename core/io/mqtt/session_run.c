/* What a session receives most: message after message at QoS 0, taken in runs. A packet that has anything else to it (another QoS, an
 * alias, properties but one subscription, a topic beyond ASCII, a mistake) ends the run, and is read as every packet is. */
#include "core/io/mqtt/packet_private.h"
#include "core/io/mqtt/session_private.h"
#include "core/io/mqtt/topic_hash.h"

enum { RUN_MAX = 64 };

struct run {
    struct rx_mqtt_message messages[RUN_MAX];
    uint32_t filters[RUN_MAX];
    size_t count;
};

struct topic { /* the last one, checked; messages with the same share it. Length 0: none */
    const char *text;
    size_t length;
    uint64_t hash;
};

/* A number of up to two bytes. Answers where it ends, NULL: it is longer, or not all there. */
static const unsigned char *short_number(const unsigned char *at, const unsigned char *end, size_t *ret)
{
    if (end - at < 2)
        return NULL;
    *ret = at[0] & 127u;
    if (at[0] < 128)
        return at + 1;
    *ret |= (size_t)at[1] << 7;
    return at[1] == 0 || at[1] >= 128 ? NULL : at + 2;
}

/* Of version 5: none, or the one subscription that the message is for. */
static const unsigned char *skip_properties(const unsigned char *at, const unsigned char *end,
                                            struct rx_mqtt_message *m, uint32_t *filter)
{
    if (at == end)
        return NULL;
    const unsigned char *behind = at + 1 + at[0];
    if (at[0] == 0)
        return behind;
    if (at[0] > 5 || behind > end || at[1] != RX_PROPERTY_SUBSCRIPTION_IDENTIFIER)
        return NULL;
    uint32_t number = 0;
    unsigned shift = 0;
    for (at += 2; at < behind; at++, shift += 7) {
        number |= (uint32_t)(at[0] & 127) << shift;
        bool last = at + 1 == behind;
        if ((at[0] < 128) != last || (last && shift && at[0] == 0))
            return NULL;
    }
    *filter = number;
    m->filters = filter;
    m->filter_count = 1;
    return number ? behind : NULL;
}

/* Apart, so that a topic that is the last one again leaves the loop its registers. */
static __attribute__((noinline)) bool read_new_topic(struct topic *last, const char *text, size_t length)
{
    bool plain = length > 0 && rx_topic_hash_plain(text, length, &last->hash);
    last->text = text;
    last->length = plain ? length : 0;
    return plain;
}

/* False: it needs another look. */
static inline bool read_topic(struct topic *last, const char *text, size_t length)
{
    return (length > 0 && length == last->length && rx_topic_is_same(text, last->text, length)) ||
           read_new_topic(last, text, length);
}

/* Behind the packet; NULL: it is none of these, or not whole. */
static inline const unsigned char *read_one(const struct rx_session *s, const unsigned char *at,
                                            const unsigned char *end, struct topic *topic, struct run *run)
{
    struct rx_mqtt_message *m = &run->messages[run->count];
    size_t left, topic_length;
    unsigned first = at[0];
    if ((first & 0xFE) != RX_PACKET_PUBLISH << 4)
        return NULL;
    const unsigned char *body = short_number(at + 1, end, &left);
    if (!body || left < 3 || (size_t)(end - body) < left || (size_t)(body - at) + left > s->options.packet_maximum)
        return NULL;
    const unsigned char *behind = body + left;
    topic_length = (size_t)body[0] << 8 | body[1];
    body += 2;
    if (topic_length > left - 2 || !read_topic(topic, (const char *)body, topic_length))
        return NULL;
    body += topic_length;
    *m = (struct rx_mqtt_message){
        .topic = topic->text, .topic_length = topic_length, .topic_hash = topic->hash, .retained = first & 1};
    if (s->v5 && !(body = skip_properties(body, behind, m, &run->filters[run->count])))
        return NULL;
    m->payload = (const char *)body;
    m->length = (size_t)(behind - body);
    return behind;
}

size_t rx_session_take_run(struct rx_session *s, const unsigned char *bytes, size_t length)
{
    const unsigned char *at = bytes, *end = bytes + length;
    struct topic topic = {.length = 0};
    struct run run;
    while (at < end && s->state == RX_SESSION_OPEN) {
        const unsigned char *behind = at;
        run.count = 0;
        while (run.count < RUN_MAX && at < end && (behind = read_one(s, at, end, &topic, &run))) {
            at = behind;
            run.count++;
        }
        if (run.count > 0)
            s->host->messages(s->arg, run.messages, run.count);
        if (!behind)
            break;
    }
    return (size_t)(at - bytes);
}
