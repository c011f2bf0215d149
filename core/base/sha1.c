/* SHA-1 of short texts: two blocks, no state between calls. */
#include "core/base/sha1.h"

#include <assert.h>
#include <string.h>

static uint32_t rotate(uint32_t x, unsigned by) { return x << by | x >> (32 - by); }

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round / 20) {
    case 0:
        return ((b & c) | (~b & d)) + 0x5A827999;
    case 1:
        return (b ^ c ^ d) + 0x6ED9EBA1;
    case 2:
        return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
    default:
        return (b ^ c ^ d) + 0xCA62C1D6;
    }
}

static void take_block(uint32_t h[5], const unsigned char *block)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (unsigned i = 0; i < 80; i++)
        w[i] = i < 16 ? big_endian(block + 4 * (size_t)i) : rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (unsigned i = 0; i < 80; i++) {
        uint32_t next = rotate(a, 5) + mix(i, b, c, d) + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void rx_sha1(const void *bytes, size_t length, unsigned char ret[static RX_SHA1_LENGTH])
{
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char padded[128] = {0};
    assert(length <= RX_SHA1_MAX);
    size_t size = length < 56 ? 64 : 128, bits = length * 8;
    memcpy(padded, bytes, length);
    padded[length] = 0x80;
    padded[size - 2] = (unsigned char)(bits >> 8);
    padded[size - 1] = (unsigned char)bits;
    for (size_t at = 0; at < size; at += 64)
        take_block(h, padded + at);
    for (unsigned i = 0; i < RX_SHA1_LENGTH; i++)
        ret[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}
