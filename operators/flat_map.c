/* flat_map: each element of a list that an expression gives becomes an event; or, for each event, a stream is subscribed, and
 * what the streams put out is merged (RxJS mergeMap). In the stream's steps `outer` is the event that it was opened for.
 * concat_map: one stream after the other. switch_map: only the newest. exhaust_map: none while one is open.
 * expand: what comes out goes in again; each such event counts as one that came into the step.
 * merge_scan, switch_scan: the newest that came out is at hand for what is opened next, as `acc`, or as `outer.acc` in a stream. */
#include <errno.h>
#include <stdlib.h>

#include "core/graph/operator.h"
#include "core/value/event_queue.h"
#include "core/value/record.h"

/* A stream that is open; the tag of its instance. */
struct open_stream {
    struct open_stream *previous, *next;
    struct rx_instance *instance;
};

/* What becomes of an event that comes while as many streams as may be are open. */
enum when_full { WAITS, REPLACES_OLDEST, IS_LEFT_OUT };

/* How deep an event may be expanded within one call: lists in lists, and streams that begin with an event. */
enum { LISTS_DEEP_MAX = 1000, STREAMS_DEEP_MAX = 100 };
#define EXPANDED "expanded what it put out"

struct flat_map {
    struct rx_op op;
    struct rx_expr *of;
    const struct rx_tree *from, *pipe;
    int64_t concurrency, queue;
    struct rx_value seed; /* RX_NULL: it does not scan */

    struct open_stream *first, *last; /* in order of opening */
    int64_t open;
    struct rx_event_queue waiting; /* for one of the open streams to end */
    bool completing;
    enum when_full when_full;
    bool expands, scans;
    unsigned depth;              /* of expansions that are under way */
    struct open_stream *opening; /* from what waited: its end is waited for by go_on */
    struct rx_value acc;
};

/* clang-format off */
#define WHAT_IS_OPENED(of_help_, locals_, pipe_help_)                                                                  \
    {.name = "of",                                                                                                     \
     .help = of_help_,                                                                                                 \
     .type = RX_OPTION_EXPR,                                                                                           \
     .offset = RX_AT(struct flat_map, of, struct rx_expr *),                                                           \
     .flags = RX_POSITIONAL,                                                                                           \
     .locals = locals_},                                                                                               \
    {.name = "from",                                                                                                   \
     .help = "instead: the stream to subscribe for each event",                                                        \
     .type = RX_OPTION_STREAM,                                                                                         \
     .offset = RX_AT(struct flat_map, from, const struct rx_tree *),                                                   \
     .flags = RX_OPENED},                                                                                              \
    {.name = "pipe",                                                                                                   \
     .help = pipe_help_,                                                                                               \
     .type = RX_OPTION_PIPE,                                                                                           \
     .offset = RX_AT(struct flat_map, pipe, const struct rx_tree *)}

#define FLAT                                                                                                           \
    WHAT_IS_OPENED("the list: each of its elements becomes an event", NULL,                                            \
                   "the stream's steps; `outer` is the event that it was opened for")

#define SCANNED                                                                                                        \
    WHAT_IS_OPENED("the list, from `acc` and the event: each of its elements becomes an event, and `acc`", locals,     \
                   "the stream's steps; `outer` is the event that it was opened for, with `acc` as it was then")

#define SEED                                                                                                           \
    {.name = "seed",                                                                                                   \
     .help = "what `acc` is at first",                                                                                 \
     .type = RX_OPTION_VALUE,                                                                                          \
     .offset = RX_AT(struct flat_map, seed, struct rx_value),                                                          \
     .flags = RX_REQUIRED}

#define CONCURRENCY                                                                                                    \
    {.name = "concurrency",                                                                                            \
     .help = "streams open at once; further events wait for one to end",                                               \
     .type = RX_OPTION_INT,                                                                                            \
     .offset = RX_AT(struct flat_map, concurrency, int64_t),                                                           \
     .fallback = "1000",                                                                                               \
     .min = 1,                                                                                                         \
     .max = 1e6}

#define QUEUE                                                                                                          \
    {.name = "queue",                                                                                                  \
     .help = "events that may wait; one more is discarded, and counted as evicted",                                    \
     .type = RX_OPTION_INT,                                                                                            \
     .offset = RX_AT(struct flat_map, queue, int64_t),                                                                 \
     .fallback = "10000",                                                                                              \
     .min = 0,                                                                                                         \
     .max = 1e7}
/* clang-format on */

static const char *const locals[] = {"acc", NULL};

static const struct rx_option options[] = {FLAT, CONCURRENCY, QUEUE, {0}};
static const struct rx_option concat_options[] = {FLAT, QUEUE, {0}};
static const struct rx_option one_options[] = {FLAT, {0}};
static const struct rx_option merge_scan_options[] = {SCANNED, SEED, CONCURRENCY, QUEUE, {0}};
static const struct rx_option switch_scan_options[] = {SCANNED, SEED, {0}};

static int check(const void *image, struct rx_error *reterr)
{
    const struct flat_map *f = image;
    if ((f->of != NULL) != (f->from != NULL) && (f->from || !f->pipe))
        return 0;
    rx_error_set(reterr, -EINVAL, "it opens the list that an expression gives, or a stream");
    rx_error_hint(reterr, "write an expression such as event.readings, or {from: NAME, pipe: [...]}");
    return -EINVAL;
}

/* Of the events only the expression is known to be read; of a stream, `outer` may be. */
static void describe(const void *image, struct rx_facts *facts)
{
    const struct flat_map *f = image;
    facts->reads_all = f->from != NULL;
    if (f->of)
        facts->events = 0;
    else
        facts->events = (uint64_t)f->queue + (uint64_t)(f->concurrency ? f->concurrency : 1);
}

static int init_expand(struct rx_op *op, struct rx_error *reterr)
{
    (void)reterr;
    ((struct flat_map *)op)->expands = true;
    return 0;
}

static int init_one_by_one(struct rx_op *op, struct rx_error *reterr)
{
    (void)reterr;
    ((struct flat_map *)op)->concurrency = 1;
    return 0;
}

static int init_switch(struct rx_op *op, struct rx_error *reterr)
{
    ((struct flat_map *)op)->when_full = REPLACES_OLDEST;
    return init_one_by_one(op, reterr);
}

static int init_exhaust(struct rx_op *op, struct rx_error *reterr)
{
    ((struct flat_map *)op)->when_full = IS_LEFT_OUT;
    return init_one_by_one(op, reterr);
}

static int init_scan(struct rx_op *op, struct rx_error *reterr)
{
    struct flat_map *f = (struct flat_map *)op;
    (void)reterr;
    f->scans = true;
    f->acc = rx_value_ref(f->seed);
    return 0;
}

static int init_switch_scan(struct rx_op *op, struct rx_error *reterr)
{
    init_scan(op, reterr);
    return init_switch(op, reterr);
}

/* What comes out is the accumulator from now on. */
static void keep(struct flat_map *f, struct rx_value value)
{
    if (!f->scans)
        return;
    rx_value_unref(f->acc);
    f->acc = rx_value_ref(value);
}

/* False: it is not, and the step has failed. */
static bool go_deeper(struct flat_map *f, unsigned most)
{
    if (f->depth >= most) {
        rx_fail_endless(&f->op, EXPANDED, most, NULL);
        return false;
    }
    f->depth++;
    return true;
}

/* ---- lists ---- */

static void flatten(struct flat_map *f, const struct rx_event *in);

/* It goes out, and in again. */
static void expand_element(struct flat_map *f, const struct rx_event *in, struct rx_value element)
{
    struct rx_event event = *in;
    event.value = element;
    rx_count_in(&f->op, 0, 1);
    if (!rx_op_again(&f->op, EXPANDED, NULL) || !go_deeper(f, LISTS_DEEP_MAX)) {
        rx_count(&f->op, RX_EVICTED, 1);
        return;
    }
    flatten(f, &event);
    f->depth--;
}

static void emit_elements(struct flat_map *f, const struct rx_event *in, struct rx_value list)
{
    for (uint32_t i = 0; i < list.u.list->count && rx_op_live(&f->op); i++) {
        struct rx_value element = list.u.list->items[i];
        keep(f, element);
        if (f->expands)
            expand_element(f, in, element);
        else
            rx_emit_value_take(&f->op, in, rx_value_ref(element));
    }
}

static void flatten(struct flat_map *f, const struct rx_event *in)
{
    struct rx_expr_env env = rx_op_env(&f->op, in);
    struct rx_value value;
    struct rx_error error;
    if (f->scans)
        env.locals = &f->acc;
    if (f->expands)
        rx_emit(&f->op, in, 1);
    if (!rx_op_eval(&f->op, f->of, &env, &value))
        return;
    if (value.kind == RX_LIST) {
        rx_count(&f->op, RX_USED, 1);
        emit_elements(f, in, value);
    } else {
        rx_error_set(&error, -EINVAL, "%s is no list, but %s", rx_expr_text(f->of),
                     rx_kind_name((enum rx_kind)value.kind));
        if (rx_bad_event(&f->op, in, &error) == RX_USE_NULL)
            rx_count(&f->op, RX_USED, 1);
    }
    rx_value_unref(value);
}

/* ---- streams ---- */

static void drop(struct flat_map *f, struct open_stream *s)
{
    *(s->previous ? &s->previous->next : &f->first) = s->next;
    *(s->next ? &s->next->previous : &f->last) = s->previous;
    f->open--;
    free(s);
}

static struct open_stream *add(struct flat_map *f)
{
    struct open_stream *s = calloc(1, sizeof *s);
    if (!s) {
        rx_fail_memory(&f->op);
        return NULL;
    }
    s->previous = f->last;
    *(f->last ? &f->last->next : &f->first) = s;
    f->last = s;
    f->open++;
    return s;
}

/* As `set` would add it. */
static struct rx_value with_acc(struct flat_map *f, struct rx_value value)
{
    struct rx_object_builder b;
    rx_object_init_from(&b, rx_op_heap(&f->op), value);
    if (value.kind != RX_RECORD && value.kind != RX_MAP)
        rx_object_put_key_take(&b, rx_key_known(rx_op_heap(&f->op), RX_KEY_VALUE), rx_value_ref(value));
    rx_object_put_key_take(&b, rx_key_known(rx_op_heap(&f->op), RX_KEY_ACC), rx_value_ref(f->acc));
    return rx_object_finish(&b);
}

/* One that ends while it is subscribed is gone when the call returns: inner has dropped it. */
static void open_for(struct flat_map *f, struct open_stream *s, const struct rx_event *event)
{
    struct rx_event outer = *event;
    if (f->scans)
        outer.value = with_acc(f, event->value);
    if (!f->scans || rx_op_made(&f->op, NULL, &outer.value)) {
        struct rx_instance *instance = rx_instance_open_for(&f->op, 0, s, &outer);
        if (instance)
            s->instance = instance;
    } else if (rx_op_live(&f->op)) {
        drop(f, s);
    }
    if (f->scans)
        rx_value_unref(outer.value);
}

static void subscribe(struct flat_map *f, const struct rx_event *event, bool waited)
{
    if (f->expands)
        rx_emit(&f->op, event, 1);
    if (!rx_op_live(&f->op) || !go_deeper(f, STREAMS_DEEP_MAX))
        return;
    struct open_stream *around = f->opening, *s = add(f);
    if (waited)
        f->opening = s;
    if (s)
        open_for(f, s, event);
    f->opening = around;
    f->depth--;
}

static void leave_oldest(struct flat_map *f)
{
    struct rx_instance *instance = f->first->instance;
    drop(f, f->first);
    rx_instance_close(instance);
}

static void take_in(struct flat_map *f, const struct rx_event *event)
{
    if (f->open >= f->concurrency && f->when_full == REPLACES_OLDEST)
        leave_oldest(f);
    if (f->open < f->concurrency) {
        rx_count(&f->op, RX_USED, 1);
        subscribe(f, event, false);
    } else if (f->when_full == IS_LEFT_OUT) {
        rx_count(&f->op, RX_FILTERED, 1);
    } else if ((int64_t)f->waiting.count >= f->queue || rx_event_queue_push(&f->waiting, event) < 0) {
        rx_count(&f->op, RX_EVICTED, 1);
    } else {
        rx_hold(&f->op, 1);
    }
}

/* A loop, not a recursion, where one stream after the other ends while it is subscribed. */
static void go_on(struct flat_map *f)
{
    while (rx_op_live(&f->op) && f->open < f->concurrency && f->waiting.count > 0) {
        struct rx_event event = rx_event_queue_pop(&f->waiting);
        rx_hold(&f->op, -1);
        rx_count(&f->op, RX_USED, 1);
        subscribe(f, &event, true);
        rx_event_unref(&event);
    }
    if (f->completing && f->open == 0)
        rx_finish(&f->op);
}

static void expand_again(struct flat_map *f, const struct rx_event *span, size_t n)
{
    for (size_t i = 0; i < n && rx_op_live(&f->op); i++) {
        rx_count_in(&f->op, 0, 1);
        if (rx_op_again(&f->op, EXPANDED, NULL))
            take_in(f, &span[i]);
        else
            rx_count(&f->op, RX_EVICTED, 1);
    }
}

/* One by one where what each changes may be read by what comes of it. */
static void emit(struct flat_map *f, const struct rx_note *note)
{
    if (!f->scans)
        rx_emit(&f->op, note->span, note->count);
    for (size_t i = 0; f->scans && i < note->count && rx_op_live(&f->op); i++) {
        keep(f, note->span[i].value);
        rx_emit(&f->op, &note->span[i], 1);
    }
}

static void inner(struct rx_op *op, struct rx_instance *instance, const struct rx_note *note)
{
    struct flat_map *f = (struct flat_map *)op;
    if (note->kind == RX_NEXT && f->expands) {
        expand_again(f, note->span, note->count);
        return;
    }
    if (note->kind == RX_NEXT) {
        emit(f, note);
        return;
    }
    struct open_stream *ended = rx_instance_tag(instance);
    bool awaited = ended == f->opening;
    drop(f, ended);
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else if (!awaited)
        go_on(f);
}

/* ---- the class ---- */

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct flat_map *f = (struct flat_map *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (f->of)
            flatten(f, &span[i]);
        else
            take_in(f, &span[i]);
    }
}

static void complete(struct rx_op *op, unsigned port)
{
    struct flat_map *f = (struct flat_map *)op;
    (void)port;
    f->completing = true;
    go_on(f);
}

static void dispose(struct rx_op *op)
{
    struct flat_map *f = (struct flat_map *)op;
    rx_event_queue_finish(&f->waiting);
    rx_value_unref(f->acc);
    while (f->first)
        drop(f, f->first);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct flat_map *f = (struct flat_map *)op;
    rx_write_bool(w, f->completing);
    if (f->scans)
        rx_write_value(w, f->acc);
    rx_event_queue_save(&f->waiting, w);
    rx_write_uint(w, (uint64_t)f->open);
    for (struct open_stream *s = f->first; s; s = s->next) {
        rx_write_event(w, rx_instance_outer(s->instance));
        rx_instance_save(s->instance, w);
    }
    return 0;
}

static void load_stream(struct flat_map *f, struct rx_reader *r)
{
    struct rx_event outer = rx_read_event(r);
    struct open_stream *s = rx_reader_failed(r) ? NULL : add(f);
    if (s)
        s->instance = rx_instance_load_for(&f->op, 0, s, &outer, r);
    if (s && !s->instance)
        drop(f, s);
    rx_event_unref(&outer);
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct flat_map *f = (struct flat_map *)op;
    f->completing = rx_read_bool(r);
    if (f->scans) {
        rx_value_unref(f->acc);
        f->acc = rx_read_value(r);
    }
    if (rx_event_queue_load(&f->waiting, r) == 0)
        rx_hold(op, (int64_t)f->waiting.count);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_stream(f, r);
    return r->failed;
}

#define FLATTENS(name_, summary_, options_, init_, flags_, example_)                                                   \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .options = options_,                                                                                  \
                 .state_size = sizeof(struct flat_map),                                                                \
                 .flags = flags_,                                                                                      \
                 .check = check,                                                                                       \
                 .example = #name_ ": " example_},                                                                     \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .init = init_,                                                                                                 \
        .next = next,                                                                                                  \
        .complete = complete,                                                                                          \
        .inner = inner,                                                                                                \
        .save = save,                                                                                                  \
        .load = load,                                                                                                  \
        .dispose = dispose,                                                                                            \
        .describe = describe,                                                                                          \
    }

FLATTENS(flat_map, "each element of a list becomes an event; or a stream is subscribed for each event, and all merged",
         options, NULL, RX_REPLACES, "event.readings");
FLATTENS(merge_map, "flat_map by its name in RxJS", options, NULL, RX_REPLACES, "event.readings");
FLATTENS(concat_map,
         "each element of a list becomes an event; or a stream is subscribed for each event, one after the other",
         concat_options, init_one_by_one, RX_REPLACES, "event.readings");
FLATTENS(
    switch_map,
    "each element of a list becomes an event; or the stream of the newest event is subscribed, and the one before left",
    one_options, init_switch, RX_REPLACES, "event.readings");
FLATTENS(exhaust_map,
         "each element of a list becomes an event; or a stream is subscribed for an event, and the events that come "
         "meanwhile left out",
         one_options, init_exhaust, RX_REPLACES, "event.readings");
FLATTENS(expand, "put out each event, and what a list or a stream that it gives holds, and what those give, and so on",
         options, init_expand, 0, "\"value > 1 ? [{'value': value / 2}] : []\"");
FLATTENS(merge_scan, "as flat_map, where what is opened next is made with the newest that came out, `acc`",
         merge_scan_options, init_scan, RX_REPLACES, "{of: '[acc + value]', seed: 0}");
FLATTENS(switch_scan, "as switch_map, where what is opened next is made with the newest that came out, `acc`",
         switch_scan_options, init_switch_scan, RX_REPLACES, "{of: '[acc + value]', seed: 0}");
