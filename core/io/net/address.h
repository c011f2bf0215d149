/* Where a connection goes: a URL of a scheme that bytes can be exchanged with. */
#ifndef RX_IO_NET_ADDRESS_H
#define RX_IO_NET_ADDRESS_H

#include <stdbool.h>

#include "core/base/error.h"

struct rx_net_address {
    char host[256], path[2048]; /* path: with the query; "" where the URL has none */
    int port;
    bool tls, websocket;
};

struct rx_net_scheme {
    const char *prefix; /* "wss://" */
    int port;           /* where the URL names none */
    bool tls, websocket;
};

/* Of one of the schemes (up to one whose prefix is NULL): SCHEME://HOST[:PORT][/PATH[?QUERY]]. -EINVAL with a sentence;
 * -ENOENT, without one: it is of another scheme. */
int rx_net_parse_url(const char *url, const struct rx_net_scheme *, struct rx_net_address *ret,
                     struct rx_error *reterr);
extern const struct rx_net_scheme rx_net_websocket_schemes[]; /* ws://, wss:// */

#endif
