/* Formats that are a stream of items: a message is one value; a body is one, an array's elements, or one behind the other. */
#include "core/feed/format_items.h"

#include <errno.h>

void rx_items_format_init(struct rx_format_state *state,
                          int (*read)(struct rx_items_format *, const char *at, const char *end, size_t *ret_read))
{
    struct rx_items_format *format = (struct rx_items_format *)state;
    format->items.heap = state->heap;
    format->read = read;
}

void rx_items_format_dispose(struct rx_format_state *state)
{
    rx_items_finish(&((struct rx_items_format *)state)->items);
}

/* In words, with the byte at which it was seen. */
static int fail(const struct rx_items_format *format, int code, size_t offset, struct rx_error *reterr)
{
    const char *what = code == -EILSEQ    ? "a text is not UTF-8"
                       : code == -E2BIG   ? "nested deeper than 128 levels, or a map of more than 65536 keys"
                       : code == -ERANGE  ? "a time out of the years 1 to 9999"
                       : code == -ENOMEM  ? "out of memory"
                       : code == -ENODATA ? "the message ends too early"
                                          : NULL;
    code = code == -ENODATA ? -EBADMSG : code;
    if (what)
        rx_error_set(reterr, code, "byte %zu: %s", offset, what);
    else
        rx_error_set(reterr, code, "byte %zu: this is not %s", offset, format->state.class->name);
    if (reterr)
        reterr->at.offset = offset;
    return code;
}

/* Items up to the end of the value that was begun; `*at` goes behind them, or stays at the one that is wrong. */
static int read_value(struct rx_items_format *format, const char **at, const char *end)
{
    int r = 0;
    while (r == 0) {
        size_t length = 0;
        r = *at < end ? format->read(format, *at, end, &length) : -ENODATA;
        *at += r < 0 ? 0 : length;
    }
    return r < 0 ? r : 0;
}

int rx_items_format_value(struct rx_format_state *state, const char *bytes, size_t length, struct rx_value *ret,
                          struct rx_error *reterr)
{
    struct rx_items_format *format = (struct rx_items_format *)state;
    const char *at = bytes, *end = bytes + length;
    rx_items_begin(&format->items, state->fields);
    int r = read_value(format, &at, end);
    if (r < 0)
        return fail(format, r, (size_t)(at - bytes), reterr);
    struct rx_value value = rx_items_take(&format->items);
    if (at < end) {
        rx_value_unref(value);
        rx_error_set(reterr, -EBADMSG, "byte %zu: expected nothing behind the value", (size_t)(at - bytes));
        return -EBADMSG;
    }
    *ret = value;
    return 0;
}

/* Nothing of it is made, whatever is wrong with it is told when it is decoded. */
const char *rx_items_format_end(struct rx_format_state *state, const char *at, const char *end)
{
    struct rx_items_format *format = (struct rx_items_format *)state;
    rx_items_begin_check(&format->items);
    int r = read_value(format, &at, end);
    rx_items_begin(&format->items, NULL);
    return r == -ENODATA ? NULL : r < 0 ? end : at;
}

/* --- Many values --- */

enum phase { BEGIN, ELEMENT, BEHIND, DONE };

static int refuse_rest(struct rx_items_format *format, struct rx_format_cursor *c, int code, const char *at,
                       struct rx_error *reterr)
{
    c->piece = c->at;
    c->piece_length = (size_t)(c->end - c->at);
    c->at = c->end;
    c->phase = DONE;
    return fail(format, code, (size_t)(at - c->start), reterr);
}

static int make_value(struct rx_items_format *format, struct rx_format_cursor *c, struct rx_value *ret,
                      struct rx_error *reterr)
{
    const char *from = c->at, *at = from;
    rx_items_begin(&format->items, format->state.fields);
    int r = read_value(format, &at, c->end);
    if (r < 0)
        return refuse_rest(format, c, r, at, reterr);
    c->at = at;
    struct rx_value value = rx_items_take(&format->items);
    struct rx_error large;
    if (rx_format_piece(c, from, at, &large) == 0) {
        *ret = value;
        return 1;
    }
    rx_value_unref(value);
    return rx_error_set(reterr, large.code, "byte %zu: %s", (size_t)(from - c->start), large.message);
}

/* Whether an array begins here, whose elements are to come. */
static bool open_array(struct rx_items_format *format, struct rx_format_cursor *c)
{
    size_t length = 0;
    rx_items_begin(&format->items, NULL);
    int r = c->at < c->end ? format->read(format, c->at, c->end, &length) : -ENODATA;
    struct rx_value whole = r == 1 ? rx_items_take(&format->items) : rx_null();
    bool empty = whole.kind == RX_LIST;
    rx_value_unref(whole);
    if (!empty && (r != 0 || !rx_items_opens_list(&format->items, &c->left)))
        return false;
    c->left = empty ? 0 : c->left;
    c->at += length;
    return true;
}

static int begin(struct rx_items_format *format, struct rx_format_cursor *c, struct rx_value *ret,
                 struct rx_error *reterr)
{
    bool apart = (c->body || format->state.options->split) && open_array(format, c);
    c->phase = apart ? ELEMENT : BEHIND;
    return apart ? 0 : make_value(format, c, ret, reterr);
}

/* The end of an array that did not announce how many it has. */
static bool ends_here(struct rx_items_format *format, struct rx_format_cursor *c)
{
    size_t length = 0;
    if (c->left != RX_ITEMS_UNTIL_END || c->at == c->end)
        return c->left == 0;
    rx_items_begin_check(&format->items);
    int r = format->read(format, c->at, c->end, &length);
    if (r >= 0 || !format->items.past_end)
        return false;
    c->at++;
    return true;
}

static int next_element(struct rx_items_format *format, struct rx_format_cursor *c, struct rx_value *ret,
                        struct rx_error *reterr)
{
    if (ends_here(format, c)) {
        c->phase = BEHIND;
        return 0;
    }
    c->left -= c->left != RX_ITEMS_UNTIL_END;
    return make_value(format, c, ret, reterr);
}

static int look_behind(struct rx_format_cursor *c, struct rx_error *reterr)
{
    c->phase = c->at == c->end ? DONE : BEGIN;
    if (c->at == c->end || c->body)
        return 0;
    c->phase = DONE;
    c->piece = c->at;
    c->piece_length = (size_t)(c->end - c->at);
    return rx_error_set(reterr, -EBADMSG, "byte %zu: expected nothing behind the value", (size_t)(c->at - c->start));
}

int rx_items_format_next(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                         struct rx_error *reterr)
{
    struct rx_items_format *format = (struct rx_items_format *)state;
    int r = 0;
    while (r == 0 && c->phase != DONE) {
        if (c->phase == BEGIN)
            r = begin(format, c, ret, reterr);
        else if (c->phase == ELEMENT)
            r = next_element(format, c, ret, reterr);
        else
            r = look_behind(c, reterr);
    }
    return r;
}
