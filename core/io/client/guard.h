/* Addresses that a host which comes with an event must not lead to. Any thread. */
#ifndef RX_IO_GUARD_H
#define RX_IO_GUARD_H

#include <stdbool.h>

struct sockaddr;
/* An address that is not everybody's (IANA special-purpose registries, RFC 6890): loopback, private, link-local, shared, of tests,
 * multicast, reserved; also where an IPv6 one holds such an IPv4 one. What is neither IPv4 nor IPv6 is private. */
bool rx_guard_is_private(const struct sockaddr *);
bool rx_guard_is_private_text(const char *address); /* as "10.0.0.1", "::1" */

#endif
