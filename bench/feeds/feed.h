/* What the feeds share: a line each on the standard output, the same for the same arguments. */
#ifndef FEED_H
#define FEED_H

#include <stdint.h>

uint64_t feed_random_below(uint64_t limit);

/* Nexmark's events (see nexmark.c), `count` of them, so many a second of event time. */
void feed_nexmark(uint64_t count, uint64_t per_second);

#endif
