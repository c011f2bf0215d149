/* base64 (RFC 4648, section 4), as in the encoders extension of CEL; and JSON, by the event decoder and the writer. */
#include <errno.h>
#include <string.h>

#include "core/expr/functions.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int encode(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_buffer out = {0};
    const unsigned char *p = (const unsigned char *)args[0].u.text;
    for (size_t left = args[0].aux; left > 0; p += 3) {
        size_t n = left < 3 ? left : 3;
        uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);
        char quad[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], n > 1 ? alphabet[bits >> 6 & 63] : '=',
                        n > 2 ? alphabet[bits & 63] : '='};
        rx_buffer_append(&out, quad, 4);
        left -= n;
    }
    *ret = out.failed ? rx_null() : rx_call_string(call, out.data ? out.data : "", out.length);
    rx_buffer_finish(&out);
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

/* The padding may be missing. */
static int decode(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_buffer out = {0};
    uint32_t bits = 0, length = args[0].aux, filled = 0;
    const char *text = args[0].u.text;
    while (length > 0 && args[0].aux - length < 2 && text[length - 1] == '=')
        length--;
    bool wrong = length % 4 == 1 || (length < args[0].aux && args[0].aux % 4 != 0);
    for (uint32_t i = 0; i < length && !wrong; i++) {
        const char *digit = text[i] ? strchr(alphabet, text[i]) : NULL;
        wrong = !digit;
        bits = bits << 6 | (digit ? (uint32_t)(digit - alphabet) : 0);
        if ((filled += 6) >= 8) {
            filled -= 8;
            char byte = (char)(bits >> filled & 0xFF);
            rx_buffer_append(&out, &byte, 1);
        }
    }
    *ret = wrong || out.failed ? rx_null() : rx_bytes(call->heap, out.data ? out.data : "", out.length);
    rx_buffer_finish(&out);
    if (wrong)
        return rx_call_fail(call, -EINVAL, "the text is not base64");
    return ret->kind == RX_BYTES ? 0 : -ENOMEM;
}

/* ---- JSON ---- */

enum { DEPTH_MAX = 128 }; /* of the decoder too, so that what is encoded can be decoded */

/* Charges what writing a value takes: each part of it, at every level. */
static int charge_value(struct rx_call *call, struct rx_value v, unsigned depth)
{
    while (v.kind == RX_OPTIONAL && v.u.optional->present)
        v = v.u.optional->value;
    bool object = v.kind == RX_RECORD || v.kind == RX_MAP;
    uint32_t count = v.kind == RX_LIST ? v.u.list->count : object ? rx_object_count(v) : 0;
    uint64_t bytes = v.kind == RX_STRING || v.kind == RX_BYTES ? v.aux : 0;
    if (depth == DEPTH_MAX && (v.kind == RX_LIST || object))
        return rx_call_fail(call, -EINVAL, "the value is nested deeper than %d levels", DEPTH_MAX);
    int r = rx_call_charge(call, 3 + bytes / 4);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        struct rx_value key, value;
        if (object)
            rx_object_entry(v, i, &key, &value);
        else
            value = v.u.list->items[i];
        if (object)
            r = charge_value(call, key, depth + 1);
        if (r == 0)
            r = charge_value(call, value, depth + 1);
    }
    return r;
}

static int json_encode(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    struct rx_buffer out = {0};
    int r = charge_value(call, args[0], 0);
    (void)count;
    if (r < 0)
        return r;
    rx_json_write(&out, args[0]);
    *ret = out.failed ? rx_null() : rx_call_string(call, out.data ? out.data : "", out.length);
    rx_buffer_finish(&out);
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

static int json_decode(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    const struct rx_json_limits limits = {.max_depth = DEPTH_MAX};
    struct rx_error error = {0};
    (void)count;
    if (rx_call_charge(call, 2 * (uint64_t)args[0].aux) < 0)
        return -ETIME;
    int r = rx_json_decode(call->heap, NULL, &limits, args[0].u.text, args[0].aux, ret, &error);
    if (r < 0 && r != -ENOMEM)
        return rx_call_fail(call, r == -ERANGE ? r : -EINVAL, "the text is not JSON: %u:%u: %.60s", error.at.line,
                            error.at.column, error.message);
    return r;
}

const struct rx_function rx_functions_encode[] = {
    {"base64.encode",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_BYTES},
     RX_K_STRING,
     encode,
     "base64.encode(bytes)",
     "The bytes as base64 text.",
     "base64.encode(b\"hello\")",
     "\"aGVsbG8=\""},
    {"base64.decode",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_STRING},
     RX_K_BYTES,
     decode,
     "base64.decode(text)",
     "The bytes of a base64 text; the padding may be missing.",
     "string(base64.decode(\"aGVsbG8\"))",
     "\"hello\""},
    {"json.encode",
     RX_F_GLOBAL | RX_F_NULLS,
     1,
     1,
     {RX_K_ALL},
     RX_K_STRING,
     json_encode,
     "json.encode(x)",
     "The value as JSON text, as rxd puts it out.",
     "json.encode({\"a\": [1, null]})",
     "\"{\\\"a\\\":[1,null]}\""},
    {"json.decode",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_STRING},
     RX_K_ALL,
     json_decode,
     "json.decode(text)",
     "The value of a JSON text, at most 128 levels deep.",
     "json.decode(\"[1, 2.5]\")[1]",
     "2.5"},
    {0},
};
