/* The zones of an expression: each is read once and kept. */
#include "core/value/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/functions.h"

enum { CACHE = 8 };

struct rx_zone_cache {
    struct {
        char name[RX_ZONE_NAME_MAX];
        struct rx_zone *zone;
    } kept[CACHE];
    unsigned next;
};

void rx_zone_cache_destroy(struct rx_zone_cache *cache)
{
    for (unsigned i = 0; cache && i < CACHE; i++)
        rx_zone_destroy(cache->kept[i].zone);
    free(cache);
}

static const struct rx_zone *find(const struct rx_zone_cache *cache, const char *name)
{
    for (unsigned i = 0; i < CACHE && name[0]; i++)
        if (strcmp(cache->kept[i].name, name) == 0)
            return cache->kept[i].zone;
    return NULL;
}

static int load(struct rx_zone_cache *cache, const char *name, const struct rx_zone **ret)
{
    struct rx_zone *zone = NULL;
    int r = *name ? rx_zone_load(name, &zone) : -EINVAL;
    if (r < 0)
        return r;
    unsigned place = cache->next++ % CACHE;
    rx_zone_destroy(cache->kept[place].zone);
    cache->kept[place].zone = zone;
    memcpy(cache->kept[place].name, name, strlen(name) + 1);
    *ret = zone;
    return 0;
}

int rx_zone_offset(struct rx_call *call, struct rx_value zone, int64_t seconds, int *ret_offset)
{
    struct rx_expr *e = call->expr;
    char name[RX_ZONE_NAME_MAX] = "";
    if (rx_zone_fixed(zone.u.text, zone.aux, ret_offset))
        return 0;
    if (zone.aux < sizeof name)
        memcpy(name, zone.u.text, zone.aux);
    *ret_offset = 0;
    if (zone.aux == 0 || strcmp(name, "UTC") == 0)
        return 0;
    if (!e->zones && !(e->zones = calloc(1, sizeof *e->zones)))
        return -ENOMEM;
    const struct rx_zone *found = find(e->zones, name);
    if (!found) {
        int r = rx_call_charge(call, 20000); /* a file is read */
        if (r < 0 || (r = load(e->zones, name, &found)) < 0)
            return r != -EINVAL
                       ? r
                       : rx_call_fail(call, r, "there is no time zone \"%.*s\"; write \"Europe/Berlin\" or \"+02:00\"",
                                      zone.aux < 40 ? (int)zone.aux : 40, zone.u.text);
    }
    *ret_offset = rx_zone_offset_at(found, seconds);
    return 0;
}
