/* Samples that go on into later windows. */
#include "core/aggregate/carry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/aggregate/aggregation_private.h"

static void drop_oldest(struct rx_carry_log *log, uint32_t n)
{
    memmove(log->items, log->items + n, (log->count - n) * sizeof *log->items);
    log->count -= n;
}

static int append(struct rx_carry_log *log, struct rx_carry sample)
{
    if (log->count == RX_CARRIES_MAX)
        drop_oldest(log, RX_CARRIES_MAX / 10);
    if (log->count == log->room) {
        uint32_t room = log->room ? log->room * 2 : 1;
        struct rx_carry *grown = realloc(log->items, room * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        log->items = grown;
        log->room = room;
    }
    log->items[log->count++] = sample;
    return 0;
}

/* Whether no window begins between the two. */
static bool same_stretch(rx_time a, rx_time b, rx_time start, rx_time apart)
{
    if (apart == RX_TIME_NEVER || a == b)
        return true;
    if (apart == 0)
        return false;
    rx_time from = (a - start) % apart, base = a - (from < 0 ? from + apart : from);
    return b >= base && b - base < apart;
}

static int note(struct rx_carry_log *log, struct rx_carry sample, rx_time start, rx_time apart)
{
    struct rx_carry *last = log->count ? &log->items[log->count - 1] : NULL;
    if (last && sample.time < last->time)
        return 0;
    if (!last || !same_stretch(last->time, sample.time, start, apart))
        return append(log, sample);
    *last = sample;
    return 0;
}

static int make_logs(struct rx_carries *c, size_t count)
{
    if (c->count)
        return c->count == count ? 0 : -EBADMSG;
    c->logs = calloc(count, sizeof *c->logs);
    if (!c->logs)
        return -ENOMEM;
    c->count = count;
    return 0;
}

int rx_carries_note(struct rx_carries *c, const struct rx_aggregation *a, const struct rx_accumulator *accumulators,
                    rx_time start, rx_time apart)
{
    struct rx_carry last[RX_AGGREGATES_MAX] = {{0}};
    int r = make_logs(c, a->count);
    rx_aggregation_carry(a, accumulators, last);
    for (size_t i = 0; i < a->count && r == 0; i++)
        if (last[i].known)
            r = note(&c->logs[i], last[i], start, apart);
    return r;
}

void rx_carries_find(const struct rx_carries *c, rx_time start, rx_time apart, struct rx_carry *ret, size_t count)
{
    memset(ret, 0, count * sizeof *ret);
    for (size_t i = 0; i < count && i < c->count; i++) {
        const struct rx_carry_log *log = &c->logs[i];
        uint32_t n = log->count;
        while (n > 0 && apart != RX_TIME_NEVER && log->items[n - 1].time >= start)
            n--;
        if (n > 0)
            ret[i] = log->items[n - 1];
    }
}

void rx_carries_prune(struct rx_carries *c, rx_time start, rx_time apart)
{
    if (apart == RX_TIME_NEVER)
        return;
    for (size_t i = 0; i < c->count; i++) {
        struct rx_carry_log *log = &c->logs[i];
        uint32_t n = 0;
        while (n + 1 < log->count && log->items[n + 1].time < start + apart)
            n++;
        if (n > 0)
            drop_oldest(log, n);
    }
}

void rx_carries_finish(struct rx_carries *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->logs[i].items);
    free(c->logs);
    *c = (struct rx_carries){0};
}

void rx_carries_save(const struct rx_carries *c, struct rx_writer *w)
{
    rx_write_uint(w, c->count);
    for (size_t i = 0; i < c->count; i++) {
        rx_write_uint(w, c->logs[i].count);
        for (uint32_t k = 0; k < c->logs[i].count; k++) {
            rx_write_int(w, c->logs[i].items[k].time);
            rx_write_double(w, c->logs[i].items[k].value);
        }
    }
}

static void load_log(struct rx_carry_log *log, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct rx_carry sample = {.time = rx_read_int(r), .known = true};
        sample.value = rx_read_double(r);
        if (!rx_reader_failed(r) && append(log, sample) < 0)
            rx_reader_fail(r, -ENOMEM);
    }
}

int rx_carries_load(struct rx_carries *c, struct rx_reader *r)
{
    uint64_t count = rx_read_uint(r);
    if (count > RX_AGGREGATES_MAX)
        rx_reader_fail(r, -EBADMSG);
    if (!rx_reader_failed(r) && count > 0 && make_logs(c, (size_t)count) < 0)
        rx_reader_fail(r, -ENOMEM);
    for (size_t i = 0; i < c->count && !rx_reader_failed(r); i++)
        load_log(&c->logs[i], r);
    return r->failed;
}
