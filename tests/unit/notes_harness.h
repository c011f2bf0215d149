/* A pipeline whose sources are driven by hand: events, watermarks, barriers and links; and what it puts out, as text. */
#ifndef RX_TESTS_NOTES_HARNESS_H
#define RX_TESTS_NOTES_HARNESS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/pipeline_run.h"
#include "pipelines/run/world.h"

/* What a pipeline put out, a line each: its value with the time in ms, "mark 5000", "barrier 1", "complete". */
struct run {
    struct rx_observer output;
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_world world;
    struct rx_buffer out;
};

static inline void write_note(struct rx_observer *o, const struct rx_note *note)
{
    struct rx_buffer *out = &((struct run *)(void *)o)->out;
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++) {
        rx_json_write(out, note->span[i].value);
        rx_buffer_printf(out, " at %lld\n", (long long)(note->span[i].time / RX_MSEC));
    }
    if (note->kind == RX_WATERMARK && note->watermark == RX_WATERMARK_CLOCK)
        rx_buffer_text(out, "mark clock\n");
    else if (note->kind == RX_WATERMARK)
        rx_buffer_printf(out, "mark %lld\n", (long long)(note->watermark / RX_MSEC));
    else if (note->kind == RX_BARRIER)
        rx_buffer_printf(out, "barrier %llu\n", (unsigned long long)note->barrier);
    else if (note->kind == RX_LINK)
        rx_buffer_text(out, note->away ? "away\n" : "back\n");
    else if (note->kind == RX_COMPLETE)
        rx_buffer_text(out, "complete\n");
    else if (note->kind == RX_ERROR)
        rx_buffer_printf(out, "error %s\n", note->error->message);
}

static inline void begin_of(struct run *r, const char *sources, const char *pipe, bool no_fusion)
{
    char text[800];
    struct rx_diagnostics *d = rx_diagnostics_create();
    struct rx_error error = {0};
    *r = (struct run){.output = {.note = write_note}};
    int length = snprintf(text, sizeof text,
                          "sources: %s\npipelines:\n"
                          "  first: {from: a, pipe: [{filter: 'v < 1000'}]}\n  out: {from: first, pipe: %s}\n",
                          sources, pipe);
    ck_assert_int_eq(rx_forest_read_text(text, (size_t)length, "test", 0, d, &r->forest), 0);
    ck_assert_int_eq(rx_logical_create(r->forest, &(struct rx_logical_options){.replay = true}, d, &r->logical), 0);
    struct rx_plan_options options = {.no_fusion = no_fusion};
    ck_assert_int_eq(rx_world_create(r->logical, &options, &r->world, &error), 0);
    rx_diagnostics_destroy(d);
}

static inline void begin_plan(struct run *r, const char *pipe, bool no_fusion)
{
    begin_of(r, "{a: {http: {}}, b: {http: {}}}", pipe, no_fusion);
}

static inline void begin(struct run *r, const char *pipe)
{
    begin_plan(r, pipe, false);
    rx_hub_subscribe(r->world.plan->pipelines[1].hub, &r->output);
}

static inline void end(struct run *r)
{
    rx_hub_unsubscribe(&r->output);
    rx_world_destroy(&r->world);
    rx_logical_destroy(r->logical);
    rx_forest_destroy(r->forest);
    rx_buffer_finish(&r->out);
}

static inline struct rx_hub *source(struct run *r, char name) { return r->world.plan->sources[name - 'a'].hub; }

static inline void push(struct run *r, char name, int v, rx_time ms)
{
    char json[60];
    struct rx_event event = {.time = ms * RX_MSEC};
    int length = snprintf(json, sizeof json, "{\"k\":\"%c\",\"v\":%d}", v % 2 ? 'x' : 'y', v);
    ck_assert_int_eq(rx_json_decode(r->world.heap, NULL, NULL, json, (size_t)length, &event.value, NULL), 0);
    rx_hub_next(source(r, name), &event, 1);
    rx_event_unref(&event);
}

static inline void mark(struct run *r, char name, rx_time ms) { rx_hub_watermark(source(r, name), ms * RX_MSEC); }

static inline void expect(struct run *r, const char *text)
{
    rx_buffer_append(&r->out, "", 1);
    ck_assert_str_eq(r->out.data, text);
    rx_buffer_clear(&r->out);
}

#endif
