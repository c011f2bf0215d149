/* SHA-1 (FIPS 180-4, 6.1), for the handshake of WebSockets (RFC 6455) and nothing that has to be safe. libcrypto has it too, and
 * crashes in it where an allocation of its own failed. Any thread. */
#ifndef RX_CORE_SHA1_H
#define RX_CORE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define RX_SHA1_LENGTH 20

/* Of at most RX_SHA1_MAX bytes. */
#define RX_SHA1_MAX 119
void rx_sha1(const void *bytes, size_t length, unsigned char ret[static RX_SHA1_LENGTH]);

#endif
