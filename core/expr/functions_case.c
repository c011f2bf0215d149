/* Lower and upper case by Unicode, code point by code point: neither the language nor the place in a word counts. */
#include <errno.h>
#include <string.h>

#include "core/expr/functions.h"
#include "core/expr/unicode_case.h"

struct mapping {
    const struct case_range *ranges;
    const struct case_text *texts;
    size_t range_count, text_count;
    char first; /* of the 26 ASCII letters that change */
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
static const struct mapping to_lower = {lower_ranges, lower_texts, COUNT(lower_ranges), COUNT(lower_texts), 'A'};
static const struct mapping to_upper = {upper_ranges, upper_texts, COUNT(upper_ranges), COUNT(upper_texts), 'a'};

static uint32_t map_code(const struct mapping *mapping, uint32_t code)
{
    size_t low = 0, high = mapping->range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct case_range *range = &mapping->ranges[middle];
        if (code > range->last)
            low = middle + 1;
        else if (code < range->first)
            high = middle;
        else
            return (code - range->first) % range->step ? code : (uint32_t)((int64_t)code + range->difference);
    }
    return code;
}

static const char *map_text(const struct mapping *mapping, uint32_t code)
{
    for (size_t i = 0; i < mapping->text_count && mapping->texts[i].code <= code; i++)
        if (mapping->texts[i].code == code)
            return mapping->texts[i].text;
    return NULL;
}

/* One code point from `p`, which is not ASCII; answers its length. */
static size_t put_mapped(const struct mapping *mapping, const char *p, const char *end, struct rx_buffer *out)
{
    unsigned size;
    char bytes[4];
    uint32_t code = rx_utf8_get(p, end, &size), mapped = map_code(mapping, code);
    const char *text = mapped == code ? map_text(mapping, code) : NULL;
    if (text)
        rx_buffer_text(out, text);
    else
        rx_buffer_append(out, bytes, rx_utf8_put(bytes, mapped));
    return size;
}

static int change(struct rx_call *call, const struct mapping *mapping, struct rx_value text, struct rx_value *ret)
{
    struct rx_buffer out = {0};
    const char *p = text.u.text, *end = p + text.aux;
    if (rx_call_charge(call, 2 * (uint64_t)text.aux) < 0) /* beyond ASCII each code point is looked up */
        return -ETIME;
    rx_buffer_reserve(&out, text.aux);
    while (p < end && !out.failed) {
        if ((unsigned char)*p >= 0x80) {
            p += put_mapped(mapping, p, end, &out);
            continue;
        }
        bool letter = *p >= mapping->first && *p < mapping->first + 26;
        char byte = letter ? (char)(*p ^ 0x20) : *p;
        rx_buffer_append(&out, &byte, 1);
        p++;
    }
    *ret = out.failed ? rx_null() : rx_call_string(call, out.data ? out.data : "", out.length);
    rx_buffer_finish(&out);
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

int rx_function_lower(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return change(call, &to_lower, args[0], ret);
}

int rx_function_upper(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return change(call, &to_upper, args[0], ret);
}
