// layer: io
/* What a subscriber may ask for: "KEY\0FILTER\0FRAME". It is refused with a sentence, or its verdict on a frame is the same
 * each time, also after it was forgotten; and it stays within its steps. */
#include <stdlib.h>
#include <string.h>

#include "core/io/serve/selection.h"
#include "core/value/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool test_frame(struct rx_selection *s, uint64_t sequence, const char *json, size_t length)
{
    return rx_selection_test(
        s, &(struct rx_frame_view){
               .sequence = sequence, .key = "\"k\"", .key_length = 3, .json = json, .json_length = length});
}

static void try_frame(struct rx_selection *s, const char *json, size_t length)
{
    bool first = test_frame(s, 1, json, length), again = test_frame(s, 1, json, length);
    bool other = test_frame(s, 2, json, length);
    if (first != again || (first != other && !rx_selection_exhausted(s)))
        abort();
    if (rx_selection_steps(s) > 2 * (3 * RX_FILTER_EVALUATION + length))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 3);
    memcpy(text, data, size);
    memset(text + size, 0, 3);
    const char *key = text, *filter = key + strlen(key) + 1;
    const char *frame = filter <= text + size ? filter + strlen(filter) + 1 : filter;
    size_t length = frame <= text + size ? (size_t)(text + size - frame) : 0;

    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_sched *sched = rx_sched_create(0);
    struct rx_filter_budget budget = {.sched = sched};
    struct rx_selections *set = rx_selections_create(heap, &budget);
    struct rx_selection *s = NULL;
    struct rx_error error = {0};
    int r = rx_selection_get(set, *key ? key : NULL, filter <= text + size ? filter : NULL, &s, &error);
    if (r == 0)
        try_frame(s, frame, length);
    else if (!error.message[0])
        abort();
    rx_selection_unref(s);
    rx_selections_destroy(set);
    if (rx_heap_live_blocks(heap) > 0)
        abort();
    rx_heap_destroy(heap);
    rx_sched_destroy(sched);
    free(text);
    return 0;
}
