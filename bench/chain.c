// layer: pipelines
/* Chains: nanoseconds of CPU an event of steps in a row, on events made beforehand, results thrown away.
 *   bench_chain [SECONDS] [NAME ROUNDS]      NAME runs one chain over all events so many times and nothing else (for callgrind)
 *
 * The figures of RxCpp 4 that stand beside are for the same work on numbers in memory, C++ lambdas in place of expressions (design
 * measurements; compare ratios of one machine only). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipelines/plan/plan.h"

enum { EVENTS = 65536, SPAN = 256 };

static const struct chain {
    const char *name, *pipe;
    bool bare; /* events are numbers, not objects */
    double rxcpp;
} chains[] = {
    {"map_filter", "map: value + 1, filter: value > 20", true, 14},
    {"maps",
     "map: value + 1, map: value * 2, map: value - 3, map: value / 4, map: value + 5, map: value * 6, map: value - 7, "
     "map: value + 8",
     true, 55},
    {"maps_objects",
     "map: {v: v + 1}, map: {v: v * 2}, map: {v: v - 3}, map: {v: v / 4}, map: {v: v + 5}, map: {v: v * 6}, map: {v: v "
     "- 7}, "
     "map: {v: v + 8}",
     false, 55},
    {"sets", "set: {f: v * 1.8 + 32}, set: {hot: f > 80}, set: {w: f - v}", false, 0},
    {"filter", "filter: metric == \"temperature\"", false, 0},
    {"filter_and", "filter: metric == \"temperature\" && v > 10 && v < 60", false, 0},
    {"group_average", "group_by: {by: k}, window: 1s, aggregate: {a: avg(v)}", false, 46},
    {"mixed", "filter: metric == \"temperature\", set: {f: v * 1.8 + 32}, unset: k, default: {unit: C}, filter: f > 50",
     false, 0},
};
enum { CHAINS = sizeof chains / sizeof *chains };

struct bed {
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_diagnostics *diagnostics;
    struct rx_event *objects, *numbers;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_note(void *arg, const struct rx_note *note)
{
    *(uint64_t *)arg += note->kind == RX_NEXT ? note->count : 0;
}

static void prepare(struct bed *bed)
{
    uint64_t seed = 88172645463325252u;
    bed->heap = rx_heap_create(NULL);
    bed->sched = rx_sched_create(0);
    bed->engine = rx_engine_create(bed->heap, bed->sched);
    bed->diagnostics = rx_diagnostics_create();
    bed->objects = calloc(EVENTS, sizeof *bed->objects);
    bed->numbers = calloc(EVENTS, sizeof *bed->numbers);
    for (size_t i = 0; i < EVENTS; i++) {
        char text[120];
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        double v = (double)(seed >> 20 & 4095) / 64 + 0.005;
        int n = snprintf(text, sizeof text, "{\"k\":\"key-%llu\",\"metric\":\"%s\",\"v\":%.3f}",
                         (unsigned long long)(seed % 100), seed & 1 << 16 ? "temperature" : "humidity", v);
        rx_json_decode(bed->heap, NULL, NULL, text, (size_t)n, &bed->objects[i].value, NULL);
        bed->numbers[i].value = rx_double(v);
        bed->objects[i].time = bed->numbers[i].time = (rx_time)i;
    }
}

struct running {
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_plan *plan;
    struct rx_instance *instance;
    uint64_t results;
};

static void begin(struct bed *bed, struct running *r, const struct chain *chain, bool fused)
{
    char text[600];
    struct rx_logical_options logical = {.replay = true};
    struct rx_plan_options options = {.no_fusion = !fused};
    *r = (struct running){0};
    snprintf(text, sizeof text, "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [%s]}}\n", chain->pipe);
    if (rx_forest_read_text(text, strlen(text), "bench", 0, bed->diagnostics, &r->forest) < 0 ||
        rx_logical_create(r->forest, &logical, bed->diagnostics, &r->logical) < 0 ||
        rx_plan_create(r->logical, bed->engine, &options, bed->diagnostics, &r->plan) < 0) {
        struct rx_buffer said = {0};
        rx_diagnostics_render(bed->diagnostics, &said);
        printf("%s\n%.*s\n", text, (int)said.length, said.data);
        exit(1);
    }
    rx_engine_enter(bed->engine);
    r->instance = rx_graph_start(bed->engine, r->plan->pipelines[0].graph, on_note, &r->results);
    rx_engine_leave(bed->engine);
}

static void end(struct running *r)
{
    rx_graph_stop(r->instance);
    rx_plan_destroy(r->plan);
    rx_logical_destroy(r->logical);
    rx_forest_destroy(r->forest);
}

static void feed(struct running *r, const struct rx_event *events)
{
    for (size_t i = 0; i < EVENTS; i += SPAN)
        rx_hub_next(r->plan->sources[0].hub, events + i, SPAN);
}

/* The least of rounds over `limit` seconds. */
static double measure(struct bed *bed, const struct chain *chain, bool fused, double limit)
{
    struct running r;
    double best = 1e9;
    begin(bed, &r, chain, fused);
    for (double until = seconds() + limit; seconds() < until;) {
        double start = seconds();
        feed(&r, chain->bare ? bed->numbers : bed->objects);
        double each = (seconds() - start) / EVENTS * 1e9;
        best = each < best ? each : best;
    }
    end(&r);
    return best;
}

static int run_one(struct bed *bed, const char *name, unsigned rounds)
{
    for (unsigned i = 0; i < CHAINS; i++) {
        if (strcmp(chains[i].name, name) != 0)
            continue;
        struct running r;
        begin(bed, &r, &chains[i], true);
        for (; rounds > 0; rounds--)
            feed(&r, chains[i].bare ? bed->numbers : bed->objects);
        end(&r);
        return 0;
    }
    return 2;
}

static void table(struct bed *bed, double limit)
{
    printf("%-14s %9s %9s %9s %7s   %s\n", "chain", "ns/event", "unfused", "RxCpp", "ratio", "steps");
    for (unsigned i = 0; i < CHAINS; i++) {
        const struct chain *c = &chains[i];
        double ns = measure(bed, c, true, limit), apart = measure(bed, c, false, limit);
        printf("%-14s %9.1f %9.1f ", c->name, ns, apart);
        if (c->rxcpp > 0)
            printf("%9.0f %6.1fx", c->rxcpp, c->rxcpp / ns);
        else
            printf("%9s %7s", "-", "-");
        printf("   %s\n", c->pipe);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct bed bed = {0};
    int status = 0;
    prepare(&bed);
    if (argc > 3)
        status = run_one(&bed, argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    else
        table(&bed, argc > 1 ? strtod(argv[1], NULL) : 0.3);
    for (size_t i = 0; i < EVENTS; i++)
        rx_event_unref(&bed.objects[i]);
    free(bed.objects);
    free(bed.numbers);
    rx_engine_destroy(bed.engine);
    rx_sched_destroy(bed.sched);
    rx_heap_destroy(bed.heap);
    rx_diagnostics_destroy(bed.diagnostics);
    return status;
}
