/* Private to the stream log: the latest message of each key, least recently updated first out.
 *
 * Keeps copies, because a quiet key outlives its segment. */
#ifndef RX_IO_STREAM_KEYS_H
#define RX_IO_STREAM_KEYS_H

#include "core/io/serve/stream_log.h"

struct rx_latest;
struct rx_latest *rx_latest_create(unsigned max_keys, rx_time ttl);
void rx_latest_destroy(struct rx_latest *);
void rx_latest_set_limits(struct rx_latest *, unsigned max_keys, rx_time ttl);
/* Without memory the older value of the key, if any, is forgotten: the snapshot may lack a key, it never lies. */
void rx_latest_put(struct rx_latest *, const struct rx_frame_view *);
size_t rx_latest_count(const struct rx_latest *);
void rx_latest_each(struct rx_latest *, rx_time now, void (*each)(void *arg, const struct rx_frame_view *), void *arg);

/* The order of two keys in canonical JSON: <0, 0, >0. */
int rx_key_order(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
