// layer: pipelines
/* Windows: nanoseconds an event of `window -> aggregate` (with group_by where there are keys), events made beforehand and their results
 * thrown away; and how many results there were an event. The last rows are a group_by and an average of whole numbers, as other Rx
 * libraries are measured. `bench_window WINDOW [KEYS]` runs the rows that have this in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipelines/plan/plan.h"

enum { EVENTS = 1000000, SPAN = 64, NEAR = 4096 /* events of whole numbers: they stay in the cache */ };

static uint64_t results;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others may have the core too */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_note(void *arg, const struct rx_note *note)
{
    (void)arg;
    results += note->kind == RX_NEXT ? note->count : 0;
}

/* Texts as keys, and fractions; or whole numbers both. */
static struct rx_event *make_events(struct rx_heap *heap, size_t keys, bool whole)
{
    struct rx_event *events = calloc(EVENTS, sizeof *events);
    uint64_t seed = 88172645463325252u;
    for (size_t i = 0; events && i < EVENTS; i++) {
        char text[80];
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        unsigned long long key = seed % keys, v = seed >> 20 & 4095;
        int n = whole ? snprintf(text, sizeof text, "{\"k\":%llu,\"v\":%llu}", key, v)
                      : snprintf(text, sizeof text, "{\"k\":\"key-%llu\",\"v\":%.2f}", key, (double)v / 64);
        rx_json_decode(heap, NULL, NULL, text, (size_t)n, &events[i].value, NULL);
        events[i].time = (rx_time)i * 1000; /* a million a second */
    }
    return events;
}

/* A second to warm up: the first tenth does not count. */
static double run(struct rx_sched *sched, struct rx_hub *hub, struct rx_event *events, size_t room, size_t count)
{
    double began = 0;
    for (size_t i = 0; i < count; i += SPAN) {
        if (began == 0 && i >= count / 10) {
            began = seconds();
            results = 0;
        }
        rx_sched_run_until(sched, events[i % room].time, false);
        rx_hub_next(hub, events + i % room, i + SPAN <= count ? SPAN : count - i);
    }
    return (seconds() - began) / ((double)count * 0.9) * 1e9;
}

static void bench(const char *window, const char *fields, bool whole, size_t keys, size_t count)
{
    char text[400];
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_logical_options logical_options = {.replay = true};
    struct rx_plan_options options = {0};
    struct rx_forest *forest = NULL;
    struct rx_logical *logical = NULL;
    struct rx_plan *plan = NULL;
    struct rx_heap *heap = rx_heap_create(NULL);
    struct rx_sched *sched = rx_sched_create(0);
    struct rx_engine *engine = rx_engine_create(heap, sched);
    snprintf(text, sizeof text,
             "sources: {a: {http: {}}}\npipelines: {p: {from: a, pipe: [%s window: %s, aggregate: {%s}]}}\n",
             keys > 1 ? "group_by: {by: k, max_keys: 1000000}," : "", window, fields);
    if (rx_forest_read_text(text, strlen(text), "bench", 0, diagnostics, &forest) < 0 ||
        rx_logical_create(forest, &logical_options, diagnostics, &logical) < 0 ||
        rx_plan_create(logical, engine, &options, diagnostics, &plan) < 0) {
        struct rx_buffer said = {0};
        rx_diagnostics_render(diagnostics, &said);
        printf("%s: %.*s\n", window, (int)said.length, said.data);
        exit(1);
    }
    struct rx_event *events = make_events(heap, keys, whole);
    rx_engine_enter(engine);
    struct rx_instance *instance = rx_graph_start(engine, plan->pipelines[0].graph, on_note, NULL);
    rx_engine_leave(engine);
    double ns = run(sched, plan->sources[0].hub, events, whole ? NEAR : EVENTS, count);
    printf("%-34s %9zu %9.0f %12.4f\n", window, keys, ns, (double)results / ((double)count * 0.9));
    fflush(stdout);
    rx_graph_stop(instance);
    for (size_t i = 0; i < EVENTS; i++)
        rx_event_unref(&events[i]);
    free(events);
    rx_plan_destroy(plan);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    rx_engine_destroy(engine);
    rx_sched_destroy(sched);
    rx_heap_destroy(heap);
    rx_diagnostics_destroy(diagnostics);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *window;
        size_t count;
        bool whole;
    } forms[] = {
        {"{size: 100ms}", EVENTS, false},
        {"{size: 1s, every: 100ms}", EVENTS, false},
        {"{size: 10s, every: 100ms}", EVENTS, false},
        {"{session: 1ms}", EVENTS, false},
        {"{size: 1000}", EVENTS, false},
        {"{size: 10, every: 1}", EVENTS, false},
        {"{size: 1000, every: 1}", EVENTS, false},
        {"{size: 100000, every: 1}", EVENTS, false},
        {"{size: 1ms, every: event}", EVENTS / 10, false},
        {"{size: 10ms, every: event}", EVENTS / 10, false},
        {"{size: 100ms, every: event}", EVENTS, false},
        {"5s", 10 * EVENTS, true},
    };
    static const size_t keys[] = {1, 100, 1000, 1000000};
    printf("%-34s %9s %9s %12s\n", "window", "keys", "ns/event", "results/event");
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            if ((argc < 2 || strstr(forms[f].window, argv[1])) &&
                (argc < 3 ? keys[k] != 100 || forms[f].whole : keys[k] == (size_t)strtoul(argv[2], NULL, 10)))
                bench(forms[f].window, forms[f].whole ? "a: avg(v)" : "a: avg(v), m: max(v), n: count()",
                      forms[f].whole, keys[k], forms[f].count);
    return 0;
}
