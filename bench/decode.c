/* The event decoder against jansson, on one message of 95 bytes with a varying number in it.
 *   bench_decode [SECONDS_PER_ROUND]      medians of seven interleaved rounds */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/json/json.h"

enum { MESSAGES = 256, ROUNDS = 7, CASES = 4 };

static char messages[MESSAGES][128];
static size_t lengths[MESSAGES];

struct bench {
    struct rx_heap *heap;
    struct rx_fields *two;
    struct rx_buffer out;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void decode(struct bench *bench, const struct rx_fields *fields, size_t i)
{
    struct rx_value v;
    if (rx_json_decode(bench->heap, fields, NULL, messages[i], lengths[i], &v, NULL) < 0)
        abort();
    rx_value_unref(v);
}

static void run_two(struct bench *bench, size_t i) { decode(bench, bench->two, i); }
static void run_all(struct bench *bench, size_t i) { decode(bench, NULL, i); }

static void run_write(struct bench *bench, size_t i)
{
    struct rx_value v;
    if (rx_json_decode(bench->heap, NULL, NULL, messages[i], lengths[i], &v, NULL) < 0)
        abort();
    rx_buffer_clear(&bench->out);
    rx_json_write(&bench->out, v);
    rx_value_unref(v);
}

static void run_jansson(struct bench *bench, size_t i)
{
    (void)bench;
    json_decref(json_loadb(messages[i], lengths[i], 0, NULL));
}

/* Nanoseconds a message. */
static double measure(struct bench *bench, void (*run)(struct bench *, size_t), double seconds)
{
    size_t count = 0;
    double start = now(), end;
    do {
        for (size_t i = 0; i < MESSAGES; i++)
            run(bench, i);
        count += MESSAGES;
    } while ((end = now()) < start + seconds);
    return (end - start) / (double)count * 1e9;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct bench *, size_t);
    } cases[CASES] = {{"two of five fields", run_two},
                      {"all fields", run_all},
                      {"all fields, written again", run_write},
                      {"jansson, all fields", run_jansson}};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.2, results[CASES][ROUNDS];
    struct bench bench = {.heap = rx_heap_create(NULL)};
    bench.two = rx_fields_create(bench.heap);
    if (rx_fields_add(bench.two, "deviceId", 8) < 0 || rx_fields_add(bench.two, "temperature", 11) < 0)
        return 1;
    for (size_t i = 0; i < MESSAGES; i++)
        lengths[i] = (size_t)snprintf(messages[i], sizeof messages[i],
                                      "{\"deviceId\":\"sensor-%04zu\",\"ts\":%zu,\"temperature\":%.2f,"
                                      "\"humidity\":%.1f,\"status\":\"ok\"}",
                                      i, 1700000000123 + i * 1000, 15 + (double)i / 21, 40 + (double)i / 37);
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < CASES; i++)
            results[i][round] = measure(&bench, cases[i].run, seconds);
    for (size_t i = 0; i < CASES; i++) {
        qsort(results[i], ROUNDS, sizeof(double), compare_doubles);
        double median = results[i][ROUNDS / 2];
        printf("%-28s %8.1f ns  %7.2f M msg/s  (%.1f to %.1f ns)\n", cases[i].name, median, 1e3 / median, results[i][0],
               results[i][ROUNDS - 1]);
    }
    rx_fields_destroy(bench.two);
    rx_buffer_finish(&bench.out);
    rx_heap_destroy(bench.heap);
    return 0;
}
