/* What the tests of all files together reached. */
#include "daemon/test_tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void take(void *arg, const char *place, bool reached)
{
    struct test_tally *t = arg;
    if (t->count == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 64;
        struct test_tally_row *bigger = realloc(t->rows, capacity * sizeof *bigger);
        t->failed = t->failed || !bigger;
        if (!bigger)
            return;
        t->rows = bigger;
        t->capacity = capacity;
    }
    char *copy = strdup(place);
    t->failed = t->failed || !copy;
    if (copy)
        t->rows[t->count++] = (struct test_tally_row){.place = copy, .order = t->count, .reached = reached};
}

void test_tally_add(struct test_tally *t, const struct rx_test_coverage *coverage)
{
    rx_test_coverage_each(coverage, take, t);
}

static int by_place(const void *a, const void *b)
{
    const struct test_tally_row *x = a, *y = b;
    int order = strcmp(x->place, y->place);
    return order != 0 ? order : x->order < y->order ? -1 : 1;
}

static int by_order(const void *a, const void *b)
{
    const struct test_tally_row *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Rows of one place become the first of them. */
static void merge(struct test_tally *t)
{
    size_t n = 0;
    if (t->count)
        qsort(t->rows, t->count, sizeof *t->rows, by_place);
    for (size_t i = 0; i < t->count; i++) {
        if (n > 0 && strcmp(t->rows[n - 1].place, t->rows[i].place) == 0) {
            t->rows[n - 1].reached = t->rows[n - 1].reached || t->rows[i].reached;
            free(t->rows[i].place);
        } else {
            t->rows[n++] = t->rows[i];
        }
    }
    t->count = n;
    if (n)
        qsort(t->rows, n, sizeof *t->rows, by_order);
}

int test_tally_write(struct test_tally *t, FILE *out)
{
    size_t reached = 0;
    merge(t);
    if (t->failed)
        return -ENOMEM;
    for (size_t i = 0; i < t->count; i++)
        reached += t->rows[i].reached;
    fprintf(out, "\ncoverage: %zu of %zu steps and branches\n", reached, t->count);
    for (size_t i = 0; i < t->count; i++)
        if (!t->rows[i].reached)
            fprintf(out, "%s\n", t->rows[i].place);
    return 0;
}

void test_tally_finish(struct test_tally *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->rows[i].place);
    free(t->rows);
    *t = (struct test_tally){0};
}
