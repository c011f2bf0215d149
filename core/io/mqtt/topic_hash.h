/* Topics by words of 8 bytes: their hash, their check, and whether one is as another. For tables of topics, which must bear that any
 * two collide: not against an adversary. Any thread. */
#ifndef RX_IO_MQTT_TOPIC_HASH_H
#define RX_IO_MQTT_TOPIC_HASH_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RX_EACH_BYTE        UINT64_C(0x0101010101010101)
#define RX_HIGH_BITS        UINT64_C(0x8080808080808080)
#define RX_TOPIC_MULTIPLIER UINT64_C(0x9E3779B97F4A7C15) /* 2^64 by the golden ratio */

/* Fewer than 8 bytes as a number, zero behind them. */
static inline uint64_t rx_topic_tail(const char *at, size_t length)
{
    uint64_t word = 0;
    if (length >= 4) { /* the two halves agree where they overlap */
        uint32_t low, high;
        memcpy(&low, at, 4);
        memcpy(&high, at + length - 4, 4);
        return le32toh(low) | (uint64_t)le32toh(high) << (8 * (length - 4));
    }
    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return word;
}

/* Not 0: among the bytes is one that is no ASCII, or NUL, + or #. Of ASCII x + 0x7F carries into the high bit unless x is 0; +
 * and # differ in one bit. (Warren, Hacker's Delight, 6-1.) */
static inline uint64_t rx_topic_odd(uint64_t word)
{
    const uint64_t most = RX_EACH_BYTE * 0x7F;
    uint64_t wild = (word | RX_EACH_BYTE * ('+' ^ '#')) ^ RX_EACH_BYTE * '+';
    return (word | ~((word + most) & (wild + most))) & RX_HIGH_BITS;
}

static inline uint64_t rx_topic_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * RX_TOPIC_MULTIPLIER;
    return hash ^ hash >> 32;
}

/* The hash, and whether all is ASCII without NUL, + or #, so that it needs no further check. */
static inline bool rx_topic_hash_plain(const char *topic, size_t length, uint64_t *ret)
{
    uint64_t hash = length, odd = 0;
    for (; length >= 8; topic += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, topic, 8);
        word = le64toh(word);
        odd |= rx_topic_odd(word);
        hash = rx_topic_mix(hash, word);
    }
    if (length > 0) {
        uint64_t word = rx_topic_tail(topic, length);
        odd |= rx_topic_odd(word | RX_EACH_BYTE * ' ' << (8 * length));
        hash = rx_topic_mix(hash, word);
    }
    *ret = hash;
    return !odd;
}

/* From the end, where topics differ. */
static inline bool rx_topic_is_same(const char *a, const char *b, size_t length)
{
    for (; length >= 8; length -= 8) {
        uint64_t one, other;
        memcpy(&one, a + length - 8, 8);
        memcpy(&other, b + length - 8, 8);
        if (one != other)
            return false;
    }
    return rx_topic_tail(a, length) == rx_topic_tail(b, length);
}

#endif
