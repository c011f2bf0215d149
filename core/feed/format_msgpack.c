/* MessagePack, by its specification of 2017 (github.com/msgpack/msgpack, spec.md): integers exact, bin as bytes, the timestamp
 * extension as a timestamp, other extensions as their bytes. A body is items one behind the other. */
#include <errno.h>
#include <string.h>

#include "core/feed/format_items.h"

enum kind { FIXED, INT, UINT, FLOAT, TEXT, BYTES, EXT, LIST, MAP, NEVER };

/* What a first byte says: how many bytes of number follow it, and what that number is. */
struct head {
    enum kind kind;
    unsigned bytes;
    uint64_t value; /* where the first byte holds it */
};

static struct head head_of(unsigned char first)
{
    static const struct head heads[32] = {
        {FIXED, 0, 0}, {NEVER, 0, 0}, {FIXED, 0, 0}, {FIXED, 0, 0},               /* c0 nil, c2 false, c3 true */
        {BYTES, 1, 0}, {BYTES, 2, 0}, {BYTES, 4, 0},                              /* c4 bin */
        {EXT, 1, 0},   {EXT, 2, 0},   {EXT, 4, 0},                                /* c7 ext */
        {FLOAT, 4, 0}, {FLOAT, 8, 0},                                             /* ca */
        {UINT, 1, 0},  {UINT, 2, 0},  {UINT, 4, 0},  {UINT, 8, 0},                /* cc */
        {INT, 1, 0},   {INT, 2, 0},   {INT, 4, 0},   {INT, 8, 0},                 /* d0 */
        {EXT, 0, 1},   {EXT, 0, 2},   {EXT, 0, 4},   {EXT, 0, 8},   {EXT, 0, 16}, /* d4 fixext */
        {TEXT, 1, 0},  {TEXT, 2, 0},  {TEXT, 4, 0},                               /* d9 str */
        {LIST, 2, 0},  {LIST, 4, 0},  {MAP, 2, 0},   {MAP, 4, 0},                 /* dc, de */
    };
    if (first < 0x80)
        return (struct head){UINT, 0, first};
    if (first < 0x90)
        return (struct head){MAP, 0, first & 0x0Fu};
    if (first < 0xA0)
        return (struct head){LIST, 0, first & 0x0Fu};
    if (first < 0xC0)
        return (struct head){TEXT, 0, first & 0x1Fu};
    if (first < 0xE0)
        return heads[first - 0xC0];
    return (struct head){INT, 0, (uint64_t)(int64_t)(int8_t)first};
}

static uint64_t read_number(const unsigned char *at, unsigned bytes)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | at[i];
    return n;
}

static int64_t widened(uint64_t n, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;
    return bytes == 0 ? (int64_t)n : (int64_t)(n << shift) >> shift;
}

static struct rx_value float_of(uint64_t n, unsigned bytes)
{
    uint32_t narrow = (uint32_t)n;
    float f;
    double d;
    memcpy(&f, &narrow, sizeof f);
    memcpy(&d, &n, sizeof d);
    return rx_double(bytes == 4 ? (double)f : d);
}

static struct rx_value fixed_of(unsigned char first) { return first == 0xC0 ? rx_null() : rx_bool(first == 0xC3); }

/* The extension -1: seconds in 32 bits; nanoseconds in 30 and seconds in 34; or nanoseconds in 32 and seconds in 64. */
static int put_time(struct rx_items *items, const unsigned char *data, uint64_t length)
{
    uint64_t first = read_number(data, length == 4 ? 4 : 8), nanos = 0;
    int64_t seconds = (int64_t)first;
    if (length == 8) {
        nanos = first >> 34;
        seconds = (int64_t)(first & 0x3FFFFFFFFu);
    } else if (length == 12) {
        nanos = read_number(data, 4);
        seconds = (int64_t)read_number(data + 4, 8);
    }
    return rx_items_time(items, seconds, nanos);
}

static int put_extension(struct rx_items *items, const unsigned char *data, uint64_t length)
{
    bool time = data[0] == 0xFF && (length == 4 || length == 8 || length == 12);
    return time ? put_time(items, data + 1, length) : rx_items_bytes(items, data + 1, length);
}

static int put_item(struct rx_items *items, const struct head *head, const unsigned char *first, uint64_t n)
{
    const unsigned char *behind = first + 1 + head->bytes;
    switch (head->kind) {
    case FIXED:
        return rx_items_put_take(items, fixed_of(*first));
    case INT:
        return rx_items_put_take(items, rx_json_int(widened(n, head->bytes)));
    case UINT:
        return rx_items_put_take(items, rx_items_uint(n));
    case FLOAT:
        return rx_items_put_take(items, float_of(n, head->bytes));
    case TEXT:
        return rx_items_text(items, (const char *)behind, n);
    case BYTES:
        return rx_items_bytes(items, behind, n);
    case EXT:
        return put_extension(items, behind, n);
    case LIST:
    case MAP:
        return rx_items_open(items, head->kind == MAP, n);
    default:
        return -EBADMSG;
    }
}

static bool has_content(enum kind kind) { return kind == TEXT || kind == BYTES || kind == EXT; }

static int read_item(struct rx_items_format *format, const char *at, const char *end, size_t *ret_read)
{
    const unsigned char *first = (const unsigned char *)at;
    size_t length = (size_t)(end - at);
    struct head head = head_of(*first);
    if (length < 1 + head.bytes)
        return -ENODATA;
    uint64_t n = head.bytes ? read_number(first + 1, head.bytes) : head.value;
    uint64_t content = has_content(head.kind) ? n + (head.kind == EXT) : 0; /* an extension's type comes first */
    if (content > length - 1 - head.bytes)
        return -ENODATA;
    *ret_read = 1 + head.bytes + (size_t)content;
    return put_item(&format->items, &head, first, n);
}

static int init(struct rx_format_state *state, struct rx_error *reterr)
{
    (void)reterr;
    if (state)
        rx_items_format_init(state, read_item);
    return 0;
}

const struct rx_format_class rx_format_msgpack = {.name = "msgpack",
                                                  .state_size = sizeof(struct rx_items_format),
                                                  .binary = true,
                                                  .init = init,
                                                  .value = rx_items_format_value,
                                                  .next = rx_items_format_next,
                                                  .message_end = rx_items_format_end,
                                                  .dispose = rx_items_format_dispose};
