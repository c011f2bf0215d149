// layer: pipelines
/* Marble diagrams: refused with a place inside the text, or with everything in order of time, within its bounds, once each. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/marble.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    const char *text;
    size_t length, count, offset;
    rx_time at;
};

static int each(void *arg, const struct rx_marble *m)
{
    struct seen *s = arg;
    if (m->offset < s->offset || m->offset >= s->length || m->at < s->at || m->at > RX_MARBLE_TIME_MAX)
        abort();
    if (m->text < s->text || m->text + m->length > s->text + s->length)
        abort();
    if (m->kind == RX_MARBLE_VALUE && (m->length < 1 || m->length > 4))
        abort();
    s->offset = m->offset;
    s->at = m->at;
    s->count++;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of its size: what reads beyond it is seen */
    struct seen first = {.text = text, .length = size, .at = -RX_MARBLE_TIME_MAX}, again = first;
    struct rx_error error = {0};
    if (!text)
        return 0;
    memcpy(text, data, size);
    int result = rx_marble_parse(text, size, 10 * RX_MSEC, each, &first, &error);
    if (result == -EINVAL && (error.message[0] == '\0' || error.at.offset > size))
        abort();
    if (rx_marble_parse(text, size, 10 * RX_MSEC, each, &again, NULL) != result || again.count != first.count)
        abort();
    if (result < 0 && result != -EINVAL)
        abort();
    free(text);
    return 0;
}
