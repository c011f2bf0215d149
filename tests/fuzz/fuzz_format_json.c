/* JSON in messages, arrays and lines, and what may be JSON or text: what holds of every format. */
#include "tests/fuzz/format_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_format(RX_FORMAT_JSON, data, size);
    fuzz_format(RX_FORMAT_AUTO, data, size);
    return 0;
}
