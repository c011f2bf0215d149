// layer: pipelines
/* Many pipelines on one source: a rule each, of which an event meets one. Nanoseconds an event, made beforehand; and of each pipeline the
 * milliseconds and the bytes that reading, checking and planning it takes, and those of its run. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipelines/run/pipeline_run.h"
#include "pipelines/run/world.h"

enum { EVENTS = 4096, SPAN = 64, WORK = 4000000 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others may have the core too */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double allocated(void)
{
    struct mallinfo2 m = mallinfo2();
    return (double)m.uordblks + (double)m.hblkhd;
}

struct kind {
    const char *name, *condition;
};

static const struct kind kinds[] = {
    {"equality", "k == \"key-%d\" && v >= 0"}, {"range", "v >= %d && v < %d"}, {"unindexed", "k.endsWith(\"-%d\")"}};

static char *make_config(const struct kind *kind, size_t rules)
{
    size_t size = 200 * rules + 200, at = 0;
    char *text = malloc(size);
    at += (size_t)snprintf(text, size, "sources: {s: {http: {}}}\npipelines:\n");
    for (size_t i = 0; i < rules; i++) {
        at += (size_t)snprintf(text + at, size - at, "  rule%zu:\n    from: s\n    pipe: [{filter: '", i);
        at += (size_t)snprintf(text + at, size - at, kind->condition, (int)i, (int)i + 1);
        at += (size_t)snprintf(text + at, size - at, "'}]\n");
    }
    return text;
}

static void make_events(struct rx_heap *heap, struct rx_event *events, size_t rules)
{
    for (size_t i = 0; i < EVENTS; i++) {
        char text[80];
        size_t rule = i * 7919 % rules;
        int n = snprintf(text, sizeof text, "{\"k\":\"key-%zu\",\"v\":%zu.5}", rule, rule);
        events[i] = (struct rx_event){.time = RX_SEC};
        rx_json_decode(heap, NULL, NULL, text, (size_t)n, &events[i].value, NULL);
    }
}

static double run(struct rx_hub *hub, const struct rx_event *events, size_t count)
{
    double began = 0;
    size_t warm = count / 10;
    for (size_t i = 0; i < count; i += SPAN) {
        if (began == 0 && i >= warm)
            began = seconds();
        rx_hub_next(hub, events + i % EVENTS, SPAN);
    }
    return (seconds() - began) / ((double)count * 0.9) * 1e9;
}

static void hear(struct rx_observer *o, const struct rx_note *note)
{
    (void)o;
    (void)note;
}

static void bench(const struct kind *kind, size_t rules, size_t index_from)
{
    char *text = make_config(kind, rules);
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_forest *forest = NULL;
    struct rx_logical *logical = NULL;
    struct rx_world world = {0};
    struct rx_error error;
    double before = allocated(), began = seconds();
    if (rx_forest_read_text(text, strlen(text), "bench", 0, diagnostics, &forest) < 0 ||
        rx_logical_create(forest, &(struct rx_logical_options){.replay = true}, diagnostics, &logical) < 0 ||
        rx_world_create(logical, &(struct rx_plan_options){.index_from = index_from}, &world, &error) < 0) {
        printf("%s: %zu rules cannot be planned\n", kind->name, rules);
        exit(1);
    }
    double planned = seconds() - began, bytes = allocated() - before;
    struct rx_observer *listeners = calloc(rules, sizeof *listeners);
    struct rx_event *events = calloc(EVENTS, sizeof *events);
    make_events(world.heap, events, rules);
    before = allocated();
    for (size_t i = 0; i < rules; i++) {
        listeners[i].note = hear;
        rx_hub_subscribe(world.plan->pipelines[i].hub, &listeners[i]);
    }
    size_t count = index_from > 1 && rules > 10 ? WORK / rules / SPAN * SPAN + 10 * SPAN : WORK;
    double ns = run(world.plan->sources[0].hub, events, count), running = allocated() - before;
    printf("%-12s %7zu %9.0f %9.1f %9.0f %9.0f\n", kind == &kinds[0] && index_from > 1 ? "asked" : kind->name, rules,
           ns, planned * 1e3, bytes / (double)rules, running / (double)rules);
    fflush(stdout);
    for (size_t i = 0; i < rules; i++)
        rx_hub_unsubscribe(&listeners[i]);
    for (size_t i = 0; i < EVENTS; i++)
        rx_event_unref(&events[i]);
    free(events);
    free(listeners);
    rx_world_destroy(&world);
    rx_logical_destroy(logical);
    rx_forest_destroy(forest);
    rx_diagnostics_destroy(diagnostics);
    free(text);
}

int main(void)
{
    static const size_t rules[] = {1, 10, 100, 1000, 10000};
    printf("%-12s %7s %9s %9s %9s %9s\n", "condition", "rules", "ns/event", "plan, ms", "B, plan", "B, run");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
            bench(&kinds[k], rules[r], k < 2 ? 1 : SIZE_MAX);
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
        bench(&kinds[0], rules[r], SIZE_MAX);
    return 0;
}
