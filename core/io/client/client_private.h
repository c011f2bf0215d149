/* Private to the HTTP client. */
#ifndef RX_IO_CLIENT_PRIVATE_H
#define RX_IO_CLIENT_PRIVATE_H

#include "core/base/buffer.h"
#include "core/io/client/client.h"
#include "core/io/client/curl.h"

struct rx_fetch {
    struct rx_client *client;
    struct rx_fetch *previous, *next; /* all */
    struct rx_fetch *next_ready;      /* those with news */
    struct rx_fetch_options options;  /* the texts are not kept: libcurl has them */
    CURL *easy;
    struct curl_slist *headers;
    uint64_t number;
    struct rx_buffer body; /* a stream: what is not handed on yet */
    size_t head_bytes;
    unsigned redirects; /* that may still be followed */
    bool gets, posts;   /* the method */
    CURLcode result;
    char detail[CURL_ERROR_SIZE];
    bool headed;   /* a status and all headers have come */
    bool told;     /* `head` was called */
    bool finished; /* libcurl is through with it: `result` */
    bool too_large, head_too_large, refused_redirect;
    bool refused_address; /* a guarded one that leads to a private one */
    bool is_ready;        /* in the list of those with news */
    bool paused;          /* by its owner */
    bool stopped;         /* by us: libcurl reads no more */
    bool left;            /* it has no owner */
    bool delivering, cancelled;
};

struct rx_client {
    const struct rx_curl *curl;
    struct rx_loop *loop;
    CURLM *multi;
    struct rx_timer due;  /* libcurl's next */
    struct rx_timer turn; /* there is news to hand on */
    struct rx_fetch *first, *ready, **ready_tail;
    size_t count;
    uint64_t numbers; /* given so far */
};

/* fetch.c */
void fetch_ready(struct rx_fetch *);              /* there is news; handed on by client_settle */
void fetch_finished(struct rx_fetch *, CURLcode); /* libcurl says so */
void fetch_deliver(struct rx_fetch *);            /* calls its owner with what there is */
void fetch_destroy(struct rx_fetch *);
/* fetch_answer.c: what has come, in words. */
struct rx_answer fetch_answer(const struct rx_fetch *, struct rx_error *error);
/* fetch_where.c: where a request may lead. */
CURLcode fetch_guard(struct rx_fetch *, bool guarded); /* what is connected to from now on */
bool fetch_follow(struct rx_fetch *);                  /* true: the answer is a redirect, and is being followed */
/* client.c */
int client_set_up(struct rx_client *); /* so that client->multi is there. -ENOMEM */
void client_wake(struct rx_client *);  /* client_settle follows, in a turn of the loop */

#endif
