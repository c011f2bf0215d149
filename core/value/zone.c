/* Time zones: fixed offsets, and IANA zones read from the system's compiled files (TZif, RFC 8536).
 *
 * Past a file's last transition the POSIX TZ string in its footer rules. */
#include "core/value/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/value/timestamp.h"

enum { FILE_MAX = 1 << 16 };

/* One turning of the clock in a POSIX TZ string: Mm.w.d, Jn or n, at `second` of local time. */
struct rule {
    char form; /* 'M', 'J', '0' */
    int month, week, day;
    int second;
};

struct rx_zone {
    int64_t *times;
    uint8_t *types;
    int32_t *offsets;
    uint32_t time_count, type_count;
    int standard, summer; /* offsets of the footer */
    bool has_footer, has_summer;
    struct rule start, end;
};

void rx_zone_destroy(struct rx_zone *zone)
{
    if (!zone)
        return;
    free(zone->times);
    free(zone->types);
    free(zone->offsets);
    free(zone);
}

/* ---- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static int read_number(const char **p)
{
    int value = 0;
    while (**p >= '0' && **p <= '9' && value < 100000)
        value = value * 10 + (*(*p)++ - '0');
    return value;
}

/* [+-]hh[:mm[:ss]] in seconds */
static int read_clock(const char **p)
{
    int sign = **p == '-' ? -1 : 1;
    *p += **p == '-' || **p == '+';
    int seconds = read_number(p) * 3600;
    for (int unit = 60; **p == ':' && unit; unit /= 60) {
        ++*p;
        seconds += read_number(p) * unit;
    }
    return sign * seconds;
}

static void skip_name(const char **p)
{
    if (**p == '<') {
        while (**p && **p != '>')
            ++*p;
        *p += **p == '>';
        return;
    }
    while ((**p >= 'a' && **p <= 'z') || (**p >= 'A' && **p <= 'Z'))
        ++*p;
}

static struct rule read_rule(const char **p)
{
    struct rule rule = {.form = '0', .second = 7200};
    *p += **p == ',';
    if (**p == 'M' || **p == 'J')
        rule.form = *(*p)++;
    rule.day = read_number(p);
    if (rule.form == 'M') {
        rule.month = rule.day;
        *p += **p == '.';
        rule.week = read_number(p);
        *p += **p == '.';
        rule.day = read_number(p);
    }
    if (**p == '/') {
        ++*p;
        rule.second = read_clock(p);
    }
    return rule;
}

static void read_footer(struct rx_zone *zone, const char *p)
{
    skip_name(&p);
    if (!*p)
        return;
    zone->standard = -read_clock(&p);
    zone->has_footer = true;
    if (!*p)
        return;
    skip_name(&p);
    zone->summer = *p == ',' ? zone->standard + 3600 : -read_clock(&p);
    zone->start = read_rule(&p);
    zone->end = read_rule(&p);
    zone->has_summer = true;
}

/* Local seconds since the epoch at which a rule turns the clock in `year`. */
static int64_t rule_time(const struct rule *rule, int64_t year)
{
    int64_t first = rx_days_from_civil(year, 1, 1);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (rule->form == 'J')
        return (first + rule->day - 1 + (leap && rule->day > 59)) * 86400 + rule->second;
    if (rule->form == '0')
        return (first + rule->day) * 86400 + rule->second;
    unsigned month = rule->month < 1 ? 1 : rule->month > 12 ? 12 : (unsigned)rule->month;
    int64_t day = rx_days_from_civil(year, month, 1);
    int64_t next = month == 12 ? rx_days_from_civil(year + 1, 1, 1) : rx_days_from_civil(year, month + 1, 1);
    int64_t weekday = ((day + 4) % 7 + 7) % 7;
    day += (rule->day - weekday + 7) % 7 + (int64_t)(rule->week - 1) * 7;
    while (day >= next)
        day -= 7;
    return day * 86400 + rule->second;
}

static int footer_offset(const struct rx_zone *zone, int64_t seconds)
{
    if (!zone->has_summer)
        return zone->standard;
    int64_t local = seconds + zone->standard, year;
    unsigned month, day;
    rx_civil_from_days((local - (local % 86400 + 86400) % 86400) / 86400, &year, &month, &day);
    int64_t start = rule_time(&zone->start, year) - zone->standard, end = rule_time(&zone->end, year) - zone->summer;
    bool summer = start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
    return summer ? zone->summer : zone->standard;
}

/* ---- the file ---- */

static uint32_t big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big64(const unsigned char *p) { return (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4)); }

struct header {
    uint32_t isut, isstd, leaps, times, types, chars;
};

static bool read_header(const unsigned char *p, size_t size, struct header *h)
{
    if (size < 44 || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    *h = (struct header){big32(p + 20), big32(p + 24), big32(p + 28), big32(p + 32), big32(p + 36), big32(p + 40)};
    return (h->isut | h->isstd | h->leaps | h->times | h->types | h->chars) < FILE_MAX && h->types > 0 &&
           h->types < 256;
}

static size_t body_size(const struct header *h, size_t time_size)
{
    return h->times * (time_size + 1) + h->types * 6 + h->chars + h->leaps * (time_size + 4) + h->isstd + h->isut;
}

/* The second (64-bit) block of a file: the first is for readers of the previous century. */
static int parse(struct rx_zone *zone, const unsigned char *p, size_t size)
{
    struct header h;
    if (!read_header(p, size, &h) || 44 + body_size(&h, 4) > size)
        return -EINVAL;
    size_t skip = 44 + body_size(&h, 4);
    p += skip;
    size -= skip;
    if (!read_header(p, size, &h) || 44 + body_size(&h, 8) > size)
        return -EINVAL;
    zone->times = calloc(h.times + 1, sizeof *zone->times);
    zone->types = calloc(h.times + 1, 1);
    zone->offsets = calloc(h.types, sizeof *zone->offsets);
    if (!zone->times || !zone->types || !zone->offsets)
        return -ENOMEM;
    const unsigned char *body = p + 44, *types = body + h.times * 8, *infos = types + h.times;
    for (uint32_t i = 0; i < h.times; i++) {
        zone->times[i] = big64(body + 8 * (size_t)i);
        zone->types[i] = types[i] < h.types ? types[i] : 0;
    }
    for (uint32_t i = 0; i < h.types; i++)
        zone->offsets[i] = (int32_t)big32(infos + 6 * (size_t)i);
    zone->time_count = h.times;
    zone->type_count = h.types;
    char footer[128];
    const unsigned char *text = p + 44 + body_size(&h, 8) + 1, *end = p + size;
    size_t length = 0;
    while (text < end && *text != '\n' && length + 1 < sizeof footer)
        footer[length++] = (char)*text++;
    footer[length] = '\0';
    read_footer(zone, footer);
    return 0;
}

/* "Area/Place": no way out of the zone folder. */
static bool is_zone_name(const char *name)
{
    if (!((name[0] >= 'A' && name[0] <= 'Z') || (name[0] >= 'a' && name[0] <= 'z')))
        return false;
    for (; *name; name++)
        if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') ||
              *name == '/' || *name == '_' || *name == '-' || *name == '+'))
            return false;
    return true;
}

static int load(struct rx_zone *zone, const char *name)
{
    char path[128];
    unsigned char *data = malloc(FILE_MAX);
    if (!data)
        return -ENOMEM;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    errno = 0;
    FILE *file = is_zone_name(name) ? fopen(path, "rbe") : NULL;
    bool starved = !file && errno == ENOMEM;
    size_t size = file ? fread(data, 1, FILE_MAX, file) : 0;
    if (file)
        fclose(file);
    int r = size ? parse(zone, data, size) : starved ? -ENOMEM : -EINVAL;
    free(data);
    return r;
}

int rx_zone_offset_at(const struct rx_zone *zone, int64_t seconds)
{
    uint32_t low = 0, high = zone->time_count;
    if (high && seconds >= zone->times[high - 1] && zone->has_footer)
        return footer_offset(zone, seconds);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    if (low)
        return zone->offsets[zone->types[low - 1]];
    return zone->time_count || !zone->has_footer ? zone->offsets[0] : footer_offset(zone, seconds);
}

bool rx_zone_fixed(const char *text, size_t length, int *ret)
{
    int sign = length && text[0] == '-' ? -1 : 1;
    size_t at = length && (text[0] == '-' || text[0] == '+');
    if (length - at != 5 || text[at + 2] != ':')
        return false;
    for (size_t i = at; i < length; i++)
        if (i != at + 2 && (text[i] < '0' || text[i] > '9'))
            return false;
    int hours = (text[at] - '0') * 10 + text[at + 1] - '0', minutes = (text[at + 3] - '0') * 10 + text[at + 4] - '0';
    *ret = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

int rx_zone_load(const char *name, struct rx_zone **ret)
{
    struct rx_zone *zone = calloc(1, sizeof *zone);
    int fixed = 0, r = zone ? 0 : -ENOMEM;
    if (zone && (rx_zone_fixed(name, strlen(name), &fixed) || !*name || strcmp(name, "UTC") == 0)) {
        zone->has_footer = true;
        zone->standard = fixed;
    } else if (zone) {
        r = load(zone, name);
    }
    if (r < 0)
        rx_zone_destroy(zone);
    else
        *ret = zone;
    return r;
}

/* No clock turns twice within two days. */
int64_t rx_zone_from_local(const struct rx_zone *zone, int64_t local)
{
    int before = rx_zone_offset_at(zone, local - 86400), after = rx_zone_offset_at(zone, local + 86400);
    if (rx_zone_offset_at(zone, local - before) == before)
        return local - before;
    return rx_zone_offset_at(zone, local - after) == after ? local - after : local - before;
}
