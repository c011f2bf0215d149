/* What the files of the HTTP server share. A connection passes through: gate (raw bytes, lint, deadlines) -> evhttp
 * (which sees one clean request at a time) -> dispatch -> answer, take-over, or farewell. */
#ifndef RX_IO_HTTP_INTERNAL_H
#define RX_IO_HTTP_INTERNAL_H

#include "core/io/http/http.h"

#include <event2/http.h>

struct bufferevent;
struct evbuffer;
struct evconnlistener;

/* What the lint learns from a header block. */
struct http_head {
    int status;         /* 0: clean; else the answer to give before closing */
    const char *reason; /* of a status that is not 0 */
    size_t body_length;
};
/* Bytes up to `length` of a header block, looked at once each: `*scanned` is where the last call stopped. Answers the
 * length of the block with its empty line, 0 if it is not complete, or -1 for a byte or line end that cannot stand. */
long http_head_scan(const char *text, size_t length, size_t *scanned);
/* The strict reading of a complete block (RFC 9112, and what evhttp gets wrong). */
void http_head_lint(const char *text, size_t length, size_t max_body, struct http_head *ret);

enum http_stage {
    HTTP_STAGE_IDLE,   /* nothing of the next request has arrived */
    HTTP_STAGE_HEAD,   /* inside a header block */
    HTTP_STAGE_BODY,   /* `body_left` bytes to come */
    HTTP_STAGE_ANSWER, /* the request is with its handler, or the answer on its way: what arrives waits */
    HTTP_STAGE_CLOSED  /* refused, taken over or gone */
};

struct http_connection {
    struct http_connection *next, **link; /* the server's list */
    struct rx_http_server *server;        /* NULL once the server is destroyed */
    struct bufferevent *socket, *gate;    /* the filter `gate` stands on `socket`; evhttp owns both */
    struct rx_http_request *request;      /* with its handler */
    struct rx_timer deadline, soon;
    size_t scanned, body_left;
    bool flushing; /* the next request waits for the rest of the answer to leave */
    int known_fd;  /* where the server's table has it; -1: not yet */
    enum http_stage stage;
    int refusal; /* the status to refuse with, as soon as this turn ends */
    const char *refusal_reason;
};

struct http_route {
    struct http_route *next;
    unsigned methods;
    rx_http_handler handler;
    void *arg;
    size_t length;
    char path[];
};

struct http_farewell;
struct rx_http_server {
    struct rx_loop *loop;
    struct evhttp *evhttp;
    struct evconnlistener *listener;
    struct rx_http_limits limits;
    struct rx_http_stats stats;
    struct http_connection *connections;
    struct http_connection **by_fd; /* those whose request evhttp may dispatch */
    size_t by_fd_size;
    struct http_route *routes; /* longest path first */
    struct http_farewell *farewells;
    struct rx_timer resume; /* accepts again after a pause; beats slowly in any case */
    unsigned taken, farewell_count;
    unsigned port;
    int spare; /* /dev/null: proof that a descriptor is left, and what closes in a taken connection's place */
    bool draining, closing;
};

struct http_pair;
struct rx_http_request {
    struct rx_http_server *server; /* valid while `connection` is */
    struct rx_loop *loop;
    struct http_connection *connection; /* NULL: the client has left (or the server) */
    struct evhttp_request *evhttp;
    enum rx_http_method method;
    char *path;         /* decoded */
    size_t tail_offset; /* of the route's tail in it */
    struct http_pair *query;
    bool query_parsed;

    struct rx_timer take; /* fires the take-over */
    rx_http_taken on_taken;
    void *taken_arg;
};

/* http_gate.c */
struct bufferevent *http_gate_create(struct event_base *, void *server); /* evhttp's bufferevent callback */
struct http_connection *http_gate_of(struct rx_http_server *, struct bufferevent *);
void http_gate_drain(struct http_connection *);               /* closes it if it is idle */
void http_gate_dispatched(struct http_connection *);          /* the request is with its handler */
void http_gate_answering(struct http_connection *);           /* the answer is on its way */
void http_gate_answered(struct evhttp_request *, void *conn); /* it has been written: evhttp's completion callback */
void http_gate_forget(struct http_connection *);              /* stops timers, leaves the list */

/* http_listen.c */
int http_listener_open(struct rx_http_server *, const char *address, struct rx_error *reterr);
void http_listener_check(struct rx_http_server *);  /* after an accept: pauses when no descriptor is left */
void http_listener_resume(struct rx_http_server *); /* a descriptor may be free again */

/* http_takeover.c */
/* The connection's socket in a descriptor of its own; evhttp's object is freed. -1: none was left. */
int http_detach(struct http_connection *);
/* Sends a short answer and closes without losing it to a reset. */
void http_farewell(struct rx_http_server *, int fd, int status, const char *reason);
/* Before evhttp frees the connection: what the socket has not taken yet is still sent. */
void http_finish_output(struct http_connection *);
void http_farewell_drop_all(struct rx_http_server *);

/* http_request.c */
void http_request_free(struct rx_http_request *); /* with evhttp's part if the connection is gone */
const char *http_status_phrase(int status);

#endif
