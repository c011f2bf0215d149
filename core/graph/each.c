/* Steps that take each event by itself: one of them on a batch, in place, and its account. */
#include <string.h>

#include "core/graph/graph_private.h"

static void drop(const struct rx_batch *b, struct rx_event *event)
{
    if (b->owned)
        rx_value_unref(event->value);
}

static void move(struct rx_batch *b, size_t to, size_t from)
{
    b->events[to] = b->events[from];
    b->at[to] = b->at[from];
}

static size_t test_all(struct rx_op *op, unsigned which, const struct rx_each *each, const void *image,
                       struct rx_batch *b)
{
    size_t kept = 0, filtered = 0, i = 0;
    for (; i < b->n && op->state == RX_OP_LIVE; i++) {
        int result = each->test(op, which, image, &b->events[i]);
        filtered += result == 0;
        if (result > 0)
            move(b, kept++, i);
        else
            drop(b, &b->events[i]);
    }
    for (; i < b->n; i++)
        drop(b, &b->events[i]);
    rx_count_of(op, which, RX_FILTERED, filtered);
    return kept;
}

static size_t make_all(struct rx_op *op, unsigned which, const struct rx_each *each, const void *image,
                       struct rx_batch *b)
{
    size_t made = 0, i = 0;
    for (; i < b->n && op->state == RX_OP_LIVE; i++) {
        struct rx_value value;
        bool there = each->make(op, which, image, &b->events[i], &value);
        drop(b, &b->events[i]);
        if (!there)
            continue;
        move(b, made, i);
        b->events[made++].value = value;
    }
    for (; i < b->n; i++)
        drop(b, &b->events[i]);
    b->owned = true;
    return made;
}

void rx_each_apply(struct rx_op *op, unsigned which, const struct rx_each *each, const void *image, struct rx_batch *b)
{
    b->n = each->test ? test_all(op, which, each, image, b) : make_all(op, which, each, image, b);
    rx_count_of(op, which, RX_USED, b->n);
}

void rx_batch_begin(struct rx_batch *b, const struct rx_event *span, size_t n, bool owned)
{
    b->n = n;
    b->owned = owned;
    memcpy(b->events, span, n * sizeof *span);
    for (size_t i = 0; i < n; i++)
        b->at[i] = (uint8_t)i;
}

void rx_batch_finish(struct rx_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        drop(b, &b->events[i]);
    b->n = 0;
}

void rx_each_next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct rx_batch b;
    (void)port;
    rx_batch_begin(&b, span, n, false);
    rx_each_apply(op, 0, op->class->each, op, &b);
    rx_emit(op, b.events, b.n);
    rx_batch_finish(&b);
}
