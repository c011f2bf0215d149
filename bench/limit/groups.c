/* Groups in an open table, a cache line each, and windows of 5 s by the clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "limit.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const int64_t window_ns = 5000000000;

struct group {
    char device[LIMIT_KEY];
    uint32_t hash;
    uint8_t length; /* 0: free */
    uint32_t count;
    double sum, max;
};

struct limit_groups {
    struct group *slots;
    size_t mask, used;
    size_t *order; /* slots as they came: results stand in that order */
    int64_t start, end;
    int out;
    char buffer[65536];
    size_t buffered;
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void make_slots(struct limit_groups *groups, size_t count)
{
    groups->slots = must(aligned_alloc(64, count * sizeof *groups->slots));
    memset(groups->slots, 0, count * sizeof *groups->slots);
    groups->order = must(malloc(count * sizeof *groups->order));
    groups->mask = count - 1;
}

struct limit_groups *limit_groups_create(int out)
{
    struct limit_groups *groups = must(calloc(1, sizeof *groups));
    groups->out = out;
    make_slots(groups, 4096);
    return groups;
}

void limit_groups_destroy(struct limit_groups *groups)
{
    free(groups->slots);
    free(groups->order);
    free(groups);
}

static void grow(struct limit_groups *groups)
{
    struct group *old = groups->slots;
    size_t *order = groups->order;
    make_slots(groups, (groups->mask + 1) * 2);
    for (size_t i = 0; i < groups->used; i++) {
        const struct group *from = &old[order[i]];
        size_t at = from->hash & groups->mask;
        while (groups->slots[at].length)
            at = (at + 1) & groups->mask;
        groups->slots[at] = *from;
        groups->order[i] = at;
    }
    free(old);
    free(order);
}

static struct group *find(struct limit_groups *groups, struct limit_text device)
{
    uint32_t hash = (uint32_t)XXH3_64bits(device.data, device.length);
    size_t at = hash & groups->mask;
    for (struct group *slot;; at = (at + 1) & groups->mask) {
        slot = &groups->slots[at];
        if (!slot->length)
            break;
        if (slot->hash == hash && slot->length == device.length &&
            memcmp(slot->device, device.data, device.length) == 0)
            return slot;
    }
    if (groups->used * 2 > groups->mask) {
        grow(groups);
        return find(groups, device);
    }
    groups->order[groups->used++] = at;
    groups->slots[at] = (struct group){.hash = hash, .length = (uint8_t)device.length, .max = -1e308};
    memcpy(groups->slots[at].device, device.data, device.length);
    return &groups->slots[at];
}

void limit_groups_add(struct limit_groups *groups, const struct limit_message *message)
{
    static const char wanted[] = "temperature";
    if (message->metric.length != sizeof wanted - 1 || memcmp(message->metric.data, wanted, sizeof wanted - 1) != 0 ||
        message->device.length - 1 >= LIMIT_KEY)
        return;
    struct group *group = find(groups, message->device);
    group->sum += message->value;
    group->max = message->value > group->max ? message->value : group->max;
    group->count++;
}

static void write_out(struct limit_groups *groups)
{
    for (size_t at = 0; at < groups->buffered;) {
        ssize_t n = write(groups->out, groups->buffer + at, groups->buffered - at);
        if (n < 0)
            abort();
        at += (size_t)n;
    }
    groups->buffered = 0;
}

static void put_result(struct limit_groups *groups, const struct group *group)
{
    char start[32], end[32];
    time_t from = (time_t)(groups->start / 1000000000), to = (time_t)(groups->end / 1000000000);
    strftime(start, sizeof start, "%Y-%m-%dT%H:%M:%SZ", gmtime(&from));
    strftime(end, sizeof end, "%Y-%m-%dT%H:%M:%SZ", gmtime(&to));
    if (groups->buffered > sizeof groups->buffer - 512)
        write_out(groups);
    groups->buffered += (size_t)snprintf(
        groups->buffer + groups->buffered, 512,
        "{\"device\":\"%.*s\",\"avg\":%.17g,\"max\":%.17g,\"n\":%u,\"window\":{\"start\":\"%s\",\"end\":\"%s\"}}\n",
        (int)group->length, group->device, group->sum / group->count, group->max, group->count, start, end);
}

void limit_groups_flush(struct limit_groups *groups)
{
    for (size_t i = 0; i < groups->used; i++)
        put_result(groups, &groups->slots[groups->order[i]]);
    write_out(groups);
    memset(groups->slots, 0, (groups->mask + 1) * sizeof *groups->slots);
    groups->used = 0;
}

void limit_groups_at(struct limit_groups *groups, int64_t now)
{
    if (now < groups->end)
        return;
    limit_groups_flush(groups);
    groups->start = now - now % window_ns;
    groups->end = groups->start + window_ns;
}
