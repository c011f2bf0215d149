/* Requests and replies over HTTP: what the http step asks with rx_call_begin, and what it is answered, as values, so that a call
 * can be saved. Who asks (core/io/request, or a test with answers of its own) reads the one and makes the other. */
#ifndef RX_CORE_REQUEST_H
#define RX_CORE_REQUEST_H

#include "core/value/record.h"

enum { RX_REDIRECTS_MAX = 20 };

struct rx_request {
    const char *method;      /* "GET" ... */
    struct rx_value url;     /* a text */
    struct rx_value headers; /* an object of texts, or RX_NULL */
    struct rx_value body;    /* a text or bytes; RX_NULL: none */
    struct rx_value allow;   /* a list of hosts that may be private, or RX_NULL */
    bool trusted;            /* the host stands in the config: it may be private */
    uint32_t redirects;      /* that may be followed; RX_REDIRECTS_MAX at most */
    uint64_t max_answer;     /* bytes */
    uint32_t format;         /* enum rx_format of the answer; RX_FORMAT_AUTO: by its Content-Type */
};
/* Borrows all of it; the value is the caller's. RX_NULL: out of memory. */
struct rx_value rx_request_value(struct rx_heap *, const struct rx_request *);
bool rx_request_read(struct rx_value, struct rx_request *ret); /* borrowed from the value; false: it is none */

struct rx_reply {
    int status;           /* 100 to 599 */
    struct rx_value body; /* decoded; RX_NULL: none */
    int64_t retry_after;  /* ns from now; 0: nothing was said */
    struct rx_value
        reason;       /* in words, where there are any: of the status, or why a body could not be decoded; or RX_NULL */
    bool undecodable; /* there is a body, but it could not be decoded */
};
struct rx_value rx_reply_value(struct rx_heap *, const struct rx_reply *);
bool rx_reply_read(struct rx_value, struct rx_reply *ret);

#endif
