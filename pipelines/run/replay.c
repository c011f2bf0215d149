/* Replay: the driver of the virtual clock, and the lines that go in and come out. */
#include "pipelines/run/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/replay_source.h"
#include "pipelines/run/runtime.h"

/* What came out at the present instant, sorted by stream name before it is written. */
struct line {
    const char *stream;
    char *text;
    size_t length, order;
};

struct pending {
    struct rx_replay_feed *feed;
    struct rx_replay_note note;
};

struct output {
    struct rx_observer observer;
    struct rx_replay *replay;
    struct rx_hub *hub;
};

struct rx_replay {
    struct rx_plan *plan;
    struct rx_replay_options options;
    struct rx_replay_feed *feeds; /* one per source */
    struct output *outputs;
    size_t output_count;
    struct line *lines;
    size_t line_count, line_capacity;
    struct rx_buffer buffer;
    rx_time lines_at;
    struct pending *notes; /* hot notes, kept until the end when there are cold sources: those must be known first */
    size_t note_count, note_capacity, note_done;
    struct rx_replay_feed *filling;
    rx_time last_at, end;
    unsigned input_line;
    bool has_cold, ended, started, failed;
};

/* ---- output ---- */

static int by_stream(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->stream, y->stream);
    return order ? order : x->order < y->order ? -1 : 1;
}

static void flush_lines(struct rx_replay *r)
{
    if (!r->line_count)
        return;
    qsort(r->lines, r->line_count, sizeof *r->lines, by_stream);
    for (size_t i = 0; i < r->line_count; i++) {
        r->options.write(r->options.arg, r->lines[i].text, r->lines[i].length);
        free(r->lines[i].text);
    }
    r->line_count = 0;
}

static void write_ms(struct rx_buffer *b, rx_time t)
{
    if (t % RX_MSEC == 0)
        rx_buffer_printf(b, "%lld", (long long)(t / RX_MSEC));
    else
        rx_json_write(b, rx_double((double)t / (double)RX_MSEC));
}

static void begin_line(struct rx_replay *r, const char *stream)
{
    rx_time now = rx_sched_now(r->plan->engine->sched);
    if (now != r->lines_at)
        flush_lines(r);
    r->lines_at = now;
    rx_buffer_clear(&r->buffer);
    rx_buffer_text(&r->buffer, "{\"at\":");
    write_ms(&r->buffer, now);
    rx_buffer_text(&r->buffer, ",\"stream\":");
    rx_json_write_string(&r->buffer, stream, strlen(stream));
}

static bool grow_lines(struct rx_replay *r)
{
    size_t capacity = r->line_capacity ? r->line_capacity * 2 : 64;
    struct line *lines = realloc(r->lines, capacity * sizeof *lines);
    if (!lines)
        return false;
    r->lines = lines;
    r->line_capacity = capacity;
    return true;
}

static void end_line(struct rx_replay *r, const char *stream)
{
    rx_buffer_text(&r->buffer, "}\n");
    char *text = r->buffer.failed ? NULL : malloc(r->buffer.length);
    if (!text || (r->line_count == r->line_capacity && !grow_lines(r))) {
        free(text);
        r->failed = true;
        return;
    }
    memcpy(text, r->buffer.data, r->buffer.length);
    r->lines[r->line_count] =
        (struct line){.stream = stream, .text = text, .length = r->buffer.length, .order = r->line_count};
    r->line_count++;
}

static void on_next(struct rx_observer *o, const struct rx_event *span, size_t n)
{
    struct output *out = (struct output *)(void *)o;
    for (size_t i = 0; i < n; i++) {
        begin_line(out->replay, rx_hub_name(out->hub));
        rx_buffer_text(&out->replay->buffer, ",\"next\":");
        rx_json_write(&out->replay->buffer, span[i].value);
        end_line(out->replay, rx_hub_name(out->hub));
    }
}

static void on_complete(struct rx_observer *o)
{
    struct output *out = (struct output *)(void *)o;
    begin_line(out->replay, rx_hub_name(out->hub));
    rx_buffer_text(&out->replay->buffer, ",\"complete\":true");
    end_line(out->replay, rx_hub_name(out->hub));
}

static void on_error(struct rx_observer *o, const struct rx_error *error)
{
    struct output *out = (struct output *)(void *)o;
    begin_line(out->replay, rx_hub_name(out->hub));
    rx_buffer_text(&out->replay->buffer, ",\"error\":");
    rx_json_write_string(&out->replay->buffer, error->message, strlen(error->message));
    end_line(out->replay, rx_hub_name(out->hub));
}

/* ---- creation ---- */

static bool wanted(const struct rx_replay_options *options, const char *name)
{
    if (!options->names || !options->names[0])
        return true;
    for (const char *const *n = options->names; *n; n++)
        if (strcmp(*n, name) == 0)
            return true;
    return false;
}

static int check_names(const struct rx_replay *r, struct rx_error *reterr)
{
    for (const char *const *n = r->options.names; n && *n; n++)
        if (!rx_plan_find_pipeline(r->plan, *n))
            return rx_error_set(reterr, -EINVAL, "there is no pipeline \"%s\"", *n);
    return 0;
}

static void add_output(struct rx_replay *r, struct rx_hub *hub)
{
    r->outputs[r->output_count++] = (struct output){
        .observer = {.next = on_next, .complete = on_complete, .error = on_error}, .replay = r, .hub = hub};
}

static int make_outputs(struct rx_replay *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->plan->pipeline_count; i++)
        n += 1 + r->plan->pipelines[i].branch_count;
    r->outputs = calloc(n + 1, sizeof *r->outputs);
    if (!r->outputs)
        return -ENOMEM;
    for (size_t i = 0; i < r->plan->pipeline_count; i++) {
        struct rx_plan_pipeline *p = &r->plan->pipelines[i];
        if (!wanted(&r->options, p->name))
            continue;
        for (size_t k = 0; k < p->branch_count; k++)
            add_output(r, p->branches[k].hub);
        add_output(r, p->hub);
    }
    return 0;
}

static int make_feeds(struct rx_replay *r)
{
    r->feeds = calloc(r->plan->source_count + 1, sizeof *r->feeds);
    if (!r->feeds)
        return -ENOMEM;
    for (size_t i = 0; i < r->plan->source_count; i++) {
        rx_replay_feed_init(&r->feeds[i], r->plan->engine, &r->plan->sources[i], r->options.span);
        r->has_cold = r->has_cold || r->plan->sources[i].cold;
    }
    return 0;
}

int rx_replay_create(struct rx_plan *plan, const struct rx_replay_options *options, struct rx_replay **ret,
                     struct rx_error *reterr)
{
    struct rx_replay *r = calloc(1, sizeof *r);
    if (!r)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    r->plan = plan;
    r->options = *options;
    int result = check_names(r, reterr);
    if (result == 0 && (make_outputs(r) < 0 || make_feeds(r) < 0))
        result = rx_error_set(reterr, -ENOMEM, "out of memory");
    if (result < 0) {
        rx_replay_destroy(r);
        return result;
    }
    rx_runtime_bind(plan);
    *ret = r;
    return 0;
}

void rx_replay_destroy(struct rx_replay *r)
{
    if (!r)
        return;
    rx_engine_enter(r->plan->engine);
    for (size_t i = 0; r->outputs && i < r->output_count; i++)
        rx_hub_unsubscribe(&r->outputs[i].observer);
    rx_engine_leave(r->plan->engine);
    for (size_t i = 0; r->feeds && i < r->plan->source_count; i++)
        rx_replay_feed_finish(&r->feeds[i]);
    for (size_t i = 0; i < r->line_count; i++)
        free(r->lines[i].text);
    for (size_t i = r->note_done; i < r->note_count; i++) {
        rx_value_unref(r->notes[i].note.value);
        free(r->notes[i].note.error);
    }
    rx_buffer_finish(&r->buffer);
    free(r->notes);
    free(r->lines);
    free(r->outputs);
    free(r->feeds);
    free(r);
}

/* ---- input ---- */

static rx_time time_of(struct rx_value at)
{
    double ms = at.kind == RX_DOUBLE ? at.u.d : at.kind == RX_INT ? (double)at.u.i : NAN;
    if (!(ms >= 0 && ms <= 9e12))
        return -1;
    return at.kind == RX_INT ? at.u.i * RX_MSEC : (rx_time)llround(ms * (double)RX_MSEC);
}

static struct rx_replay_feed *find_feed(struct rx_replay *r, const struct rx_value *name)
{
    for (size_t i = 0; name && name->kind == RX_STRING && i < r->plan->source_count; i++) {
        const char *known = r->plan->sources[i].name;
        if (strlen(known) == name->aux && memcmp(known, name->u.text, name->aux) == 0)
            return &r->feeds[i];
    }
    return NULL;
}

static bool is_true(const struct rx_value *v) { return v && v->kind == RX_BOOL && v->u.b; }

static int read_note(struct rx_value line, struct rx_replay_note *note, struct rx_error *reterr)
{
    const struct rx_value *next = rx_object_get_text(line, "next"), *error = rx_object_get_text(line, "error");
    if (next) {
        note->kind = RX_NEXT;
        note->value = rx_value_ref(*next);
    } else if (error && error->kind == RX_STRING) {
        note->kind = RX_ERROR;
        note->error = strndup(error->u.text, error->aux);
    } else if (is_true(rx_object_get_text(line, "complete"))) {
        note->kind = RX_COMPLETE;
    } else {
        return rx_error_set(reterr, -EINVAL, "a line needs \"next\", \"complete\": true or \"error\": TEXT");
    }
    if (note->kind == RX_ERROR && !note->error)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return 0;
}

static int keep_note(struct rx_replay *r, struct rx_replay_feed *feed, struct rx_replay_note *note)
{
    if (r->note_count == r->note_capacity) {
        size_t capacity = r->note_capacity ? r->note_capacity * 2 : 256;
        struct pending *bigger = realloc(r->notes, capacity * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        r->notes = bigger;
        r->note_capacity = capacity;
    }
    r->notes[r->note_count++] = (struct pending){.feed = feed, .note = *note};
    return 0;
}

/* ---- running ---- */

static int run_until(struct rx_replay *r, rx_time t, bool through, struct rx_error *reterr)
{
    if (rx_sched_run_until(r->plan->engine->sched, t, through) == -ELOOP)
        return rx_error_set(reterr, -ELOOP, "a pipeline schedules work at one instant without end");
    return r->failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

static void subscribe_all(struct rx_replay *r)
{
    if (r->started)
        return;
    r->started = true;
    rx_engine_enter(r->plan->engine);
    for (size_t i = 0; i < r->output_count; i++)
        rx_hub_subscribe(r->outputs[i].hub, &r->outputs[i].observer);
    rx_engine_leave(r->plan->engine);
}

/* A hot event: what was due before it fires first; then it happens, before what is due at its instant. Events of one
 * source at one instant may wait to go together, until another source or instant comes. */
static int happen(struct rx_replay *r, struct rx_replay_feed *feed, struct rx_replay_note *note,
                  struct rx_error *reterr)
{
    subscribe_all(r);
    if (r->filling && (r->filling != feed || note->at > rx_sched_now(r->plan->engine->sched)))
        rx_replay_feed_flush(r->filling);
    r->filling = feed;
    int result = run_until(r, note->at, false, reterr);
    return result < 0 ? result : rx_replay_feed_add_take(feed, note);
}

static int take_note(struct rx_replay *r, struct rx_value line, rx_time at, struct rx_error *reterr)
{
    struct rx_replay_feed *feed = find_feed(r, rx_object_get_text(line, "source"));
    struct rx_replay_note note = {.at = at};
    if (!feed)
        return rx_error_set(reterr, -EINVAL, "\"source\" must be one of the config's sources");
    int result = read_note(line, &note, reterr);
    if (result < 0)
        return result;
    if (feed->source->cold)
        return rx_replay_feed_add_take(feed, &note);
    return r->has_cold ? keep_note(r, feed, &note) : happen(r, feed, &note, reterr);
}

static int take_line(struct rx_replay *r, struct rx_value line, struct rx_error *reterr)
{
    const struct rx_value *at_value = rx_object_get_text(line, "at");
    rx_time at = at_value ? time_of(*at_value) : -1;
    if (at < 0)
        return rx_error_set(reterr, -EINVAL, "\"at\" must be a number of milliseconds, 0 or more");
    if (at < r->last_at)
        return rx_error_set(reterr, -EINVAL, "\"at\" must not decrease");
    r->last_at = at;
    if (!is_true(rx_object_get_text(line, "end")))
        return take_note(r, line, at, reterr);
    r->ended = true;
    r->end = at;
    return 0;
}

int rx_replay_line(struct rx_replay *r, const char *text, size_t length, struct rx_error *reterr)
{
    struct rx_value line;
    r->input_line++;
    if (r->ended || strspn(text, " \t\r\n") >= length)
        return 0;
    int result = rx_json_decode(r->plan->engine->heap, NULL, NULL, text, length, &line, reterr);
    if (result == 0) {
        result = take_line(r, line, reterr);
        rx_value_unref(line);
    }
    if (result < 0 && reterr)
        reterr->at.line = r->input_line;
    return result;
}

/* ---- the end ---- */

/* Runs while something is scheduled that can still make output; work that only waits for input does not count. */
static int run_out(struct rx_replay *r, struct rx_error *reterr)
{
    struct rx_sched *sched = r->plan->engine->sched;
    int result = 0;
    if (r->ended)
        return run_until(r, r->end, true, reterr);
    while (result == 0 && rx_sched_foreground(sched) > 0)
        result = run_until(r, rx_sched_next_due(sched), true, reterr);
    return result;
}

static void write_subscriptions(struct rx_replay *r, const struct rx_replay_feed *feed)
{
    for (size_t i = 0; i < feed->subscription_count; i++) {
        const struct rx_replay_subscription *s = &feed->subscriptions[i];
        rx_buffer_clear(&r->buffer);
        rx_buffer_text(&r->buffer, "{\"source\":");
        rx_json_write_string(&r->buffer, feed->source->name, strlen(feed->source->name));
        rx_buffer_text(&r->buffer, ",\"subscribed\":");
        write_ms(&r->buffer, s->subscribed);
        rx_buffer_text(&r->buffer, ",\"unsubscribed\":");
        if (s->unsubscribed == RX_TIME_NEVER)
            rx_buffer_text(&r->buffer, "null");
        else
            write_ms(&r->buffer, s->unsubscribed);
        rx_buffer_text(&r->buffer, "}\n");
        r->options.write(r->options.arg, r->buffer.data, r->buffer.length);
    }
}

int rx_replay_finish(struct rx_replay *r, struct rx_error *reterr)
{
    int result = 0;
    subscribe_all(r);
    size_t i = 0;
    for (; i < r->note_count && result == 0; i++)
        result = happen(r, r->notes[i].feed, &r->notes[i].note, reterr);
    r->note_done = i;
    if (r->filling)
        rx_replay_feed_flush(r->filling);
    if (result == 0)
        result = run_out(r, reterr);
    flush_lines(r);
    for (size_t k = 0; r->options.subscriptions && k < r->plan->source_count; k++)
        write_subscriptions(r, &r->feeds[k]);
    return result;
}
