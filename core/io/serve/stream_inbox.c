/* The inbox: a stack that writers push to and the reader takes whole (Treiber 1986; taken whole, it has no ABA). */
#include "core/io/serve/stream_inbox.h"

#include "core/io/serve/stream_segment.h"

#include <errno.h>
#include <stdlib.h>

struct rx_log_inbox {
    struct rx_wake *wake;
    _Atomic(struct rx_log_link *) newest;
};

int rx_log_inbox_create(struct rx_wake *wake, struct rx_log_inbox **ret)
{
    struct rx_log_inbox *inbox = malloc(sizeof *inbox);
    if (!inbox)
        return -ENOMEM;
    inbox->wake = wake;
    atomic_init(&inbox->newest, NULL);
    *ret = inbox;
    return 0;
}

void rx_log_inbox_put(struct rx_log_inbox *inbox, struct rx_log_link *link)
{
    if (atomic_exchange(&link->listed, true))
        return;
    atomic_fetch_add_explicit(&link->ends, 1, memory_order_relaxed);
    link->older = atomic_load_explicit(&inbox->newest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&inbox->newest, &link->older, link, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    rx_wake_signal(inbox->wake);
}

static struct rx_log_link *take_oldest_first(struct rx_log_inbox *inbox)
{
    struct rx_log_link *link = atomic_exchange_explicit(&inbox->newest, NULL, memory_order_acquire), *oldest = NULL;
    while (link) {
        struct rx_log_link *older = link->older;
        link->older = oldest;
        oldest = link;
        link = older;
    }
    return oldest;
}

void rx_log_inbox_take(struct rx_log_inbox *inbox, void (*each)(void *reader))
{
    for (struct rx_log_link *link = take_oldest_first(inbox), *next; link; link = next) {
        next = link->older;
        atomic_store(&link->listed, false); /* from here on `older` may change */
        if (link->reader)
            each(link->reader);
        rx_log_link_unref(link);
    }
}

static void forget(void *reader) { (void)reader; }

void rx_log_inbox_destroy(struct rx_log_inbox *inbox)
{
    if (!inbox)
        return;
    rx_log_inbox_take(inbox, forget);
    free(inbox);
}
