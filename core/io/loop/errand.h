/* Work that may block, on a thread of its own (detached, all signals blocked), which the loop's thread may leave at any
 * time. To be the first member of a struct that holds what the work needs and what it finds: those fields are the thread's
 * until rx_errand_take or rx_errand_abandon answer true. Start, take and abandon: on the loop's thread. */
#ifndef RX_IO_ERRAND_H
#define RX_IO_ERRAND_H

#include <pthread.h>
#include <stdbool.h>

#include "core/io/loop/loop.h"

struct rx_errand {
    pthread_mutex_t lock; /* also keeps the wake alive while it is signalled */
    bool done, abandoned;
    struct rx_wake *wake;
    void (*work)(struct rx_errand *);
    void (*orphaned)(struct rx_errand *);
};

/* `work` runs on the thread; then the wake, borrowed, is signalled, or, when the errand was abandoned meanwhile, `orphaned`
 * runs there to free it. Negative errno: the thread could not be made, and nothing is left of the errand. */
int rx_errand_start(struct rx_errand *, struct rx_wake *, void (*work)(struct rx_errand *),
                    void (*orphaned)(struct rx_errand *));
/* True once it is over: the caller's again, to be freed. */
bool rx_errand_take(struct rx_errand *);
/* Nobody waits for it any more: true when it is over and the caller's, false when the thread frees it. */
bool rx_errand_abandon(struct rx_errand *);

#endif
