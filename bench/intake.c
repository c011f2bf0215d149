// layer: sources
/* Intake: messages to events of the http source's bodies and of a source with topic captures, one core, no subscriber's
 * work behind. Prints events a second. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/feed/source.h"
#include "core/graph/graph.h"

extern const struct rx_source_class rx_source_http;

enum { LINES = 10000, ROUNDS = 100 };

static size_t heard;

static void on_note(struct rx_observer *observer, const struct rx_note *note)
{
    (void)observer;
    heard += note->kind == RX_NEXT ? note->count : 0;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const char *what, double start, size_t bytes)
{
    double taken = seconds() - start;
    printf("%-28s %6.2f M events/s  %5.0f ns an event  %4.0f MB/s\n", what, (double)heard / taken / 1e6,
           taken / (double)heard * 1e9, (double)bytes / taken / 1e6);
    heard = 0;
}

static char *make_body(size_t *ret_length)
{
    char *body = malloc(LINES * 128), *at = body;
    for (int i = 0; body && i < LINES; i++)
        at += sprintf(at,
                      "{\"deviceId\":\"sensor-%04d\",\"ts\":1700000000%03d,\"temperature\":%d.%02d,\"humidity\":48.2,"
                      "\"status\":\"ok\"}\n",
                      i % 1000, i % 1000, i % 40, i % 100);
    *ret_length = body ? (size_t)(at - body) : 0;
    return body;
}

static void take_bodies(struct rx_source *source, const char *what)
{
    size_t length;
    struct rx_ingest ingest = {.body = make_body(&length), .type = "application/x-ndjson"};
    ingest.length = length;
    double start = seconds();
    for (int i = 0; i < ROUNDS; i++)
        rx_source_http.ingest(source, &ingest);
    report(what, start, length * ROUNDS);
    free(ingest.body);
}

static void take_captures(struct rx_source *source)
{
    static const char payload[] = "{\"value\":21.37,\"unit\":\"C\"}";
    const struct rx_key *keys[] = {rx_key_intern(source->heap, "device", 6), rx_key_intern(source->heap, "metric", 6)};
    struct rx_value captures[] = {rx_string(source->heap, "sensor-0042", 11), rx_string(source->heap, "temp", 4)};
    struct rx_message_info info = {.capture_keys = keys, .captures = captures, .capture_count = 2};
    struct rx_source_run run;
    double start = seconds();
    rx_source_run_begin(&run, source, RX_FORMAT_AUTO);
    for (int i = 0; i < LINES * ROUNDS; i++)
        rx_source_run_message(&run, payload, sizeof payload - 1, &info);
    rx_source_run_end(&run);
    rx_source_flush(source);
    report("small, two captures", start, (sizeof payload - 1) * LINES * ROUNDS);
    rx_value_unref(captures[0]);
    rx_value_unref(captures[1]);
}

int main(void)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_sched *sched = rx_sched_create(0);
    struct rx_engine *engine = rx_engine_create(heap, sched);
    struct rx_hub *hub = rx_hub_create(engine, "bench");
    struct rx_source *source = calloc(1, rx_source_http.base.state_size);
    struct rx_fields *fields = rx_fields_create(heap);
    struct rx_observer observer = {.note = on_note};
    *source = (struct rx_source){.class = &rx_source_http,
                                 .name = "bench",
                                 .engine = engine,
                                 .heap = heap,
                                 .sched = sched,
                                 .hub = hub,
                                 .max_message = 1 << 20};
    rx_hub_subscribe(hub, &observer);
    take_bodies(source, "NDJSON bodies, all fields");
    rx_fields_add(fields, "deviceId", 8);
    rx_fields_add(fields, "temperature", 11);
    source->fields = fields;
    take_bodies(source, "NDJSON bodies, two fields");
    source->fields = NULL;
    take_captures(source);
    rx_hub_unsubscribe(&observer);
    rx_source_finish(source);
    rx_fields_destroy(fields);
    free(source);
    rx_hub_destroy(hub);
    rx_engine_destroy(engine);
    rx_sched_destroy(sched);
    rx_heap_destroy(heap);
    return 0;
}
