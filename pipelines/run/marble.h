/* Marble diagrams: time from left to right, as RxJS's TestScheduler draws it.
 *
 *   -        a frame passes             a  a value: a letter or any other character takes a frame
 *   |  #     completes, fails           (ab|)  all at the instant of the bracket; each character still takes its frame
 *   1m30s    so much time passes, where blanks (or the ends of the text) stand around it
 *   [word]   something else happens: [disconnect] [connect] [restart]; takes a frame
 *   ^        time counts from here      !  where something is left
 *
 * Blanks and line ends are nothing. Pure; any thread. */
#ifndef RX_PIPELINES_MARBLE_H
#define RX_PIPELINES_MARBLE_H

#include "core/base/error.h"
#include "core/value/value.h"

#define RX_MARBLE_BYTES_MAX 65536 /* of a diagram */
#define RX_MARBLE_TIME_MAX  (100 * 366 * 24 * INT64_C(3600) * RX_SEC)

enum rx_marble_kind {
    RX_MARBLE_VALUE,
    RX_MARBLE_COMPLETE,
    RX_MARBLE_ERROR,
    RX_MARBLE_WORD,  /* [word] */
    RX_MARBLE_ZERO,  /* ^ */
    RX_MARBLE_LEAVE, /* ! */
};

struct rx_marble {
    enum rx_marble_kind kind;
    rx_time at; /* from the first character, or from ^ where there is one: then what stands before it is negative */
    const char *text; /* the symbol, one code point; or the word; borrowed from the diagram */
    size_t length;
    size_t offset; /* in the diagram */
};

/* Calls `each` for everything in the diagram, in order; a negative answer ends it, and is the answer. Else 0, or -EINVAL with the place
 * in `text`. `tick` is what a frame is worth. */
int rx_marble_parse(const char *text, size_t length, rx_time tick, int (*each)(void *arg, const struct rx_marble *),
                    void *arg, struct rx_error *reterr);

#endif
