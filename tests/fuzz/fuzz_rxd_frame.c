// layer: sources
/* What calls itself another rxd's event: what is found lies within the text, and reading it again finds the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sources/rxd_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const char *text, size_t size, const char *piece, size_t length)
{
    if (piece && (piece < text || length > size || piece + length > text + size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_rxd_frame frame, again;
    struct rx_error error;
    char *text = malloc(size ? size : 1); /* of just this size: a sanitizer sees a byte too far */
    if (!text)
        return 0;
    memcpy(text, data, size);
    if (rx_rxd_frame_read(text, size, &frame, &error) == 0) {
        check_inside(text, size, frame.next, frame.next_length);
        check_inside(text, size, frame.key, frame.key_length);
        check_inside(text, size, frame.topic, frame.topic_length);
        if (!frame.next_length || !frame.timed || rx_rxd_frame_read(text, size, &again, &error) < 0 ||
            again.next != frame.next || again.at != frame.at)
            abort();
    }
    free(text);
    return 0;
}
