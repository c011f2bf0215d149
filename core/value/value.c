/* Making values, their times and the names of their kinds. */
#include <errno.h>
#include <string.h>

#include "core/value/heap.h"

static struct rx_value from_nanoseconds(enum rx_kind kind, rx_time time)
{
    int64_t seconds = time / RX_SEC, rest = time % RX_SEC;
    if (rest < 0) {
        seconds--;
        rest += RX_SEC;
    }
    return (struct rx_value){.kind = (uint8_t)kind, .aux = (uint32_t)rest, .u.i = seconds};
}

struct rx_value rx_timestamp(rx_time time) { return from_nanoseconds(RX_TIMESTAMP, time); }
struct rx_value rx_duration(rx_time time) { return from_nanoseconds(RX_DURATION, time); }

int rx_value_time(struct rx_value value, rx_time *ret)
{
    if (value.kind != RX_TIMESTAMP && value.kind != RX_DURATION)
        return -EINVAL;
    /* Rounded towards zero first, so that the earliest instant's whole seconds do not overflow on the way. */
    int64_t seconds = value.u.i, rest = value.aux, time;
    if (seconds < 0) {
        seconds++;
        rest -= RX_SEC;
    }
    if (__builtin_mul_overflow(seconds, RX_SEC, &time) || __builtin_add_overflow(time, rest, &time))
        return -ERANGE;
    *ret = time;
    return 0;
}

static struct rx_value copy_text(struct rx_heap *heap, enum rx_kind kind, const void *data, size_t length)
{
    if (length == 0)
        return (struct rx_value){.kind = (uint8_t)kind, .flags = RX_FLAG_STATIC, .u.text = ""};
    struct rx_block *block = rx_block_alloc(heap, length, RX_CONTENT_LEAF);
    if (!block)
        return rx_null();
    memcpy(rx_block_data(block), data, length);
    return rx_block_value(block, kind, rx_block_data(block), (uint32_t)length);
}

struct rx_value rx_string(struct rx_heap *heap, const char *text, size_t length)
{
    return copy_text(heap, RX_STRING, text, length);
}

struct rx_value rx_bytes(struct rx_heap *heap, const void *data, size_t length)
{
    return copy_text(heap, RX_BYTES, data, length);
}

const char *rx_kind_name(enum rx_kind kind)
{
    static const char *const names[RX_KINDS] = {
        [RX_NULL] = "null_type",
        [RX_BOOL] = "bool",
        [RX_INT] = "int",
        [RX_UINT] = "uint",
        [RX_DOUBLE] = "double",
        [RX_TIMESTAMP] = "google.protobuf.Timestamp",
        [RX_DURATION] = "google.protobuf.Duration",
        [RX_TYPE] = "type",
        [RX_STRING] = "string",
        [RX_BYTES] = "bytes",
        [RX_LIST] = "list",
        [RX_MAP] = "map",
        [RX_RECORD] = "map",
        [RX_OPTIONAL] = "optional_type",
    };
    return (unsigned)kind < RX_KINDS ? names[kind] : "unknown";
}
