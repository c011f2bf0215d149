/* A broker's options. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"
#include "core/io/mqtt/mqtt_topic.h"

enum { VERSION_311, VERSION_5 };
static const char *const versions[] = {"3.1.1", "5", NULL};
static const struct rx_client_class *const clients[] = {&rx_client_rxd, &rx_client_mosquitto};
static const char *const client_names[] = {"rxd", "mosquitto", NULL};

#define AT(field_, type_) .offset = RX_AT(struct rx_broker_options, field_, type_)

static const struct rx_option options[] = {
    {.name = "url",
     .help = "mqtt://HOST[:1883], mqtts://HOST[:8883] for TLS; or over WebSocket ws://HOST[:80][/mqtt], wss://",
     .type = RX_OPTION_STRING,
     AT(url, const char *),
     .flags = RX_REQUIRED | RX_POSITIONAL | RX_BLAMED},
    {.name = "user", .help = "the name to log in with", .type = RX_OPTION_STRING, AT(user, const char *)},
    {.name = "password", .help = "its password", .type = RX_OPTION_STRING, AT(password, const char *)},
    {.name = "client_id",
     .help = "who we are to the broker; default: made up at each start. Needed with clean_start: false",
     .type = RX_OPTION_STRING,
     AT(client_id, const char *)},
    {.name = "version",
     .help = "of the protocol; 3.1.1 is what every broker speaks",
     .type = RX_OPTION_ENUM,
     AT(version, int),
     .fallback = "3.1.1",
     .choices = versions},
    {.name = "clean_start",
     .help = "false: the broker keeps our session, and what is sent at QoS 1 and 2 meanwhile, while we are away",
     .type = RX_OPTION_BOOL,
     AT(clean_start, bool),
     .fallback = "true"},
    {.name = "session_expiry",
     .help = "version 5 with clean_start: false: for how long the broker keeps it",
     .type = RX_OPTION_DURATION,
     AT(session_expiry, rx_time),
     .fallback = "1d",
     .max = 4294967294.0},
    {.name = "keep_alive",
     .help = "a broker that is silent for twice as long is given up",
     .type = RX_OPTION_DURATION,
     AT(keep_alive, rx_time),
     .fallback = "30s",
     .min = 5,
     .max = 65535},
    {.name = "tls",
     .help = "certificates, for mqtts:// and wss://: {ca, cert, key, insecure}",
     .type = RX_OPTION_GROUP,
     AT(tls, struct rx_tls_options),
     .group = &rx_tls_class},
    {.name = "client",
     .help = "who speaks MQTT here: rxd; or libmosquitto, which acknowledges before events are safe",
     .type = RX_OPTION_ENUM,
     AT(client, int),
     .fallback = "rxd",
     .choices = client_names},
    {.name = "will",
     .help = "what the broker publishes when we are lost: {topic:, payload:, qos:, retain:}",
     .type = RX_OPTION_VALUE,
     AT(will, struct rx_value)},
    {.name = "birth",
     .help = "what we publish at each connection: the same; retained, unless it says otherwise",
     .type = RX_OPTION_VALUE,
     AT(birth, struct rx_value)},
    {.name = "receive_maximum",
     .help = "version 5: messages at QoS 1 and 2 that the broker may send before the first is acknowledged",
     .type = RX_OPTION_INT,
     AT(receive_maximum, int64_t),
     .fallback = "65535",
     .min = 1,
     .max = 65535},
    {.name = "max_inflight",
     .help = "messages at QoS 1 and 2 that we send before the first is acknowledged",
     .type = RX_OPTION_INT,
     AT(max_inflight, int64_t),
     .fallback = "100",
     .min = 1,
     .max = 65000},
    {.name = "max_queue",
     .help = "messages to be sent that are held while disconnected; more are dropped and counted",
     .type = RX_OPTION_INT,
     AT(max_queue, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e7},
    {.name = "max_queue_bytes",
     .help = "the same, in bytes",
     .type = RX_OPTION_SIZE,
     AT(max_queue_bytes, uint64_t),
     .fallback = "16MiB",
     .min = 1024,
     .max = 1e12},
    {.name = "max_packet",
     .help = "the largest message that is taken; version 5 tells the broker, else a larger one is passed over",
     .type = RX_OPTION_SIZE,
     AT(max_packet, uint64_t),
     .fallback = "16MiB",
     .min = 1024,
     .max = 268435455},
    {0},
};

const struct rx_class rx_broker_class = {
    .name = "broker",
    .summary = "An MQTT broker: one connection, shared by every source and sink that names it",
    .options = options,
    .state_size = sizeof(struct rx_broker_options),
    .example = "home: { url: mqtt://127.0.0.1:1883 }",
};

static const struct rx_net_scheme schemes[] = {
    {"mqtt://", 1883, false, false},
    {"mqtts://", 8883, true, false},
    {"ws://", 80, false, true},
    {"wss://", 443, true, true},
    {0},
};

int rx_broker_parse_url(const char *url, struct rx_net_address *ret, struct rx_error *reterr)
{
    struct rx_net_address address;
    int r = rx_net_parse_url(url, schemes, &address, reterr);
    if (r == -ENOENT) {
        rx_error_set(reterr, -EINVAL,
                     "url: expected mqtt://HOST:PORT, mqtts://HOST:PORT, ws:// or wss://, not \"%.100s\"", url);
        rx_error_hint(reterr, "mqtt://127.0.0.1:1883");
        return -EINVAL;
    }
    bool none = r == 0 && (address.path[0] == '\0' || strcmp(address.path, "/") == 0);
    if (r == 0 && !address.websocket && !none)
        return rx_error_set(reterr, -EINVAL, "url: nothing may follow the port, but there is \"%.100s\"", address.path);
    if (r == 0 && address.path[0] == '\0')
        memcpy(address.path, "/mqtt", sizeof "/mqtt");
    if (r == 0)
        *ret = address;
    return r;
}

static int parse_note_entry(const char *what, struct rx_value name, struct rx_value value, struct rx_broker_note *note,
                            struct rx_error *reterr)
{
    static const char *const names[] = {"topic", "payload", "qos", "retain", NULL};
    int i = 0;
    while (names[i] && (name.aux != strlen(names[i]) || memcmp(name.u.text, names[i], name.aux) != 0))
        i++;
    if (i == 0 && value.kind == RX_STRING && rx_topic_is_name(value.u.text, value.aux)) {
        note->topic = value.u.text;
        note->topic_length = value.aux;
    } else if (i == 1 && value.kind == RX_STRING && value.aux <= 65535) {
        note->payload = value.u.text;
        note->payload_length = value.aux;
    } else if (i == 2 && value.kind == RX_INT && value.u.i >= 0 && value.u.i <= 2) {
        note->qos = (int)value.u.i;
    } else if (i == 3 && value.kind == RX_BOOL) {
        note->retain = value.u.b;
    } else {
        static const char *const expected[] = {"a topic to publish to", "text of up to 65535 bytes", "0, 1 or 2",
                                               "true or false"};
        if (names[i])
            return rx_error_set(reterr, -EINVAL, "%s: %s must be %s", what, names[i], expected[i]);
        return rx_error_set(reterr, -EINVAL, "%s: unknown key \"%.*s\"; it has topic, payload, qos and retain", what,
                            (int)name.aux, name.u.text);
    }
    return 0;
}

int rx_broker_parse_note(const char *what, struct rx_value value, bool retain, struct rx_broker_note *ret,
                         struct rx_error *reterr)
{
    *ret = (struct rx_broker_note){.retain = retain};
    if (value.kind == RX_NULL)
        return 0;
    if (value.kind != RX_RECORD && value.kind != RX_MAP)
        return rx_error_set(reterr, -EINVAL, "%s: expected {topic:, payload:, qos:, retain:}", what);
    for (uint32_t i = 0; i < rx_object_count(value); i++) {
        struct rx_value name, entry;
        rx_object_entry(value, i, &name, &entry);
        int r = parse_note_entry(what, name, entry, ret, reterr);
        if (r < 0)
            return r;
    }
    return ret->topic ? 0 : rx_error_set(reterr, -EINVAL, "%s: a topic is needed", what);
}

static int check_lengths(const struct rx_broker_options *o, struct rx_error *reterr)
{
    const struct {
        const char *name, *text;
    } texts[] = {{"client_id", o->client_id}, {"user", o->user}, {"password", o->password}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text && strlen(texts[i].text) > 65535)
            return rx_error_set(reterr, -EINVAL, "%s: at most 65535 bytes", texts[i].name);
    return 0;
}

int rx_broker_check(const struct rx_broker_options *o, struct rx_error *reterr)
{
    struct rx_net_address address;
    struct rx_broker_note note;
    int r = rx_broker_parse_url(o->url, &address, reterr);
    if (r < 0 && reterr)
        reterr->at = (struct rx_place){.line = 1, .column = 1}; /* of the url: it is the one that is blamed */
    if (r == 0)
        r = rx_broker_parse_note("will", o->will, false, &note, reterr);
    if (r == 0)
        r = rx_broker_parse_note("birth", o->birth, true, &note, reterr);
    if (r == 0)
        r = check_lengths(o, reterr);
    if (r < 0)
        return r;
    if (address.websocket && rx_broker_client(o) != &rx_client_rxd)
        return rx_error_set(reterr, -EINVAL, "client: mosquitto does not speak ws:// or wss://");
    if (!o->clean_start && !(o->client_id && *o->client_id))
        return rx_error_set(reterr, -EINVAL,
                            "clean_start: false needs a client_id, by which the broker knows us again");
    r = rx_tls_class.check(&o->tls, reterr);
    if (r < 0)
        return r;
    if (!address.tls && rx_tls_given(&o->tls))
        return rx_error_set(reterr, -EINVAL, "tls needs mqtts:// or wss:// in the url");
    if (o->password && !o->user)
        return rx_error_set(reterr, -EINVAL, "a password needs a user");
    return 0;
}

const char *rx_broker_warning(const struct rx_broker_options *o, size_t i)
{
    if (rx_broker_client(o) != &rx_client_mosquitto)
        return NULL;
    if (i == 0)
        return "client: mosquitto acknowledges a message before its events are safe: a crash loses them";
    if (i == 1 && rx_broker_is_v5(o))
        return "client: mosquitto over version 5: one malformed packet of a hostile broker ends the process";
    return NULL;
}

bool rx_broker_is_v5(const struct rx_broker_options *o) { return o->version == VERSION_5; }
const struct rx_client_class *rx_broker_client(const struct rx_broker_options *o) { return clients[o->client]; }
