/* Scanning text 16 bytes at a time: SSE2 or NEON where the compiler has them without being asked, and a scalar twin, which
 * is the specification and what runs elsewhere. The only file with intrinsics.
 *
 * No byte outside of [floor, end) is read: where less than 16 are left the last 16 before `end` are looked at, or, where there
 * are not so many, a copy. Any thread. */
#ifndef RX_CORE_SCAN_H
#define RX_CORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- Words --- */

static inline uint64_t rx_load64(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* With the first byte lowest. */
static inline uint64_t rx_load64_little(const char *p)
{
    uint64_t word = rx_load64(p);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

static inline uint32_t rx_load32(const char *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

#define RX_EACH_BYTE UINT64_C(0x0101010101010101)

/* The 8 bytes at `p`, of which those behind `end` are zeros; none outside of [floor, end) is read. */
static inline uint64_t rx_load64_within(const char *floor, const char *p, const char *end)
{
    if (end - p >= 8)
        return rx_load64_little(p);
    uint64_t word = 0;
    if (end - floor >= 8)
        return p < end ? rx_load64_little(end - 8) >> 8 * (8 - (end - p)) : 0;
    for (const char *at = end; at > p; at--)
        word = word << 8 | (unsigned char)at[-1];
    return word;
}

/* --- Sixteen bytes. Each lane of an answer is all ones or all zeros; `below` and `above` are of signed numbers. --- */

enum { RX_LANES = 16 };

#if defined(__SSE2__)
#include <emmintrin.h>
#define RX_SIMD 1
enum { RX_LANE_BITS = 1 };
typedef __m128i rx_lanes;
static inline rx_lanes rx_lanes_load(const char *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
static inline rx_lanes rx_lanes_same(rx_lanes a, rx_lanes b) { return _mm_cmpeq_epi8(a, b); }
static inline rx_lanes rx_lanes_are(rx_lanes v, char c) { return _mm_cmpeq_epi8(v, _mm_set1_epi8(c)); }
static inline rx_lanes rx_lanes_below(rx_lanes v, char c) { return _mm_cmplt_epi8(v, _mm_set1_epi8(c)); }
static inline rx_lanes rx_lanes_above(rx_lanes v, char c) { return _mm_cmpgt_epi8(v, _mm_set1_epi8(c)); }
static inline rx_lanes rx_lanes_or(rx_lanes a, rx_lanes b) { return _mm_or_si128(a, b); }
static inline uint64_t rx_lanes_bits(rx_lanes v) { return (uint32_t)_mm_movemask_epi8(v); }
#elif defined(__ARM_NEON) && defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#define RX_SIMD 1
enum { RX_LANE_BITS = 4 };
typedef uint8x16_t rx_lanes;
static inline rx_lanes rx_lanes_load(const char *p) { return vld1q_u8((const uint8_t *)p); }
static inline rx_lanes rx_lanes_same(rx_lanes a, rx_lanes b) { return vceqq_u8(a, b); }
static inline rx_lanes rx_lanes_are(rx_lanes v, char c) { return vceqq_u8(v, vdupq_n_u8((uint8_t)c)); }
static inline rx_lanes rx_lanes_below(rx_lanes v, char c)
{
    return vcltq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8((int8_t)c));
}
static inline rx_lanes rx_lanes_above(rx_lanes v, char c)
{
    return vcgtq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8((int8_t)c));
}
static inline rx_lanes rx_lanes_or(rx_lanes a, rx_lanes b) { return vorrq_u8(a, b); }
static inline uint64_t rx_lanes_bits(rx_lanes v)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(v), 4)), 0);
}
#else
#define RX_SIMD 0
#endif

/* --- The twins --- */

/* The first byte that a JSON string does not hold as it is, or that is no ASCII: a quote, a backslash, a control, 0x80 and up. */
static inline const char *rx_scan_string_scalar(const char *p, const char *end)
{
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
        p++;
    return p;
}

/* The first byte that is no white space of JSON's. */
static inline const char *rx_scan_space_scalar(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* The first byte that may end a plain cell of a table, or that is no ASCII: `delimiter`, a quote, a line break, 0x80 and up. */
static inline const char *rx_scan_cell_scalar(const char *p, const char *end, char delimiter)
{
    while (p < end && *p != delimiter && *p != '"' && *p != '\n' && *p != '\r' && (unsigned char)*p < 0x80)
        p++;
    return p;
}

/* The first byte that is no digit. */
static inline const char *rx_scan_digits_scalar(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* The first `length` (1 to 16) bytes of both are the same; both have 16. */
static inline bool rx_scan_same_scalar(const char *a, const char *b, size_t length)
{
    size_t i = 0;
    while (i < length && a[i] == b[i])
        i++;
    return i == length;
}

/* --- What is called --- */

#if RX_SIMD
static inline rx_lanes rx_lanes_string(rx_lanes v, char delimiter)
{
    (void)delimiter;
    rx_lanes marks = rx_lanes_or(rx_lanes_are(v, '"'), rx_lanes_are(v, '\\'));
    return rx_lanes_or(marks, rx_lanes_below(v, 0x20)); /* as signed numbers: what is no ASCII is below too */
}

static inline rx_lanes rx_lanes_cell(rx_lanes v, char delimiter)
{
    rx_lanes breaks = rx_lanes_or(rx_lanes_are(v, '\n'), rx_lanes_are(v, '\r'));
    rx_lanes marks = rx_lanes_or(rx_lanes_are(v, delimiter), rx_lanes_are(v, '"'));
    return rx_lanes_or(rx_lanes_or(marks, breaks), rx_lanes_below(v, 0));
}

static inline rx_lanes rx_lanes_no_digit(rx_lanes v, char delimiter)
{
    (void)delimiter;
    return rx_lanes_or(rx_lanes_below(v, '0'), rx_lanes_above(v, '9'));
}

typedef rx_lanes rx_lanes_marker(rx_lanes, char);

/* Past the first 16 bytes. */
static inline __attribute__((always_inline)) const char *rx_scan_on(const char *floor, const char *p, const char *end,
                                                                    char delimiter, rx_lanes_marker *marks)
{
    for (; end - p >= RX_LANES; p += RX_LANES) {
        uint64_t bits = rx_lanes_bits(marks(rx_lanes_load(p), delimiter));
        if (bits)
            return p + __builtin_ctzll(bits) / RX_LANE_BITS;
    }
    if (p == end)
        return end;
    if (end - floor < RX_LANES) {
        char copy[RX_LANES] = {0};
        memcpy(copy, p, (size_t)(end - p));
        uint64_t few = rx_lanes_bits(marks(rx_lanes_load(copy), delimiter));
        few &= ((uint64_t)1 << (size_t)(end - p) * RX_LANE_BITS) - 1;
        return few ? p + __builtin_ctzll(few) / RX_LANE_BITS : end;
    }
    uint64_t bits = rx_lanes_bits(marks(rx_lanes_load(end - RX_LANES), delimiter));
    bits >>= (size_t)(RX_LANES - (end - p)) * RX_LANE_BITS;
    return bits ? p + __builtin_ctzll(bits) / RX_LANE_BITS : end;
}

typedef const char *rx_scan_rest(const char *floor, const char *p, const char *end, char delimiter);

static inline __attribute__((always_inline)) const char *rx_scan_lanes(const char *floor, const char *p,
                                                                       const char *end, char delimiter,
                                                                       rx_lanes_marker *marks, rx_scan_rest *rest)
{
    if (end - p >= RX_LANES) {
        uint64_t bits = rx_lanes_bits(marks(rx_lanes_load(p), delimiter));
        if (bits)
            return p + __builtin_ctzll(bits) / RX_LANE_BITS;
    }
    return rest(floor, p, end, delimiter);
}

static __attribute__((noinline, unused)) const char *rx_scan_string_on(const char *floor, const char *p,
                                                                       const char *end, char delimiter)
{
    return rx_scan_on(floor, p, end, delimiter, rx_lanes_string);
}

static __attribute__((noinline, unused)) const char *rx_scan_cell_on(const char *floor, const char *p, const char *end,
                                                                     char delimiter)
{
    return rx_scan_on(floor, p, end, delimiter, rx_lanes_cell);
}

static __attribute__((noinline, unused)) const char *rx_scan_digits_on(const char *floor, const char *p,
                                                                       const char *end, char delimiter)
{
    return rx_scan_on(floor, p, end, delimiter, rx_lanes_no_digit);
}

static inline const char *rx_scan_string(const char *floor, const char *p, const char *end)
{
    return rx_scan_lanes(floor, p, end, 0, rx_lanes_string, rx_scan_string_on);
}

static inline const char *rx_scan_digits(const char *floor, const char *p, const char *end)
{
    return rx_scan_lanes(floor, p, end, 0, rx_lanes_no_digit, rx_scan_digits_on);
}

static inline const char *rx_scan_cell(const char *floor, const char *p, const char *end, char delimiter)
{
    return rx_scan_lanes(floor, p, end, delimiter, rx_lanes_cell, rx_scan_cell_on);
}

static inline bool rx_scan_same(const char *a, const char *b, size_t length)
{
    uint64_t other = ~rx_lanes_bits(rx_lanes_same(rx_lanes_load(a), rx_lanes_load(b)));
    return other << (64 - length * RX_LANE_BITS) == 0;
}
#else
static inline const char *rx_scan_string(const char *floor, const char *p, const char *end)
{
    (void)floor;
    return rx_scan_string_scalar(p, end);
}

static inline const char *rx_scan_digits(const char *floor, const char *p, const char *end)
{
    (void)floor;
    return rx_scan_digits_scalar(p, end);
}

static inline const char *rx_scan_cell(const char *floor, const char *p, const char *end, char delimiter)
{
    (void)floor;
    return rx_scan_cell_scalar(p, end, delimiter);
}

static inline bool rx_scan_same(const char *a, const char *b, size_t length)
{
    return rx_scan_same_scalar(a, b, length);
}
#endif

#endif
