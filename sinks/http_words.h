/* What an http sink makes of an event: where it goes, with which headers, and the body. */
#ifndef RX_SINKS_HTTP_WORDS_H
#define RX_SINKS_HTTP_WORDS_H

#include "sinks/render.h"

enum { RX_HTTP_HEADERS_MAX = 64 };

struct rx_http_words {                         /* set the first five; finish frees */
    struct rx_shaper *url, *headers, *payload; /* headers, payload: may be NULL */
    struct rx_render *render;
    struct rx_heap *heap;

    /* of the newest event: the url and each of the headers' texts (name, text, name, text ...) end in NUL */
    struct rx_buffer url_text, header_texts, body_text;
    bool text; /* the body is a text, not JSON */
};

/* 0; -EINVAL and the like, with a message: the event cannot be sent; -ENOMEM. */
int rx_http_words_make(struct rx_http_words *, const struct rx_event *, struct rx_error *reterr);
/* At load: what no expression is in. -EINVAL with a message; -ENOMEM. */
int rx_http_words_check(struct rx_http_words *, struct rx_error *reterr); /* of the headers */
int rx_http_words_check_url(struct rx_shaper *url, struct rx_error *reterr);
void rx_http_words_finish(struct rx_http_words *);

#endif
