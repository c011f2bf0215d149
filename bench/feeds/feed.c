/* Feeds, the same for the same arguments, a line each on the standard output.
 *   bench_feed sensors COUNT [KEYS]      the main job's: 95 bytes of JSON, five fields, KEYS devices (1,000) in random order
 *   bench_feed nexmark COUNT [RATE]      people, auctions and bids as JSON, RATE of them a second of event time (20,000)
 *   bench_feed numbers COUNT             {"k":17,"v":3.25}: 100 keys
 *   bench_feed rows COUNT                the billion-row job's: STATION,CELSIUS of 413 stations */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"

static uint64_t state = 88172645463325252u;

uint64_t feed_random_below(uint64_t limit)
{
    state ^= state << 13; /* Marsaglia, "Xorshift RNGs", 2003 */
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 16) % limit;
}

static void sensors(uint64_t count, uint64_t keys)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t celsius = 1500 + feed_random_below(1500);
        printf("{\"device\":\"sensor-%04llu\",\"ts\":%llu,\"metric\":\"temperature\",\"value\":%llu.%02llu,\"status\":"
               "\"ok\"}\n",
               (unsigned long long)feed_random_below(keys), (unsigned long long)(1700000000000 + i),
               (unsigned long long)celsius / 100, (unsigned long long)celsius % 100);
    }
}

static void numbers(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        printf("{\"k\":%llu,\"v\":%llu.%llu}\n", (unsigned long long)feed_random_below(100),
               (unsigned long long)feed_random_below(100), 25 * (unsigned long long)feed_random_below(4));
}

static void rows(uint64_t count)
{
    enum { STATIONS = 413 };
    for (uint64_t i = 0; i < count; i++) {
        unsigned station = (unsigned)feed_random_below(STATIONS);
        int tenths = (int)(station * 37 % 400) - 100 + (int)feed_random_below(300);
        printf("Station %c%c %u,%s%d.%d\n", 'A' + station % 26, 'a' + station / 26, station * 7919 % 100003,
               tenths < 0 ? "-" : "", abs(tenths) / 10, abs(tenths) % 10);
    }
}

int main(int argc, char **argv)
{
    const char *kind = argc > 2 ? argv[1] : "";
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, given = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    if (count && strcmp(kind, "sensors") == 0) {
        sensors(count, given ? given : 1000);
    } else if (count && strcmp(kind, "nexmark") == 0) {
        feed_nexmark(count, given ? given : 20000);
    } else if (count && strcmp(kind, "numbers") == 0) {
        numbers(count);
    } else if (count && strcmp(kind, "rows") == 0) {
        rows(count);
    } else {
        fprintf(stderr, "usage: bench_feed sensors COUNT [KEYS] | nexmark COUNT [RATE] | numbers COUNT | rows COUNT\n");
        return 64;
    }
    return fflush(stdout) != 0;
}
