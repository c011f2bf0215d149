/* The HTTP server: HTTP/1.1 over connections, with limits, absolute deadlines and a guard against foreign pages.
 *
 * Belongs to the loop it was made for (the front thread). A request reaches the handler of the longest matching route
 * once its body is whole; each is answered exactly once, now or later, or its connection is taken over. Sources: RFC 9110,
 * RFC 9112, RFC 9457, RFC 6455. */
#ifndef RX_IO_HTTP_H
#define RX_IO_HTTP_H

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "core/io/loop/conn.h"
#include "core/option/option.h"

struct rx_http_limits { /* 0: the default */
    size_t max_header;  /* bytes of request line and headers; 16 KiB */
    size_t max_body;    /* bytes; 16 MiB */
    size_t max_bodies;  /* bytes of all bodies held at a time; beyond: 503. 128 MiB, and twice max_body at least */
    size_t max_client_bodies; /* of one client's (an address; IPv6: its /64); beyond: 429. 64 MiB, at least max_body */
    rx_time header_deadline;  /* from accept (or its first byte) to the last header byte; 10 s */
    rx_time body_deadline;    /* from the last header byte to the last body byte, and for an answer to be taken; 60 s */
    rx_time idle_deadline;    /* keep-alive connection without a request; 75 s */
    unsigned max_connections; /* beyond: 503 and close; 12,000. Some descriptors are kept free in any case */
    struct rx_strings hosts;  /* what a Host may be besides an IP address, localhost and *.localhost */
    struct rx_strings origins; /* of pages of other sites that may ask: "https://a.example", or "*" for any */
};

struct json_t;
struct rx_http_server;
/* Listens on "127.0.0.1:8088", "[::1]:8088", "localhost:0", ":8088" (all addresses). -EADDRINUSE etc. with a sentence.
 * The lists of the limits are borrowed. */
int rx_http_listen(struct rx_loop *, const char *address, const struct rx_http_limits *, struct rx_http_server **ret,
                   struct rx_error *reterr);
/* Whether it reads as an address at all: -EINVAL with a sentence. Opens nothing. */
int rx_http_check_address(const char *address, struct rx_error *reterr);
void rx_http_destroy(struct rx_http_server *);        /* closes all; pending requests become no-ops. Not in a handler */
unsigned rx_http_port(const struct rx_http_server *); /* the port in use (listen on :0) */
/* No new connections; those that are idle are closed; the rest may finish. */
void rx_http_drain(struct rx_http_server *);

enum rx_http_method {
    RX_HTTP_GET = 1,
    RX_HTTP_HEAD = 2,
    RX_HTTP_POST = 4,
    RX_HTTP_PUT = 8,
    RX_HTTP_DELETE = 16,
    RX_HTTP_OPTIONS = 32
};
enum rx_http_role {
    RX_HTTP_OPEN,
    RX_HTTP_READ,
    RX_HTTP_WRITE
}; /* what a client must be allowed, once there are tokens */

struct rx_http_request;
typedef void (*rx_http_handler)(void *arg, struct rx_http_request *);

struct rx_http_route {
    unsigned methods; /* HEAD goes wherever GET goes. Others: 405 with Allow */
    const char *path; /* exact "/metrics", or a prefix that ends in '/' ("/streams/") */
    enum rx_http_role role;
    const char *const
        *parameters; /* of the query; NULL-terminated, NULL: none. Any other is 400, and one given twice */
    rx_http_handler handler;
};
/* The rows are borrowed. -ENOMEM. */
int rx_http_routes(struct rx_http_server *, const struct rx_http_route *rows, size_t count, void *arg);

/* All texts are valid until the request is answered. */
enum rx_http_method rx_http_method(const struct rx_http_request *);
const char *rx_http_path(const struct rx_http_request *);                    /* percent-decoded, no query */
const char *rx_http_tail(const struct rx_http_request *);                    /* the path behind the route's prefix */
const char *rx_http_query(const struct rx_http_request *, const char *name); /* decoded; NULL: absent */
const char *rx_http_header(const struct rx_http_request *, const char *name);
bool rx_http_gone(const struct rx_http_request *); /* the client has left */
/* The body: malloc'ed, the caller's; NULL with *length 0 if empty or taken already. It counts as held until the answer. */
char *rx_http_body_take(struct rx_http_request *, size_t *length);
/* True when Accept prefers `type` over others ("text/event-stream"): exact media types, q-values honoured, wildcards not. */
bool rx_http_accepts(const struct rx_http_request *, const char *type);

/* Before the answer: adds a header. Content-Type, Content-Length, Date and Connection are set by the server. */
void rx_http_set_header(struct rx_http_request *, const char *name, const char *value);
/* The header lines that are set so far, those of the guard among them: for who writes a head himself. */
const char *rx_http_header_lines(const struct rx_http_request *);
/* Answers and forgets the request. `body` is copied. */
void rx_http_reply(struct rx_http_request *, int status, const char *type, const void *body, size_t length);
/* A JSON value (jansson), compact and with a newline behind it; it is taken. NULL: 503, out of memory. */
void rx_http_reply_json_take(struct rx_http_request *, int status, const char *type, struct json_t *);
/* What went wrong, as application/problem+json (RFC 9457): {"type", "title", "status", "detail"}. */
void rx_http_reply_error(struct rx_http_request *, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* With further members of that object; they are taken. */
void rx_http_reply_problem_take(struct rx_http_request *, int status, struct json_t *members, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* That object itself, for who answers in another way; NULL: no memory. The members are taken; NULL: none. */
struct json_t *rx_http_problem(int status, struct json_t *members, const char *detail);

struct rx_http_taken {
    struct rx_conn *conn; /* nothing of an answer has been written to it */
    char *ahead;          /* what came behind the request; malloc'ed */
    size_t ahead_length;
};
/* The connection is the caller's, and the request forgotten. It still counts against max_connections until
 * rx_http_release. -ECONNRESET: the client has left; -EAGAIN: earlier answers are still on their way. The request is then
 * the caller's to answer. */
int rx_http_take_over(struct rx_http_request *, struct rx_http_taken *ret);
void rx_http_release(struct rx_http_server *);

/* WebSocket: true if the request asks for the upgrade properly; `ret_accept` gets the Sec-WebSocket-Accept value. */
bool rx_http_wants_websocket(const struct rx_http_request *, char ret_accept[static 29]);

struct rx_http_stats {
    uint64_t connections, requests, refused, timed_out, open;
    size_t held; /* bytes of bodies */
};
struct rx_http_stats rx_http_stats(const struct rx_http_server *);

#endif
