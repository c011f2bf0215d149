/* Repeats: keys in the order in which they came, and a table that finds them. */
#include "core/feed/dedupe.h"

#include <errno.h>
#include <stdlib.h>

enum { ROOM_MIN = 64 };

struct seen {
    uint64_t hash;
    rx_time at;
};

struct rx_dedupe {
    const struct rx_dedupe_options *options;
    struct seen *ring; /* the oldest first; `room` of them */
    uint32_t first, count, room;
    uint32_t *table; /* 2 * room: a place in the ring plus one, by linear probing; 0: free */
};

static const struct rx_option options[] = {
    {.name = "by",
     .help =
         "what events are told apart by: those whose value of it came before are dropped, and counted as `repeated`",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct rx_dedupe_options, by, struct rx_expr *),
     .flags = RX_POSITIONAL | RX_REQUIRED},
    {.name = "max",
     .help = "how many values are remembered; past it the oldest is forgotten",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct rx_dedupe_options, max, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 100000000,
     .flags = RX_STATELESS},
    {.name = "within",
     .help = "how long a value is remembered, from the first event that had it",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct rx_dedupe_options, within, rx_time),
     .fallback = "1h",
     .min = 0.001,
     .max = 366 * 86400.0,
     .flags = RX_STATELESS},
    {0},
};

const struct rx_class rx_dedupe_class = {.name = "dedupe",
                                         .summary = "Drops events that came before",
                                         .options = options,
                                         .state_size = sizeof(struct rx_dedupe_options)};

struct rx_dedupe *rx_dedupe_create(const struct rx_dedupe_options *asked)
{
    struct rx_dedupe *d = calloc(1, sizeof *d);
    if (d)
        d->options = asked;
    return d;
}

void rx_dedupe_destroy(struct rx_dedupe *d)
{
    if (!d)
        return;
    free(d->ring);
    free(d->table);
    free(d);
}

size_t rx_dedupe_count(const struct rx_dedupe *d) { return d->count; }

/* --- The table --- */

static uint32_t mask_of(const struct rx_dedupe *d) { return 2 * d->room - 1; }

static uint64_t hash_at(const struct rx_dedupe *d, uint32_t slot) { return d->ring[d->table[slot] - 1].hash; }

/* Where the hash is, or could be put. */
static uint32_t slot_of(const struct rx_dedupe *d, uint64_t hash)
{
    uint32_t slot = (uint32_t)hash & mask_of(d);
    while (d->table[slot] && hash_at(d, slot) != hash)
        slot = (slot + 1) & mask_of(d);
    return slot;
}

/* Closes the gap that is left, so that no search ends at it (Knuth, TAOCP 3, 6.4, algorithm R). */
static void remove_slot(struct rx_dedupe *d, uint32_t gap)
{
    for (uint32_t slot = (gap + 1) & mask_of(d); d->table[slot]; slot = (slot + 1) & mask_of(d)) {
        uint32_t home = (uint32_t)hash_at(d, slot) & mask_of(d);
        if (((slot - home) & mask_of(d)) < ((slot - gap) & mask_of(d)))
            continue;
        d->table[gap] = d->table[slot];
        gap = slot;
    }
    d->table[gap] = 0;
}

static void forget_oldest(struct rx_dedupe *d)
{
    remove_slot(d, slot_of(d, d->ring[d->first].hash));
    d->first = (d->first + 1) & (d->room - 1);
    d->count--;
}

static void remember(struct rx_dedupe *d, struct seen seen)
{
    uint32_t place = (d->first + d->count) & (d->room - 1);
    d->ring[place] = seen;
    d->table[slot_of(d, seen.hash)] = place + 1;
    d->count++;
}

/* Room for twice as many. */
static bool grow(struct rx_dedupe *d)
{
    struct rx_dedupe bigger = {.room = d->room ? 2 * d->room : ROOM_MIN};
    bigger.ring = malloc(bigger.room * sizeof *bigger.ring);
    bigger.table = calloc(2 * (size_t)bigger.room, sizeof *bigger.table);
    if (!bigger.ring || !bigger.table) {
        free(bigger.ring);
        free(bigger.table);
        return false;
    }
    for (uint32_t i = 0; i < d->count; i++)
        remember(&bigger, d->ring[(d->first + i) & (d->room - 1)]);
    free(d->ring);
    free(d->table);
    bigger.options = d->options;
    *d = bigger;
    return true;
}

/* --- Testing --- */

static int test_hash(struct rx_dedupe *d, uint64_t hash, rx_time now)
{
    while (d->count > 0 && now - d->ring[d->first].at > d->options->within)
        forget_oldest(d);
    if (d->room > 0 && d->table[slot_of(d, hash)])
        return 1;
    if (d->count == (uint64_t)d->options->max)
        forget_oldest(d);
    if (d->count == d->room && !grow(d))
        return -ENOMEM;
    remember(d, (struct seen){hash, now});
    return 0;
}

int rx_dedupe_test(struct rx_dedupe *d, const struct rx_event *event, rx_time now, struct rx_error *reterr)
{
    struct rx_value key;
    int r = rx_expr_eval(d->options->by, &(struct rx_expr_env){.event = event}, &key, reterr);
    if (r == -ENODATA)
        return 0;
    if (r < 0)
        return r == -ENOMEM ? r : -EINVAL;
    if (key.kind != RX_NULL)
        r = test_hash(d, rx_value_hash(key), now);
    rx_value_unref(key);
    return r == -ENOMEM ? rx_error_set(reterr, r, "out of memory") : r;
}

/* --- State --- */

void rx_dedupe_save(const struct rx_dedupe *d, struct rx_writer *w)
{
    rx_write_uint(w, d->count);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct seen *seen = &d->ring[(d->first + i) & (d->room - 1)];
        rx_write_uint(w, seen->hash);
        rx_write_int(w, seen->at);
    }
}

/* Where fewer may be kept now, the oldest are not. */
int rx_dedupe_load(struct rx_dedupe *d, struct rx_reader *r)
{
    uint64_t count = rx_read_uint(r);
    for (uint64_t i = 0; i < count; i++) {
        struct seen seen = {.hash = rx_read_uint(r)};
        seen.at = rx_read_int(r);
        if (rx_reader_failed(r))
            return -EBADMSG;
        if (d->room > 0 && d->table[slot_of(d, seen.hash)])
            return -EBADMSG;
        if (d->count == (uint64_t)d->options->max)
            forget_oldest(d);
        if (d->count == d->room && !grow(d))
            return -ENOMEM;
        remember(d, seen);
    }
    return rx_reader_failed(r) ? -EBADMSG : 0;
}
