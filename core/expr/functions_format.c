/* format: printf for CEL (the strings extension, "Format"). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"
#include "core/expr/functions.h"

enum { DEPTH_MAX = 32, PRECISION_MAX = 100 };

static int write_value(struct rx_call *, struct rx_buffer *, struct rx_value, unsigned depth);

static void write_number(struct rx_buffer *out, struct rx_value v)
{
    char text[RX_NUMBER_TEXT_MAX];
    if (v.kind == RX_INT)
        rx_buffer_append(out, text, rx_format_int(text, v.u.i));
    else if (v.kind == RX_UINT)
        rx_buffer_append(out, text, rx_format_uint(text, v.u.u));
    else if (isfinite(v.u.d))
        rx_buffer_append(out, text, rx_format_double(text, v.u.d));
    else
        rx_buffer_text(out, isnan(v.u.d) ? "NaN" : v.u.d > 0 ? "Infinity" : "-Infinity");
}

static int write_list(struct rx_call *call, struct rx_buffer *out, const struct rx_list *list, unsigned depth)
{
    rx_buffer_text(out, "[");
    for (uint32_t i = 0; i < list->count; i++) {
        if (i)
            rx_buffer_text(out, ", ");
        int r = write_value(call, out, list->items[i], depth + 1);
        if (r < 0)
            return r;
    }
    rx_buffer_text(out, "]");
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const struct rx_buffer *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = shorter ? memcmp(x->data, y->data, shorter) : 0;
    return order ? order : x->length < y->length ? -1 : x->length > y->length;
}

/* "key: value" of every entry, each in a buffer of its own. */
static int write_entries(struct rx_call *call, struct rx_value map, struct rx_buffer *entries, unsigned depth)
{
    for (uint32_t i = 0; i < rx_object_count(map); i++) {
        struct rx_value key, value;
        rx_object_entry(map, i, &key, &value);
        int r = write_value(call, &entries[i], key, depth + 1);
        rx_buffer_text(&entries[i], ": ");
        if (r < 0 || (r = write_value(call, &entries[i], value, depth + 1)) < 0)
            return r;
    }
    return 0;
}

static int write_map(struct rx_call *call, struct rx_buffer *out, struct rx_value map, unsigned depth)
{
    uint32_t count = rx_object_count(map);
    if (rx_call_charge(call, 5 * (uint64_t)count) < 0)
        return -ETIME;
    struct rx_buffer *entries = calloc(count + 1, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    int r = write_entries(call, map, entries, depth);
    qsort(entries, count, sizeof *entries, by_text);
    rx_buffer_text(out, "{");
    for (uint32_t i = 0; i < count; i++) {
        rx_buffer_text(out, i ? ", " : "");
        if (entries[i].data)
            rx_buffer_append(out, entries[i].data, entries[i].length);
        out->failed |= entries[i].failed;
        rx_buffer_finish(&entries[i]);
    }
    rx_buffer_text(out, "}");
    free(entries);
    return r;
}

static int write_quoted_json(struct rx_call *call, struct rx_buffer *out, struct rx_value v)
{
    struct rx_value text = rx_time_text(call, v);
    if (text.kind != RX_STRING)
        return -ENOMEM;
    rx_buffer_append(out, text.u.text, text.aux);
    rx_value_unref(text);
    return 0;
}

static int write_value(struct rx_call *call, struct rx_buffer *out, struct rx_value v, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return rx_call_fail(call, -EINVAL, "the value is nested too deeply to be formatted");
    if (rx_call_charge(call, 1 + (v.kind == RX_STRING || v.kind == RX_BYTES ? v.aux / 64 : 0)) < 0)
        return -ETIME;
    switch (v.kind) {
    case RX_NULL:
        rx_buffer_text(out, "null");
        return 0;
    case RX_BOOL:
        rx_buffer_text(out, v.u.b ? "true" : "false");
        return 0;
    case RX_STRING:
    case RX_BYTES:
        if (v.kind == RX_BYTES && !rx_utf8_valid(v.u.text, v.aux))
            return rx_call_fail(call, -EINVAL, "the bytes are invalid UTF-8");
        rx_buffer_append(out, v.u.text, v.aux);
        return 0;
    case RX_LIST:
        return write_list(call, out, v.u.list, depth);
    case RX_MAP:
    case RX_RECORD:
        return write_map(call, out, v, depth);
    case RX_TIMESTAMP:
    case RX_DURATION:
    case RX_TYPE:
        return write_quoted_json(call, out, v);
    case RX_OPTIONAL:
        return rx_call_fail(call, -EINVAL, "an optional cannot be formatted");
    default:
        write_number(out, v);
        return 0;
    }
}

/* ---- clauses ---- */

static bool is_whole(struct rx_value v) { return v.kind == RX_INT || v.kind == RX_UINT; }

static int unfit(struct rx_call *call, char clause, const char *needs, struct rx_value v)
{
    return rx_call_fail(call, -EINVAL, "%%%c needs %s, here is %s", clause, needs, rx_kind_name((enum rx_kind)v.kind));
}

/* Digits in base 2, 8 or 16, with a minus before negative ones. */
static void write_base(struct rx_buffer *out, struct rx_value v, unsigned shift, bool upper)
{
    char digits[64];
    size_t at = sizeof digits;
    bool negative = v.kind == RX_INT && v.u.i < 0;
    uint64_t left = negative ? 0 - v.u.u : v.kind == RX_BOOL ? v.u.b : v.u.u;
    do {
        digits[--at] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[left & ((1u << shift) - 1)];
        left >>= shift;
    } while (left);
    rx_buffer_text(out, negative ? "-" : "");
    rx_buffer_append(out, digits + at, sizeof digits - at);
}

static int write_hex(struct rx_call *call, struct rx_buffer *out, struct rx_value v, bool upper)
{
    if (is_whole(v)) {
        write_base(out, v, 4, upper);
        return 0;
    }
    if (v.kind != RX_STRING && v.kind != RX_BYTES)
        return unfit(call, upper ? 'X' : 'x', "a whole number, a string or bytes", v);
    for (uint32_t i = 0; i < v.aux; i++)
        rx_buffer_printf(out, upper ? "%02X" : "%02x", (unsigned char)v.u.text[i]);
    return 0;
}

static int write_fixed(struct rx_call *call, struct rx_buffer *out, struct rx_value v, char clause, int precision)
{
    if (!is_whole(v) && v.kind != RX_DOUBLE)
        return unfit(call, clause, "a number", v);
    double d = v.kind == RX_DOUBLE ? v.u.d : v.kind == RX_INT ? (double)v.u.i : (double)v.u.u;
    if (!isfinite(d))
        write_number(out, rx_double(d));
    else if (clause == 'f')
        rx_buffer_printf(out, "%.*f", precision, d);
    else
        rx_buffer_printf(out, "%.*e", precision, d);
    return 0;
}

static int write_clause(struct rx_call *call, struct rx_buffer *out, char clause, int precision, struct rx_value v)
{
    switch (clause) {
    case 's':
        return write_value(call, out, v, 0);
    case 'd':
        if (!is_whole(v) && v.kind != RX_DOUBLE)
            return unfit(call, clause, "a whole number", v);
        write_number(out, v);
        return 0;
    case 'f':
    case 'e':
        return write_fixed(call, out, v, clause, precision < 0 ? 6 : precision);
    case 'b':
        if (!is_whole(v) && v.kind != RX_BOOL)
            return unfit(call, clause, "a whole number or a bool", v);
        write_base(out, v, 1, false);
        return 0;
    case 'o':
        if (!is_whole(v))
            return unfit(call, clause, "a whole number", v);
        write_base(out, v, 3, false);
        return 0;
    case 'x':
    case 'X':
        return write_hex(call, out, v, clause == 'X');
    default:
        return rx_call_fail(call, -EINVAL, "%%%c is no clause of format; there are %%s %%d %%f %%e %%b %%x %%X %%o",
                            clause > ' ' && clause < 0x7F ? clause : '?');
    }
}

/* The digits after the dot, -1: none written, -2: too many. */
static int parse_precision(const char **p, const char *end)
{
    int precision = 0;
    if (*p == end || **p != '.')
        return -1;
    for (++*p; *p < end && **p >= '0' && **p <= '9'; ++*p)
        if ((precision = precision * 10 + (**p - '0')) > PRECISION_MAX)
            return -2;
    return precision;
}

static int format_into(struct rx_call *call, struct rx_value text, const struct rx_list *values, struct rx_buffer *out)
{
    const char *p = text.u.text, *end = p + text.aux;
    uint32_t next = 0;
    while (p < end) {
        const char *percent = memchr(p, '%', (size_t)(end - p));
        rx_buffer_append(out, p, (size_t)((percent ? percent : end) - p));
        if (!percent)
            break;
        p = percent + 1;
        if (p < end && *p == '%') {
            rx_buffer_text(out, "%");
            p++;
            continue;
        }
        int precision = parse_precision(&p, end);
        if (p == end || precision == -2)
            return rx_call_fail(
                call, -EINVAL, precision == -2 ? "more than 100 digits asked for" : "the text ends inside a %% clause");
        if (next == values->count)
            return rx_call_fail(call, -EINVAL, "index %u out of range: there are fewer values than %% clauses", next);
        int r = write_clause(call, out, *p++, precision, values->items[next++]);
        if (r < 0)
            return r;
    }
    return 0;
}

int rx_function_format(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    struct rx_buffer out = {0};
    int r = format_into(call, args[0], args[1].u.list, &out);
    if (r == 0) {
        *ret = out.failed ? rx_null() : rx_call_string(call, out.data ? out.data : "", out.length);
        r = ret->kind == RX_STRING ? 0 : -ENOMEM;
    }
    rx_buffer_finish(&out);
    return r;
}
