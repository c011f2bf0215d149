/* libmosquitto connecting on a thread of its own: name look-up and connect(2) may take minutes. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "core/io/mqtt/mosquitto_private.h"

/* Owned by both ends; who comes last frees it. The lock also keeps the wake alive while it is signalled. */
struct rx_mosquitto_dial {
    pthread_mutex_t lock;
    bool done, abandoned;
    int code, error;
    struct mosquitto *mosq;
    struct rx_wake *wake;
    bool again;
    char host[256];
    int port, keep_alive;
    mosquitto_property *properties;
};

static void destroy(struct rx_mosquitto_dial *dial)
{
    mosquitto_property_free_all(&dial->properties);
    pthread_mutex_destroy(&dial->lock);
    free(dial);
}

/* The blocking connect tries every address of a name; the asynchronous one stops at the first, which for "localhost" may
 * be ::1 with nobody there. */
static void *run(void *arg)
{
    struct rx_mosquitto_dial *dial = arg;
    errno = 0;
    int code = dial->again ? mosquitto_reconnect(dial->mosq)
                           : mosquitto_connect_bind_v5(dial->mosq, dial->host, dial->port, dial->keep_alive, NULL,
                                                       dial->properties);
    int error = errno;
    pthread_mutex_lock(&dial->lock);
    dial->code = code;
    dial->error = error;
    dial->done = true;
    bool abandoned = dial->abandoned;
    if (!abandoned)
        rx_wake_signal(dial->wake);
    pthread_mutex_unlock(&dial->lock);
    if (abandoned) {
        mosquitto_destroy(dial->mosq);
        destroy(dial);
    }
    return NULL;
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

/* Signals are for the thread that runs the loop. */
static int start_thread(struct rx_mosquitto_dial *dial)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&thread, NULL, run, dial);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pthread_detach(thread);
    return -r;
}

int rx_mosquitto_dial_start(struct rx_mosquitto *m)
{
    const struct rx_broker *broker = m->broker;
    struct rx_mosquitto_dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return -ENOMEM;
    pthread_mutex_init(&dial->lock, NULL);
    dial->mosq = m->mosq;
    dial->wake = m->wake;
    dial->again = m->dialed;
    memcpy(dial->host, broker->address.host, sizeof dial->host);
    dial->port = broker->address.port;
    dial->keep_alive = (int)(broker->options->keep_alive / RX_SEC);
    int r = rx_broker_is_v5(broker->options) && !dial->again ? add_properties(broker, dial) : 0;
    if (r == 0)
        r = start_thread(dial);
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
    if (!dial)
        return false;
    pthread_mutex_lock(&dial->lock);
    bool done = dial->done;
    pthread_mutex_unlock(&dial->lock);
    if (!done)
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
    pthread_mutex_lock(&dial->lock);
    bool done = dial->done;
    dial->abandoned = true;
    pthread_mutex_unlock(&dial->lock);
    if (done)
        destroy(dial);
    else
        m->mosq = NULL;
    m->dial = NULL;
}
