/* A WebSocket that we keep open: connecting, pings, coming back. One thread, the loop's.
 *
 * Nothing here blocks. It comes back by itself with backoff (backoff.h), which only a connection that was worth it resets:
 * one that stood for 10 s. A mere handshake, or a peer that sends something wrong each time, does not. */
#ifndef RX_IO_NET_WS_CLIENT_H
#define RX_IO_NET_WS_CLIENT_H

#include "core/io/loop/loop.h"
#include "core/io/net/tls.h"
#include "core/io/net/ws.h"

/* An inline group of the source and the sink. */
struct rx_ws_client_options {
    const char *url, *subprotocol;
    struct rx_pairs headers;
    rx_time ping;
    struct rx_tls_options tls;
};
extern const struct rx_class rx_ws_client_class;
/* Whether they go together: -EINVAL with a sentence. Opens nothing. */
int rx_ws_client_check(const struct rx_ws_client_options *, struct rx_error *reterr);

/* Entered with the scheduler at the present. Any of them may destroy the client. */
struct rx_ws_client_host {
    void (*up)(void *arg);
    void (*message)(void *arg, const struct rx_ws_message *);
    void (*read_end)(void *arg);          /* what one read brought is through */
    void (*drained)(void *arg);           /* all that was sent is with the kernel */
    void (*down)(void *arg, bool was_up); /* the next attempt is planned; there is a fault */
    void (*fine)(void *arg);              /* the fault is over */
};

struct rx_ws_client;
/* The options are borrowed. Reads the TLS files: -ENOENT and the like. Connects at once. */
int rx_ws_client_create(struct rx_loop *, const struct rx_ws_client_options *, size_t max_message,
                        const struct rx_ws_client_host *, void *arg, struct rx_ws_client **ret,
                        struct rx_error *reterr);
/* Says goodbye (1000), offers what is written to the kernel once more, and closes. Safe on NULL. */
void rx_ws_client_destroy(struct rx_ws_client *);
bool rx_ws_client_up(const struct rx_ws_client *);
/* Only while it is up. */
void rx_ws_client_send(struct rx_ws_client *, bool text, const void *bytes, size_t length);
size_t rx_ws_client_unsent(const struct rx_ws_client *); /* bytes that the kernel has not taken */
void rx_ws_client_pause(struct rx_ws_client *, bool);    /* reads nothing meanwhile */
/* Why it is not to be relied on now; NULL: it is. Stays after a failure until a connection has carried something. */
const char *rx_ws_client_fault(const struct rx_ws_client *);
unsigned rx_ws_client_mistake(const struct rx_ws_client *); /* rx_ws_mistake of the connection that was lost last */

/* A reload: a client goes on without an owner until another takes it within the same turn of the loop. Zero-initialise. */
struct rx_ws_pool {
    struct rx_ws_client *first;
    uint64_t number; /* the last that was given */
};
uint64_t rx_ws_client_number(struct rx_ws_pool *, struct rx_ws_client *); /* never 0 */
void rx_ws_client_leave(struct rx_ws_pool *, struct rx_ws_client *);
/* With the options and the host of the new owner, which are the same in what they say. NULL: there is none of that number. */
struct rx_ws_client *rx_ws_client_take(struct rx_ws_pool *, uint64_t number, const struct rx_ws_client_options *,
                                       const struct rx_ws_client_host *, void *arg);
void rx_ws_pool_drop(struct rx_ws_pool *); /* those that nobody took */

#endif
