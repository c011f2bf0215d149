/* A broker's options, and the libmosquitto handle made of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mqtt_protocol.h>

#include "core/io/mqtt/mqtt_private.h"
#include "core/io/mqtt/mqtt_topic.h"

enum { VERSION_311, VERSION_5 };
static const char *const versions[] = {"3.1.1", "5", NULL};

#define AT(field_, type_) .offset = RX_AT(struct rx_broker_options, field_, type_)

static const struct rx_option options[] = {
    {.name = "url",
     .help = "mqtt://HOST[:1883], or mqtts://HOST[:8883] for TLS",
     .type = RX_OPTION_STRING,
     AT(url, const char *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
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
    {.name = "ca",
     .help = "file of the certificates to trust; default: the system's",
     .type = RX_OPTION_STRING,
     AT(ca, const char *)},
    {.name = "cert", .help = "file of our certificate", .type = RX_OPTION_STRING, AT(cert, const char *)},
    {.name = "key", .help = "file of its private key, not encrypted", .type = RX_OPTION_STRING, AT(key, const char *)},
    {.name = "insecure",
     .help = "true: takes a certificate that was made for another host (tests)",
     .type = RX_OPTION_BOOL,
     AT(insecure, bool),
     .fallback = "false"},
    {.name = "will",
     .help = "what the broker publishes when we are lost: {topic:, payload:, qos:, retain:}",
     .type = RX_OPTION_VALUE,
     AT(will, struct rx_value)},
    {.name = "max_inflight",
     .help = "messages at QoS 1 and 2 that may await acknowledgement, in either direction",
     .type = RX_OPTION_INT,
     AT(max_inflight, int64_t),
     .fallback = "100",
     .min = 1,
     .max = 65535},
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
     .help = "version 5: the broker does not send us more than this at once",
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

static int parse_port(const char *text, size_t length, int *ret, struct rx_error *reterr)
{
    long port = 0;
    for (size_t i = 0; i < length && port <= 65535; i++)
        port = text[i] >= '0' && text[i] <= '9' ? port * 10 + (text[i] - '0') : 65536;
    if (length == 0 || port < 1 || port > 65535)
        return rx_error_set(reterr, -EINVAL, "url: the port must be 1 to 65535, not \"%.*s\"", (int)length, text);
    *ret = (int)port;
    return 0;
}

int rx_broker_parse_url(const char *url, struct rx_broker_address *ret, struct rx_error *reterr)
{
    struct rx_broker_address address = {.tls = strncmp(url, "mqtts://", 8) == 0};
    address.port = address.tls ? 8883 : 1883;
    if (!address.tls && strncmp(url, "mqtt://", 7) != 0) {
        int r =
            rx_error_set(reterr, -EINVAL, "url: expected mqtt://HOST:PORT or mqtts://HOST:PORT, not \"%.100s\"", url);
        rx_error_hint(reterr, "mqtt://127.0.0.1:1883");
        return r;
    }
    const char *host = url + (address.tls ? 8 : 7);
    bool bracketed = *host == '[';
    host += bracketed;
    size_t length = strcspn(host, bracketed ? "]/?@" : ":/?@");
    const char *behind = host + length + (bracketed && host[length] == ']');
    if (length == 0 || length >= sizeof address.host || (bracketed && host[length] != ']'))
        return rx_error_set(reterr, -EINVAL, "url: no host in \"%.100s\"", url);
    if (strchr(host, '@'))
        return rx_error_set(reterr, -EINVAL, "url: the name and password belong into user and password");
    memcpy(address.host, host, length);
    if (*behind == ':') {
        size_t digits = strcspn(behind + 1, "/");
        int r = parse_port(behind + 1, digits, &address.port, reterr);
        if (r < 0)
            return r;
        behind += 1 + digits;
    }
    if (behind[0] != '\0' && strcmp(behind, "/") != 0)
        return rx_error_set(reterr, -EINVAL, "url: nothing may follow the port, but there is \"%.100s\"", behind);
    *ret = address;
    return 0;
}

struct will {
    const char *topic, *payload;
    size_t topic_length, payload_length;
    int qos;
    bool retain;
};

static int parse_will_entry(struct rx_value name, struct rx_value value, struct will *will, struct rx_error *reterr)
{
    static const char *const names[] = {"topic", "payload", "qos", "retain", NULL};
    int i = 0;
    while (names[i] && (name.aux != strlen(names[i]) || memcmp(name.u.text, names[i], name.aux) != 0))
        i++;
    if (i == 0 && value.kind == RX_STRING && rx_topic_is_name(value.u.text, value.aux)) {
        will->topic = value.u.text;
        will->topic_length = value.aux;
    } else if (i == 1 && value.kind == RX_STRING) {
        will->payload = value.u.text;
        will->payload_length = value.aux;
    } else if (i == 2 && value.kind == RX_INT && value.u.i >= 0 && value.u.i <= 2) {
        will->qos = (int)value.u.i;
    } else if (i == 3 && value.kind == RX_BOOL) {
        will->retain = value.u.b;
    } else {
        static const char *const expected[] = {"a topic to publish to", "text", "0, 1 or 2", "true or false"};
        if (names[i])
            return rx_error_set(reterr, -EINVAL, "will: %s must be %s", names[i], expected[i]);
        return rx_error_set(reterr, -EINVAL, "will: unknown key \"%.*s\"; it has topic, payload, qos and retain",
                            (int)name.aux, name.u.text);
    }
    return 0;
}

static int parse_will(struct rx_value value, struct will *will, struct rx_error *reterr)
{
    *will = (struct will){0};
    if (value.kind == RX_NULL)
        return 0;
    if (value.kind != RX_RECORD && value.kind != RX_MAP)
        return rx_error_set(reterr, -EINVAL, "will: expected {topic:, payload:, qos:, retain:}");
    for (uint32_t i = 0; i < rx_object_count(value); i++) {
        struct rx_value name, entry;
        rx_object_entry(value, i, &name, &entry);
        int r = parse_will_entry(name, entry, will, reterr);
        if (r < 0)
            return r;
    }
    return will->topic ? 0 : rx_error_set(reterr, -EINVAL, "will: a topic is needed");
}

int rx_broker_check(const struct rx_broker_options *o, struct rx_error *reterr)
{
    struct rx_broker_address address;
    struct will will;
    int r = rx_broker_parse_url(o->url, &address, reterr);
    if (r == 0)
        r = parse_will(o->will, &will, reterr);
    if (r < 0)
        return r;
    if (!o->clean_start && !(o->client_id && *o->client_id))
        return rx_error_set(reterr, -EINVAL,
                            "clean_start: false needs a client_id, by which the broker knows us again");
    if (!address.tls && (o->ca || o->cert || o->key || o->insecure))
        return rx_error_set(reterr, -EINVAL, "ca, cert, key and insecure need mqtts:// in the url");
    if (!o->cert != !o->key)
        return rx_error_set(reterr, -EINVAL, "cert and key come together");
    if (o->password && !o->user)
        return rx_error_set(reterr, -EINVAL, "a password needs a user");
    return 0;
}

int rx_broker_is_v5(const struct rx_broker *broker) { return broker->options->version == VERSION_5; }

/* Never asks on the terminal: an encrypted key is an error. */
static int no_password(char *buffer, int size, int writing, void *userdata)
{
    (void)buffer, (void)size, (void)writing, (void)userdata;
    return 0;
}

static int check_file(const char *name, const char *path, struct rx_error *reterr)
{
    if (path && access(path, R_OK) < 0) {
        int code = -errno;
        return rx_error_set(reterr, code, "%s: cannot read %s: %s", name, path, strerror(-code));
    }
    return 0;
}

static int configure_tls(struct rx_broker *broker, struct rx_error *reterr)
{
    const struct rx_broker_options *o = broker->options;
    int r = check_file("ca", o->ca, reterr);
    if (r == 0)
        r = check_file("cert", o->cert, reterr);
    if (r == 0)
        r = check_file("key", o->key, reterr);
    if (r < 0)
        return r;
    int code = mosquitto_tls_set(broker->mosq, o->ca, o->ca ? NULL : "/etc/ssl/certs", o->cert, o->key, no_password);
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_tls_insecure_set(broker->mosq, o->insecure);
    return code == MOSQ_ERR_SUCCESS ? 0 : rx_error_set(reterr, -EINVAL, "TLS: %s", mosquitto_strerror(code));
}

static int configure_will(struct rx_broker *broker, struct rx_error *reterr)
{
    struct will will;
    char topic[RX_TOPIC_BYTES_MAX + 1];
    int r = parse_will(broker->options->will, &will, reterr);
    if (r < 0 || !will.topic)
        return r;
    memcpy(topic, will.topic, will.topic_length);
    topic[will.topic_length] = '\0';
    int code = mosquitto_will_set(broker->mosq, topic, (int)will.payload_length, will.payload, will.qos, will.retain);
    return code == MOSQ_ERR_SUCCESS ? 0 : rx_error_set(reterr, -EINVAL, "will: %s", mosquitto_strerror(code));
}

int rx_broker_configure(struct rx_broker *broker, struct rx_error *reterr)
{
    const struct rx_broker_options *o = broker->options;
    const char *id = o->client_id && *o->client_id ? o->client_id : broker->client_id;
    broker->mosq = mosquitto_new(id, o->clean_start, broker);
    if (!broker->mosq)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    mosquitto_int_option(broker->mosq, MOSQ_OPT_PROTOCOL_VERSION,
                         rx_broker_is_v5(broker) ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    mosquitto_int_option(broker->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(broker->mosq, MOSQ_OPT_SEND_MAXIMUM, (int)o->max_inflight);
    mosquitto_int_option(broker->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, (int)o->max_inflight);
    int code = o->user ? mosquitto_username_pw_set(broker->mosq, o->user, o->password) : MOSQ_ERR_SUCCESS;
    if (code != MOSQ_ERR_SUCCESS)
        return rx_error_set(reterr, -EINVAL, "user: %s", mosquitto_strerror(code));
    int r = configure_will(broker, reterr);
    if (r == 0 && broker->address.tls)
        r = configure_tls(broker, reterr);
    return r;
}
