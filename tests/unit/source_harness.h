/* A source or sink on a loop of its own: options from key, value pairs, what it emits as lines of JSON. */
#ifndef RX_TESTS_SOURCE_HARNESS_H
#define RX_TESTS_SOURCE_HARNESS_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/feed/sink.h"
#include "core/feed/source.h"
#include "core/feed/source_common.h"
#include "core/graph/graph.h"
#include "core/io/site.h"

enum { HARNESS_LINES = 20000, HARNESS_OPTIONS = 16 };

struct capture {
    struct rx_observer observer; /* first: an observer is its capture */
    char *lines[HARNESS_LINES];
    size_t count, spans;
    size_t leave_after; /* events; 0: never */
    int completes, errors;
    struct rx_event last; /* the newest event, referenced */
};

struct harness {
    struct rx_loop *loop;
    struct rx_heap *heap;
    struct rx_engine *engine;
    struct rx_plan_arena *arena;
    struct rx_site site;
};

static inline void capture_next(struct rx_observer *observer, const struct rx_event *span, size_t n)
{
    struct capture *capture = (struct capture *)observer;
    capture->spans++;
    for (size_t i = 0; i < n && observer->hub; i++) {
        struct rx_buffer buffer = {0};
        rx_json_write(&buffer, span[i].value);
        rx_buffer_append(&buffer, "", 1);
        ck_assert_uint_lt(capture->count, HARNESS_LINES);
        capture->lines[capture->count++] = buffer.data;
        rx_event_unref(&capture->last);
        capture->last = rx_event_ref(&span[i]);
        if (capture->leave_after > 0 && capture->count == capture->leave_after)
            rx_hub_unsubscribe(observer);
    }
}

static inline void capture_note(struct rx_observer *observer, const struct rx_note *note)
{
    struct capture *capture = (struct capture *)observer;
    if (note->kind == RX_NEXT)
        capture_next(observer, note->span, note->count);
    capture->completes += note->kind == RX_COMPLETE;
    capture->errors += note->kind == RX_ERROR;
}

static inline void capture_init(struct capture *capture)
{
    memset(capture, 0, sizeof *capture);
    capture->observer = (struct rx_observer){.note = capture_note};
}

static inline void capture_finish(struct capture *capture)
{
    rx_hub_unsubscribe(&capture->observer);
    for (size_t i = 0; i < capture->count; i++)
        free(capture->lines[i]);
    rx_event_unref(&capture->last);
}

static inline void harness_init(struct harness *h)
{
    memset(h, 0, sizeof *h);
    ck_assert_int_eq(rx_loop_create(&h->loop), 0);
    h->heap = rx_heap_create(NULL);
    h->engine = rx_engine_create(h->heap, rx_loop_sched(h->loop));
    h->arena = rx_plan_arena_create(h->heap);
    h->site.loop = h->loop;
    h->site.owner = h;
}

static inline void harness_finish(struct harness *h)
{
    rx_plan_arena_destroy(h->arena);
    rx_engine_destroy(h->engine);
    rx_loop_destroy(h->loop);
    ck_assert_uint_eq(rx_heap_live_blocks(h->heap), 0);
    rx_heap_destroy(h->heap);
}

/* Turns the loop until the condition holds; fails after 20 seconds. */
#define harness_until(h, condition)                                                                                    \
    do {                                                                                                               \
        time_t harness_end_ = time(NULL) + 20;                                                                         \
        while (!(condition)) {                                                                                         \
            ck_assert_msg(time(NULL) < harness_end_, "waited in vain for: %s", #condition);                            \
            rx_loop_once((h)->loop, 20);                                                                               \
        }                                                                                                              \
    } while (0)

/* A mapping under way. */
struct harness_map {
    struct rx_tree tree, *keys[HARNESS_OPTIONS], *items[HARNESS_OPTIONS];
};

static inline struct rx_tree *harness_node(struct harness *h, const char *text, size_t length)
{
    static const struct rx_file file = {.path = "test", .text = "", .length = 0};
    struct rx_tree *node = rx_plan_alloc(h->arena, sizeof *node);
    char *copy = rx_plan_alloc(h->arena, length + 1);
    memcpy(copy, text, length);
    *node = (struct rx_tree){.text = copy, .length = length, .file = &file};
    return node;
}

static inline struct harness_map *harness_map_create(struct harness *h)
{
    struct harness_map *map = rx_plan_alloc(h->arena, sizeof *map);
    map->tree = *harness_node(h, "", 0);
    map->tree.kind = RX_TREE_MAP;
    map->tree.keys = map->keys;
    map->tree.items = map->items;
    return map;
}

/* The place of a name; NULL in it where it is new. */
static inline struct rx_tree **harness_place(struct harness *h, struct harness_map *map, const char *name,
                                             size_t length)
{
    for (size_t i = 0; i < map->tree.count; i++)
        if (map->keys[i]->length == length && memcmp(map->keys[i]->text, name, length) == 0)
            return &map->items[i];
    ck_assert_uint_lt(map->tree.count, HARNESS_OPTIONS);
    map->keys[map->tree.count] = harness_node(h, name, length);
    return &map->items[map->tree.count++];
}

static inline void harness_put(struct harness *h, struct harness_map *map, const char *name, const char *value)
{
    size_t group = strcspn(name, ".");
    struct rx_tree **place = harness_place(h, map, name, group), *item = harness_node(h, value, strlen(value));
    if (name[group]) {
        if (!*place)
            *place = &harness_map_create(h)->tree;
        harness_put(h, (struct harness_map *)(void *)*place, name + group + 1, value);
    } else if (!*place) {
        *place = item;
    } else {
        if ((*place)->kind != RX_TREE_LIST) {
            struct rx_tree *list = harness_node(h, "", 0);
            list->kind = RX_TREE_LIST;
            list->items = rx_plan_alloc(h->arena, HARNESS_OPTIONS * sizeof(struct rx_tree *));
            list->items[list->count++] = *place;
            *place = list;
        }
        (*place)->items[(*place)->count++] = item;
    }
}

static inline void harness_parse(struct harness *h, const struct rx_class *class, const struct rx_tree *map,
                                 void *image)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_buffer text = {0};
    int r = rx_options_parse(class, map, map, h->arena, image, diagnostics);
    rx_diagnostics_render(diagnostics, &text);
    rx_buffer_append(&text, "", 1);
    ck_assert_msg(r == 0, "%s", text.data);
    rx_buffer_finish(&text);
    rx_diagnostics_destroy(diagnostics);
}

static inline bool harness_is_common(const struct rx_class *class, const char *name)
{
    char group[32];
    snprintf(group, sizeof group, "%.*s", (int)strcspn(name, "."), name);
    return rx_source_common_has(group) && !rx_class_has_option(class, group);
}

/* The image of a class with options given as name, value, ..., NULL; a name that comes again makes a list, one of the form
 * GROUP.NAME stands in a mapping. `common`: NULL, or what receives those that stand beside a source's kind. */
static inline void *harness_image_v(struct harness *h, const struct rx_class *class, struct rx_source_common *common,
                                    va_list args)
{
    struct harness_map *own = harness_map_create(h), *beside = harness_map_create(h);
    for (const char *name; (name = va_arg(args, const char *));)
        harness_put(h, common && harness_is_common(class, name) ? beside : own, name, va_arg(args, const char *));
    void *image = calloc(1, class->state_size);
    harness_parse(h, class, &own->tree, image);
    if (common)
        harness_parse(h, &rx_source_common, &beside->tree, common);
    return image;
}

static inline void *harness_image(struct harness *h, const struct rx_class *class, ...)
{
    va_list args;
    va_start(args, class);
    void *image = harness_image_v(h, class, NULL, args);
    va_end(args);
    return image;
}

/* A source behind its two hubs. */
struct feed {
    struct rx_source *source;
    struct rx_source_common common;
    struct rx_hub *hub, *errors;
    struct capture events, rejects;
};

static inline void feed_start(void *arg, struct rx_hub *hub)
{
    struct rx_source *source = arg;
    struct rx_error error = {0};
    (void)hub;
    source->starts++;
    ck_assert_msg(source->class->start(source, &error) == 0, "%s", error.message);
}

static inline void feed_stop(void *arg, struct rx_hub *hub)
{
    struct rx_source *source = arg;
    (void)hub;
    source->class->stop(source);
}

/* The source's own options are set, and nothing else. */
static inline struct feed *feed_of(struct harness *h, const struct rx_source_class *class, struct rx_source *source,
                                   const struct rx_source_common *common)
{
    struct feed *feed = malloc(sizeof *feed);
    struct rx_error error = {0};
    feed->common = *common;
    capture_init(&feed->events);
    capture_init(&feed->rejects);
    feed->hub = rx_hub_create(h->engine, "feed");
    feed->errors = rx_hub_create(h->engine, "feed.errors");
    feed->source = source;
    source->class = class;
    source->name = "feed";
    source->engine = h->engine;
    source->heap = h->heap;
    source->sched = rx_loop_sched(h->loop);
    source->site = &h->site;
    source->hub = feed->hub;
    source->errors = feed->errors;
    ck_assert_int_eq(rx_source_set_common(source, &feed->common), 0);
    ck_assert_msg(!class->init || class->init(source, &error) == 0, "%s", error.message);
    rx_hub_set_producer(feed->hub, &(struct rx_producer){.start = feed_start, .stop = feed_stop, .arg = source});
    rx_hub_subscribe(feed->errors, &feed->rejects.observer);
    return feed;
}

static inline struct feed *feed_create(struct harness *h, const struct rx_source_class *class, ...)
{
    struct rx_source_common common = {0};
    va_list args;
    va_start(args, class);
    struct rx_source *source = harness_image_v(h, &class->base, &common, args);
    va_end(args);
    return feed_of(h, class, source, &common);
}

static inline void feed_subscribe(struct feed *feed) { rx_hub_subscribe(feed->hub, &feed->events.observer); }

/* The ledger of every source adds up at its end. */
static inline void feed_destroy(struct feed *feed)
{
    struct rx_source *source = feed->source;
    uint64_t rejected = 0;
    capture_finish(&feed->events);
    capture_finish(&feed->rejects);
    for (int i = 0; i < RX_REJECTS; i++)
        rejected += source->rejected[i];
    ck_assert_uint_eq(source->received, source->decoded + rejected);
    source->class->dispose(source);
    rx_source_finish(source);
    rx_hub_destroy(feed->hub);
    rx_hub_destroy(feed->errors);
    free(source);
    free(feed);
}

static inline struct rx_sink *delivery_create(struct harness *h, const struct rx_sink_class *class, ...)
{
    struct rx_error error = {0};
    va_list args;
    va_start(args, class);
    struct rx_sink *sink = harness_image_v(h, &class->base, NULL, args);
    va_end(args);
    sink->class = class;
    sink->pipeline = "pipe";
    sink->engine = h->engine;
    sink->heap = h->heap;
    sink->sched = rx_loop_sched(h->loop);
    sink->site = &h->site;
    ck_assert_msg(!class->init || class->init(sink, &error) == 0, "%s", error.message);
    ck_assert_msg(!class->start || class->start(sink, &error) == 0, "%s", error.message);
    return sink;
}

static inline int delivery_write(struct harness *h, struct rx_sink *sink, const char *json)
{
    struct rx_event event = {.time = rx_sched_now(sink->sched)};
    struct rx_error error = {0};
    ck_assert_int_eq(rx_json_decode(h->heap, NULL, NULL, json, strlen(json), &event.value, NULL), 0);
    sink->in++;
    int r = sink->class->write(sink, &event, &error);
    sink->dropped_full += r == -EAGAIN;
    sink->errored += r < 0 && r != -EAGAIN;
    rx_event_unref(&event);
    return r;
}

static inline void delivery_destroy(struct rx_sink *sink)
{
    ck_assert_uint_eq(sink->in,
                      sink->out + sink->dropped_full + sink->lost + sink->refused + sink->errored + sink->held);
    sink->class->stop(sink);
    sink->class->dispose(sink);
    free(sink);
}

#endif
