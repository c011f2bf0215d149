/* The CSV reader: it comes to an end, its cells lie within what it was given, and rows written from them read back alike. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void check_again(const struct rx_csv *csv)
{
    struct rx_buffer out = {0};
    struct rx_csv again = {0};
    for (size_t i = 0; i < csv->count; i++) {
        rx_buffer_text(&out, i ? "," : "");
        rx_csv_write_cell(&out, csv->cells[i].text, csv->cells[i].length, ',');
    }
    REQUIRE(!out.failed);
    rx_csv_begin(&again, out.data, out.length, ',');
    REQUIRE(rx_csv_next(&again, NULL) == 1);
    REQUIRE(again.count == csv->count);
    for (size_t i = 0; i < csv->count; i++)
        REQUIRE(again.cells[i].length == csv->cells[i].length &&
                memcmp(again.cells[i].text, csv->cells[i].text, csv->cells[i].length) == 0);
    rx_csv_finish(&again);
    rx_buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_csv csv = {0};
    struct rx_error error;
    char *text = malloc(size ? size : 1); /* so that a byte read too many is seen */
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    rx_csv_begin(&csv, text, size, ',');
    unsigned last = 0;
    for (int r; (r = rx_csv_next(&csv, &error)) != 0;) {
        REQUIRE(csv.line > last);
        last = csv.line;
        REQUIRE(r == 1 || (error.at.line >= csv.line && error.at.offset <= size));
        if (r == 1)
            check_again(&csv);
    }
    rx_csv_finish(&csv);
    for (const char *at = text; at; at = rx_csv_row_end(at, text + size, ','))
        REQUIRE(at >= text && at <= text + size);
    free(text);
    return 0;
}
