/* mqtt: publishes each event to a broker, under a topic and with a payload made by templates. */
#include <errno.h>
#include <string.h>

#include "core/feed/sink.h"
#include "core/io/mqtt/mqtt.h"
#include "core/io/site.h"
#include "core/value/codec.h"
#include "sinks/render.h"

struct mqtt {
    struct rx_sink sink;
    struct rx_broker_choice choice;
    struct rx_value birth, will;
    struct rx_shaper *topic, *payload;
    int qos, full;
    bool retain;
    struct rx_render_options format;

    struct rx_broker *broker; /* the site's; NULL without a site */
    struct rx_broker_note birth_note;
    struct rx_publisher publisher, births; /* births: they are no events, and not in the ledger */
    struct rx_render render;
    struct rx_buffer topic_text, payload_text;
    bool joined;
};

static const char *const qos_choices[] = {"0", "1", "2", NULL};

static const struct rx_option options[] = {
    RX_BROKER_CHOICE_ROWS(struct mqtt, choice),
    {.name = "topic",
     .help = "where to, a template: alerts/{device}",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct mqtt, topic, struct rx_shaper *),
     .flags = RX_REQUIRED},
    {.name = "payload",
     .help = RX_PAYLOAD_HELP,
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct mqtt, payload, struct rx_shaper *)},
    {.name = "qos",
     .help = "quality of service: 0 at most once, 1 at least once, 2 exactly once",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct mqtt, qos, int),
     .fallback = "0",
     .choices = qos_choices},
    {.name = "retain",
     .help = "true: the broker keeps the last message of each topic for newcomers",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct mqtt, retain, bool),
     .fallback = "false"},
    {.name = "birth",
     .help =
         "what is published at each connection: {topic:, payload:, qos:, retain:}; retained unless it says otherwise",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct mqtt, birth, struct rx_value)},
    {.name = "will",
     .help = "what the broker publishes when we are lost: the same. A connection has one",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct mqtt, will, struct rx_value)},
    {.name = "full",
     .help = RX_FULL_HELP,
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct mqtt, full, int),
     .fallback = "drop",
     .choices = rx_full_choices},
    {.name = "format",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct mqtt, format, struct rx_render_options),
     .group = &rx_render_class,
     .flags = RX_INLINE},
    {0},
};

static void on_connection(struct rx_publisher *publisher, bool connected)
{
    struct mqtt *mqtt = (struct mqtt *)((char *)publisher - offsetof(struct mqtt, publisher));
    mqtt->sink.connected = connected;
}

static void on_birth(struct rx_publisher *births, bool connected)
{
    struct mqtt *mqtt = (struct mqtt *)((char *)births - offsetof(struct mqtt, births));
    const struct rx_broker_note *birth = &mqtt->birth_note;
    if (connected)
        rx_broker_publish(mqtt->broker, births, birth->topic, birth->topic_length, birth->payload ? birth->payload : "",
                          birth->payload_length, birth->qos, birth->retain);
}

/* A will of its own is the connection's: of one that is named the site has put it there. */
static int check(const void *image, struct rx_error *reterr)
{
    const struct mqtt *mqtt = image;
    struct rx_broker_note note;
    int r = rx_broker_choice_check(&mqtt->choice, reterr);
    if (r == 0)
        r = rx_render_check(&mqtt->format, reterr);
    if (r == 0)
        r = rx_broker_parse_note("birth", mqtt->birth, true, &note, reterr);
    return r == 0 ? rx_broker_parse_note("will", mqtt->will, false, &note, reterr) : r;
}

static int init(struct rx_sink *sink, struct rx_error *reterr)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    mqtt->publisher.connection = on_connection;
    mqtt->births.connection = on_birth;
    mqtt->choice.options.will = mqtt->will;
    sink->pauses = mqtt->full == RX_FULL_PAUSE;
    if (rx_render_init(&mqtt->render, &mqtt->format, sink->heap, sink->pipeline) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int r = rx_broker_parse_note("birth", mqtt->birth, true, &mqtt->birth_note, reterr);
    if (r < 0 || !sink->site)
        return r;
    mqtt->broker = rx_site_broker(sink->site, &mqtt->choice, reterr);
    return mqtt->broker ? 0 : reterr->code;
}

static int start(struct rx_sink *sink, struct rx_error *reterr)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    if (rx_broker_publisher_join(mqtt->broker, &mqtt->publisher) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    mqtt->joined = true;
    if (mqtt->birth_note.topic && rx_broker_publisher_join(mqtt->broker, &mqtt->births) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return 0;
}

/* The account of what was published, in the sink's ledger. */
static void update_ledger(struct mqtt *mqtt)
{
    mqtt->sink.held = mqtt->publisher.held;
    mqtt->sink.out = mqtt->publisher.delivered;
    mqtt->sink.lost = mqtt->publisher.lost;
}

static int write_event(struct rx_sink *sink, const struct rx_event *event, struct rx_error *reterr)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    bool text;
    rx_buffer_clear(&mqtt->topic_text);
    int r = rx_shaper_text(mqtt->topic, &(struct rx_expr_env){.event = event}, &mqtt->topic_text, reterr);
    if (r == 0)
        r = rx_render_payload(&mqtt->render, &mqtt->payload_text, mqtt->payload, event, &text, reterr);
    if (r < 0)
        return r;
    if (mqtt->topic_text.failed)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    r = rx_broker_publish(mqtt->broker, &mqtt->publisher, mqtt->topic_text.data, mqtt->topic_text.length,
                          mqtt->payload_text.data, mqtt->payload_text.length, mqtt->qos, mqtt->retain);
    if (r == -EINVAL)
        rx_error_set(reterr, r, "cannot publish to the topic \"%.*s\": it must not be empty, nor hold +, # or NUL",
                     (int)(mqtt->topic_text.length < 100 ? mqtt->topic_text.length : 100), mqtt->topic_text.data);
    update_ledger(mqtt);
    return r;
}

static void flush(struct rx_sink *sink)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    rx_broker_flush(mqtt->broker);
    update_ledger(mqtt);
}

static bool drain(struct rx_sink *sink)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    flush(sink);
    return mqtt->publisher.held == 0 && rx_broker_idle(mqtt->broker);
}

static void stop(struct rx_sink *sink)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    if (!mqtt->joined)
        return;
    if (!sink->handed_over)
        flush(sink);
    rx_broker_publisher_leave(mqtt->broker, &mqtt->publisher);
    if (mqtt->births.account)
        rx_broker_publisher_leave(mqtt->broker, &mqtt->births);
    mqtt->joined = false;
    sink->connected = false;
}

/* The messages themselves stay with the broker, which outlives a reload. In another process they are gone. */
static void save(struct rx_sink *sink, struct rx_writer *w)
{
    const struct rx_publisher *publisher = &((struct mqtt *)sink)->publisher;
    rx_write_uint(w, rx_broker_publisher_number(publisher));
    rx_write_uint(w, publisher->held);
    rx_write_uint(w, publisher->delivered);
    rx_write_uint(w, publisher->lost);
}

static int load(struct rx_sink *sink, struct rx_reader *r)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    uint64_t number = rx_read_uint(r), held = rx_read_uint(r);
    mqtt->publisher.delivered = rx_read_uint(r);
    mqtt->publisher.lost = rx_read_uint(r);
    if (rx_reader_failed(r))
        return -EBADMSG;
    size_t adopted = number ? rx_broker_publisher_adopt(mqtt->broker, &mqtt->publisher, number) : 0;
    mqtt->publisher.lost += held > adopted ? held - adopted : 0;
    update_ledger(mqtt);
    return 0;
}

static void dispose(struct rx_sink *sink)
{
    struct mqtt *mqtt = (struct mqtt *)sink;
    stop(sink);
    rx_render_finish(&mqtt->render);
    rx_buffer_finish(&mqtt->topic_text);
    rx_buffer_finish(&mqtt->payload_text);
}

const struct rx_sink_class rx_sink_mqtt = {
    .base = {.name = "mqtt",
             .summary = "Publishes each event to an MQTT broker",
             .options = options,
             .state_size = sizeof(struct mqtt),
             .example = "mqtt: { broker: home, topic: \"alerts/{device}\", qos: 1, payload: \"{device} is hot\" }",
             .check = check},
    .init = init,
    .start = start,
    .write = write_event,
    .flush = flush,
    .drain = drain,
    .stop = stop,
    .state_version = 1,
    .save = save,
    .load = load,
    .dispose = dispose,
};
