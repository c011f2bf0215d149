/* Formats: which there are, and what they share. */
#include "core/feed/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct rx_format_class *const classes[RX_FORMATS] = {
    [RX_FORMAT_AUTO] = &rx_format_auto,       [RX_FORMAT_JSON] = &rx_format_json,
    [RX_FORMAT_TEXT] = &rx_format_text,       [RX_FORMAT_CSV] = &rx_format_csv,
    [RX_FORMAT_INFLUX] = &rx_format_influx,   [RX_FORMAT_CBOR] = &rx_format_cbor,
    [RX_FORMAT_MSGPACK] = &rx_format_msgpack,
};

const char *const rx_format_choices[] = {"auto", "json", "text", "csv", "influx", "cbor", "msgpack", NULL};

const struct rx_format_class *rx_format_class_of(enum rx_format format) { return classes[format]; }

static bool is_type(const char *type, const char *name)
{
    size_t length = strlen(name);
    return strncasecmp(type, name, length) == 0 && strchr("; ", type[length]);
}

enum rx_format rx_format_of_type(const char *type, enum rx_format other, bool *ret_lines)
{
    static const struct {
        const char *name;
        enum rx_format format;
        bool lines;
    } types[] = {
        {"application/x-ndjson", RX_FORMAT_JSON, true},
        {"application/ndjson", RX_FORMAT_JSON, true},
        {"application/jsonl", RX_FORMAT_JSON, true},
        {"application/x-jsonlines", RX_FORMAT_JSON, true},
        {"application/json-lines", RX_FORMAT_JSON, true},
        {"application/json", RX_FORMAT_JSON, false},
        {"text/csv", RX_FORMAT_CSV, false},
        {"application/cbor", RX_FORMAT_CBOR, false},
        {"application/cbor-seq", RX_FORMAT_CBOR, false},
        {"application/msgpack", RX_FORMAT_MSGPACK, false},
        {"application/x-msgpack", RX_FORMAT_MSGPACK, false},
        {"application/vnd.msgpack", RX_FORMAT_MSGPACK, false},
    };
    *ret_lines = false;
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (is_type(type, types[i].name)) {
            *ret_lines = types[i].lines;
            return types[i].format;
        }
    return other;
}

struct rx_format_state *rx_format_create(enum rx_format format, struct rx_heap *heap,
                                         const struct rx_format_options *options, struct rx_error *reterr)
{
    const struct rx_format_class *class = classes[format];
    struct rx_format_state *state = calloc(1, class->state_size ? class->state_size : sizeof *state);
    if (!state) {
        rx_error_set(reterr, -ENOMEM, "out of memory");
        return NULL;
    }
    *state = (struct rx_format_state){.class = class, .heap = heap, .options = options};
    if (class->init && class->init(state, reterr) < 0) {
        rx_format_destroy(state);
        return NULL;
    }
    return state;
}

void rx_format_destroy(struct rx_format_state *state)
{
    if (state && state->class->dispose)
        state->class->dispose(state);
    free(state);
}

int rx_format_check(enum rx_format format, struct rx_error *reterr)
{
    const struct rx_format_class *class = classes[format];
    return class->init ? class->init(NULL, reterr) : 0;
}

/* --- For who writes a format --- */

struct rx_place rx_format_place(struct rx_format_cursor *cursor, const char *at)
{
    if (!cursor->marked || cursor->marked > at) {
        cursor->marked = cursor->start;
        cursor->mark = (struct rx_place){.line = 1, .column = 1};
    }
    for (const char *c = cursor->marked; c < at; c++) {
        if (*c == '\n') {
            cursor->mark.line++;
            cursor->mark.column = 1;
        } else {
            cursor->mark.column += ((unsigned char)*c & 0xC0) != 0x80;
        }
    }
    cursor->marked = at;
    cursor->mark.offset = (size_t)(at - cursor->start);
    return cursor->mark;
}

int rx_format_piece(struct rx_format_cursor *cursor, const char *from, const char *to, struct rx_error *reterr)
{
    cursor->piece = from;
    cursor->piece_length = (size_t)(to - from);
    if (!cursor->max_piece || cursor->piece_length <= cursor->max_piece)
        return 0;
    rx_error_set(reterr, -EMSGSIZE, "a message of %zu bytes; max_message is %llu", cursor->piece_length,
                 (unsigned long long)cursor->max_piece);
    return reterr ? rx_format_blame_piece(cursor, reterr) : -EMSGSIZE;
}

int rx_format_blame_piece(struct rx_format_cursor *cursor, struct rx_error *reterr)
{
    struct rx_place piece = rx_format_place(cursor, cursor->piece), within = reterr->at;
    if (within.line > 1) {
        piece.line += within.line - 1;
        piece.column = within.column;
    } else if (within.line == 1) {
        piece.column += within.column - 1;
    }
    piece.offset += within.line ? within.offset : 0;
    reterr->at = piece;
    return reterr->code;
}
