/* Backoff with jitter. */
#include "core/io/net/backoff.h"

#include <sys/random.h>
#include <time.h>

#define LEAST (RX_SEC / 4)
#define MOST  (30 * RX_SEC)

void rx_backoff_init(struct rx_backoff *b)
{
    *b = (struct rx_backoff){.next = LEAST, .least = LEAST, .most = MOST, .factor = 2};
    if (getrandom(&b->random, sizeof b->random, GRND_NONBLOCK) != sizeof b->random)
        b->random = (uint64_t)time(NULL) ^ (uintptr_t)b;
}

void rx_backoff_reset(struct rx_backoff *b) { b->next = b->least; }

double rx_backoff_chance(struct rx_backoff *b)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return (double)(b->random >> 33) / (double)(UINT64_C(1) << 31);
}

rx_time rx_backoff_next(struct rx_backoff *b)
{
    rx_time wait = b->next;
    double longer = (double)wait * b->factor;
    b->next = longer < (double)b->most ? (rx_time)longer : b->most;
    return wait - (rx_time)(rx_backoff_chance(b) * (double)wait / 4);
}
