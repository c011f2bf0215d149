/* Replay: the driver of the virtual clock, and the lines that go in and come out. */
#include "pipelines/run/replay.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/run/replay_private.h"

/* ---- output ---- */

static struct rx_buffer *begin_line(struct rx_replay_output *out)
{
    return rx_replay_lines_begin(&out->replay->lines, rx_sched_now(out->replay->world.sched), out->name);
}

static void write_events(struct rx_replay_output *out, const struct rx_event *span, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct rx_buffer *text = begin_line(out);
        rx_buffer_text(text, ",\"next\":");
        rx_json_write(text, span[i].value);
        rx_replay_lines_end(&out->replay->lines);
    }
}

static void write_end(struct rx_replay_output *out, const struct rx_error *error)
{
    struct rx_buffer *text = begin_line(out);
    rx_buffer_text(text, error ? ",\"error\":" : ",\"complete\":true");
    if (error)
        rx_json_write_string(text, error->message, strlen(error->message));
    rx_replay_lines_end(&out->replay->lines);
}

static void on_note(struct rx_observer *o, const struct rx_note *note)
{
    struct rx_replay_output *out = (struct rx_replay_output *)(void *)o;
    if (out->silent)
        return;
    if (note->kind == RX_NEXT)
        write_events(out, note->span, note->count);
    else if (rx_note_ends(note))
        write_end(out, note->kind == RX_ERROR ? note->error : NULL);
}

/* ---- creation ---- */

static bool is_output(const struct rx_replay *r, const struct rx_hub *hub)
{
    for (size_t i = 0; i < r->output_count; i++)
        if (r->outputs[i].hub == hub)
            return true;
    return false;
}

/* Each once, however often it is named. */
static int add_output(struct rx_replay *r, struct rx_hub *hub)
{
    char *name = is_output(r, hub) ? NULL : strdup(rx_hub_name(hub));
    if (!name)
        return is_output(r, hub) ? 0 : -ENOMEM;
    r->outputs[r->output_count++] =
        (struct rx_replay_output){.observer = {.note = on_note}, .replay = r, .hub = hub, .name = name};
    return 0;
}

/* A pipeline brings the streams that branch off it. */
static int add_pipeline(struct rx_replay *r, const struct rx_plan_pipeline *p)
{
    int result = 0;
    for (size_t k = 0; k < p->branch_count && result == 0; k++)
        result = add_output(r, p->branches[k].hub);
    return result == 0 ? add_output(r, p->hub) : result;
}

static int add_named(struct rx_replay *r, const char *name, struct rx_error *reterr)
{
    const struct rx_plan_pipeline *p = rx_plan_find_pipeline(r->world.plan, name);
    struct rx_hub *hub = rx_plan_find_hub(r->world.plan, name);
    if (!hub)
        return rx_error_set(reterr, -EINVAL, "there is no stream \"%s\"", name);
    int result = p ? add_pipeline(r, p) : add_output(r, hub);
    return result < 0 ? rx_error_set(reterr, result, "out of memory") : 0;
}

static bool branches_off(const struct rx_plan_pipeline *p, const struct rx_hub *hub)
{
    bool is_branch = p->errors == hub || p->late == hub;
    for (size_t k = 0; k < p->branch_count; k++)
        is_branch = is_branch || p->branches[k].hub == hub;
    return is_branch;
}

static int run_in_silence(struct rx_replay *r, const struct rx_plan_pipeline *p)
{
    if (is_output(r, p->hub))
        return 0;
    int result = add_output(r, p->hub);
    if (result == 0)
        r->outputs[r->output_count - 1].silent = true;
    return result;
}

/* Whether somebody who runs takes what branches off `p`; notes in `runs` whether `p` runs at all. */
static bool is_branched(const struct rx_replay *r, const struct rx_plan_pipeline *p, bool *runs)
{
    const struct rx_logical_pipeline *logical = p->logical;
    bool branched = false;
    for (size_t i = 0; i < r->output_count; i++) {
        branched = branched || branches_off(p, r->outputs[i].hub);
        runs[logical->position] = runs[logical->position] || r->outputs[i].hub == p->hub;
    }
    for (size_t i = 0; i < r->logical->pipeline_count; i++) {
        const struct rx_logical_pipeline *other = &r->logical->pipelines[i];
        for (size_t k = 0; runs[i] && k < other->depend_count; k++)
            if (other->depends[k] == logical->position) {
                runs[logical->position] = true;
                branched = branched || rx_logical_reads_branch(other, logical);
            }
    }
    return branched;
}

/* What branches off a pipeline comes only while that runs, as it always does in a daemon. Downstream first: who reads a
 * stream runs too. */
static int run_what_they_branch_off(struct rx_replay *r)
{
    const struct rx_logical *logical = r->logical;
    bool *runs = calloc(logical->pipeline_count + 1, sizeof *runs);
    int result = runs ? 0 : -ENOMEM;
    for (size_t i = logical->pipeline_count; i-- > 0 && result == 0;) {
        const struct rx_plan_pipeline *p = &r->world.plan->pipelines[logical->ordered[i]];
        if (is_branched(r, p, runs)) {
            runs[p->logical->position] = true;
            result = run_in_silence(r, p);
        }
    }
    free(runs);
    return result;
}

/* Every name may bring a pipeline, its branches, and one that they branch off. */
static size_t most_outputs(const struct rx_replay *r)
{
    const struct rx_plan *plan = r->world.plan;
    size_t all = 0, names = 1;
    for (size_t i = 0; i < plan->pipeline_count; i++)
        all += 2 + plan->pipelines[i].branch_count;
    while (r->options.names && r->options.names[names - 1])
        names++;
    return names * (all + 1);
}

static int make_outputs(struct rx_replay *r, struct rx_error *reterr)
{
    const struct rx_plan *plan = r->world.plan;
    const char *const *names = r->options.names;
    int result = 0;
    r->outputs = calloc(most_outputs(r), sizeof *r->outputs);
    if (!r->outputs)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    for (size_t i = 0; names && names[i] && result == 0; i++)
        result = add_named(r, names[i], reterr);
    for (size_t i = 0; (!names || !names[0]) && i < plan->pipeline_count && result == 0; i++)
        if (add_pipeline(r, &plan->pipelines[i]) < 0)
            result = rx_error_set(reterr, -ENOMEM, "out of memory");
    if (result == 0 && run_what_they_branch_off(r) < 0)
        result = rx_error_set(reterr, -ENOMEM, "out of memory");
    return result;
}

static int make_feeds(struct rx_replay *r)
{
    size_t span = r->options.span;
    r->feeds = calloc(r->world.plan->source_count + 1, sizeof *r->feeds);
    if (!r->feeds)
        return -ENOMEM;
    for (size_t i = 0; i < r->world.plan->source_count; i++) {
        r->feeds[i].span_max = span == 0 ? 1 : span < RX_SPAN_MAX ? span : RX_SPAN_MAX;
        rx_replay_feed_bind(&r->feeds[i], r->world.engine, &r->world.plan->sources[i]);
        r->has_cold = r->has_cold || r->world.plan->sources[i].cold;
    }
    return 0;
}

int rx_replay_create(const struct rx_logical *logical, const struct rx_plan_options *plan_options,
                     const struct rx_replay_options *options, struct rx_replay **ret, struct rx_error *reterr)
{
    struct rx_replay *r = calloc(1, sizeof *r);
    if (!r)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    r->logical = logical;
    r->plan_options = *plan_options;
    r->options = *options;
    r->lines = (struct rx_replay_lines){.write = options->write, .arg = options->arg};
    int result = rx_replay_begin_world(r, reterr);
    if (result == 0)
        result = make_outputs(r, reterr);
    if (result == 0 && make_feeds(r) < 0)
        result = rx_error_set(reterr, -ENOMEM, "out of memory");
    if (result < 0) {
        rx_replay_destroy(r);
        return result;
    }
    *ret = r;
    return 0;
}

void rx_replay_destroy(struct rx_replay *r)
{
    if (!r)
        return;
    size_t sources = r->world.plan ? r->world.plan->source_count : 0;
    rx_replay_end_world(r);
    for (size_t i = 0; r->feeds && i < sources; i++)
        rx_replay_feed_finish(&r->feeds[i]);
    for (size_t i = 0; r->outputs && i < r->output_count; i++)
        free(r->outputs[i].name);
    rx_replay_lines_finish(&r->lines);
    for (size_t i = r->note_done; i < r->note_count; i++)
        rx_replay_note_finish(&r->notes[i].note);
    free(r->notes);
    free(r->outputs);
    free(r->feeds);
    free(r);
}

/* An event or a timer has had its way. */
static int passed(struct rx_replay *r, struct rx_error *reterr)
{
    return r->options.restart && ++r->since_restart >= r->options.restart ? rx_replay_restart(r, reterr) : 0;
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
    for (size_t i = 0; name && name->kind == RX_STRING && i < r->world.plan->source_count; i++) {
        const char *known = r->world.plan->sources[i].name;
        if (strlen(known) == name->aux && memcmp(known, name->u.text, name->aux) == 0)
            return &r->feeds[i];
    }
    return NULL;
}

static bool is_true(const struct rx_value *v) { return v && v->kind == RX_BOOL && v->u.b; }

static int read_topic(struct rx_value line, const struct rx_replay_feed *feed, struct rx_replay_note *note,
                      struct rx_error *reterr)
{
    const struct rx_value *topic = rx_object_get_text(line, "topic");
    note->retained = is_true(rx_object_get_text(line, "retained"));
    if (!topic)
        return note->retained ? rx_error_set(reterr, -EINVAL, "\"retained\" stands beside \"topic\"") : 0;
    if (note->kind != RX_NEXT || topic->kind != RX_STRING || memchr(topic->u.text, 0, topic->aux))
        return rx_error_set(reterr, -EINVAL, "\"topic\" is a text, and stands beside \"next\"");
    if (!feed->source->source->class->of_topic)
        return 0;
    note->topic = strndup(topic->u.text, topic->aux);
    return note->topic ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

static int read_note(struct rx_value line, struct rx_replay_note *note, struct rx_error *reterr)
{
    const struct rx_value *next = rx_object_get_text(line, "next"), *error = rx_object_get_text(line, "error");
    bool failed = error && error->kind == RX_STRING, completed = is_true(rx_object_get_text(line, "complete"));
    bool leaves = is_true(rx_object_get_text(line, "disconnect")),
         is_back = is_true(rx_object_get_text(line, "connect"));
    if ((next != NULL) + failed + completed + leaves + is_back != 1)
        return rx_error_set(
            reterr, -EINVAL,
            "a line needs one of \"next\", \"complete\": true, \"error\": TEXT, \"disconnect\": true and "
            "\"connect\": true");
    note->kind = next ? RX_NEXT : failed ? RX_ERROR : completed ? RX_COMPLETE : RX_LINK;
    note->away = leaves;
    if (next)
        note->value = rx_value_ref(*next);
    if (failed)
        note->error = strndup(error->u.text, error->aux);
    return failed && !note->error ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

static int keep_note(struct rx_replay *r, struct rx_replay_feed *feed, struct rx_replay_note *note)
{
    if (r->note_count == r->note_capacity) {
        size_t capacity = r->note_capacity ? r->note_capacity * 2 : 256;
        struct rx_replay_pending *bigger = realloc(r->notes, capacity * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        r->notes = bigger;
        r->note_capacity = capacity;
    }
    int result = rx_replay_note_freeze(note);
    if (result == 0)
        r->notes[r->note_count++] = (struct rx_replay_pending){.feed = feed, .note = *note};
    return result;
}

/* ---- running ---- */

static int run_until(struct rx_replay *r, rx_time t, bool through, struct rx_error *reterr)
{
    int result = 0;
    while (result == 0 && rx_sched_step(r->world.sched, t, through))
        result = passed(r, reterr);
    if (result < 0)
        return result;
    rx_sched_run_until(r->world.sched, t, false);
    return r->lines.failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

static void subscribe_all(struct rx_replay *r)
{
    if (r->started)
        return;
    r->started = true;
    rx_engine_enter(r->world.engine);
    for (size_t i = 0; i < r->world.plan->source_count; i++)
        if (r->world.plan->sources[i].source->clock)
            rx_event_clock_start(r->world.plan->sources[i].source->clock);
    for (size_t i = 0; i < r->output_count; i++)
        rx_hub_subscribe(r->outputs[i].hub, &r->outputs[i].observer);
    rx_engine_leave(r->world.engine);
}

static bool is_restart(const struct rx_replay_note *note) { return note->kind == RX_BARRIER; }

/* A hot event, or a restart (without a feed): what was due before it fires first; then it happens, before what is due at its
 * instant. Events of one source at one instant may wait to go together, until another source or instant comes. */
static int happen(struct rx_replay *r, struct rx_replay_feed *feed, struct rx_replay_note *note,
                  struct rx_error *reterr)
{
    subscribe_all(r);
    if (r->filling && (r->filling != feed || note->at > rx_sched_now(r->world.sched)))
        rx_replay_feed_flush(r->filling);
    r->filling = feed;
    int result = run_until(r, note->at, false, reterr);
    if (result == 0 && is_restart(note))
        return rx_replay_restart(r, reterr);
    if (result == 0)
        result = rx_replay_feed_add_take(feed, note);
    return result == 0 ? passed(r, reterr) : result;
}

/* What one input line says. */
struct input {
    struct rx_replay_feed *feed; /* NULL: the end of the replay, or */
    bool start;                  /* its beginning */
    struct rx_replay_note note;
};

/* The clock is set before anything is subscribed. */
static int begin_at(struct rx_replay *r, struct input *in, struct rx_error *reterr)
{
    if (r->begun)
        return rx_error_set(reterr, -EINVAL, "\"start\" stands in the first line, once");
    in->start = true;
    rx_sched_run_until(r->world.sched, in->note.at, false);
    return 0;
}

static int read_input(struct rx_replay *r, struct rx_value line, struct input *in, struct rx_error *reterr)
{
    const struct rx_value *at_value = rx_object_get_text(line, "at");
    in->note.at = at_value ? time_of(*at_value) : -1;
    if (in->note.at < 0)
        return rx_error_set(reterr, -EINVAL, "\"at\" must be a number of milliseconds, 0 or more");
    if (in->note.at < r->last_at)
        return rx_error_set(reterr, -EINVAL, "\"at\" must not decrease");
    r->last_at = in->note.at;
    if (is_true(rx_object_get_text(line, "end")))
        return 0;
    if (is_true(rx_object_get_text(line, "start")))
        return begin_at(r, in, reterr);
    if (is_true(rx_object_get_text(line, "restart"))) {
        in->note.kind = RX_BARRIER;
        return 0;
    }
    in->feed = find_feed(r, rx_object_get_text(line, "source"));
    if (!in->feed)
        return rx_error_set(reterr, -EINVAL, "\"source\" must be one of the config's sources");
    int result = read_note(line, &in->note, reterr);
    return result == 0 ? read_topic(line, in->feed, &in->note, reterr) : result;
}

/* Before a restart could take the heap away from under them, values are written down. */
static int take_line(struct rx_replay *r, const char *text, size_t length, struct input *in, struct rx_error *reterr)
{
    struct rx_value line;
    int result = rx_json_decode(r->world.heap, NULL, NULL, text, length, &line, reterr);
    if (result < 0)
        return result;
    result = read_input(r, line, in, reterr);
    rx_value_unref(line);
    if (result == 0 && in->feed && r->options.restart && rx_replay_note_freeze(&in->note) < 0)
        result = rx_error_set(reterr, -ENOMEM, "out of memory");
    return result;
}

static int act(struct rx_replay *r, struct input *in, struct rx_error *reterr)
{
    r->begun = true;
    if (in->start)
        return 0;
    if (!in->feed && !is_restart(&in->note)) {
        r->ended = true;
        r->end = in->note.at;
        return 0;
    }
    if (in->feed && in->feed->source->cold && in->note.kind != RX_LINK)
        return rx_replay_feed_add_take(in->feed, &in->note);
    return r->has_cold ? keep_note(r, in->feed, &in->note) : happen(r, in->feed, &in->note, reterr);
}

int rx_replay_line(struct rx_replay *r, const char *text, size_t length, struct rx_error *reterr)
{
    struct input in = {.feed = NULL};
    r->input_line++;
    if (r->ended || strspn(text, " \t\r\n") >= length)
        return 0;
    int result = take_line(r, text, length, &in, reterr);
    result = result == 0 ? act(r, &in, reterr) : result;
    if (result < 0 && reterr)
        reterr->at.line = r->input_line;
    return result;
}

/* ---- the end ---- */

/* What counts for ever by itself (interval) goes on for who may have had enough of it some time: a take behind it. But who has had
 * nothing of so many ticks will have nothing of more. */
enum { TICKS_IN_VAIN_MAX = 100000 };

static bool waits_for_more(const struct rx_replay_output *out)
{
    const struct rx_logical_pipeline *p = rx_logical_find_pipeline(out->replay->logical, out->name);
    return out->observer.hub && p && p->ends;
}

static bool goes_on(struct rx_replay *r)
{
    bool wanted = false;
    if (rx_sched_foreground(r->world.sched) > 0)
        return true;
    if (rx_sched_endless(r->world.sched) == 0)
        return false;
    for (size_t i = 0; i < r->output_count && !wanted; i++)
        wanted = waits_for_more(&r->outputs[i]);
    r->in_vain = r->lines.begun == r->lines_before ? r->in_vain + 1 : 0;
    r->lines_before = r->lines.begun;
    return wanted && r->in_vain < TICKS_IN_VAIN_MAX;
}

/* Runs while something is scheduled that can still make output; work that only waits for input does not count. */
static int run_out(struct rx_replay *r, struct rx_error *reterr)
{
    int result = 0;
    if (r->ended)
        return run_until(r, r->end, true, reterr);
    while (result == 0 && goes_on(r))
        result = run_until(r, rx_sched_next_due(r->world.sched), true, reterr);
    return result;
}

static void write_subscriptions(struct rx_replay *r, const struct rx_replay_feed *feed)
{
    struct rx_buffer text = {0};
    for (size_t i = 0; i < feed->subscription_count; i++) {
        const struct rx_replay_subscription *s = &feed->subscriptions[i];
        rx_buffer_clear(&text);
        rx_buffer_text(&text, "{\"source\":");
        rx_json_write_string(&text, feed->source->name, strlen(feed->source->name));
        rx_buffer_text(&text, ",\"subscribed\":");
        rx_replay_write_ms(&text, s->subscribed);
        rx_buffer_text(&text, ",\"unsubscribed\":");
        if (s->unsubscribed == RX_TIME_NEVER)
            rx_buffer_text(&text, "null");
        else
            rx_replay_write_ms(&text, s->unsubscribed);
        rx_buffer_text(&text, "}\n");
        r->options.write(r->options.arg, text.data, text.length);
    }
    rx_buffer_finish(&text);
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
    for (size_t k = 0; k < r->world.plan->source_count && result == 0; k++)
        result = r->feeds[k].failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
    rx_replay_lines_flush(&r->lines);
    for (size_t k = 0; r->options.subscriptions && k < r->world.plan->source_count; k++)
        write_subscriptions(r, &r->feeds[k]);
    return result;
}

static void tell_loss(const struct rx_hub *errors, void (*each)(void *arg, const char *stream, uint64_t n), void *arg)
{
    uint64_t n = rx_hub_stats(errors).events;
    if (n)
        each(arg, rx_hub_name(errors), n);
}

void rx_replay_losses(const struct rx_replay *r, void (*each)(void *arg, const char *stream, uint64_t n), void *arg)
{
    const struct rx_plan *plan = r->world.plan;
    for (size_t i = 0; i < plan->source_count; i++)
        tell_loss(plan->sources[i].errors, each, arg);
    for (size_t i = 0; i < plan->pipeline_count; i++) {
        tell_loss(plan->pipelines[i].errors, each, arg);
        tell_loss(plan->pipelines[i].late, each, arg);
    }
}
