/* Reading HTTP/1.x requests: pure, strict, and the same however the bytes arrive. No I/O and no memory of its own.
 *
 * RFC 9112. What two readers could understand differently is refused: bare line ends, folded lines, repeated or doubtful
 * lengths, a body announced twice, control bytes. Any thread. */
#ifndef RX_IO_HTTP_PARSE_H
#define RX_IO_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_FIELDS_MAX = 128 };

struct http_text { /* not terminated */
    const char *at;
    size_t length;
};

struct http_field {
    struct http_text name, value;
};

struct http_head {
    int status;                   /* 0: clean; else the answer to give before closing */
    const char *reason;           /* of a status that is not 0 */
    unsigned method;              /* enum rx_http_method */
    struct http_text path, query; /* as they came, percent-encoded; "*" is a path */
    struct http_text host;        /* the target's authority, or Host; length 0: none (HTTP/1.0) */
    bool old;                     /* HTTP/1.0 */
    bool keep;                    /* the client would send more on this connection */
    bool expects;                 /* 100-continue */
    bool chunked;                 /* the body's end is in it */
    size_t body_length;           /* where it is not */
    unsigned field_count;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Looks at bytes of a head once each: `*scanned` is where the last call stopped. Answers the length of the head with its
 * empty line, 0 if it is not complete, or -1 for a byte or line end that cannot stand. */
long http_head_scan(const char *text, size_t length, size_t *scanned);
/* Reads a complete head. The texts point into it. */
void http_head_read(const char *text, size_t length, size_t max_body, struct http_head *ret);

/* A body on its way in. */
struct http_body {
    size_t left;     /* bytes of the body, or of the chunk, that are to come */
    size_t room;     /* bytes that all chunks to come may have together */
    size_t overhead; /* bytes that extensions and trailers may still have */
    unsigned char digits, state;
    int status; /* not 0: the answer to give before closing, and why */
    const char *reason;
};
void http_body_begin(struct http_body *, const struct http_head *, size_t max_body);
bool http_body_whole(const struct http_body *);
size_t
http_body_ahead(const struct http_body *); /* how many of the bytes to come are the body's, up to its next frame */
/* Takes bytes from `text`: the count is answered, and `*ret_piece` is what of them is the body's (length 0: none). Call
 * again with the rest until the body is whole, its status is not 0, or the bytes are used up. */
size_t http_body_feed(struct http_body *, const char *text, size_t length, struct http_text *ret_piece);

/* True if a header field's comma-separated list has the word, whatever its case. */
bool http_has_word(struct http_text list, const char *word);
/* Without regard to case. */
bool http_is(struct http_text, const char *word);
/* Decodes percent-escapes (and '+' as a space) into `out`, which has room for length + 1; terminates it. The escapes are
 * well-formed: http_head_read has seen to that. */
void http_decode(struct http_text, bool plus, char *out);

#endif
