// layer: io
/* Filters of a stream's subscribers: nanoseconds of CPU a frame for 1 to 1,000 different ones, each asked of each frame. The
 * second column is the same conditions in a form that is not looked up. */
#include "core/io/serve/selection.h"
#include "core/value/heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double measure(unsigned filters, unsigned frames, const char *form)
{
    struct rx_sched *sched = rx_sched_create(0);
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_filter_budget budget = {.sched = sched, .each = UINT64_MAX / 2, .all = UINT64_MAX / 2};
    struct rx_selections *set = rx_selections_create(heap, &budget);
    struct rx_selection *all[RX_SELECTIONS_MAX];
    unsigned wanted = 0;
    for (unsigned i = 0; i < filters; i++) {
        char text[100];
        snprintf(text, sizeof text, form, i);
        if (rx_selection_get(set, NULL, text, &all[i], NULL) < 0)
            exit(1);
    }
    double begin = seconds();
    for (unsigned n = 0; n < frames; n++) {
        char json[128];
        snprintf(json, sizeof json, "{\"device\":\"sensor-%04u\",\"avg\":21.375,\"max\":%u.5,\"window\":1700000000000}",
                 n % filters, n % 40);
        struct rx_frame_view f = {.sequence = n + 1, .json = json, .json_length = strlen(json)};
        for (unsigned i = 0; i < filters; i++)
            wanted += rx_selection_test(all[i], &f);
    }
    double each = (seconds() - begin) * 1e9 / frames;
    if (wanted != frames)
        exit(1);
    for (unsigned i = 0; i < filters; i++)
        rx_selection_unref(all[i]);
    rx_selections_destroy(set);
    rx_heap_destroy(heap);
    rx_sched_destroy(sched);
    return each;
}

int main(void)
{
    for (unsigned filters = 1; filters <= 1000; filters *= 10)
        printf("%5u filters: %9.0f ns a frame looked up, %9.0f ns evaluated\n", filters,
               measure(filters, 200000 / filters + 200, "device == 'sensor-%04u'"),
               measure(filters, 200000 / filters + 200, "device == 'sensor-%04u' || false"));
    return 0;
}
