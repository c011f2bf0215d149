/* Scalars as users spell them: durations, sizes, truth values. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/option/option_private.h"

struct unit {
    const char *name;
    uint64_t scale;
};

static const struct unit duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xC2\xB5s", 1000}, /* micro sign */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60) * 1000000000},
    {"h", UINT64_C(3600) * 1000000000},
    {"d", UINT64_C(86400) * 1000000000},
    {"w", UINT64_C(604800) * 1000000000},
    {NULL, 0},
};

static const struct unit size_units[] = {
    {"B", 1},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", UINT64_C(1000000000000)},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {NULL, 0},
};

struct shown shown_text(const char *text)
{
    struct shown shown;
    size_t length = strlen(text), room = sizeof shown.text - 4;
    size_t cut = length <= room ? length : room;
    while (cut < length && cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    snprintf(shown.text, sizeof shown.text, "%.*s%s", (int)cut, text, cut < length ? "..." : "");
    return shown;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80; }

/* "12" or "1.5": whole part and fraction exact, scaled by the unit that follows. */
struct quantity {
    uint64_t whole;
    uint64_t fraction, divisor; /* fraction / divisor */
    const char *unit;
    size_t unit_length;
};

/* Reads one quantity. Answers where it ends, or NULL when there is none or it does not fit. */
static const char *read_quantity(const char *text, struct quantity *ret)
{
    struct quantity q = {.divisor = 1};
    if (!is_digit(*text))
        return NULL;
    for (; is_digit(*text); text++)
        if (__builtin_mul_overflow(q.whole, 10u, &q.whole) ||
            __builtin_add_overflow(q.whole, (uint64_t)(*text - '0'), &q.whole))
            return NULL;
    if (*text == '.' && is_digit(text[1])) {
        for (text++; is_digit(*text); text++) {
            if (q.divisor < 1000000000u) {
                q.fraction = q.fraction * 10 + (uint64_t)(*text - '0');
                q.divisor *= 10;
            }
        }
    }
    while (*text == ' ')
        text++;
    q.unit = text;
    while (is_letter(*text))
        text++;
    q.unit_length = (size_t)(text - q.unit);
    *ret = q;
    return text;
}

static const struct unit *find_unit(const struct unit *units, const struct quantity *q, bool any_case)
{
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strlen(unit->name) != q->unit_length)
            continue;
        int differs =
            any_case ? strncasecmp(unit->name, q->unit, q->unit_length) : strncmp(unit->name, q->unit, q->unit_length);
        if (differs == 0)
            return unit;
    }
    return NULL;
}

static int scale_quantity(const struct quantity *q, uint64_t scale, uint64_t *ret)
{
    uint64_t whole;
    if (__builtin_mul_overflow(q->whole, scale, &whole))
        return -ERANGE;
    double fraction = (double)q->fraction / (double)q->divisor * (double)scale;
    return __builtin_add_overflow(whole, (uint64_t)llround(fraction), ret) ? -ERANGE : 0;
}

static int bad_duration(const char *text, struct rx_error *reterr)
{
    struct quantity q;
    const char *rest = read_quantity(text, &q);
    if (rest && *rest == '\0' && q.unit_length == 0) {
        rx_error_set(reterr, -EINVAL, "a duration needs a unit, found `%s`", shown_text(text).text);
        rx_error_hint(reterr, "write %ss for seconds, %sms for milliseconds", shown_text(text).text,
                      shown_text(text).text);
        return -EINVAL;
    }
    rx_error_set(reterr, -EINVAL, "expected a duration, found `%s`", shown_text(text).text);
    rx_error_hint(reterr, "write a number with a unit: 500ms, 5s, 1m30s, 1h, 2d");
    return -EINVAL;
}

int rx_parse_duration(const char *text, rx_time *ret, struct rx_error *reterr)
{
    uint64_t total = 0;
    const char *at = text;
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return 0;
    }
    do {
        struct quantity q;
        at = read_quantity(at, &q);
        const struct unit *unit = at ? find_unit(duration_units, &q, false) : NULL;
        uint64_t part;
        if (!unit)
            return bad_duration(text, reterr);
        if (scale_quantity(&q, unit->scale, &part) < 0 || __builtin_add_overflow(total, part, &total) ||
            total > INT64_MAX)
            return rx_error_set(reterr, -ERANGE, "the duration `%s` is too long: at most 292 years",
                                shown_text(text).text);
        while (*at == ' ')
            at++;
    } while (*at);
    *ret = (rx_time)total;
    return 0;
}

int rx_parse_size(const char *text, uint64_t *ret, struct rx_error *reterr)
{
    struct quantity q;
    const char *rest = read_quantity(text, &q);
    const struct unit *unit = rest && *rest == '\0' && q.unit_length ? find_unit(size_units, &q, true) : NULL;
    bool plain = rest && *rest == '\0' && q.unit_length == 0 && q.fraction == 0;
    if (!unit && !plain) {
        rx_error_set(reterr, -EINVAL, "expected a size, found `%s`", shown_text(text).text);
        rx_error_hint(reterr, "write bytes, or a number with a unit: 4096, 64KiB, 10MB");
        return -EINVAL;
    }
    uint64_t size;
    if (scale_quantity(&q, unit ? unit->scale : 1, &size) < 0)
        return rx_error_set(reterr, -ERANGE, "the size `%s` is too large", shown_text(text).text);
    *ret = size;
    return 0;
}

int rx_parse_bool(const char *text, bool *ret, struct rx_error *reterr)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < 3; i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return rx_error_set(reterr, -EINVAL, "expected true or false, found `%s`", shown_text(text).text);
}

void rx_format_duration(rx_time time, char *out, size_t size)
{
    static const struct unit units[] = {{"d", UINT64_C(86400) * 1000000000},
                                        {"h", UINT64_C(3600) * 1000000000},
                                        {"m", UINT64_C(60) * 1000000000},
                                        {"s", 1000000000},
                                        {"ms", 1000000},
                                        {"us", 1000},
                                        {"ns", 1}};
    uint64_t left = time < 0 ? 0 - (uint64_t)time : (uint64_t)time;
    char text[96];
    size_t used = 0;
    if (time < 0)
        text[used++] = '-';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (left < units[i].scale)
            continue;
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%" PRIu64 "%s", left / units[i].scale, units[i].name);
        left %= units[i].scale;
    }
    snprintf(out, size, "%s", time == 0 ? "0s" : text);
}

void rx_format_size(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)bytes;
    size_t unit = 0;
    for (; amount >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        amount /= 1024;
    snprintf(out, size, unit > 0 && amount < 100 ? "%.1f %s" : "%.0f %s", amount, units[unit]);
}
