/* The http step in saved state. What is asked is asked again by who loads it; what is tried later, waits or is done is here. */
#include "operators/requesting.h"

#include <errno.h>

#define FAILURES_MAX INT64_C(1000000000000000) /* of the option retry.count */

static void save_one(const struct await *a, struct rx_writer *w)
{
    rx_write_event(w, &a->event);
    rx_write_uint(w, a->state);
    rx_write_uint(w, a->number);
    rx_write_int(w, a->failures);
    rx_write_int(w, a->due);
    rx_write_uint(w, a->sequence);
    rx_write_uint(w, a->slot);
    rx_write_int(w, a->watermark);
    rx_write_value(w, a->outcome);
    rx_write_value(w, a->url);
    rx_write_value(w, a->request);
    rx_event_queue_save(&a->more, w);
}

int http_save(struct rx_op *op, struct rx_writer *w)
{
    const struct http *h = (const struct http *)op;
    uint64_t count = 0;
    for (const struct await *a = h->all.first; a; a = a->all.next)
        count++;
    rx_write_bool(w, h->completing);
    rx_write_uint(w, count);
    for (const struct await *a = h->all.first; a; a = a->all.next)
        save_one(a, w);
    return 0;
}

/* The calls that are loaded next speak of slots: each takes the one that it had. */
static int take_old_slot(struct http *h, struct await *a, uint64_t slot)
{
    while (slot < (uint64_t)h->concurrency && h->slot_count <= slot)
        if (http_more_slots(h) < 0)
            return -ENOMEM;
    if (slot >= h->slot_count || h->slots[slot])
        return -EBADMSG;
    a->slot = (uint32_t)slot;
    h->slots[slot] = a;
    http_counts(h)->under_way++;
    return 0;
}

static void find_spare(struct http *h)
{
    h->spare_count = 0;
    for (uint32_t i = h->slot_count; i > 0; i--)
        if (!h->slots[i - 1])
            h->spare[h->spare_count++] = i - 1;
}

static void take_place(struct http *h, struct await_list *list, struct await *a)
{
    h->step->running++;
    http_insert_by_due(list, a);
}

/* What cannot be as it was is done, and the load has failed. */
static int place(struct http *h, struct await *a, uint64_t state, uint64_t slot)
{
    int r = state <= AWAIT_DONE && !h->gathering ? 0 : -EBADMSG; /* one that gathers is the last */
    if (state == AWAIT_ASKED)
        r = take_old_slot(h, a, slot);
    a->state = r == 0 ? (enum await_state)state : AWAIT_DONE;
    if (a->state == AWAIT_ASKED)
        take_place(h, &h->asked, a);
    else if (a->state == AWAIT_PAUSED)
        take_place(h, &h->paused, a);
    else
        h->step->waiting += http_size(a);
    if (a->state == AWAIT_GATHERS)
        h->gathering = a;
    if (a->state == AWAIT_LINE)
        http_insert_by_number(&h->step->line, a);
    return r;
}

static void load_one(struct http *h, struct rx_reader *r)
{
    struct rx_event event = rx_read_event(r);
    struct await *a = rx_reader_failed(r) ? NULL : http_add(h, &event);
    rx_event_unref(&event);
    if (!a) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    rx_hold(&h->op, 1);
    uint64_t state = rx_read_uint(r);
    a->number = rx_read_uint(r);
    a->failures = rx_read_int(r);
    a->due = rx_read_int(r);
    a->sequence = rx_read_uint(r);
    uint64_t slot = rx_read_uint(r);
    a->watermark = rx_read_int(r);
    a->outcome = rx_read_value(r);
    a->url = rx_read_value(r);
    a->request = rx_read_value(r);
    if (rx_event_queue_load(&a->more, r) == 0)
        rx_hold(&h->op, (int64_t)a->more.count);
    if (a->failures < 0 || a->failures > FAILURES_MAX)
        rx_reader_fail(r, -EBADMSG);
    int result = place(h, a, rx_reader_failed(r) ? AWAIT_DONE : state, slot);
    if (result < 0)
        rx_reader_fail(r, result);
}

int http_load(struct rx_op *op, struct rx_reader *r)
{
    struct http *h = (struct http *)op;
    h->completing = rx_read_bool(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_one(h, r);
    find_spare(h);
    http_arm(h, &h->asked, HTTP_TIMEOUT);
    http_arm(h, &h->paused, HTTP_PAUSE);
    if (h->gathering && !rx_timer_is_armed(op, HTTP_GATHER))
        rx_reader_fail(r, -EBADMSG);
    return r->failed;
}
