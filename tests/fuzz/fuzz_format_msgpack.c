/* The format msgpack: what holds of every format. */
#include "tests/fuzz/format_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_format(RX_FORMAT_MSGPACK, data, size);
    return 0;
}
