// layer: io
/* Bytes as gzip, whole and in pieces: the same comes out, within its room, until they are refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/gzip/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 16 };

static long unpack(const uint8_t *data, size_t size, size_t piece, char *out)
{
    struct rx_gunzip *g = rx_gunzip_create();
    size_t total = 0;
    long n = 0;
    for (size_t at = 0; n >= 0 && total < ROOM && at < size; at += piece) {
        const char *input = (const char *)data + at;
        size_t left = size - at < piece ? size - at : piece;
        do {
            size_t room = ROOM - total < 100 ? ROOM - total : 100;
            n = rx_gunzip_step(g, &input, &left, out + total, room);
            if (n > (long)room)
                abort();
            total += n > 0 ? (size_t)n : 0;
            if (n >= 0 && (size_t)n < room)
                break;
        } while (n >= 0 && total < ROOM);
        if (n >= 0 && total < ROOM && left > 0)
            abort();
    }
    rx_gunzip_destroy(g);
    return (long)total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole[ROOM], pieces[ROOM];
    long a = unpack(data, size, size ? size : 1, whole), b = unpack(data, size, 1 + size % 7, pieces);
    if (memcmp(whole, pieces, (size_t)(a < b ? a : b)) !=
        0) /* what a step wrote before it met a mistake does not count */
        abort();
    return 0;
}
