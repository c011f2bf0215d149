/* libmosquitto connecting on a thread of its own: name look-up and connect(2) may take minutes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "core/io/loop/errand.h"
#include "core/io/mqtt/mosquitto_private.h"

struct rx_mosquitto_dial {
    struct rx_errand errand;
    int code, error;
    struct mosquitto *mosq;
    bool again;
    char host[256];
    int port, keep_alive;
    mosquitto_property *properties;
};

static void destroy(struct rx_mosquitto_dial *dial)
{
    mosquitto_property_free_all(&dial->properties);
    free(dial);
}

static void orphaned(struct rx_errand *errand)
{
    struct rx_mosquitto_dial *dial = (struct rx_mosquitto_dial *)errand;
    mosquitto_destroy(dial->mosq);
    destroy(dial);
}

/* The blocking connect tries every address of a name; the asynchronous one stops at the first, which for "localhost" may
 * be ::1 with nobody there. */
static void work(struct rx_errand *errand)
{
    struct rx_mosquitto_dial *dial = (struct rx_mosquitto_dial *)errand;
    errno = 0;
    dial->code = dial->again ? mosquitto_reconnect(dial->mosq)
                             : mosquitto_connect_bind_v5(dial->mosq, dial->host, dial->port, dial->keep_alive, NULL,
                                                         dial->properties);
    dial->error = errno;
}

static int add_properties(const struct rx_broker *broker, struct rx_mosquitto_dial *dial)
{
    const struct rx_broker_options *o = broker->options;
    int code = mosquitto_property_add_int32(&dial->properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, (uint32_t)o->max_packet);
    if (code == MOSQ_ERR_SUCCESS && !o->clean_start)
        code = mosquitto_property_add_int32(&dial->properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                            (uint32_t)(o->session_expiry / RX_SEC));
    return code == MOSQ_ERR_SUCCESS ? 0 : -ENOMEM;
}

int rx_mosquitto_dial_start(struct rx_mosquitto *m)
{
    const struct rx_broker *broker = m->broker;
    struct rx_mosquitto_dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return -ENOMEM;
    dial->mosq = m->mosq;
    dial->again = m->dialed;
    memcpy(dial->host, broker->address.host, sizeof dial->host);
    dial->port = broker->address.port;
    dial->keep_alive = (int)(broker->options->keep_alive / RX_SEC);
    int r = rx_broker_is_v5(broker->options) && !dial->again ? add_properties(broker, dial) : 0;
    if (r == 0)
        r = rx_errand_start(&dial->errand, m->wake, work, orphaned);
    if (r < 0) {
        destroy(dial);
        return r;
    }
    m->dial = dial;
    m->dialed = true;
    return 0;
}

bool rx_mosquitto_dial_finish(struct rx_mosquitto *m, int *ret_code, int *ret_errno)
{
    struct rx_mosquitto_dial *dial = m->dial;
    if (!dial || !rx_errand_take(&dial->errand))
        return false;
    *ret_code = dial->code;
    *ret_errno = dial->error;
    m->dial = NULL;
    destroy(dial);
    return true;
}

void rx_mosquitto_dial_abandon(struct rx_mosquitto *m)
{
    struct rx_mosquitto_dial *dial = m->dial;
    if (!dial)
        return;
    if (rx_errand_abandon(&dial->errand))
        destroy(dial);
    else
        m->mosq = NULL;
    m->dial = NULL;
}
