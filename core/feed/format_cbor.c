/* CBOR (RFC 8949), its items told apart by libcbor: integers exact to 64 bits, times (tags 0 and 1) as timestamps, bignums as
 * numbers, other tags left out, byte strings as bytes. A body may be a sequence (RFC 8742). */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/feed/cbor_library.h"
#include "core/feed/format_items.h"
#include "core/value/timestamp.h"

struct cbor {
    struct rx_items_format format;
    const struct rx_cbor_library *library;
    struct rx_buffer chunks; /* of the string that comes in pieces */
};

enum { NO_TAG = -1, TIME_TEXT, TIME_NUMBER, BIG, BIG_NEGATIVE };
enum mode { WHOLE, TEXT_CHUNKS, BYTE_CHUNKS };

/* The item that is being read: what was said of it so far, and how it went. */
struct item {
    struct cbor *cbor;
    struct rx_items *items;
    int tag;
    enum mode mode;
    int result;
    bool more; /* a tag, or a chunk: the item is not there yet */
    bool tagged;
};

/* --- What tags make of it --- */

static struct rx_value negative(uint64_t n)
{
    return n <= INT64_MAX ? rx_json_int(-1 - (int64_t)n) : rx_double(-1.0 - (double)n);
}

static int put_float(struct item *item, double d)
{
    if (item->tag != TIME_NUMBER)
        return rx_items_put_take(item->items, rx_double(d));
    double seconds = floor(d), nanos = round((d - seconds) * 1e9);
    if (!(fabs(seconds) < 1e12))
        return -ERANGE;
    bool next = nanos >= 1e9;
    return rx_items_time(item->items, (int64_t)seconds + next, next ? 0 : (uint64_t)nanos);
}

static int put_whole(struct item *item, struct rx_value number)
{
    if (item->tag != TIME_NUMBER)
        return rx_items_put_take(item->items, number);
    return number.kind == RX_INT ? rx_items_time(item->items, number.u.i, 0) : -ERANGE;
}

static int put_text(struct item *item, const char *text, size_t length)
{
    int64_t seconds;
    uint32_t nanos;
    if (item->tag != TIME_TEXT)
        return rx_items_text(item->items, text, length);
    return rx_timestamp_parse(text, length, &seconds, &nanos) < 0 ? -ERANGE
                                                                  : rx_items_time(item->items, seconds, nanos);
}

static int put_big(struct item *item, const unsigned char *data, size_t length)
{
    uint64_t n = 0;
    double d = 0;
    size_t bytes = 0; /* that count */
    for (size_t i = 0; i < length; i++) {
        n = n << 8 | data[i];
        d = d * 256 + data[i];
        bytes += bytes > 0 || data[i] != 0;
    }
    struct rx_value exact = item->tag == BIG ? rx_items_uint(n) : negative(n);
    return rx_items_put_take(item->items, bytes <= 8 ? exact : rx_double(item->tag == BIG ? d : -1.0 - d));
}

static int put_bytes(struct item *item, const unsigned char *data, size_t length)
{
    return item->tag == BIG || item->tag == BIG_NEGATIVE ? put_big(item, data, length)
                                                         : rx_items_bytes(item->items, data, length);
}

/* --- What libcbor calls --- */

/* Within a string in pieces there is nothing but its pieces. */
static bool is_whole(struct item *item)
{
    if (item->mode != WHOLE)
        item->result = -EBADMSG;
    return item->mode == WHOLE;
}

static void on_uint(struct item *item, uint64_t n)
{
    if (is_whole(item))
        item->result = put_whole(item, rx_items_uint(n));
}

static void on_negative(struct item *item, uint64_t n)
{
    if (is_whole(item))
        item->result = put_whole(item, negative(n));
}

static void on_uint8(void *item, uint8_t n) { on_uint(item, n); }
static void on_uint16(void *item, uint16_t n) { on_uint(item, n); }
static void on_uint32(void *item, uint32_t n) { on_uint(item, n); }
static void on_uint64(void *item, uint64_t n) { on_uint(item, n); }
static void on_negint8(void *item, uint8_t n) { on_negative(item, n); }
static void on_negint16(void *item, uint16_t n) { on_negative(item, n); }
static void on_negint32(void *item, uint32_t n) { on_negative(item, n); }
static void on_negint64(void *item, uint64_t n) { on_negative(item, n); }

static void on_double(void *arg, double d)
{
    struct item *item = arg;
    if (is_whole(item))
        item->result = put_float(item, d);
}

static void on_float(void *item, float f) { on_double(item, (double)f); }

static void on_bool(void *arg, bool b)
{
    struct item *item = arg;
    if (is_whole(item))
        item->result = rx_items_put_take(item->items, rx_bool(b));
}

static void on_null(void *arg)
{
    struct item *item = arg;
    if (is_whole(item))
        item->result = rx_items_put_take(item->items, rx_null());
}

static void on_tag(void *arg, uint64_t tag)
{
    struct item *item = arg;
    if (!is_whole(item))
        return;
    item->more = item->tagged = true;
    if (tag <= BIG_NEGATIVE)
        item->tag = (int)tag;
}

static void begin_chunks(struct item *item, enum mode mode)
{
    if (!is_whole(item))
        return;
    rx_buffer_clear(&item->cbor->chunks);
    item->mode = mode;
    item->more = true;
}

static void on_text_start(void *item) { begin_chunks(item, TEXT_CHUNKS); }
static void on_bytes_start(void *item) { begin_chunks(item, BYTE_CHUNKS); }

static void add_chunk(struct item *item, enum mode mode, const unsigned char *data, size_t length)
{
    item->result = item->mode == mode ? 0 : -EBADMSG;
    item->more = true;
    rx_buffer_append(&item->cbor->chunks, data, length);
}

static void on_text(void *arg, cbor_data data, size_t length)
{
    struct item *item = arg;
    if (item->mode != WHOLE)
        add_chunk(item, TEXT_CHUNKS, data, length);
    else
        item->result = put_text(item, (const char *)data, length);
}

static void on_bytes(void *arg, cbor_data data, size_t length)
{
    struct item *item = arg;
    if (item->mode != WHOLE)
        add_chunk(item, BYTE_CHUNKS, data, length);
    else
        item->result = put_bytes(item, data, length);
}

static void open_container(struct item *item, bool map, uint64_t count)
{
    if (is_whole(item))
        item->result = rx_items_open(item->items, map, count);
}

/* The greatest count is not to be taken for none. */
static uint64_t counted(size_t count) { return count < RX_ITEMS_UNTIL_END ? count : RX_ITEMS_UNTIL_END - 1; }

static void on_list(void *item, size_t count) { open_container(item, false, counted(count)); }
static void on_map(void *item, size_t count) { open_container(item, true, counted(count)); }
static void on_list_start(void *item) { open_container(item, false, RX_ITEMS_UNTIL_END); }
static void on_map_start(void *item) { open_container(item, true, RX_ITEMS_UNTIL_END); }

static void on_break(void *arg)
{
    struct item *item = arg;
    const struct rx_buffer *chunks = &item->cbor->chunks;
    if (chunks->failed)
        item->result = -ENOMEM;
    else if (item->mode == TEXT_CHUNKS)
        item->result = put_text(item, chunks->data ? chunks->data : "", chunks->length);
    else if (item->mode == BYTE_CHUNKS)
        item->result = put_bytes(item, (const unsigned char *)(chunks->data ? chunks->data : ""), chunks->length);
    else
        item->result = item->tagged ? -EBADMSG : rx_items_close(item->items);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint64 = on_negint64,
    .negint32 = on_negint32,
    .negint16 = on_negint16,
    .negint8 = on_negint8,
    .byte_string_start = on_bytes_start,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_text_start,
    .indef_array_start = on_list_start,
    .array_start = on_list,
    .indef_map_start = on_map_start,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_null,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_break,
};

/* --- The class --- */

/* An item with its tags, or a string with all its pieces. */
static int read_item(struct rx_items_format *format, const char *at, const char *end, size_t *ret_read)
{
    struct cbor *cbor = (struct cbor *)format;
    struct item item = {.cbor = cbor, .items = &format->items, .tag = NO_TAG, .more = true};
    const char *from = at;
    while (item.more && item.result == 0) {
        item.more = false;
        if (at == end)
            return -ENODATA;
        struct cbor_decoder_result r = cbor->library->decode((cbor_data)at, (size_t)(end - at), &callbacks, &item);
        if (r.status != CBOR_DECODER_FINISHED)
            return r.status == CBOR_DECODER_NEDATA ? -ENODATA : -EBADMSG;
        at += r.read;
    }
    *ret_read = (size_t)(at - from);
    return item.result;
}

static int init(struct rx_format_state *state, struct rx_error *reterr)
{
    const struct rx_cbor_library *library = rx_cbor_library(reterr);
    if (!library)
        return -ENOENT;
    if (state) {
        rx_items_format_init(state, read_item);
        ((struct cbor *)state)->library = library;
    }
    return 0;
}

static void dispose(struct rx_format_state *state)
{
    rx_buffer_finish(&((struct cbor *)state)->chunks);
    rx_items_format_dispose(state);
}

const struct rx_format_class rx_format_cbor = {.name = "cbor",
                                               .state_size = sizeof(struct cbor),
                                               .binary = true,
                                               .init = init,
                                               .value = rx_items_format_value,
                                               .next = rx_items_format_next,
                                               .message_end = rx_items_format_end,
                                               .dispose = dispose};
