/* What a source that reads over HTTP is told of where it reads: a group of options. */
#ifndef RX_IO_CLIENT_TARGET_H
#define RX_IO_CLIENT_TARGET_H

#include "core/io/client/client.h"
#include "core/io/net/tls.h"

enum { RX_TARGET_HEADERS_MAX = 64 };

struct rx_client_target {
    const char *url; /* no part of the group: the class that has it inline asks for it under its own name */
    struct rx_pairs headers;
    struct rx_tls_options tls;
    bool tls_given;
};
extern const struct rx_class rx_client_target_class;
/* For the check of the class that has it. */
int rx_client_target_check(const struct rx_client_target *, struct rx_error *reterr);

/* The headers of a request: the user's, and those that it did not name. At most RX_TARGET_HEADERS_MAX of the user's. */
struct rx_client_headers {
    const char *names[RX_TARGET_HEADERS_MAX + 8], *texts[RX_TARGET_HEADERS_MAX + 8];
    size_t count;
};
void rx_client_headers_begin(struct rx_client_headers *, const struct rx_client_target *);
/* Unless it is there, or the text is empty. Both are borrowed; at most eight. */
void rx_client_headers_add(struct rx_client_headers *, const char *name, const char *text);
struct rx_pairs rx_client_headers_pairs(const struct rx_client_headers *);

#endif
