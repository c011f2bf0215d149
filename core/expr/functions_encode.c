/* base64 (RFC 4648, section 4), as in the encoders extension of CEL. */
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
    {0},
};
