// layer: pipelines
/* A config's pipelines over events that are made beforehand: what the steps cost, without a source.
 *   bench_memory CONFIG FEED [FIELD [TIMES]]      the events of FEED, lines of JSON, go to CONFIG's first source in spans of 256, at the instants (ms) of
 *                                         FIELD ("at"), TIMES over (once), under a virtual clock; the results of those that no other reads are thrown away
 * Prints the events, seconds of CPU, and MB that were added to those of the events. Under callgrind with --instr-atstart=no only the steps are counted. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

#include "pipelines/run/pipeline_run.h"

enum { SPAN = 256, TAIL = 60 };

struct feed {
    struct rx_event *events;
    size_t count, capacity, times;
};

struct run {
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_diagnostics *diagnostics;
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_plan *plan;
    struct rx_observer *observers; /* of the pipelines that no other reads; those that are read run for them */
    size_t observer_count;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double megabytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void die(const char *what, struct rx_diagnostics *diagnostics)
{
    struct rx_buffer said = {0};
    if (diagnostics)
        rx_diagnostics_render(diagnostics, &said);
    fprintf(stderr, "bench_memory: %s\n%.*s", what, (int)said.length, said.length ? said.data : "");
    exit(1);
}

static uint64_t results;

static void on_note(struct rx_observer *observer, const struct rx_note *note)
{
    (void)observer;
    results += note->kind == RX_NEXT ? note->count : 0;
}

static bool is_read(const struct rx_plan *plan, const struct rx_plan_pipeline *pipeline)
{
    for (size_t i = 0; i < plan->pipeline_count; i++)
        for (size_t k = 0; k < plan->pipelines[i].logical->depend_count; k++)
            if (plan->pipelines[i].logical->depends[k] == pipeline->logical->position)
                return true;
    return false;
}

static void subscribe(struct run *run)
{
    run->observers = calloc(run->plan->pipeline_count, sizeof *run->observers);
    if (!run->observers)
        die("no memory", NULL);
    rx_engine_enter(run->engine);
    for (size_t i = 0; i < run->plan->pipeline_count; i++)
        if (!is_read(run->plan, &run->plan->pipelines[i])) {
            struct rx_observer *observer = &run->observers[run->observer_count++];
            observer->note = on_note;
            rx_hub_subscribe(run->plan->pipelines[i].hub, observer);
        }
    rx_engine_leave(run->engine);
}

static void load(struct run *run, const char *path)
{
    struct rx_logical_options logical_options = {.replay = true};
    struct rx_plan_options options = {0};
    run->heap = rx_heap_create(NULL);
    run->sched = rx_sched_create(0);
    run->engine = rx_engine_create(run->heap, run->sched);
    run->diagnostics = rx_diagnostics_create();
    if (rx_forest_read((const char *const[]){path}, 1, run->diagnostics, &run->forest) < 0 ||
        rx_logical_create(run->forest, &logical_options, run->diagnostics, &run->logical) < 0 ||
        rx_plan_create(run->logical, run->engine, &options, run->diagnostics, &run->plan) < 0)
        die(path, run->diagnostics);
    if (!run->plan->source_count || !run->plan->pipeline_count || rx_pipelines_bind(run->plan) < 0)
        die("no source, no pipeline, or no memory", NULL);
    subscribe(run);
}

static void add_event(struct run *run, struct feed *feed, const char *line, size_t length, const char *field)
{
    if (feed->count == feed->capacity) {
        feed->capacity = feed->capacity ? feed->capacity * 2 : 1024;
        feed->events = realloc(feed->events, feed->capacity * sizeof *feed->events);
        if (!feed->events)
            die("no memory", NULL);
    }
    const char *at = strstr(line, field);
    struct rx_event *event = &feed->events[feed->count++];
    *event = (struct rx_event){.time = at ? (rx_time)strtoll(at + strlen(field), NULL, 10) * 1000000 : 0};
    if (rx_json_decode(run->heap, NULL, NULL, line, length, &event->value, NULL) < 0)
        die(line, NULL);
}

static void read_feed(struct run *run, const char *path, const char *name, struct feed *feed)
{
    char field[80];
    char *line = NULL;
    size_t size = 0;
    snprintf(field, sizeof field, "\"%s\":", name);
    FILE *in = fopen(path, "r");
    if (!in)
        die(path, NULL);
    for (ssize_t n; (n = getline(&line, &size, in)) > 0;)
        add_event(run, feed, line, (size_t)n, field);
    free(line);
    fclose(in);
}

static void hand_on(struct run *run, struct feed *feed)
{
    for (size_t k = 0; k < feed->times; k++)
        for (size_t i = 0; i < feed->count; i += SPAN) {
            rx_sched_run_until(run->sched, feed->events[i].time, false);
            rx_hub_next(run->plan->sources[0].hub, feed->events + i, i + SPAN <= feed->count ? SPAN : feed->count - i);
        }
    rx_sched_run_until(run->sched, feed->events[feed->count - 1].time + (rx_time)TAIL * 1000000000, false);
}

static void unload(struct run *run, struct feed *feed)
{
    for (size_t i = 0; i < run->observer_count; i++)
        rx_hub_unsubscribe(&run->observers[i]);
    free(run->observers);
    for (size_t i = 0; i < feed->count; i++)
        rx_event_unref(&feed->events[i]);
    free(feed->events);
    rx_plan_destroy(run->plan);
    rx_logical_destroy(run->logical);
    rx_forest_destroy(run->forest);
    rx_engine_destroy(run->engine);
    rx_sched_destroy(run->sched);
    rx_heap_destroy(run->heap);
    rx_diagnostics_destroy(run->diagnostics);
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct feed feed = {.times = argc > 4 ? strtoul(argv[4], NULL, 10) : 1};
    if (argc < 3)
        die("usage: bench_memory CONFIG FEED [FIELD [TIMES]]", NULL);
    load(&run, argv[1]);
    read_feed(&run, argv[2], argc > 3 ? argv[3] : "at", &feed);
    if (!feed.count)
        die("no events", NULL);
    rx_sched_run_until(run.sched, feed.events[0].time, false);
    double before = megabytes(), began = seconds();
    CALLGRIND_START_INSTRUMENTATION;
    hand_on(&run, &feed);
    CALLGRIND_STOP_INSTRUMENTATION;
    printf("%zu %.9f %.1f\n", feed.count * feed.times, seconds() - began, megabytes() - before);
    fprintf(stderr, "%llu results\n", (unsigned long long)results);
    unload(&run, &feed);
    return 0;
}
