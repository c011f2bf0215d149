/* Backoff with jitter. */
#include "core/io/net/backoff.h"

#include <sys/random.h>
#include <time.h>

#define LEAST (RX_SEC / 4)
#define MOST  (30 * RX_SEC)

void rx_backoff_init(struct rx_backoff *b)
{
    b->next = LEAST;
    if (getrandom(&b->random, sizeof b->random, GRND_NONBLOCK) != sizeof b->random)
        b->random = (uint64_t)time(NULL) ^ (uintptr_t)b;
}

void rx_backoff_reset(struct rx_backoff *b) { b->next = LEAST; }

rx_time rx_backoff_next(struct rx_backoff *b)
{
    rx_time wait = b->next;
    b->next = wait * 2 < MOST ? wait * 2 : MOST;
    b->random = b->random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return wait - (rx_time)((b->random >> 33) % (uint64_t)(wait / 4));
}
