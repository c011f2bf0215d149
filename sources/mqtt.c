/* mqtt: the messages of a broker's topics, with what the topic tells put into the event. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/feed/source.h"
#include "core/io/mqtt/mqtt.h"
#include "core/io/mqtt/mqtt_topic.h"
#include "core/io/site.h"
#include "sources/topic_cache.h"

enum { RETAINED_USE, RETAINED_SKIP };

struct mqtt {
    struct rx_source source;
    struct rx_broker_choice choice;
    struct rx_strings topic, topics;
    const char *share;
    int qos, retained;

    struct rx_broker *broker; /* the site's; NULL without a site */
    struct rx_subscriber subscriber;
    struct pattern {
        struct rx_topic *topic;
        uint32_t filter;
        const struct rx_key **keys;
    } * patterns; /* those of `topic`, then those of `topics` */
    size_t pattern_count;
    struct rx_topic_cache *cache;
    bool joined, paused;
};

static const char *const retained_choices[] = {"use", "skip", NULL};
static const char *const qos_choices[] = {"0", "1", "2", NULL};

static const struct rx_option options[] = {
    RX_BROKER_CHOICE_ROWS(struct mqtt, choice),
    {.name = "topic",
     .help = "the topic, or several; {name} stands for one level and {name...} for the rest, put into the event",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct mqtt, topic, struct rx_strings),
     .flags = RX_CAPTURES | RX_BLAMED},
    {.name = "topics",
     .help = "the same",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct mqtt, topics, struct rx_strings),
     .flags = RX_CAPTURES | RX_BLAMED},
    {.name = "qos",
     .help = "the highest quality of service that is asked for",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct mqtt, qos, int),
     .fallback = "0",
     .choices = qos_choices},
    {.name = "retained",
     .help = "skip: leaves out what the broker had kept from before",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct mqtt, retained, int),
     .fallback = "use",
     .choices = retained_choices},
    {.name = "share",
     .help = "a group: the broker gives each message to one of its members ($share/GROUP/TOPIC)",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct mqtt, share, const char *)},
    {0},
};

static struct mqtt *mqtt_of(struct rx_subscriber *subscriber)
{
    return (struct mqtt *)((char *)subscriber - offsetof(struct mqtt, subscriber));
}

/* Finds the first pattern that matches, and makes the captures. */
static int match(void *arg, const char *topic, size_t length, struct rx_value *captures)
{
    struct mqtt *mqtt = arg;
    struct rx_topic_span spans[RX_TOPIC_CAPTURES_MAX];
    for (size_t i = 0; i < mqtt->pattern_count; i++) {
        const struct rx_topic *pattern = mqtt->patterns[i].topic;
        if (!rx_topic_match(pattern, topic, length, spans))
            continue;
        for (size_t c = 0; c < rx_topic_capture_count(pattern); c++)
            captures[c] = rx_string(mqtt->source.heap, spans[c].text, spans[c].length);
        return (int)i;
    }
    return -1;
}

/* Of several copies for overlapping subscriptions only the one for the first matching pattern counts. */
static bool is_meant(const struct rx_mqtt_message *message, uint32_t filter)
{
    for (size_t i = 0; i < message->filter_count; i++)
        if (message->filters[i] == filter)
            return true;
    return message->filter_count == 0;
}

static struct rx_message_info info_of(const struct mqtt *mqtt, const struct rx_mqtt_message *message,
                                      const struct rx_topic_entry *entry)
{
    return (struct rx_message_info){.capture_keys = mqtt->patterns[entry->pattern].keys,
                                    .captures = entry->captures,
                                    .capture_count = entry->capture_count,
                                    .topic = message->topic,
                                    .topic_length = message->topic_length,
                                    .retained = message->retained};
}

static enum rx_claim on_message(struct rx_subscriber *subscriber, const struct rx_mqtt_message *message)
{
    struct mqtt *mqtt = mqtt_of(subscriber);
    const struct rx_topic_entry *entry =
        rx_topic_cache_find(mqtt->cache, message->topic, message->topic_length, message->topic_hash);
    if (!entry || entry->pattern < 0)
        return RX_CLAIM_NONE;
    const struct pattern *pattern = &mqtt->patterns[entry->pattern];
    if (!is_meant(message, pattern->filter))
        return RX_CLAIM_OTHER;
    if (mqtt->paused || (subscriber->parked > 0 && !message->waited)) /* not past those that wait */
        return RX_CLAIM_LATER;
    if (message->position)
        rx_source_position(&mqtt->source, message->position);
    if (message->retained && mqtt->retained == RETAINED_SKIP)
        return RX_CLAIM_TAKEN;
    struct rx_message_info info = info_of(mqtt, message, entry);
    rx_source_message(&mqtt->source, rx_source_format(&mqtt->source), message->payload, message->length, &info, NULL);
    return RX_CLAIM_TAKEN;
}

/* What the topics to come will be looked up by is on its way from memory meanwhile. */
static void look_ahead(const struct mqtt *mqtt, const struct rx_mqtt_message *messages, size_t i, size_t count)
{
    enum { SLOT_AHEAD = 8, ENTRY_AHEAD = 4 };
    if (i + SLOT_AHEAD < count)
        rx_topic_cache_expect_slot(mqtt->cache, messages[i + SLOT_AHEAD].topic_hash);
    if (i + ENTRY_AHEAD < count)
        rx_topic_cache_expect(mqtt->cache, messages[i + ENTRY_AHEAD].topic_hash);
}

static bool take_in(struct mqtt *mqtt, struct rx_source_run *run, const struct rx_mqtt_message *message,
                    const struct rx_topic_entry *entry)
{
    if (message->retained && mqtt->retained == RETAINED_SKIP)
        return true;
    if (entry->capture_count == 0 && !rx_source_run_asks(run))
        return rx_source_run_message(run, message->payload, message->length, NULL);
    struct rx_message_info info = info_of(mqtt, message, entry);
    return rx_source_run_message(run, message->payload, message->length, &info);
}

static size_t on_messages(struct rx_subscriber *subscriber, const struct rx_mqtt_message *messages, size_t count)
{
    struct mqtt *mqtt = mqtt_of(subscriber);
    const struct rx_topic_entry *entry = NULL;
    const char *topic = NULL; /* of the entry */
    struct rx_source_run run;
    size_t i = 0;
    bool there = true;
    rx_source_run_begin(&run, &mqtt->source, rx_source_format(&mqtt->source));
    while (there && i < count && !mqtt->paused && subscriber->parked == 0) {
        const struct rx_mqtt_message *message = &messages[i];
        if (message->topic != topic) {
            look_ahead(mqtt, messages, i, count);
            topic = message->topic;
            entry = rx_topic_cache_find(mqtt->cache, topic, message->topic_length, message->topic_hash);
        }
        if (!entry || entry->pattern < 0 || !is_meant(message, mqtt->patterns[entry->pattern].filter))
            break;
        i++;
        there = take_in(mqtt, &run, message, entry);
    }
    rx_source_run_end(&run);
    return i;
}

/* What comes meanwhile is kept and not acknowledged; the connection is read on. */
static void set_paused(struct rx_source *source, bool paused)
{
    struct mqtt *mqtt = (struct mqtt *)source;
    mqtt->paused = paused;
    if (!paused && mqtt->joined)
        rx_broker_resume(mqtt->broker, &mqtt->subscriber);
}

static void ack(struct rx_source *source, uint64_t position)
{
    struct mqtt *mqtt = (struct mqtt *)source;
    rx_broker_ack(mqtt->broker, &mqtt->subscriber, position);
}

static void on_read_end(struct rx_subscriber *subscriber) { rx_source_flush(&mqtt_of(subscriber)->source); }

static void on_connection(struct rx_subscriber *subscriber, bool connected)
{
    rx_source_set_connected(&mqtt_of(subscriber)->source, connected);
}

static int make_keys(struct mqtt *mqtt, struct pattern *pattern, struct rx_error *reterr)
{
    size_t count = rx_topic_capture_count(pattern->topic);
    pattern->keys = calloc(count + 1, sizeof *pattern->keys);
    for (size_t i = 0; pattern->keys && i < count; i++) {
        const char *name = rx_topic_capture_name(pattern->topic, i);
        pattern->keys[i] = rx_key_intern(mqtt->source.heap, name, strlen(name));
        if (!pattern->keys[i])
            return rx_error_set(reterr, -ENOMEM, "topic: too many names");
    }
    return pattern->keys ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

static const char *text_of(const struct mqtt *mqtt, size_t i)
{
    return i < mqtt->topic.count ? mqtt->topic.items[i] : mqtt->topics.items[i - mqtt->topic.count];
}

static int parse_pattern(const struct mqtt *mqtt, const char *text, struct rx_topic **ret, struct rx_error *reterr)
{
    struct rx_buffer shared = {0};
    if (!mqtt->share)
        return rx_topic_parse(text, ret, reterr);
    if (!*mqtt->share || strpbrk(mqtt->share, "/+#{}"))
        return rx_error_set(reterr, -EINVAL, "share must be a name without /, +, # or braces");
    rx_buffer_printf(&shared, "$share/%s/%s", mqtt->share, text);
    rx_buffer_append(&shared, "", 1);
    int r = shared.failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : rx_topic_parse(shared.data, ret, reterr);
    if (r < 0 && reterr->at.line > 0)
        reterr->at.offset -= strlen("$share//") + strlen(mqtt->share);
    rx_buffer_finish(&shared);
    return r;
}

static int make_patterns(struct mqtt *mqtt, struct rx_error *reterr)
{
    size_t count = mqtt->topic.count + mqtt->topics.count;
    mqtt->patterns = calloc(count + 1, sizeof *mqtt->patterns);
    if (!mqtt->patterns)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    mqtt->pattern_count = count;
    for (size_t i = 0; i < count; i++) {
        int r = parse_pattern(mqtt, text_of(mqtt, i), &mqtt->patterns[i].topic, reterr);
        if (r == 0)
            r = make_keys(mqtt, &mqtt->patterns[i], reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The place that is told is in the text of the i-th topic. */
static int check(const void *image, struct rx_error *reterr)
{
    const struct mqtt *mqtt = image;
    size_t count = mqtt->topic.count + mqtt->topics.count;
    int r = rx_broker_choice_check(&mqtt->choice, reterr);
    if (r < 0)
        reterr->at = (struct rx_place){0}; /* of the url, if any */
    if (r == 0 && count == 0) {
        r = rx_error_set(reterr, -EINVAL, "`mqtt` needs `topic`");
        rx_error_hint(reterr, "topic: \"sensors/{device}/{metric}\"");
    }
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct rx_topic *topic = NULL;
        r = parse_pattern(mqtt, text_of(mqtt, i), &topic, reterr);
        rx_topic_destroy(topic);
        if (r < 0 && reterr->at.line > 0)
            reterr->at.line = (unsigned)i + 1;
    }
    return r;
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    struct mqtt *mqtt = (struct mqtt *)source;
    mqtt->subscriber.message = on_message;
    mqtt->subscriber.messages = on_messages;
    mqtt->subscriber.read_end = on_read_end;
    mqtt->subscriber.connection = on_connection;
    int r = make_patterns(mqtt, reterr);
    if (r < 0 || !source->site)
        return r;
    mqtt->broker = rx_site_broker(source->site, &mqtt->choice, reterr);
    return mqtt->broker ? 0 : reterr->code;
}

static void stop(struct rx_source *source)
{
    struct mqtt *mqtt = (struct mqtt *)source;
    source->running = false;
    rx_source_set_connected(source, false);
    if (!mqtt->joined)
        return;
    mqtt->joined = false;
    rx_broker_leave(mqtt->broker, &mqtt->subscriber);
    for (size_t i = 0; i < mqtt->pattern_count; i++) {
        rx_broker_unsubscribe(mqtt->broker, mqtt->patterns[i].filter);
        mqtt->patterns[i].filter = 0;
    }
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct mqtt *mqtt = (struct mqtt *)source;
    struct rx_broker_status status;
    if (!mqtt->cache)
        mqtt->cache = rx_topic_cache_create(match, mqtt);
    if (!mqtt->cache)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    source->running = true;
    mqtt->joined = true;
    rx_broker_join(mqtt->broker, &mqtt->subscriber);
    rx_broker_status(mqtt->broker, &status);
    on_connection(&mqtt->subscriber, status.connected);
    for (size_t i = 0; i < mqtt->pattern_count; i++) {
        struct pattern *pattern = &mqtt->patterns[i];
        int r = rx_broker_subscribe(mqtt->broker, rx_topic_filter(pattern->topic), mqtt->qos, &pattern->filter);
        if (r < 0) {
            stop(source);
            return rx_error_set(reterr, r, "out of memory");
        }
    }
    return 0;
}

static bool of_topic(struct rx_source *source, const char *topic, size_t length, struct rx_message_info *ret)
{
    struct mqtt *mqtt = (struct mqtt *)source;
    struct rx_error error;
    if (!mqtt->pattern_count && make_patterns(mqtt, &error) < 0)
        return false;
    if (!mqtt->cache)
        mqtt->cache = rx_topic_cache_create(match, mqtt);
    const struct rx_topic_entry *entry =
        mqtt->cache ? rx_topic_cache_find(mqtt->cache, topic, length, rx_topic_hash(topic, length)) : NULL;
    if (!entry || entry->pattern < 0)
        return false;
    *ret = (struct rx_message_info){.capture_keys = mqtt->patterns[entry->pattern].keys,
                                    .captures = entry->captures,
                                    .capture_count = entry->capture_count,
                                    .topic = topic,
                                    .topic_length = length};
    return true;
}

static void dispose(struct rx_source *source)
{
    struct mqtt *mqtt = (struct mqtt *)source;
    stop(source);
    rx_topic_cache_destroy(mqtt->cache);
    for (size_t i = 0; i < mqtt->pattern_count; i++) {
        rx_topic_destroy(mqtt->patterns[i].topic);
        free(mqtt->patterns[i].keys);
    }
    free(mqtt->patterns);
    mqtt->patterns = NULL;
    mqtt->cache = NULL;
}

const struct rx_source_class rx_source_mqtt = {
    .base = {.name = "mqtt",
             .summary = "The messages of an MQTT broker's topics",
             .options = options,
             .state_size = sizeof(struct mqtt),
             .flags = RX_SOURCE_CONNECTS,
             .example = "mqtt: { broker: home, topic: \"sensors/{device}/{metric}\", qos: 1 }",
             .check = check},
    .init = init,
    .start = start,
    .pause = set_paused,
    .ack = ack,
    .stop = stop,
    .of_topic = of_topic,
    .dispose = dispose,
};
