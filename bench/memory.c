// layer: pipelines
/* A config's pipelines over events that are made beforehand: what the steps cost, without a source.
 *   bench_memory CONFIG FEED      the events of FEED, lines of JSON, go to CONFIG's first source, in spans of 256, at the instants (ms) of
 *                                 their field "at", under a virtual clock; results are thrown away; the last pipeline is subscribed
 * Prints the events, seconds of CPU, and MB that were added to those of the events. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "pipelines/run/pipeline_run.h"

enum { SPAN = 256, TAIL = 60 };

struct feed {
    struct rx_event *events;
    size_t count, capacity;
};

struct run {
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_diagnostics *diagnostics;
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_plan *plan;
    struct rx_observer observer; /* of the last pipeline: those that it reads run for it */
    uint64_t results;
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

static void on_note(struct rx_observer *observer, const struct rx_note *note)
{
    struct run *run = (struct run *)(void *)((char *)observer - offsetof(struct run, observer));
    run->results += note->kind == RX_NEXT ? note->count : 0;
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
    run->observer.note = on_note;
    rx_engine_enter(run->engine);
    rx_hub_subscribe(run->plan->pipelines[run->plan->pipeline_count - 1].hub, &run->observer);
    rx_engine_leave(run->engine);
}

static void add_event(struct run *run, struct feed *feed, const char *line, size_t length)
{
    if (feed->count == feed->capacity) {
        feed->capacity = feed->capacity ? feed->capacity * 2 : 1024;
        feed->events = realloc(feed->events, feed->capacity * sizeof *feed->events);
        if (!feed->events)
            die("no memory", NULL);
    }
    const char *at = strstr(line, "\"at\":");
    struct rx_event *event = &feed->events[feed->count++];
    *event = (struct rx_event){.time = at ? (rx_time)strtoll(at + 5, NULL, 10) * 1000000 : 0};
    if (rx_json_decode(run->heap, NULL, NULL, line, length, &event->value, NULL) < 0)
        die(line, NULL);
}

static void read_feed(struct run *run, const char *path, struct feed *feed)
{
    char *line = NULL;
    size_t size = 0;
    FILE *in = fopen(path, "r");
    if (!in)
        die(path, NULL);
    for (ssize_t n; (n = getline(&line, &size, in)) > 0;)
        add_event(run, feed, line, (size_t)n);
    free(line);
    fclose(in);
}

static void hand_on(struct run *run, struct feed *feed)
{
    for (size_t i = 0; i < feed->count; i += SPAN) {
        rx_sched_run_until(run->sched, feed->events[i].time, false);
        rx_hub_next(run->plan->sources[0].hub, feed->events + i, i + SPAN <= feed->count ? SPAN : feed->count - i);
    }
    rx_sched_run_until(run->sched, feed->events[feed->count - 1].time + (rx_time)TAIL * 1000000000, false);
}

static void unload(struct run *run, struct feed *feed)
{
    rx_hub_unsubscribe(&run->observer);
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
    struct feed feed = {0};
    if (argc != 3)
        die("usage: bench_memory CONFIG FEED", NULL);
    load(&run, argv[1]);
    read_feed(&run, argv[2], &feed);
    if (!feed.count)
        die("no events", NULL);
    rx_sched_run_until(run.sched, feed.events[0].time, false);
    double before = megabytes(), began = seconds();
    hand_on(&run, &feed);
    printf("%zu %.9f %.1f\n", feed.count, seconds() - began, megabytes() - before);
    fprintf(stderr, "%llu results\n", (unsigned long long)run.results);
    unload(&run, &feed);
    return 0;
}
