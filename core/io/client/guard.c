/* Which addresses are private. */
#include "core/io/client/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct block4 {
    uint32_t base;
    unsigned bits;
};

static bool is_private4(uint32_t address)
{
    static const struct block4 blocks[] = {
        {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16},
        {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24}, {0xC0586300, 24}, {0xC0A80000, 16},
        {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 3},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if ((address ^ blocks[i].base) >> (32 - blocks[i].bits) == 0)
            return true;
    return false;
}

static uint32_t word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Of global addresses (2000::/3) those that hold an IPv4 one are as that (6to4, 2002::/16), Teredo and documentation are none; of
 * the others only translated ones (64:ff9b::/96, RFC 6052) and mapped ones (::ffff:0:0/96) may be public. */
static bool is_private6(const uint8_t *a)
{
    static const uint8_t translated[12] = {0x00, 0x64, 0xFF, 0x9B}, mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(a, translated, 12) == 0 || memcmp(a, mapped, 12) == 0)
        return is_private4(word(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02)
        return is_private4(word(a + 2));
    if (word(a) == 0x20010DB8 || word(a) >> 12 == 0x3FFF0 || (a[0] == 0x20 && a[1] == 0x01 && a[2] < 2))
        return true;
    return a[0] >> 5 != 1;
}

bool rx_guard_is_private(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_private4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return is_private6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return true;
}

bool rx_guard_is_private_text(const char *address)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, address, bytes) == 1)
        return is_private4(word(bytes));
    return inet_pton(AF_INET6, address, bytes) != 1 || is_private6(bytes);
}
