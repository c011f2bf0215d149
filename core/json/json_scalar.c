/* Texts that may be numbers or truths: cells of tables. */
#include <math.h>

#include "core/json/json_number.h"
#include "core/json/json_private.h"

enum { NUMBER_BYTES = 400 }; /* of the longest text that is looked at as a number */

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

static bool read_number(const char *text, size_t length, struct rx_value *ret)
{
    char copy[NUMBER_BYTES + 1]; /* the scan wants a byte behind a number that cannot be in it */
    struct rx_number n;
    struct rx_buffer scratch = {0};
    const char *behind = rx_number_quick(text, text, text + length, ret);
    if (behind)
        return behind == text + length;
    if (length > NUMBER_BYTES)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (rx_number_scan(copy, copy + length, &n) != copy + length)
        return false;
    *ret = rx_number_is_int(&n) ? rx_json_int((int64_t)(n.negative ? 0 - n.mantissa : n.mantissa))
                                : rx_double(rx_number_double(&n, &scratch));
    rx_buffer_finish(&scratch);
    return ret->kind == RX_INT || isfinite(ret->u.d);
}

bool rx_json_is_scalar(const char *text, size_t length, struct rx_value *ret)
{
    char first = length ? *text : '\0';
    if ((first >= '0' && first <= '9') || first == '-')
        return read_number(text, length, ret);
    bool truth = first == 't' && is_word(text, length, "true");
    if (!truth && !(first == 'f' && is_word(text, length, "false")))
        return false;
    *ret = rx_bool(truth);
    return true;
}

struct rx_value rx_json_scalar(struct rx_heap *heap, const char *text, size_t length)
{
    struct rx_value scalar;
    return rx_json_is_scalar(text, length, &scalar) ? scalar : rx_string(heap, text, length);
}
