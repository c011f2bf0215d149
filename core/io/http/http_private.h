/* What the files of the HTTP server share. Bytes pass from a connection through the parser to a request, and its answer
 * through the connection's output back. */
#ifndef RX_IO_HTTP_PRIVATE_H
#define RX_IO_HTTP_PRIVATE_H

#include "core/io/http/http.h"
#include "core/io/http/http_parse.h"

#include <time.h>

struct sockaddr;

enum http_stage {
    HTTP_STAGE_HEAD,   /* of the next request, of which nothing may have come */
    HTTP_STAGE_BODY,   /* of `incoming` */
    HTTP_STAGE_ANSWER, /* `incoming` is with its handler: what arrives waits */
    HTTP_STAGE_ENDING, /* the last answer is on its way */
    HTTP_STAGE_LINGER, /* it has left: until the client has closed too, so that no reset overtakes it */
    HTTP_STAGE_GONE    /* closed or taken over */
};

/* Who sends: what all connections of an address have in common. Counted by its connections and requests. */
struct http_client {
    struct http_client *next;
    unsigned uses;
    size_t held;
    unsigned char address[16];
};

struct http_connection {
    struct http_connection *next, **link; /* the server's list */
    struct rx_http_server *server;
    struct rx_conn *conn;
    struct http_client *client;
    struct rx_http_request *incoming;
    struct rx_timer deadline, soon;
    struct rx_buffer in, out;
    size_t in_at, out_at; /* what is done with */
    size_t scanned;       /* of the head */
    struct http_body body;
    enum http_stage stage;
    bool began;   /* a byte of the next request has come */
    bool skipped; /* and an empty line before it */
    bool first;   /* nothing has been answered yet */
    bool idling;  /* its idle deadline runs */
    bool ended;   /* the client sends no more */
    bool full;    /* output waits for room */
    bool running; /* who runs it frees it */
    bool excess;  /* beyond max_connections: only told so */
};

struct http_served { /* a route and its argument */
    struct http_served *next;
    const struct rx_http_route *route;
    void *arg;
    size_t length;
};

enum { HTTP_CLIENTS = 1024, HTTP_SCRATCH = 65536 };

struct http_listener;
struct rx_http_server {
    struct rx_loop *loop;
    struct rx_http_limits limits;
    struct rx_http_stats stats;
    struct http_listener *listener;
    struct http_connection *connections;
    struct http_served *routes; /* longest path first */
    struct http_client *clients[HTTP_CLIENTS];
    struct rx_http_request *requests; /* not yet answered */
    unsigned taken, excess, port;
    bool draining;
    time_t date; /* of date_line */
    char date_line[64];
    char scratch[HTTP_SCRATCH];
};

struct http_pair {
    const char *name, *value;
};

struct rx_http_request {
    struct rx_http_request *next, **link; /* the server's list */
    struct rx_http_server *server;        /* NULL: destroyed meanwhile */
    struct http_connection *connection;   /* NULL: the client has left (or the server) */
    struct http_client *client;
    const struct http_served *served; /* NULL: no route */
    enum rx_http_method method;
    bool keep, old;
    char *path; /* decoded; likewise the pairs. All in `text` */
    size_t tail_offset;
    struct http_pair *query, *fields; /* NULL name: the end */
    const char *host;                 /* "": none */
    char *body;
    size_t body_length, body_capacity, held;
    size_t body_expected;     /* 0: not known */
    struct rx_gunzip *unpack; /* NULL: the body comes as it is */
    struct rx_buffer headers; /* of the answer */
    char text[];
};

/* http_connection.c */
void http_connection_open(struct rx_http_server *, int fd, const struct sockaddr *, bool excess); /* owns fd */
void http_connection_close(struct http_connection *);
void http_connection_drain(struct http_connection *);    /* closes it if it is idle */
void http_connection_answered(struct http_connection *); /* `incoming` is forgotten, its answer in `out` */

/* http_request.c */
/* -ENOMEM, or -E2BIG: too many parameters. */
int http_request_create(struct http_connection *, const struct http_head *, struct rx_http_request **ret);
void http_request_destroy(struct rx_http_request *);

/* http_body.c: the bytes of bodies, and who they count for. */
struct http_client *http_client_get(struct rx_http_server *, const struct sockaddr *); /* NULL: no memory */
struct http_client *http_client_ref(struct http_client *);
void http_client_unref(struct rx_http_server *, struct http_client *);
/* Room for `more` bytes behind the body. 0, or the status to refuse with and why. */
int http_request_reserve(struct rx_http_request *, size_t more, const char **ret_reason);
void http_request_release(struct rx_http_request *); /* what it holds counts no more */

/* http_unpack.c. 0, or the status to refuse with and why. */
int http_unpack_begin(struct rx_http_request *, const char **ret_reason);
int http_unpack(struct rx_http_request *, struct http_text piece, const char **ret_reason); /* a piece as it came */
bool http_unpack_whole(const struct rx_http_request *); /* nothing is missing, as far as the body goes */

/* http_route.c */
/* False: it has been answered; what it asks for is not to be had. */
bool http_admit(struct rx_http_request *);
void http_serve(struct rx_http_request *);

/* http_guard.c: the same. Sets what a page of an allowed site needs to read the answer. */
bool http_guard(struct rx_http_request *);

/* http_reply.c */
const char *http_status_phrase(int status);
/* A whole answer for a connection without a request, after which it ends. */
void http_write_refusal(struct http_connection *, int status, const char *reason);

/* http_listen.c */
int http_listener_open(struct rx_http_server *, const char *address, struct rx_error *reterr);
void http_listener_close(struct rx_http_server *);
void http_listener_resume(struct rx_http_server *); /* a descriptor may be free again */

#endif
