/* The site: what the sources and sinks of one worker reach of the outside. Made by the daemon, borrowed by them. */
#ifndef RX_IO_SITE_H
#define RX_IO_SITE_H

#include <errno.h>

#include "core/base/error.h"
#include "core/io/loop/loop.h"
#include "core/io/mqtt/mqtt.h"
#include "core/io/net/ws_client.h"
#include "core/io/serve/stream_options.h"

struct rx_client;
struct rx_log_writer;

struct rx_site {
    struct rx_loop *loop;
    /* The shared connection of a name in `brokers:`. NULL: errno is ENOENT for no such name, ENOMEM, or else why it could not
     * be set up. */
    struct rx_broker *(*broker)(struct rx_site *, const char *name);
    /* The connection of these options, shared by all who ask for the same. They are copied. NULL: errno as above. */
    struct rx_broker *(*broker_of)(struct rx_site *, const struct rx_broker_options *);
    /* The HTTP client of the worker, made when it is first asked for; NULL with reterr where it cannot be. */
    struct rx_client *(*client)(struct rx_site *, struct rx_error *reterr);
    /* The writing end of a served stream, for one sink at a time, until stream_done; NULL with reterr on failure. The
     * stream goes on with its ids, history and subscribers when another sink has it after that, also on another worker. */
    struct rx_log_writer *(*stream)(struct rx_site *, const char *name, const struct rx_stream_options *,
                                    struct rx_error *reterr);
    void (*stream_done)(struct rx_site *, const char *name);
    /* Structured, rate-limited log line: level 3 error, 4 warning, 6 info; `pairs` are key, value, ... NULL. Never blocks. */
    void (*log)(struct rx_site *, int level, const char *message, const char *const *pairs);
    struct rx_ws_pool websockets; /* over a reload */
    void *owner;
};

/* NULL with reterr. */
static inline struct rx_broker *rx_site_broker(struct rx_site *site, const struct rx_broker_choice *choice,
                                               struct rx_error *reterr)
{
    struct rx_broker *broker =
        choice->name ? site->broker(site, choice->name) : site->broker_of(site, &choice->options);
    if (!broker && errno == ENOMEM)
        rx_error_set(reterr, -ENOMEM, "out of memory");
    else if (!broker && errno == ENOENT)
        rx_error_set(reterr, -EINVAL, "no broker is named \"%s\"", choice->name);
    else if (!broker)
        rx_error_set(reterr, -EINVAL, "the broker \"%s\" cannot be set up: the log says why",
                     choice->name ? choice->name : choice->options.url);
    return broker;
}

#endif
