/* Formats: how the bytes of a message become values. One class and one file a format; one instance a source. One worker.
 *
 * A message is what a feed delivers whole: an MQTT payload, a WebSocket message, a POST body, a line of a file. It is one value
 * (JSON, text), or many, one after the other (the rows of a CSV body, the elements of an array under `split`). */
#ifndef RX_CORE_FORMAT_H
#define RX_CORE_FORMAT_H

#include "core/json/json.h"
#include "core/option/option.h"
#include "core/value/codec.h"

enum rx_format {
    RX_FORMAT_AUTO, /* JSON, or text where it cannot be JSON at its first byte */
    RX_FORMAT_JSON,
    RX_FORMAT_TEXT,
    RX_FORMAT_CSV,
    RX_FORMAT_INFLUX,
    RX_FORMAT_CBOR,
    RX_FORMAT_MSGPACK,
    RX_FORMATS
};
extern const char *const rx_format_choices[]; /* "auto", "json", "text" ..., NULL */
/* The format that a Content-Type names; `other` where it names none. *ret_lines: one that says that each line is a message. */
enum rx_format rx_format_of_type(const char *type, enum rx_format other, bool *ret_lines);

/* What the user says beside `format`. */
struct rx_format_options {
    bool split;
    struct rx_csv_options {
        struct rx_strings header; /* empty or "true": the first row has the columns' names; else the names */
        const char *delimiter;    /* NULL: a comma */
    } csv;
};
extern const struct rx_class rx_csv_options; /* of struct rx_csv_options */

/* A message on its way through a format: what of it is left. A copy of it goes on from where it was made. */
struct rx_format_cursor {
    const char *start, *at, *end; /* the message, and what is not read yet */
    const char *piece;            /* what the last value was made of, or was not */
    size_t piece_length;
    uint64_t max_piece; /* of a body's messages, in bytes */
    bool body;          /* made of messages: JSON in an array or in lines, items one behind the other */
    bool lines;         /* each line is a message */
    bool stream;        /* a piece of a stream: a CSV header was in one before it */

    /* private to the format */
    unsigned phase;
    const char *stop;
    uint64_t left;
    const char *marked; /* see rx_format_place */
    struct rx_place mark;
};

/* The head of a format's state. */
struct rx_format_state {
    const struct rx_format_class *class;
    struct rx_heap *heap;
    const struct rx_fields *fields; /* that are asked for; NULL: all. May be another with the next message */
    const struct rx_format_options *options;
    uint64_t
        headers; /* headers among the rows of a message or stream, and of a stream that has other columns than the last */
};

struct rx_format_class {
    const char *name;
    size_t state_size; /* 0: of struct rx_format_state */
    bool binary;       /* places are bytes, not lines */
    bool json;         /* a message that begins with { is what rx_json_decode makes of it */
    /* May open a library: -ENOENT with what to install. NULL: nothing to do. Also asked, with a NULL state, whether it could. */
    int (*init)(struct rx_format_state *, struct rx_error *reterr);
    /* The value of a message that is one value, the caller's. NULL: a message is always many. Errors as rx_json_decode's. */
    int (*value)(struct rx_format_state *, const char *bytes, size_t length, struct rx_value *ret,
                 struct rx_error *reterr);
    /* The next of many: 1 and a value; 0 at the end; or the errno of a piece that is wrong, with its place in the message, and
     * the cursor behind it. -ENOMEM. `reterr` is not NULL. */
    int (*next)(struct rx_format_state *, struct rx_format_cursor *, struct rx_value *ret, struct rx_error *reterr);
    /* Of messages that are lines, as many as come without a word: up to `most` values of whole lines of up to `longest` bytes (0:
     * no bound), which end with nothing but a newline, and *at behind them. The next line, if any, is for `value` or `next`. NULL:
     * that every line is. */
    size_t (*lines)(struct rx_format_state *, const char **at, const char *end, uint64_t longest, size_t most,
                    struct rx_value *ret);
    /* In a stream: behind the message that begins at `at`, its line break included. NULL: not within these bytes. A NULL slot:
     * a message is a line. */
    const char *(*message_end)(struct rx_format_state *, const char *at, const char *end);
    /* What a stream carries on from message to message. NULL: nothing. */
    void (*restart)(struct rx_format_state *); /* another stream begins */
    void (*save)(const struct rx_format_state *, struct rx_writer *);
    int (*load)(struct rx_format_state *, struct rx_reader *);
    void (*dispose)(struct rx_format_state *);
};

const struct rx_format_class *rx_format_class_of(enum rx_format);
/* The options are lent. NULL with reterr: -ENOMEM, or why the format is not to be had. */
struct rx_format_state *rx_format_create(enum rx_format, struct rx_heap *, const struct rx_format_options *,
                                         struct rx_error *reterr);
void rx_format_destroy(struct rx_format_state *); /* NULL: no-op */
/* Whether the format can be had on this machine: 0, or why not. Any thread. */
int rx_format_check(enum rx_format, struct rx_error *reterr);

/* --- For who writes a format --- */

/* The place of a byte of the message; bytes before the last one that was asked for cost a walk from the start. */
struct rx_place rx_format_place(struct rx_format_cursor *, const char *at);
/* Declares what the next value is made of. -EMSGSIZE: more than a message may have. `reterr` may be NULL. */
int rx_format_piece(struct rx_format_cursor *, const char *from, const char *to, struct rx_error *reterr);
/* Moves an error's place from the piece into the message; answers its code. */
int rx_format_blame_piece(struct rx_format_cursor *, struct rx_error *reterr);
/* Behind the last newline. */
static inline const char *rx_format_lines_end(const char *at, const char *end)
{
    while (end > at && end[-1] != '\n')
        end--;
    return end;
}
/* Behind spaces, tabs and line breaks. */
static inline const char *rx_format_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

extern const struct rx_format_class rx_format_auto, rx_format_json, rx_format_text, rx_format_csv, rx_format_influx,
    rx_format_cbor, rx_format_msgpack;

#endif
