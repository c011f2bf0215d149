/* Conversions between types, with their range errors (langdef, "List of Standard Definitions"). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"
#include "core/expr/functions.h"

static int out_of_range(struct rx_call *call, const char *type)
{
    return rx_call_fail(call, -ERANGE, "the value is out of the range of %s", type);
}

/* ---- numbers ---- */

/* [+-]? digits. false: not a number; *ret_overflow: a number that does not fit. */
static bool parse_whole(struct rx_value text, bool *ret_negative, uint64_t *ret, bool *ret_overflow)
{
    const char *p = text.u.text, *end = p + text.aux;
    *ret_negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    *ret = 0;
    *ret_overflow = false;
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        *ret_overflow |=
            __builtin_mul_overflow(*ret, (uint64_t)10, ret) || __builtin_add_overflow(*ret, (uint64_t)(*p - '0'), ret);
    }
    return true;
}

static int not_a_number(struct rx_call *call, struct rx_value text, const char *type)
{
    return rx_call_fail(call, -EINVAL, "the text \"%.*s\" is not %s", text.aux < 40 ? (int)text.aux : 40, text.u.text,
                        type);
}

static int int_of_text(struct rx_call *call, struct rx_value text, struct rx_value *ret)
{
    bool negative, overflow;
    uint64_t magnitude;
    if (!parse_whole(text, &negative, &magnitude, &overflow))
        return not_a_number(call, text, "an int");
    if (overflow || magnitude > (uint64_t)INT64_MAX + negative)
        return out_of_range(call, "int");
    *ret = rx_int((int64_t)(negative ? 0 - magnitude : magnitude));
    return 0;
}

static int to_int(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_value v = args[0];
    switch (v.kind) {
    case RX_INT:
        *ret = rx_int(v.u.i);
        return 0;
    case RX_UINT:
        if (v.u.u > INT64_MAX)
            return out_of_range(call, "int");
        *ret = rx_int(v.u.i);
        return 0;
    case RX_DOUBLE:
        if (!(v.u.d > -0x1p63 && v.u.d < 0x1p63))
            return out_of_range(call, "int");
        *ret = rx_int((int64_t)v.u.d);
        return 0;
    case RX_STRING:
        return int_of_text(call, v, ret);
    case RX_TIMESTAMP:
        *ret = rx_int(v.u.i);
        return 0;
    default: {
        rx_time nanos;
        if (rx_value_time(v, &nanos) < 0)
            return out_of_range(call, "int");
        *ret = rx_int(nanos);
        return 0;
    }
    }
}

static int to_uint(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_value v = args[0];
    bool negative, overflow;
    uint64_t magnitude;
    switch (v.kind) {
    case RX_INT:
        if (v.u.i < 0)
            return out_of_range(call, "uint");
        *ret = rx_uint(v.u.u);
        return 0;
    case RX_UINT:
        *ret = rx_uint(v.u.u);
        return 0;
    case RX_DOUBLE:
        if (!(v.u.d >= 0 && v.u.d < 0x1p64))
            return out_of_range(call, "uint");
        *ret = rx_uint((uint64_t)v.u.d);
        return 0;
    default:
        if (!parse_whole(v, &negative, &magnitude, &overflow))
            return not_a_number(call, v, "a uint");
        if (overflow || (negative && magnitude))
            return out_of_range(call, "uint");
        *ret = rx_uint(magnitude);
        return 0;
    }
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static int double_of_text(struct rx_call *call, struct rx_value text, struct rx_value *ret)
{
    char copy[400], *end;
    if (text.aux == 0 || text.aux >= sizeof copy || is_space(text.u.text[0]) || memchr(text.u.text, 0, text.aux))
        return not_a_number(call, text, "a double");
    memcpy(copy, text.u.text, text.aux);
    copy[text.aux] = '\0';
    double value = strtod(copy, &end);
    if (end != copy + text.aux || strpbrk(copy, "(_"))
        return not_a_number(call, text, "a double");
    if (isinf(value) && !strpbrk(copy, "iI"))
        return out_of_range(call, "double");
    *ret = rx_double(value);
    return 0;
}

static int to_double(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_value v = args[0];
    if (v.kind == RX_STRING)
        return double_of_text(call, v, ret);
    *ret = rx_double(v.kind == RX_DOUBLE ? v.u.d : v.kind == RX_INT ? (double)v.u.i : (double)v.u.u);
    return 0;
}

/* ---- text ---- */

struct rx_value rx_time_text(struct rx_call *call, struct rx_value v)
{
    struct rx_buffer buffer = {0};
    rx_json_write(&buffer, v);
    struct rx_value text =
        buffer.failed || buffer.length < 2 ? rx_null() : rx_call_string(call, buffer.data + 1, buffer.length - 2);
    rx_buffer_finish(&buffer);
    return text;
}

static struct rx_value number_text(struct rx_call *call, struct rx_value v)
{
    char text[RX_NUMBER_TEXT_MAX];
    if (v.kind == RX_INT)
        return rx_call_string(call, text, rx_format_int(text, v.u.i));
    if (v.kind == RX_UINT)
        return rx_call_string(call, text, rx_format_uint(text, v.u.u));
    if (isfinite(v.u.d))
        return rx_call_string(call, text, rx_format_double(text, v.u.d));
    const char *word = isnan(v.u.d) ? "NaN" : v.u.d > 0 ? "Infinity" : "-Infinity";
    return rx_call_string(call, word, strlen(word));
}

static int to_string(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_value v = args[0];
    switch (v.kind) {
    case RX_STRING:
        *ret = rx_value_ref(v);
        break;
    case RX_BOOL:
        *ret = v.u.b ? rx_string_static("true", 4) : rx_string_static("false", 5);
        break;
    case RX_BYTES:
        if (!rx_utf8_valid(v.u.text, v.aux))
            return rx_call_fail(call, -EINVAL, "the bytes are invalid UTF-8");
        *ret = rx_call_string(call, v.u.text, v.aux);
        break;
    case RX_TIMESTAMP:
    case RX_DURATION:
        *ret = rx_time_text(call, v);
        break;
    default:
        *ret = number_text(call, v);
    }
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

static int to_bytes(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    *ret = args[0].kind == RX_BYTES ? rx_value_ref(args[0]) : rx_bytes(call->heap, args[0].u.text, args[0].aux);
    return ret->kind == RX_BYTES ? 0 : -ENOMEM;
}

static int to_bool(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};
    struct rx_value v = args[0];
    if (v.kind == RX_BOOL) {
        *ret = v;
        return 0;
    }
    for (size_t i = 0; i < 12; i++)
        if (strlen(words[i]) == v.aux && memcmp(words[i], v.u.text, v.aux) == 0) {
            *ret = rx_bool(i < 6);
            return 0;
        }
    return not_a_number(call, v, "true or false");
}

/* ---- times ---- */

static int to_timestamp(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_value v = args[0];
    int64_t seconds;
    uint32_t nanos = 0;
    int r = 0;
    if (v.kind == RX_TIMESTAMP) {
        *ret = v;
        return 0;
    }
    if (v.kind == RX_STRING)
        r = rx_timestamp_parse(v.u.text, v.aux, &seconds, &nanos);
    else
        seconds = v.u.i;
    if (r == -EINVAL)
        return rx_call_fail(call, r, "the text \"%.*s\" is not a time; write \"2024-01-31T12:00:00Z\"",
                            v.aux < 40 ? (int)v.aux : 40, v.u.text);
    if (r < 0 || !rx_time_valid(seconds))
        return rx_call_fail(call, -ERANGE, "the time is out of range: years 1 to 9999");
    *ret = rx_time_value(RX_TIMESTAMP, seconds, nanos);
    return 0;
}

static int to_duration(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    int64_t seconds;
    uint32_t nanos;
    if (args[0].kind == RX_DURATION) {
        *ret = args[0];
        return 0;
    }
    int r = rx_duration_parse(args[0].u.text, args[0].aux, &seconds, &nanos);
    if (r == -EINVAL)
        return rx_call_fail(call, r, "the text \"%.*s\" is not a duration; write \"1h30m\", \"1.5s\" or \"250ms\"",
                            args[0].aux < 40 ? (int)args[0].aux : 40, args[0].u.text);
    if (r < 0 || !rx_duration_valid(seconds))
        return out_of_range(call, "duration");
    *ret = rx_time_value(RX_DURATION, seconds, nanos);
    return 0;
}

#define NUMERIC (RX_K_INT | RX_K_UINT | RX_K_DOUBLE | RX_K_JSON)

const struct rx_function rx_functions_convert[] = {
    {"int",
     RX_F_GLOBAL,
     1,
     1,
     {NUMERIC | RX_K_STRING | RX_K_TIMESTAMP | RX_K_DURATION},
     RX_K_INT,
     to_int,
     "int(x)",
     "A whole number: a double is cut towards zero, a text is read, a timestamp gives its seconds since 1970, a "
     "duration its nanoseconds.",
     "int(-7.9)",
     "-7"},
    {"uint",
     RX_F_GLOBAL,
     1,
     1,
     {NUMERIC | RX_K_STRING},
     RX_K_UINT,
     to_uint,
     "uint(x)",
     "An unsigned whole number.",
     "uint(\"300\")",
     "300"},
    {"double",
     RX_F_GLOBAL,
     1,
     1,
     {NUMERIC | RX_K_STRING},
     RX_K_DOUBLE,
     to_double,
     "double(x)",
     "A floating-point number; texts may also be \"NaN\", \"Infinity\" and \"-Infinity\".",
     "double(\"2.5\") * 2.0",
     "5"},
    {"string",
     RX_F_GLOBAL,
     1,
     1,
     {NUMERIC | RX_K_STRING | RX_K_BYTES | RX_K_BOOL | RX_K_TIMESTAMP | RX_K_DURATION},
     RX_K_STRING,
     to_string,
     "string(x)",
     "The value as text; bytes must be UTF-8.",
     "\"n=\" + string(42)",
     "\"n=42\""},
    {"bytes",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_STRING | RX_K_BYTES},
     RX_K_BYTES,
     to_bytes,
     "bytes(text)",
     "The UTF-8 bytes of a text.",
     "size(bytes(\"é\"))",
     "2"},
    {"bool",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_STRING | RX_K_BOOL},
     RX_K_BOOL,
     to_bool,
     "bool(text)",
     "true for \"true\", \"t\", \"1\"; false for \"false\", \"f\", \"0\".",
     "bool(\"true\")",
     "true"},
    {"timestamp",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_STRING | RX_K_INT | RX_K_JSON | RX_K_TIMESTAMP},
     RX_K_TIMESTAMP,
     to_timestamp,
     "timestamp(x)",
     "A time from RFC 3339 text or from seconds since 1970; years 1 to 9999.",
     "timestamp(\"2024-01-31T12:00:00+01:00\")",
     "\"2024-01-31T11:00:00Z\""},
    {"duration",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_STRING | RX_K_DURATION},
     RX_K_DURATION,
     to_duration,
     "duration(text)",
     "A span of time in d, h, m, s, ms, us, ns (d is 24 hours).",
     "duration(\"1m30s\")",
     "\"90s\""},
    {0},
};
