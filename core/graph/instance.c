/* Instances of sub-graphs, and the turns in which what has ended is reclaimed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/graph_private.h"
#include "core/graph/lanes.h"

/* ---- the engine ---- */

struct rx_engine *rx_engine_create(struct rx_heap *heap, struct rx_sched *sched)
{
    struct rx_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return NULL;
    engine->heap = heap;
    engine->sched = sched;
    engine->index_from = RX_INDEX_FROM;
    return engine;
}

void rx_engine_destroy(struct rx_engine *engine)
{
    if (engine)
        free(engine->unsettled.ops);
    free(engine);
}

void rx_engine_enter(struct rx_engine *engine)
{
    if (engine->depth++ == 0)
        engine->turn++;
}

static void reclaim(struct rx_instance *instance)
{
    rx_mark_unref(instance->mark);
    rx_event_unref(&instance->own_outer);
    free(instance->failure);
    free(instance);
}

static bool reclaim_some(struct rx_engine *engine)
{
    bool settles = engine->unsettled.count > 0;
    if (settles)
        rx_engine_settle(engine);
    struct rx_op *ops = engine->dead;
    struct rx_instance *instances = engine->dead_instances;
    struct rx_hub *hubs = engine->idle_hubs;
    engine->dead = NULL;
    engine->dead_instances = NULL;
    engine->idle_hubs = NULL;
    if (hubs)
        rx_hub_settle(hubs);
    for (struct rx_op *op = ops, *next; op; op = next) {
        next = op->next_dead;
        rx_op_reclaim(op);
    }
    for (struct rx_instance *i = instances, *next; i; i = next) {
        next = i->next;
        reclaim(i);
    }
    return settles || ops || instances || hubs;
}

/* The time that comes out of some may go into others. */
static bool flush_lanes(struct rx_engine *engine)
{
    if (!engine->lanes || !engine->lanes->gathered)
        return false;
    engine->lanes->flush(engine->lanes);
    return true;
}

void rx_engine_leave(struct rx_engine *engine)
{
    while (engine->depth == 1 && (flush_lanes(engine) || reclaim_some(engine)))
        ;
    engine->depth--;
}

struct rx_point rx_engine_point(const struct rx_engine *engine)
{
    return (struct rx_point){.dead = engine->dead, .dead_instances = engine->dead_instances, .births = engine->births};
}

static void reclaim_ops_since(struct rx_engine *engine, const struct rx_point *point)
{
    for (struct rx_op **link = &engine->dead; *link && *link != point->dead;) {
        struct rx_op *op = *link;
        if (op->born <= point->births) {
            link = &op->next_dead;
            continue;
        }
        *link = op->next_dead;
        rx_op_reclaim(op);
    }
}

void rx_engine_reclaim_since(struct rx_engine *engine, const struct rx_point *point)
{
    reclaim_ops_since(engine, point);
    for (struct rx_instance **link = &engine->dead_instances; *link && *link != point->dead_instances;) {
        struct rx_instance *instance = *link;
        if (instance->born <= point->births) {
            link = &instance->next;
            continue;
        }
        *link = instance->next;
        reclaim(instance);
    }
}

/* ---- instances ---- */

struct rx_instance *rx_instance_create(struct rx_engine *engine, const struct rx_subgraph *subgraph)
{
    struct rx_instance *i = calloc(1, sizeof *i + subgraph->count * sizeof(struct rx_op *));
    if (!i)
        return NULL;
    i->engine = engine;
    i->born = ++engine->births;
    i->subgraph = subgraph;
    return i;
}

static void link_to_opener(struct rx_instance *instance, struct rx_op *opener)
{
    instance->opener = opener;
    instance->link = opener->opened_tail;
    *opener->opened_tail = instance;
    opener->opened_tail = &instance->next;
}

static void unlink_from_opener(struct rx_instance *instance)
{
    struct rx_op *opener = instance->opener;
    if (!opener)
        return;
    *instance->link = instance->next;
    if (instance->next)
        instance->next->link = instance->link;
    else
        opener->opened_tail = instance->link;
}

/* Takes the instance out of the world; its memory stays until the turn ends. The exit takes all that it reads with it;
 * of an instance that was loaded in part, each op goes by itself. */
void rx_instance_bury(struct rx_instance *instance)
{
    if (instance->ended)
        return;
    instance->ended = true;
    unlink_from_opener(instance);
    instance->next = instance->engine->dead_instances;
    instance->engine->dead_instances = instance;
    for (size_t i = instance->subgraph->count; i > 0; i--)
        rx_op_cancel(instance->ops[i - 1]);
}

void rx_instances_close_all(struct rx_op *op)
{
    while (op->opened)
        rx_instance_bury(op->opened);
}

/* A notification of the exit. After a terminal the instance is gone before the opener hears of it. */
void rx_instance_note(struct rx_instance *instance, const struct rx_note *note)
{
    bool scope = instance->opener != NULL;
    if (instance->ended || (scope && (note->kind == RX_WATERMARK || note->kind == RX_BARRIER || note->kind == RX_LINK)))
        return; /* of a scope the opener's own go on, when all its instances have heard of them */
    if (rx_note_ends(note))
        rx_instance_bury(instance);
    if (scope)
        instance->opener->class->inner(instance->opener, instance, note);
    else if (instance->on_note)
        instance->on_note(instance->arg, note);
}

static void start_exit(struct rx_instance *instance)
{
    struct rx_error error = {0};
    struct rx_op *op = rx_op_create(instance, (uint16_t)(instance->subgraph->count - 1), &error);
    if (op) {
        rx_op_start(op);
        return;
    }
    op = instance->ops[instance->subgraph->count - 1];
    if (op)
        rx_fail(op, &error);
    else
        rx_instance_note(instance, &(struct rx_note){.kind = RX_ERROR, .error = &error});
}

static void report_memory(struct rx_op *op)
{
    struct rx_error error;
    rx_error_set(&error, -ENOMEM, "out of memory for a group or window");
    rx_fail(op, &error);
}

struct rx_instance *rx_instance_link(struct rx_op *op, unsigned which, const struct rx_mark *mark, void *tag)
{
    struct rx_instance *instance = rx_instance_create(rx_op_engine(op), op->node->subgraphs[which]);
    if (!instance) {
        rx_mark_unref(mark);
        report_memory(op);
        return NULL;
    }
    instance->mark = mark ? mark : rx_mark_ref(rx_op_mark(op));
    instance->outer = op->instance->outer;
    instance->tag = tag;
    link_to_opener(instance, op);
    return instance;
}

static struct rx_instance *start(struct rx_instance *instance)
{
    struct rx_engine *engine = instance->engine;
    struct rx_point before = rx_engine_point(engine);
    before.births = instance->born - 1;
    rx_engine_enter(engine);
    start_exit(instance);
    bool ended = instance->ended;
    if (ended)
        rx_engine_reclaim_since(engine, &before);
    rx_engine_leave(engine);
    return ended ? NULL : instance;
}

struct rx_instance *rx_instance_open(struct rx_op *op, unsigned which, const struct rx_mark *mark, void *tag)
{
    struct rx_instance *instance = rx_instance_link(op, which, mark, tag);
    return instance ? start(instance) : NULL;
}

void rx_instance_set_outer(struct rx_instance *instance, const struct rx_event *outer)
{
    instance->own_outer = rx_event_ref(outer);
    instance->outer = &instance->own_outer;
}

struct rx_instance *rx_instance_open_for(struct rx_op *op, unsigned which, void *tag, const struct rx_event *outer)
{
    struct rx_instance *instance = rx_instance_link(op, which, rx_mark_ref(outer->mark), tag);
    if (!instance)
        return NULL;
    rx_instance_set_outer(instance, outer);
    return start(instance);
}

const struct rx_event *rx_instance_outer(const struct rx_instance *instance)
{
    return instance->outer == &instance->own_outer ? instance->outer : NULL;
}

/* Scopes inside that have no window of their own are in this one: they are sealed with its bounds and flags, and their keys. */
static void seal_inside(struct rx_instance *instance, const struct rx_mark *old, const struct rx_mark *mark)
{
    for (size_t i = 0; i < instance->subgraph->count; i++) {
        struct rx_op *op = instance->ops[i];
        for (struct rx_instance *inner = op ? op->opened : NULL; inner; inner = inner->next) {
            const struct rx_mark *m = inner->mark;
            if (m && m->start == old->start && m->end == old->end)
                rx_instance_seal(inner, rx_mark_with_window(instance->engine->heap, m, mark->start, mark->end,
                                                            m->flags | mark->flags));
        }
    }
}

void rx_instance_seal(struct rx_instance *instance, const struct rx_mark *mark)
{
    const struct rx_mark *old = instance->mark;
    if (!mark)
        return;
    instance->mark = mark;
    if (old)
        seal_inside(instance, old, mark);
    rx_mark_unref(old);
}

void *rx_instance_tag(const struct rx_instance *instance) { return instance->tag; }
void rx_instance_set_tag(struct rx_instance *instance, void *tag) { instance->tag = tag; }
const struct rx_mark *rx_instance_mark(const struct rx_instance *instance) { return instance->mark; }

/* NULL: nothing inside listens any more. Else it has been told what comes before the events. */
static struct rx_op *entry_for(struct rx_instance *instance, size_t n)
{
    if (instance->ended || !instance->entry)
        return NULL;
    rx_instance_refresh(instance);
    struct rx_op *entry = instance->ended ? NULL : instance->entry;
    if (!entry)
        return NULL;
    entry->node->ledger->in += n;
    rx_count(entry, RX_USED, n);
    return entry;
}

bool rx_instance_pass(struct rx_instance *instance, const struct rx_event *span, size_t n)
{
    struct rx_op *entry = entry_for(instance, n);
    if (entry)
        rx_emit(entry, span, n);
    return entry;
}

/* One by one: an event may end the steps, and they be subscribed anew for the next. */
bool rx_instance_next(struct rx_instance *instance, const struct rx_event *span, size_t n)
{
    bool heard = false;
    for (size_t i = 0; i < n; i++) {
        struct rx_op *entry = entry_for(instance, 1);
        if (!entry)
            break;
        struct rx_event marked = span[i];
        marked.mark = instance->mark;
        rx_emit(entry, &marked, 1);
        heard = true;
    }
    return heard;
}

void rx_instance_watermark(struct rx_instance *instance, rx_time t)
{
    if (!instance->ended && instance->entry)
        rx_op_relay(instance->entry, &(struct rx_note){.kind = RX_WATERMARK, .watermark = t});
}

void rx_instance_complete(struct rx_instance *instance)
{
    if (instance->ended)
        return;
    instance->input_end = RX_INPUT_COMPLETED;
    if (instance->entry)
        rx_finish(instance->entry);
}

static void keep_failure(struct rx_instance *instance, const struct rx_error *error)
{
    instance->input_end = RX_INPUT_FAILED;
    instance->failure = malloc(sizeof *error);
    if (instance->failure)
        *instance->failure = *error;
}

void rx_instance_error(struct rx_instance *instance, const struct rx_error *error)
{
    if (instance->ended)
        return;
    keep_failure(instance, error);
    if (instance->entry)
        rx_fail(instance->entry, error);
}

void rx_instance_start_entry(struct rx_op *entry)
{
    const struct rx_instance *instance = entry->instance;
    if (instance->input_end == RX_INPUT_COMPLETED)
        rx_finish(entry);
    else if (instance->input_end == RX_INPUT_FAILED && instance->failure)
        rx_fail(entry, instance->failure);
    else if (instance->input_end == RX_INPUT_FAILED)
        rx_fail_memory(entry);
}

void rx_instance_save_input(const struct rx_instance *instance, struct rx_writer *w)
{
    rx_write_uint(w, instance->input_end);
    if (instance->input_end != RX_INPUT_FAILED)
        return;
    const struct rx_error *e = instance->failure;
    rx_write_int(w, e ? e->code : -ENOMEM);
    rx_write_text(w, e ? e->message : "out of memory", strlen(e ? e->message : "out of memory"));
    rx_write_text(w, e ? e->hint : "", strlen(e ? e->hint : ""));
}

void rx_instance_load_input(struct rx_instance *instance, struct rx_reader *r)
{
    uint64_t end = rx_read_uint(r);
    if (end > RX_INPUT_FAILED)
        rx_reader_fail(r, -EBADMSG);
    instance->input_end = rx_reader_failed(r) ? RX_INPUT_OPEN : (enum rx_input_end)end;
    if (instance->input_end != RX_INPUT_FAILED)
        return;
    struct rx_error error = {.code = (int)rx_read_int(r)};
    size_t length, hinted;
    const char *message = rx_read_text(r, &length), *hint = rx_read_text(r, &hinted);
    if (rx_reader_failed(r))
        return;
    rx_error_set(&error, error.code, "%.*s", (int)length, message);
    rx_error_hint(&error, "%.*s", (int)hinted, hint);
    keep_failure(instance, &error);
}

static void peek_inside(struct rx_op *op, rx_time at)
{
    for (struct rx_instance *i = op->opened, *next; i && op->state == RX_OP_LIVE; i = next) {
        next = i->next;
        rx_instance_peek(i, at);
    }
}

void rx_instance_peek(struct rx_instance *instance, rx_time at)
{
    struct rx_op *op = instance->ended ? NULL : instance->ops[instance->subgraph->count - 1];
    if (!op || op->busy)
        return;
    struct rx_engine *engine = instance->engine;
    rx_engine_enter(engine);
    op->busy = true;
    if (op->class->peek)
        op->class->peek(op, at);
    else
        peek_inside(op, at);
    op->busy = false;
    rx_op_drain(op);
    rx_engine_leave(engine);
}

void rx_instance_close(struct rx_instance *instance)
{
    if (!instance)
        return;
    struct rx_engine *engine = instance->engine;
    rx_engine_enter(engine);
    rx_instance_bury(instance);
    rx_engine_leave(engine);
}

struct rx_instance *rx_graph_start(struct rx_engine *engine, const struct rx_subgraph *subgraph,
                                   void (*on_note)(void *arg, const struct rx_note *), void *arg)
{
    struct rx_instance *instance = rx_instance_create(engine, subgraph);
    if (!instance)
        return NULL;
    instance->on_note = on_note;
    instance->arg = arg;
    rx_engine_enter(engine);
    start_exit(instance);
    bool ended = instance->ended;
    rx_engine_leave(engine);
    return ended ? NULL : instance;
}

void rx_graph_account(struct rx_instance *instance)
{
    for (size_t i = 0; instance && i < instance->subgraph->count; i++)
        if (instance->ops[i] && instance->ops[i]->class == &rx_operator_subscription)
            rx_observer_account((struct rx_observer *)(void *)(instance->ops[i] + 1));
}

void rx_graph_stop(struct rx_instance *instance) { rx_instance_close(instance); }
