// layer: pipelines
/* Files of users' tests: refused with mistakes that have places, or read; and when nothing came of any stream, what --update writes is
 * such a file again, in which nothing is left to write. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/test_update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char path[] = "/nowhere/at/all/test.yaml"; /* so that no recording is found */

static bool names_a_file(const char *text, size_t length)
{
    return length > 0 && memmem(text, length, "/dev", 4) != NULL;
}

static struct rx_test_result *nothing_came(const struct rx_test_file *file)
{
    struct rx_test_result *results = calloc(file->count + 1, sizeof *results);
    for (size_t i = 0; results && i < file->count; i++)
        results[i].ran = true;
    return results;
}

/* Whether there was something to write. */
static bool update(const struct rx_test_file *file, struct rx_heap *heap, struct rx_buffer *out)
{
    struct rx_test_result *results = nothing_came(file);
    struct rx_error error = {0};
    size_t changed = 0;
    int r = rx_test_update(file, results, heap, out, &changed, &error);
    free(results);
    if (r < 0 && error.message[0] == '\0')
        abort();
    return r == 0 && changed > 0;
}

static void try_again(const struct rx_buffer *text, struct rx_heap *heap)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_test_file file = {0};
    struct rx_buffer out = {0};
    if (rx_test_file_parse(text->data, text->length, path, heap, diagnostics, &file) == 0 && update(&file, heap, &out))
        abort();
    rx_buffer_finish(&out);
    rx_test_file_finish(&file);
    rx_diagnostics_destroy(diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_test_file file = {0};
    struct rx_buffer out = {0};
    char *text = malloc(size + 1);
    if (!heap || !diagnostics || !text)
        abort();
    memcpy(text, data, size);
    if (!names_a_file(text, size)) {
        int r = rx_test_file_parse(text, size, path, heap, diagnostics, &file);
        if (r == -EINVAL && rx_diagnostics_count(diagnostics) == 0)
            abort();
        if (r == 0 && update(&file, heap, &out))
            try_again(&out, heap);
    }
    rx_buffer_finish(&out);
    rx_test_file_finish(&file);
    rx_diagnostics_destroy(diagnostics);
    rx_heap_destroy(heap);
    free(text);
    return 0;
}
