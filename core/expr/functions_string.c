/* Functions on text, by code point (langdef, and the strings extension of CEL). */
#include <errno.h>
#include <string.h>

#include "core/expr/functions.h"

/* Bytes before the code point `index`; -1: past the end. */
static int64_t offset_of(struct rx_value text, int64_t index)
{
    const char *p = text.u.text, *end = p + text.aux;
    for (; index > 0 && p < end; index--)
        p += rx_utf8_next(p, (size_t)(end - p));
    return index ? -1 : p - text.u.text;
}

static int bad_index(struct rx_call *call, struct rx_value index)
{
    return rx_call_fail(call, -ERANGE, "index out of range: %lld", (long long)index.u.i);
}

/* The byte offset of an index argument, or a failure. */
static int need_offset(struct rx_call *call, struct rx_value text, struct rx_value index, uint32_t *ret)
{
    int64_t offset = index.u.i < 0 ? -1 : offset_of(text, index.u.i);
    if (offset < 0)
        return bad_index(call, index);
    *ret = (uint32_t)offset;
    return 0;
}

/* Where `part` first stands at or after `from`; -1: nowhere. */
static int64_t find(struct rx_value text, struct rx_value part, uint32_t from)
{
    const char *found =
        part.aux <= text.aux - from ? memmem(text.u.text + from, text.aux - from, part.u.text, part.aux) : NULL;
    return found ? found - text.u.text : -1;
}

static int contains(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_bool(find(args[0], args[1], 0) >= 0);
    return 0;
}

static int starts_with(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_bool(args[1].aux <= args[0].aux && memcmp(args[0].u.text, args[1].u.text, args[1].aux) == 0);
    return 0;
}

static int ends_with(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    uint32_t length = args[1].aux;
    *ret = rx_bool(length <= args[0].aux && memcmp(args[0].u.text + args[0].aux - length, args[1].u.text, length) == 0);
    return 0;
}

static int char_at(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    uint32_t at = 0;
    int r = need_offset(call, args[0], args[1], &at);
    if (r < 0)
        return r;
    size_t left = args[0].aux - at;
    *ret = rx_call_string(call, args[0].u.text + at, left ? rx_utf8_next(args[0].u.text + at, left) : 0);
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

static int index_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    uint32_t from = 0;
    int r = count > 2 ? need_offset(call, args[0], args[2], &from) : 0;
    if (r < 0)
        return r;
    int64_t at = find(args[0], args[1], from);
    *ret = rx_int(at < 0 ? -1 : (int64_t)rx_utf8_count(args[0].u.text, (size_t)at));
    return 0;
}

static int last_index_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    uint32_t last = args[0].aux;
    int r = count > 2 ? need_offset(call, args[0], args[2], &last) : 0;
    if (r < 0)
        return r;
    if (rx_call_charge(call, (uint64_t)args[0].aux * (1 + args[1].aux / 64) / 8) < 0)
        return -ETIME;
    *ret = rx_int(-1);
    if (args[1].aux > args[0].aux)
        return 0;
    if (last > args[0].aux - args[1].aux)
        last = args[0].aux - args[1].aux;
    for (int64_t at = last; at >= 0; at--)
        if (memcmp(args[0].u.text + at, args[1].u.text, args[1].aux) == 0) {
            *ret = rx_int((int64_t)rx_utf8_count(args[0].u.text, (size_t)at));
            break;
        }
    return 0;
}

static int substring(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    uint32_t start = 0, end = args[0].aux;
    int r = need_offset(call, args[0], args[1], &start);
    if (r == 0 && count > 2)
        r = need_offset(call, args[0], args[2], &end);
    if (r < 0)
        return r;
    if (end < start)
        return rx_call_fail(call, -ERANGE, "invalid substring range: start %lld, end %lld", (long long)args[1].u.i,
                            (long long)args[2].u.i);
    *ret = rx_call_string(call, args[0].u.text + start, end - start);
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

/* ---- whole texts ---- */

static int finish_text(struct rx_call *call, struct rx_buffer *buffer, struct rx_value *ret)
{
    *ret = buffer->failed ? rx_null() : rx_call_string(call, buffer->data ? buffer->data : "", buffer->length);
    rx_buffer_finish(buffer);
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

static int change_case(struct rx_call *call, struct rx_value text, char first, struct rx_value *ret)
{
    struct rx_buffer out = {0};
    rx_buffer_append(&out, text.u.text, text.aux);
    for (size_t i = 0; i < out.length; i++)
        if (out.data[i] >= first && out.data[i] < first + 26)
            out.data[i] ^= 0x20;
    return finish_text(call, &out, ret);
}

static int lower_ascii(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return change_case(call, args[0], 'A', ret);
}

static int upper_ascii(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return change_case(call, args[0], 'a', ret);
}

/* White_Space of Unicode */
static bool is_white(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static int trim(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    const char *p = args[0].u.text, *end = p + args[0].aux, *last;
    unsigned size;
    while (p < end && is_white(rx_utf8_get(p, end, &size)))
        p += size;
    last = p;
    for (const char *q = p; q < end; q += size)
        if (!is_white(rx_utf8_get(q, end, &size)))
            last = q + size;
    *ret = rx_call_string(call, p, (size_t)(last - p));
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

/* Appends, within the evaluation's budget. */
static int append(struct rx_call *call, struct rx_buffer *out, const char *text, size_t length)
{
    if (rx_call_charge(call, length / 16) < 0)
        return -ETIME;
    rx_buffer_append(out, text, length);
    return out->failed ? -ENOMEM : 0;
}

/* Replaces up to `limit` times (-1: all). An empty `old` stands before every code point and at the end. */
static int replace_in(struct rx_call *call, const struct rx_value *args, int64_t limit, struct rx_buffer *out)
{
    struct rx_value text = args[0], old = args[1], with = args[2];
    uint32_t at = 0;
    int r = 0;
    while (r == 0 && limit != 0) {
        int64_t found = old.aux ? find(text, old, at) : at;
        if (found < 0)
            break;
        if ((r = append(call, out, text.u.text + at, (size_t)found - at)) == 0)
            r = append(call, out, with.u.text, with.aux);
        at = (uint32_t)found + old.aux;
        limit -= limit > 0;
        if (old.aux == 0) {
            if (at == text.aux)
                break;
            size_t size = rx_utf8_next(text.u.text + at, text.aux - at);
            rx_buffer_append(out, text.u.text + at, size);
            at += (uint32_t)size;
        }
        if (r == 0)
            r = rx_call_charge(call, 4);
    }
    return r < 0 ? r : append(call, out, text.u.text + at, text.aux - at);
}

static int replace(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    struct rx_buffer out = {0};
    int r = replace_in(call, args, count > 3 ? args[3].u.i : -1, &out);
    if (r == 0)
        return finish_text(call, &out, ret);
    rx_buffer_finish(&out);
    return r;
}

static int reverse_text(struct rx_call *call, struct rx_value text, struct rx_value *ret)
{
    struct rx_buffer out = {0};
    rx_buffer_append(&out, text.u.text, text.aux);
    for (size_t at = 0, size; !out.failed && at < text.aux; at += size) {
        size = rx_utf8_next(text.u.text + at, text.aux - at);
        memcpy(out.data + text.aux - at - size, text.u.text + at, size);
    }
    return finish_text(call, &out, ret);
}

static int reverse_list(struct rx_call *call, const struct rx_list *list, struct rx_value *ret)
{
    struct rx_value *items = rx_call_items(call, list->count);
    if (!items)
        return -ENOMEM;
    for (uint32_t i = 0; i < list->count; i++)
        items[i] = rx_value_ref(list->items[list->count - 1 - i]);
    return rx_give_items(call, items, list->count, ret);
}

static int reverse(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return args[0].kind == RX_LIST ? reverse_list(call, args[0].u.list, ret) : reverse_text(call, args[0], ret);
}

/* ---- between texts and lists ---- */

/* The end of the next piece at or after `at`; UINT32_MAX: the rest is one piece. */
static uint32_t next_cut(struct rx_value text, struct rx_value separator, uint32_t at)
{
    if (separator.aux == 0) {
        size_t size = at < text.aux ? rx_utf8_next(text.u.text + at, text.aux - at) : 0;
        return size && at + size < text.aux ? at + (uint32_t)size : UINT32_MAX;
    }
    int64_t found = find(text, separator, at);
    return found < 0 ? UINT32_MAX : (uint32_t)found;
}

static int split(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    int64_t limit = count > 2 ? args[2].u.i : -1;
    uint32_t at = 0, pieces = 1, cut;
    if (limit == 0 || (args[1].aux == 0 && args[0].aux == 0))
        return rx_give_items(call, rx_call_items(call, 0), 0, ret);
    while ((limit < 0 || pieces < limit) && (cut = next_cut(args[0], args[1], at)) != UINT32_MAX) {
        pieces++;
        at = cut + args[1].aux;
    }
    struct rx_value *items = rx_call_charge(call, 3 * (uint64_t)pieces) < 0 ? NULL : rx_call_items(call, pieces);
    if (!items)
        return call->expr->steps > call->expr->budget ? -ETIME : -ENOMEM;
    at = 0;
    for (uint32_t i = 0; i < pieces; i++) {
        cut = i + 1 < pieces ? next_cut(args[0], args[1], at) : args[0].aux;
        items[i] = rx_call_string(call, args[0].u.text + at, cut - at);
        at = cut + args[1].aux;
    }
    return rx_give_items(call, items, pieces, ret);
}

static int join_into(struct rx_call *call, const struct rx_list *list, struct rx_value separator, struct rx_buffer *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct rx_value item = list->items[i];
        if (item.kind != RX_STRING)
            return rx_call_fail(call, -EINVAL, "element %u is no string: no such overload", i);
        int r = i ? append(call, out, separator.u.text, separator.aux) : 0;
        if (r < 0 || (r = append(call, out, item.u.text, item.aux)) < 0)
            return r;
    }
    return 0;
}

static int join(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    struct rx_buffer out = {0};
    int r = join_into(call, args[0].u.list, count > 1 ? args[1] : rx_string_static("", 0), &out);
    if (r == 0)
        return finish_text(call, &out, ret);
    rx_buffer_finish(&out);
    return r;
}

static int quote(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    static const char special[] = "\a\b\f\n\r\t\v\\\"", names[] = "abfnrtv\\\"";
    struct rx_buffer out = {0};
    rx_buffer_text(&out, "\"");
    for (uint32_t i = 0; i < args[0].aux; i++) {
        char c = args[0].u.text[i];
        const char *found = c ? strchr(special, c) : NULL;
        if (found)
            rx_buffer_printf(&out, "\\%c", names[found - special]);
        else
            rx_buffer_append(&out, &c, 1);
    }
    rx_buffer_text(&out, "\"");
    return finish_text(call, &out, ret);
}

#define TEXT  RX_K_STRING
#define INDEX (RX_K_INT | RX_K_JSON)

/* clang-format off */
const struct rx_function rx_functions_string[] = {
    {"contains", RX_F_METHOD, 2, 2, {TEXT, TEXT}, RX_K_BOOL, contains, "text.contains(part)",
     "Does the part stand anywhere in the text?", "\"sensor-7\".contains(\"sor\")", "true"},
    {"startsWith", RX_F_METHOD, 2, 2, {TEXT, TEXT}, RX_K_BOOL, starts_with, "text.startsWith(part)",
     "Does the text begin so?", "\"sensor-7\".startsWith(\"sensor\")", "true"},
    {"endsWith", RX_F_METHOD, 2, 2, {TEXT, TEXT}, RX_K_BOOL, ends_with, "text.endsWith(part)",
     "Does the text end so?", "\"sensor-7\".endsWith(\"-7\")", "true"},
    {"matches", RX_F_METHOD | RX_F_GLOBAL | RX_F_PATTERN, 2, 2, {TEXT, TEXT}, RX_K_BOOL, rx_function_matches,
     "text.matches(\"pattern\")",
     "Does the regular expression (RE2 syntax) match anywhere? Takes time in proportion to the text.",
     "\"sensor-7\".matches(\"^sensor-[0-9]+$\")", "true"},
    {"charAt", RX_F_METHOD, 2, 2, {TEXT, INDEX}, RX_K_STRING, char_at, "text.charAt(index)",
     "The character at an index; empty at the end.", "\"día\".charAt(1)", "\"í\""},
    {"indexOf", RX_F_METHOD, 2, 3, {TEXT, TEXT, INDEX}, RX_K_INT, index_of, "text.indexOf(part)",
     "Where the part first stands (from an index on), or -1.", "\"tacocat\".indexOf(\"a\", 3)", "5"},
    {"indexOf", RX_F_METHOD, 2, 3, {RX_K_LIST, RX_K_ALL, INDEX}, RX_K_INT, rx_function_list_index_of,
     "list.indexOf(value)", "Where the value first stands in a list (from an index on), or -1.",
     "[7, \"a\", 9].indexOf(\"a\")", "1"},
    {"lastIndexOf", RX_F_METHOD, 2, 3, {TEXT, TEXT, INDEX}, RX_K_INT, last_index_of, "text.lastIndexOf(part)",
     "Where the part last stands (up to an index), or -1.", "\"tacocat\".lastIndexOf(\"a\")", "5"},
    {"substring", RX_F_METHOD, 2, 3, {TEXT, INDEX, INDEX}, RX_K_STRING, substring, "text.substring(start, end)",
     "The characters from start up to, not with, end.", "\"tacocat\".substring(4)", "\"cat\""},
    {"lowerAscii", RX_F_METHOD, 1, 1, {TEXT}, RX_K_STRING, lower_ascii, "text.lowerAscii()",
     "A to Z become a to z.", "\"OK\".lowerAscii()", "\"ok\""},
    {"upperAscii", RX_F_METHOD, 1, 1, {TEXT}, RX_K_STRING, upper_ascii, "text.upperAscii()",
     "a to z become A to Z.", "\"ok\".upperAscii()", "\"OK\""},
    {"lower", RX_F_METHOD, 1, 1, {TEXT}, RX_K_STRING, rx_function_lower, "text.lower()",
     "In lower case, by Unicode.", "\"ÄRGER Ω\".lower()", "\"ärger ω\""},
    {"upper", RX_F_METHOD, 1, 1, {TEXT}, RX_K_STRING, rx_function_upper, "text.upper()",
     "In upper case, by Unicode.", "\"Straße\".upper()", "\"STRASSE\""},
    {"trim", RX_F_METHOD, 1, 1, {TEXT}, RX_K_STRING, trim, "text.trim()", "Without white space at both ends.",
     "\"  ok\\n\".trim()", "\"ok\""},
    {"replace", RX_F_METHOD, 3, 4, {TEXT, TEXT, TEXT, INDEX}, RX_K_STRING, replace, "text.replace(old, new)",
     "Every (or the first n) old replaced by new.", "\"a.b.c\".replace(\".\", \"/\", 1)", "\"a/b.c\""},
    {"split", RX_F_METHOD, 2, 3, {TEXT, TEXT, INDEX}, RX_K_LIST, split, "text.split(separator)",
     "The pieces between the separators, at most n.", "\"a/b/c\".split(\"/\")", "[\"a\",\"b\",\"c\"]"},
    {"join", RX_F_METHOD, 1, 2, {RX_K_LIST, TEXT}, RX_K_STRING, join, "list.join(separator)",
     "The strings of a list as one.", "[\"a\", \"b\"].join(\"-\")", "\"a-b\""},
    {"reverse", RX_F_METHOD, 1, 1, {TEXT | RX_K_LIST}, TEXT | RX_K_LIST, reverse, "x.reverse()",
     "A text or a list from its end.", "\"abc\".reverse()", "\"cba\""},
    {"strings.quote", RX_F_GLOBAL, 1, 1, {TEXT}, RX_K_STRING, quote, "strings.quote(text)",
     "The text in double quotes, with escapes.", "strings.quote(\"a\\tb\")", "\"\\\"a\\\\tb\\\"\""},
    {"format", RX_F_METHOD, 2, 2, {TEXT, RX_K_LIST}, RX_K_STRING, rx_function_format, "text.format([values])",
     "%s any value, %d whole, %f and %e with digits (%.2f), %x %X %o %b, %% a percent sign.",
     "\"%s: %.1f\".format([\"t\", 21.55])", "\"t: 21.6\""},
    {0},
};
/* clang-format on */
