/* Batches: several events in one request, whose answer is a list with an element for each. */
#include <errno.h>

#include "operators/requesting.h"

/* ---- gathering ---- */

void http_close_batch(struct http *h)
{
    struct await *a = h->gathering;
    if (!a)
        return;
    h->gathering = NULL;
    rx_timer_stop(&h->op, HTTP_GATHER);
    http_set_out(h, a);
}

static void begin_batch(struct http *h, const struct rx_event *event, struct rx_value url)
{
    struct await *a = http_hold(h, event, false);
    if (!a)
        return;
    a->state = AWAIT_GATHERS;
    a->url = rx_value_ref(url);
    h->gathering = a;
    rx_timer_arm(&h->op, HTTP_GATHER, rx_now(&h->op) + h->batch.every);
}

static void add_to_batch(struct http *h, const struct rx_event *event)
{
    struct rx_event kept = *event;
    if (!h->op.node->told)
        kept.time -= rx_wall(&h->op);
    if (h->step->waiting >= h->queue || rx_event_queue_push(&h->gathering->more, &kept) < 0) {
        rx_count(&h->op, RX_EVICTED, 1);
        return;
    }
    rx_hold(&h->op, 1);
    h->step->waiting++;
}

/* A batch goes to one URL: an event with another one begins the next. */
void http_gather(struct http *h, const struct rx_event *event)
{
    struct rx_error error;
    struct rx_value url = rx_null();
    if (http_url(h, event, &url, &error) < 0) {
        if (rx_bad_event(&h->op, event, &error) == RX_USE_NULL)
            http_put_out_null(h, event);
        return;
    }
    if (h->gathering && !rx_value_equal(h->gathering->url, url))
        http_close_batch(h);
    if (!rx_op_live(&h->op))
        rx_count(&h->op, RX_UNHEARD, 1);
    else if (h->gathering)
        add_to_batch(h, event);
    else
        begin_batch(h, event, url);
    rx_value_unref(url);
    if (h->gathering && http_size(h->gathering) >= h->batch.count)
        http_close_batch(h);
}

/* ---- results ---- */

static void put_out_one(struct http *h, struct rx_event *event, struct rx_value outcome)
{
    if (!h->op.node->told)
        event->time += rx_wall(&h->op);
    if (rx_op_live(&h->op))
        http_put_out(h, event, outcome);
    else
        rx_count(&h->op, RX_UNHEARD, 1);
}

/* The reply for one of them: with its element in the place of the list; or a text: why there is none. */
static struct rx_value part(struct http *h, const struct await *a, const struct rx_reply *reply, uint32_t i)
{
    struct rx_reply one = *reply;
    struct rx_error error;
    if (reply->body.kind == RX_LIST && reply->body.u.list->count == http_size(a)) {
        one.body = reply->body.u.list->items[i];
        return rx_reply_value(rx_op_heap(&h->op), &one);
    }
    rx_error_set(&error, -EIO, "the answer to a batch of %lld is no list of as many", (long long)http_size(a));
    return http_outcome(h, NULL, &error);
}

void http_put_out_all(struct http *h, struct await *a)
{
    struct rx_reply reply;
    bool parts = h->batch_given && rx_reply_read(a->outcome, &reply) && http_is_good(&reply);
    for (uint32_t i = 0; i < (uint32_t)http_size(a); i++) {
        struct rx_value outcome = parts ? part(h, a, &reply, i) : rx_value_ref(a->outcome);
        put_out_one(h, i ? rx_event_queue_at(&a->more, i - 1) : &a->event, outcome);
        rx_value_unref(outcome);
    }
}
