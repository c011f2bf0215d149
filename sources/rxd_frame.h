/* What another rxd sends with `meta=1`: {id, at, key, topic, next}, an event with what stands around it. Bytes of the outside. */
#ifndef RX_SOURCES_RXD_FRAME_H
#define RX_SOURCES_RXD_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/value/value.h"

struct rx_rxd_frame {       /* borrowed from the text */
    const char *next, *key; /* as JSON; key NULL: none, or null */
    size_t next_length, key_length;
    const char *topic; /* NULL: none. Without escapes */
    size_t topic_length;
    bool timed;
    rx_time at; /* ns since the epoch; where `timed` */
};

/* Finds the members; whether `next` and `key` are right JSON is the decoder's to say. -EBADMSG with a message. */
int rx_rxd_frame_read(const char *text, size_t length, struct rx_rxd_frame *ret, struct rx_error *reterr);

#endif
