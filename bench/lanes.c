// layer: pipelines
/* What `parallel` gains: one pipeline without it, and with one lane and two, by the weight of the steps behind it.
 *   bench_lanes [ROUNDS]        interleaved rounds; medians of wall time and of CPU time an event, and the gain of two lanes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipelines/run/lanes.h"
#include "pipelines/run/pipeline_run.h"
#include "pipelines/run/world.h"

enum { SPAN = 256, FORMS = 3, ROUNDS_MAX = 99 };

#define TEN    "1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0"
#define FIFTY  TEN "," TEN "," TEN "," TEN "," TEN
#define POWERS ".map(x, math.pow(x + value, 1.7) + math.log(x + 1.0)).exists(y, y < 0.0)"
static const struct weight {
    const char *name, *expr;
    int spans;
} weights[] = {
    {"heavy", "[" FIFTY "," FIFTY "]" POWERS, 40},
    {"middling", "[" TEN "," TEN "," TEN "]" POWERS, 150},
    {"light", "value * 1.8 + 32.0", 2000},
};
enum { WEIGHTS = sizeof weights / sizeof *weights };
static const char *const forms[FORMS] = {"", "{parallel: {by: device, lanes: 1}}, ",
                                         "{parallel: {by: device, lanes: 2}}, "};

struct rig {
    struct rx_observer output;
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_world world;
    struct rx_loop *loop;
    struct rx_crew *crew;
    struct rx_lane_host *host;
    struct rx_event span[SPAN];
    unsigned long came;
    bool full;
};

static void on_note(struct rx_observer *o, const struct rx_note *note)
{
    if (note->kind == RX_NEXT)
        ((struct rig *)(void *)o)->came += note->count;
}

static void on_press(void *arg, const char *pipeline, bool full)
{
    (void)pipeline;
    ((struct rig *)arg)->full = full;
}

static void need(int r)
{
    if (r == 0)
        return;
    fprintf(stderr, "bench_lanes: %s\n", strerror(-r));
    exit(1);
}

static void make(struct rig *r, const struct weight *weight, const char *form)
{
    char text[2000];
    struct rx_error error;
    struct rx_diagnostics *d = rx_diagnostics_create();
    int length = snprintf(text, sizeof text,
                          "sources: {a: {http: {}}}\npipelines: {out: {from: a, pipe: [%s{set: {r: '%s'}}]}}\n", form,
                          weight->expr);
    *r = (struct rig){.output = {.note = on_note}};
    need(rx_forest_read_text(text, (size_t)length, "bench", 0, d, &r->forest));
    need(rx_logical_create(r->forest, &(struct rx_logical_options){.replay = true}, d, &r->logical));
    need(rx_world_create(r->logical, &(struct rx_plan_options){0}, &r->world, &error));
    rx_diagnostics_destroy(d);
    need(rx_loop_create(&r->loop));
    r->crew = rx_crew_create();
    need(rx_lane_host_create(r->crew, r->loop, r->world.engine, &r->host));
    rx_lane_host_use(r->host, r->world.plan, on_press, r);
    rx_hub_subscribe(r->world.plan->pipelines[0].hub, &r->output);
    for (int i = 0; i < SPAN; i++) {
        char json[120];
        int n = snprintf(json, sizeof json, "{\"device\":\"sensor-%04d\",\"value\":%d.5,\"unit\":\"C\",\"seq\":%d}",
                         i % 100, i, i);
        need(rx_json_decode(r->world.heap, NULL, NULL, json, (size_t)n, &r->span[i].value, NULL));
    }
}

static void unmake(struct rig *r)
{
    for (int i = 0; i < SPAN; i++)
        rx_event_unref(&r->span[i]);
    rx_hub_unsubscribe(&r->output);
    rx_lane_host_destroy(r->host);
    rx_world_destroy(&r->world);
    rx_crew_destroy(r->crew);
    rx_loop_destroy(r->loop);
    rx_logical_destroy(r->logical);
    rx_forest_destroy(r->forest);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A source that is asked to pause goes on when there is room, which the loop is told of. */
static void feed(struct rig *r, int spans)
{
    for (int i = 0; i < spans; i++) {
        rx_hub_next(r->world.plan->sources[0].hub, r->span, SPAN);
        do
            rx_loop_once(r->loop, r->full ? -1 : 0);
        while (r->full);
    }
    rx_lane_host_settle(r->host, RX_TIME_NEVER);
}

struct figure {
    double wall, cpu; /* ns an event */
};

static struct figure measure(const struct weight *weight, const char *form)
{
    struct rig r;
    make(&r, weight, form);
    feed(&r, weight->spans / 10);
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), n = weight->spans * (double)SPAN;
    unsigned long before = r.came;
    feed(&r, weight->spans);
    struct figure f = {.wall = (seconds(CLOCK_MONOTONIC) - wall) * 1e9 / n,
                       .cpu = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e9 / n};
    if (r.came - before != (unsigned long)n)
        need(-1);
    unmake(&r);
    return f;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    printf("%-10s%14s%14s%14s%14s%14s%14s%8s\n", "", "alone: ns", "CPU", "1 lane: ns", "CPU", "2 lanes: ns", "CPU",
           "gain");
    for (int w = 0; w < WEIGHTS; w++) {
        double wall[FORMS][ROUNDS_MAX], cpu[FORMS][ROUNDS_MAX], gain[ROUNDS_MAX];
        for (int i = 0; i < rounds; i++) {
            for (int f = 0; f < FORMS; f++) {
                struct figure figure = measure(&weights[w], forms[f]);
                wall[f][i] = figure.wall;
                cpu[f][i] = figure.cpu;
            }
            gain[i] = wall[0][i] / wall[2][i];
        }
        printf("%-10s", weights[w].name);
        for (int f = 0; f < FORMS; f++)
            printf("%14.0f%14.0f", median(wall[f], rounds), median(cpu[f], rounds));
        printf("%8.2f\n", median(gain, rounds));
    }
    return 0;
}
