/* rxd diff: two configs over one recording, and where their outputs differ. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"
#include "daemon/command.h"
#include "pipelines/run/outputs_diff.h"
#include "pipelines/run/replay.h"

enum { OLD, NEW, SIDES, NAMES_MAX = 255, COLUMNS = 60 };

static const char *const words[SIDES] = {"old", "new"};

struct side {
    struct rx_loaded loaded;
    struct rx_replay *replay;
    struct rx_outputs outputs;
    uint64_t passed_over; /* lines of sources that it does not have */
};

struct diff {
    const char *paths[SIDES];
    const char *names[NAMES_MAX + 1];
    size_t path_count, name_count;
    bool untimed;

    struct rx_heap *heap; /* of the outputs */
    struct side sides[SIDES];
    struct rx_error error;
    size_t lines;
    rx_time first, last; /* of what either put out */
};

static int parse(int argc, char **argv, struct diff *d)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--untimed") == 0)
            d->untimed = true;
        else if (argv[i][0] == '-')
            return rx_usage("diff", "there is no option \"%s\"", argv[i]);
        else if (d->path_count < SIDES)
            d->paths[d->path_count++] = argv[i];
        else if (d->name_count < NAMES_MAX)
            d->names[d->name_count++] = argv[i];
        else
            return rx_usage("diff", "at most %d names; without any all pipelines are compared", NAMES_MAX);
    }
    return d->path_count == SIDES ? 0 : rx_usage("diff", "name two configs: the old one and the new one");
}

/* ---- running both ---- */

static int begin(struct diff *d, int which)
{
    struct side *s = &d->sides[which];
    struct rx_paths paths = {0};
    rx_paths_add(&paths, d->paths[which]);
    s->outputs.heap = d->heap;
    int status = rx_load(&paths, &(struct rx_load_options){.replay = true, .shown = d->names}, &s->loaded);
    if (status)
        return status;
    struct rx_replay_options options = {
        .names = d->name_count ? d->names : NULL, .write = rx_outputs_take_line, .arg = &s->outputs};
    int r = rx_replay_create(s->loaded.logical, &(struct rx_plan_options){0}, &options, &s->replay, &d->error);
    if (r < 0)
        fprintf(stderr, "rxd: %s: %s\n", d->paths[which], d->error.message);
    return r < 0;
}

/* Of the line's source; a line without one is for both, and a source that neither has is said to be missing by both. */
static void who_has(const struct diff *d, const struct rx_value *name, bool ret_has[SIDES])
{
    char text[256];
    bool named = name && name->kind == RX_STRING && name->aux < sizeof text;
    if (named)
        snprintf(text, sizeof text, "%.*s", (int)name->aux, name->u.text);
    for (int i = 0; i < SIDES; i++)
        ret_has[i] = !named || rx_logical_find_source(d->sides[i].loaded.logical, text);
    if (!ret_has[OLD] && !ret_has[NEW])
        ret_has[OLD] = ret_has[NEW] = true;
}

/* A line that is none is the replays' to refuse. */
static int sort_out(struct diff *d, const char *text, size_t length, bool ret_has[SIDES])
{
    struct rx_value line = rx_null();
    ret_has[OLD] = ret_has[NEW] = true;
    int r = rx_json_decode(d->heap, NULL, NULL, text, length, &line, NULL);
    if (r < 0)
        return r == -ENOMEM ? rx_error_set(&d->error, r, "out of memory") : 0;
    who_has(d, rx_object_get_text(line, "source"), ret_has);
    rx_value_unref(line);
    return 0;
}

static int feed_line(struct diff *d, const char *text, size_t length)
{
    bool has[SIDES];
    d->lines++;
    int r = sort_out(d, text, length, has);
    for (int i = 0; r == 0 && i < SIDES; i++) {
        d->sides[i].passed_over += !has[i];
        if (has[i])
            r = rx_replay_line(d->sides[i].replay, text, length, &d->error);
        if (r == 0)
            r = rx_outputs_verdict(&d->sides[i].outputs, &d->error);
    }
    if (r < 0)
        fprintf(stderr, "rxd: input line %zu: %s\n", d->lines, d->error.message);
    return r;
}

static int finish(struct diff *d)
{
    for (int i = 0; i < SIDES; i++) {
        int r = rx_replay_finish(d->sides[i].replay, &d->error);
        if (r == 0)
            r = rx_outputs_verdict(&d->sides[i].outputs, &d->error);
        if (r < 0)
            return fprintf(stderr, "rxd: %s: %s\n", d->paths[i], d->error.message), r;
    }
    return 0;
}

static int run(struct diff *d)
{
    char *line = NULL;
    size_t capacity = 0;
    int r = 0;
    for (ssize_t n; r == 0 && (n = getline(&line, &capacity, stdin)) >= 0;)
        r = feed_line(d, line, (size_t)n);
    free(line);
    return r == 0 ? finish(d) : r;
}

/* ---- the comparison ---- */

struct totals {
    size_t outputs, differences, streams, different;
};

static void span_of(struct diff *d, const struct rx_output_stream *s)
{
    for (size_t i = 0; i < s->count; i++) {
        rx_time at = s->items[i].at;
        d->first = at < d->first ? at : d->first;
        d->last = at > d->last ? at : d->last;
    }
}

/* What a character of the lines is worth, so that all that came fits: 1, 2 or 5 with zeroes, of milliseconds. */
static rx_time tick_of(struct diff *d)
{
    d->first = RX_TIME_NEVER;
    d->last = 0;
    for (int i = 0; i < SIDES; i++)
        for (size_t k = 0; k < d->sides[i].outputs.count; k++)
            span_of(d, &d->sides[i].outputs.streams[k]);
    rx_time tick = RX_MSEC;
    for (int i = 0; d->last > d->first && (d->last - d->first) / tick >= COLUMNS; i++)
        tick = tick / (i % 3 == 1 ? 2 : 1) * (i % 3 == 1 ? 5 : 2);
    return tick;
}

static void compare(const struct diff *d, const struct rx_output_stream *a, const struct rx_output_stream *b,
                    rx_time tick, struct totals *totals, struct rx_buffer *out)
{
    struct rx_diff_options options = {.heap = d->heap,
                                      .words = {words[OLD], words[NEW]},
                                      .flags = RX_PATTERN_PLAIN,
                                      .untimed = d->untimed,
                                      .tick = tick,
                                      .indent = "  "};
    totals->streams++;
    totals->outputs += a->count > b->count ? a->count : b->count;
    if (rx_outputs_same(a, b, &options))
        return;
    totals->different++;
    rx_buffer_printf(out, "%s\n", a->name ? a->name : b->name);
    totals->differences += rx_outputs_diff(a, b, &options, out);
}

static void compare_all(struct diff *d, struct totals *totals, struct rx_buffer *out)
{
    static const struct rx_output_stream nothing = {0};
    struct rx_outputs *old = &d->sides[OLD].outputs, *new = &d->sides[NEW].outputs;
    rx_time tick = tick_of(d);
    for (size_t i = 0; i < old->count; i++) {
        const struct rx_output_stream *other = rx_outputs_stream(new, old->streams[i].name, false);
        compare(d, &old->streams[i], other ? other : &nothing, tick, totals, out);
    }
    for (size_t i = 0; i < new->count; i++)
        if (!rx_outputs_stream(old, new->streams[i].name, false))
            compare(d, &nothing, &new->streams[i], tick, totals, out);
}

static void tell_loss(void *arg, const char *stream, uint64_t n)
{
    fprintf(stderr, "rxd: %s: %llu %s to %s\n", (const char *)arg, (unsigned long long)n,
            n == 1 ? "event went" : "events went", stream);
}

static void tell_beside(struct diff *d)
{
    for (int i = 0; i < SIDES; i++) {
        if (d->sides[i].passed_over > 0)
            fprintf(stderr, "rxd: %s: %llu lines are of sources that it does not have\n", words[i],
                    (unsigned long long)d->sides[i].passed_over);
        rx_replay_losses(d->sides[i].replay, tell_loss, (void *)(uintptr_t)words[i]);
    }
}

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

static int report(struct diff *d)
{
    struct totals t = {0};
    struct rx_buffer out = {0};
    compare_all(d, &t, &out);
    if (t.different > 0)
        rx_buffer_printf(&out, "%zu of %zu output%s differ%s, in %zu of %zu stream%s\n", t.differences, t.outputs,
                         plural(t.outputs), t.differences == 1 ? "s" : "", t.different, t.streams, plural(t.streams));
    else
        rx_buffer_printf(&out, "no difference in %zu output%s of %zu stream%s\n", t.outputs, plural(t.outputs),
                         t.streams, plural(t.streams));
    tell_beside(d);
    bool written = !out.failed && fwrite(out.data, 1, out.length, stdout) == out.length && fflush(stdout) == 0;
    if (!written)
        fprintf(stderr, "rxd: cannot write: %s\n", out.failed ? "out of memory" : strerror(errno));
    rx_buffer_finish(&out);
    return t.different > 0 || !written;
}

int rx_command_diff(int argc, char **argv)
{
    struct diff d = {0};
    int status = parse(argc, argv, &d);
    if (status)
        return status;
    d.heap = rx_heap_create(NULL);
    status = d.heap ? 0 : rx_config_status(NULL, -ENOMEM);
    for (int i = 0; status == 0 && i < SIDES; i++)
        status = begin(&d, i);
    if (status == 0)
        status = run(&d) < 0 ? 1 : report(&d);
    for (int i = 0; i < SIDES; i++) {
        rx_replay_destroy(d.sides[i].replay);
        rx_unload(&d.sides[i].loaded);
        rx_outputs_finish(&d.sides[i].outputs);
    }
    rx_heap_destroy(d.heap);
    return status;
}
