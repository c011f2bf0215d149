/* UTF-8: checking and mending (RFC 3629). Any thread. */
#ifndef RX_CORE_UTF8_H
#define RX_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the code point that starts at `text`: 1 to 4, or 0 if it is malformed or does not fit in `length` bytes. */
size_t rx_utf8_next(const char *text, size_t length);
bool rx_utf8_valid(const char *text, size_t length);
/* Text that comes in pieces, cut anywhere. Zero-initialise. False: malformed, whatever follows. The text may end here
 * when `need` is 0. */
struct rx_utf8_check {
    uint8_t need;      /* bytes that the code point under way still lacks */
    uint8_t low, high; /* what the next of them may be */
};
bool rx_utf8_feed(struct rx_utf8_check *, const char *text, size_t length);
/* Copies with each malformed byte replaced by U+FFFD; stops before `size` bytes are full. Answers the bytes written. */
size_t rx_utf8_mend(const char *text, size_t length, char *out, size_t size);
/* Writes a code point (at most U+10FFFF, no surrogate): its length, 1 to 4. */
size_t rx_utf8_put(char *out, uint32_t code);

#endif
