/* The HTTP client of one worker: requests to the outside, over libcurl on the worker's loop.
 *
 * HTTP/1.1 and TLS; connections are kept and used again; names are looked up on threads; nothing blocks. No callback is entered before
 * rx_fetch_begin has returned, and none from inside libcurl: each may begin, cancel and pause whatever it likes. Proxies are
 * taken from the environment, as curl does. One thread (the loop's). */
#ifndef RX_IO_CLIENT_H
#define RX_IO_CLIENT_H

#include "core/io/loop/loop.h"
#include "core/option/option.h"

struct rx_client;
struct rx_fetch;
struct rx_tls_options; /* core/io/net/tls.h */

/* Opens libcurl if nobody has yet: -ENOENT with a message where it is not installed; -ENOMEM. */
int rx_client_create(struct rx_loop *, struct rx_client **ret, struct rx_error *reterr);
void rx_client_destroy(struct rx_client *); /* cancels what is under way */

enum { RX_FETCHES_MAX = 256, RX_FETCHES_MANY_MAX = 16384, RX_ANSWER_HEAD_MAX = 64 * 1024 };

/* What has come of an answer. Valid during the callback that it is given to. */
struct rx_answer {
    int status;          /* 0: there is none */
    const char *reason;  /* the status in words: "Not Found" */
    const char *body;    /* whole answers; not terminated */
    size_t length;       /* bytes */
    rx_time retry_after; /* what `Retry-After` asks for, in ns from now, an hour at most; 0: nothing */
    const struct rx_error
        *error; /* NULL: it is whole. Else what is missing, in words that hold no secret: -EMSGSIZE (too large),
                                     -ETIMEDOUT, -EPROTO (no HTTP, or no TLS), -ECONNREFUSED ..., also behind a status */
    const struct rx_fetch *fetch;
};
/* A header of the answer, the last of that name; NULL: none. Any case. Valid as long as the answer. */
const char *rx_answer_header(const struct rx_answer *, const char *name);

struct rx_fetch_options {
    const char *method, *url; /* "GET" ...; http or https */
    struct rx_pairs headers;
    const char *body; /* NULL: none */
    size_t length;
    rx_time connect_timeout; /* until there is a connection, TLS among it; 0: 10 s */
    rx_time timeout;         /* for all of it; 0: none */
    uint64_t max_answer; /* bytes of the body, unpacked: more is an error (-EMSGSIZE); streams do without. 0: 1 MiB */
    bool follow;         /* up to five redirects, to the same host: `headers` are meant for it */
    /* So many, to any host, but none from https to http; not with `follow`. Where they lead to another host, scheme or port, of `headers` only
     * Accept and Content-Type go there, and it is guarded, unless `may_be_private` (which may begin and cancel nothing) says that its URL may
     * lead to a private address; NULL: none may. As browsers do, 303 makes any request a GET, 301 and 302 a POST. */
    unsigned redirects;
    bool (*may_be_private)(void *arg, const char *url);
    bool many; /* RX_FETCHES_MANY_MAX may be under way, not RX_FETCHES_MAX */
    /* The host may not lead to a private address (guard.h): -EPERM. The address that is connected to is what is looked at, also of a
     * connection that is used again; no proxy is asked, which would look the name up itself. */
    bool guarded;
    const struct rx_tls_options *tls; /* NULL: as the system has it */

    /* A stream: `head` once there is a status (false: the rest is not wanted, `done` follows), then `data` as it comes. NULL: the
     * answer is kept, and is whole in `done`. */
    bool (*head)(void *arg, const struct rx_answer *);
    void (*data)(void *arg, const char *bytes, size_t length);
    void (*done)(void *arg, const struct rx_answer *); /* the last call; the fetch is gone when it returns */
    void *arg;
};

/* Texts are copied. -EAGAIN: RX_FETCHES_MAX are under way; -ENOMEM; -EINVAL. */
int rx_fetch_begin(struct rx_client *, const struct rx_fetch_options *, struct rx_fetch **ret);
/* What libcurl has to do now it does now, not when its timer fires: for who begins many, and counts what that costs. */
void rx_client_run(struct rx_client *);
void rx_fetch_cancel(struct rx_fetch *); /* nothing more is called. Safe on NULL, and inside its own callbacks */
/* Of a stream: `data` is not called, and beyond 256 KiB the other side is left waiting. */
void rx_fetch_pause(struct rx_fetch *, bool);

/* A reload: a fetch has a number (never 0) by which it is found again; it is left, and goes on without an owner until another
 * takes it within the same turn of the loop. */
uint64_t rx_fetch_number(struct rx_fetch *);
void rx_fetch_leave(struct rx_fetch *);
/* With the callbacks and the argument of `options`. NULL: none that was left has the number. */
struct rx_fetch *rx_fetch_take(struct rx_client *, uint64_t number, const struct rx_fetch_options *);
void rx_client_drop_left(struct rx_client *); /* those that nobody took */

/* For load, without libcurl: -EINVAL with what is wrong. */
int rx_client_check_url(const char *url, struct rx_error *reterr);
int rx_client_check_header(const char *name, const char *text, struct rx_error *reterr);
int rx_client_check_headers(const struct rx_pairs *, struct rx_error *reterr);
/* Whether the URL's host is one of these, any case; with or without its port, and the brackets of an IPv6 address. */
bool rx_client_url_is_of(const char *url, const struct rx_strings *hosts);
/* A URL for logs and conditions: without user, password, query and fragment, which may be secrets. */
void rx_client_name_url(const char *url, char *out, size_t size);

#endif
