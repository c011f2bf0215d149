/* A part of a page that is made from a table in the code: what stands between two marks. */
#ifndef RX_TESTS_PAGE_H
#define RX_TESTS_PAGE_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline char *page_read(const char *path)
{
    static char page[1 << 17];
    FILE *file = fopen(path, "r");
    ck_assert_msg(file, "cannot read %s", path);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    return page;
}

/* The page holds exactly `table` from the mark `begin` to the mark `end`, the marks included. RXD_UPDATE=1 writes it there
 * instead. */
static inline void page_holds(const char *path, const char *begin, const char *end, const char *table)
{
    char *page = page_read(path), *from = strstr(page, begin), *to = strstr(page, end);
    ck_assert_msg(from && to, "the marks are missing in %s", path);
    to += strlen(end);
    bool same = strlen(table) == (size_t)(to - from) && memcmp(from, table, strlen(table)) == 0;
    if (!same && getenv("RXD_UPDATE")) {
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fprintf(file, "%.*s%s%s", (int)(from - page), page, table, to);
        fclose(file);
        same = true;
    }
    ck_assert_msg(same, "%s differs from the table in the code; RXD_UPDATE=1 writes it", path);
}

#endif
