/* libcbor, opened when a config first asks for CBOR: its decoder of single items, which takes no memory and does not recurse. */
#ifndef RX_CORE_CBOR_LIBRARY_H
#define RX_CORE_CBOR_LIBRARY_H

#include <cbor.h>

#include "core/base/error.h"

struct rx_cbor_library {
    struct cbor_decoder_result (*decode)(cbor_data, size_t, const struct cbor_callbacks *, void *);
};

/* The library, for good. NULL: -ENOENT with what to install. Any thread; may read the disk the first time. */
const struct rx_cbor_library *rx_cbor_library(struct rx_error *reterr);

#endif
