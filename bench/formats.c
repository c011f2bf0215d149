// layer: sources
/* Formats: the same 200,000 readings as JSON, CSV, InfluxDB lines, CBOR and MessagePack, read by a file source from a file, one
 * core, no subscriber's work behind. Prints events a second of CPU time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/feed/source.h"
#include "core/feed/source_common.h"
#include "core/graph/graph.h"
#include "core/io/site.h"

extern const struct rx_source_class rx_source_file;

enum { READINGS = 200000 };

static size_t heard, ended;

static void on_note(struct rx_observer *observer, const struct rx_note *note)
{
    (void)observer;
    heard += note->kind == RX_NEXT ? note->count : 0;
    ended += rx_note_ends(note);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void put_double(FILE *out, char head, double d)
{
    unsigned char bytes[9] = {(unsigned char)head};
    for (int i = 0; i < 8; i++) {
        uint64_t bits;
        memcpy(&bits, &d, 8);
        bytes[1 + i] = (unsigned char)(bits >> (56 - 8 * i));
    }
    fwrite(bytes, 1, sizeof bytes, out);
}

static void put_text(FILE *out, int base, const char *text) { fprintf(out, "%c%s", base + (int)strlen(text), text); }

/* {device, t, temperature, humidity, status} in five items. */
static void put_packed(FILE *out, int i, const char *device, bool cbor)
{
    int text = cbor ? 0x60 : 0xA0;
    char number = (char)(cbor ? 0xFB : 0xCB);
    fputc(cbor ? 0xA5 : 0x85, out);
    put_text(out, text, "device");
    put_text(out, text, device);
    put_text(out, text, "t");
    fputc(cbor ? 0x1A : 0xCE, out);
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)((unsigned)i >> shift & 255), out);
    put_text(out, text, "temperature");
    put_double(out, number, i % 40 + (i % 100) / 100.0);
    put_text(out, text, "humidity");
    put_double(out, number, 48.2);
    put_text(out, text, "status");
    put_text(out, text, "ok");
}

static void write_readings(FILE *out, enum rx_format format)
{
    char device[16];
    if (format == RX_FORMAT_CSV)
        fputs("device,t,temperature,humidity,status\n", out);
    for (int i = 0; i < READINGS; i++) {
        snprintf(device, sizeof device, "sensor-%04d", i % 1000);
        if (format == RX_FORMAT_JSON)
            fprintf(out, "{\"device\":\"%s\",\"t\":%d,\"temperature\":%d.%02d,\"humidity\":48.2,\"status\":\"ok\"}\n",
                    device, i, i % 40, i % 100);
        else if (format == RX_FORMAT_CSV)
            fprintf(out, "%s,%d,%d.%02d,48.2,ok\n", device, i, i % 40, i % 100);
        else if (format == RX_FORMAT_INFLUX)
            fprintf(out, "air,device=%s,status=ok temperature=%d.%02d,humidity=48.2 1700000000%09d\n", device, i % 40,
                    i % 100, i);
        else
            put_packed(out, i, device, format == RX_FORMAT_CBOR);
    }
}

struct bench {
    struct rx_loop *loop;
    struct rx_heap *heap;
    struct rx_engine *engine;
    struct rx_site site;
};

static void read_file(struct bench *b, const char *path, enum rx_format format, const struct rx_fields *fields,
                      const char *what)
{
    struct rx_source_common common = {.format = (int)format, .format_given = true, .max_message = 1 << 20};
    struct rx_tree tree = {.text = path, .length = strlen(path)};
    struct rx_plan_arena *arena = rx_plan_arena_create(b->heap);
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_source *source = calloc(1, rx_source_file.base.state_size);
    struct rx_observer observer = {.note = on_note};
    rx_options_parse(&rx_source_file.base, &tree, &tree, arena, source, diagnostics);
    source->class = &rx_source_file;
    source->name = "bench";
    source->engine = b->engine;
    source->heap = b->heap;
    source->sched = rx_loop_sched(b->loop);
    source->site = &b->site;
    source->hub = rx_hub_create(b->engine, "bench");
    source->fields = fields;
    rx_source_set_common(source, &common);
    rx_source_file.init(source, NULL);
    rx_hub_subscribe(source->hub, &observer);
    heard = ended = 0;
    double start = seconds();
    rx_source_file.start(source, NULL);
    while (!ended)
        rx_loop_once(b->loop, 0);
    double taken = seconds() - start;
    printf("%-8s %-10s %6.2f M events/s  %5.0f ns an event  %4.0f MB/s\n", rx_format_choices[format], what,
           (double)heard / taken / 1e6, taken / (double)heard * 1e9, (double)source->bytes / taken / 1e6);
    rx_source_file.dispose(source);
    rx_source_finish(source);
    rx_hub_destroy(source->hub);
    rx_plan_arena_destroy(arena);
    rx_diagnostics_destroy(diagnostics);
    free(source);
}

int main(void)
{
    static const enum rx_format formats[] = {RX_FORMAT_JSON, RX_FORMAT_CSV, RX_FORMAT_INFLUX, RX_FORMAT_CBOR,
                                             RX_FORMAT_MSGPACK};
    struct bench b = {.heap = rx_heap_create(NULL)};
    struct rx_fields *two = rx_fields_create(b.heap);
    rx_loop_create(&b.loop);
    b.engine = rx_engine_create(b.heap, rx_loop_sched(b.loop));
    b.site.loop = b.loop;
    rx_fields_add(two, "device", 6);
    rx_fields_add(two, "temperature", 11);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char path[] = "/tmp/rxd-bench-XXXXXX";
        FILE *out = fdopen(mkstemp(path), "wb");
        write_readings(out, formats[i]);
        fclose(out);
        read_file(&b, path, formats[i], NULL, "all fields");
        read_file(&b, path, formats[i], two, "two fields");
        unlink(path);
    }
    rx_fields_destroy(two);
    rx_engine_destroy(b.engine);
    rx_loop_destroy(b.loop);
    rx_heap_destroy(b.heap);
    return 0;
}
