/* The limit of the billion-row job (github.com/gunnarmorling/1brc): lines STATION,CELSIUS of a file -> least, mean and greatest of each station.
 *   bench_limit_rows PATH      a line STATION,MIN,MEAN,MAX for each, as they came
 * What it takes for granted and rxd does not: no quotes, a number of one decimal in every row, stations of 1 to 47 bytes, at most 32,768 of
 * them. It checks nothing. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { READ_BYTES = 1 << 18, LINE_BYTES = 128, NAME_BYTES = 48, SLOTS = 1 << 16 };

struct station {
    char name[NAME_BYTES];
    uint32_t length, count;
    int32_t min, max; /* tenths */
    int64_t sum;
};

static struct station slots[SLOTS];
static size_t order[SLOTS], used;

static struct station *find(const char *name, size_t length)
{
    size_t at = XXH3_64bits(name, length) & (SLOTS - 1);
    while (slots[at].length) {
        if (slots[at].length == length && memcmp(slots[at].name, name, length) == 0)
            return &slots[at];
        at = (at + 1) & (SLOTS - 1);
    }
    if (length >= NAME_BYTES || used * 2 == SLOTS)
        abort();
    order[used++] = at;
    memcpy(slots[at].name, name, length);
    slots[at].length = (uint32_t)length;
    slots[at].min = INT32_MAX;
    slots[at].max = INT32_MIN;
    return &slots[at];
}

/* One line; returns the next. */
static const char *take_row(const char *at)
{
    const char *name = at;
    while (*at != ',')
        at++;
    struct station *station = find(name, (size_t)(at - name));
    int32_t sign = *++at == '-' ? -1 : 1, tenths = 0;
    for (at += *at == '-'; *at != '.'; at++)
        tenths = tenths * 10 + *at - '0';
    tenths = sign * (tenths * 10 + at[1] - '0');
    station->count++;
    station->sum += tenths;
    station->min = tenths < station->min ? tenths : station->min;
    station->max = tenths > station->max ? tenths : station->max;
    return at + 3;
}

int main(int argc, char **argv)
{
    static char data[READ_BYTES + LINE_BYTES];
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    size_t kept = 0;
    for (ssize_t n; (n = read(fd, data + kept, READ_BYTES)) > 0;) {
        const char *at = data, *end = data + kept + n;
        while (end - at >= LINE_BYTES || memchr(at, '\n', (size_t)(end - at)))
            at = take_row(at);
        kept = (size_t)(end - at);
        memcpy(data, at, kept);
    }
    for (size_t i = 0; i < used; i++) {
        const struct station *station = &slots[order[i]];
        printf("%.*s,%.1f,%.17g,%.1f\n", (int)station->length, station->name, station->min / 10.0,
               (double)station->sum / 10 / station->count, station->max / 10.0);
    }
    return used == 0;
}
