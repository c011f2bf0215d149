/* keyed_window: group_by -> window -> aggregate on the epoch as one keyed, incremental operator.
 *
 * The planner puts it in the place of the three (pipelines/plan/plan_fuse.c); what comes out is the same, byte for byte: keys
 * close in order of creation, and the boundary's timer belongs to the node in both. No event is kept. */
#include <errno.h>
#include <string.h>

#include "core/aggregate/aggregation.h"
#include "core/graph/boundary.h"
#include "core/graph/step.h"
#include "core/value/keytable.h"

enum { WIDTH_MAX = 16, ON_COMPLETE_FLUSH = 0 };
enum step { GROUP, WINDOW, AGGREGATE }; /* the steps it runs, each with its own account */

struct keyed_window {
    struct rx_op op;
    struct rx_keys *by;
    int64_t max_keys;
    struct rx_extent size;
    int on_complete;
    struct rx_shaper *fields;

    struct rx_keytable table; /* of struct pane */
    struct rx_aggregation calls;
    struct rx_boundary_member member;
    struct part {
        const struct rx_key *field; /* the part is a plain field; NULL: it is computed */
        struct rx_slot_cache cache;
    } parts[WIDTH_MAX];
};

/* Results on their way. */
struct batch {
    struct rx_event events[RX_SPAN_MAX];
    size_t count;
};

/* A key's open window. */
struct pane {
    rx_time end; /* 0: none is open */
    struct rx_accumulator accumulators[];
};

static struct pane *pane_of(struct keyed_window *k, struct rx_keyed *e) { return rx_keyed_data(&k->table, e); }

/* ---- results ---- */

static void flush(struct keyed_window *k, struct batch *out)
{
    size_t n = out->count;
    out->count = 0;
    rx_count_out(&k->op, GROUP, n);
    rx_count_out(&k->op, WINDOW, n);
    rx_emit(&k->op, out->events, n);
    for (size_t i = 0; i < n; i++)
        rx_event_unref(&out->events[i]);
}

static struct rx_value key_record(struct keyed_window *k, const struct rx_keyed *e)
{
    struct rx_object_builder b;
    rx_object_init(&b, k->table.heap);
    for (unsigned i = 0; i < k->table.width; i++)
        rx_object_put_key_take(&b, rx_keys_name(k->by, i), rx_value_ref(e->keys[i]));
    return rx_object_finish(&b);
}

static const struct rx_mark *mark_of(struct keyed_window *k, const struct rx_keyed *e, rx_time end, uint32_t flags)
{
    struct rx_value record = key_record(k, e);
    const struct rx_mark *group = rx_mark_with_key(k->table.heap, rx_op_mark(&k->op), record);
    const struct rx_mark *mark =
        group ? rx_mark_with_window(k->table.heap, group, end - k->size.duration, end, flags) : NULL;
    rx_mark_unref(group);
    rx_value_unref(record);
    return mark;
}

static int make_result(struct keyed_window *k, struct rx_keyed *e, uint32_t flags, struct rx_event *out,
                       struct rx_error *reterr)
{
    struct pane *pane = pane_of(k, e);
    const struct rx_mark *mark = mark_of(k, e, pane->end, flags);
    if (!mark)
        return rx_error_set(reterr, -ENOMEM, "out of memory for a result");
    *out = (struct rx_event){.time = pane->end - 1, .mark = mark};
    struct rx_aggregation_scope scope = {.mark = mark, .until = RX_TIME_NEVER};
    int r = rx_aggregation_result(&k->calls, pane->accumulators, &scope, k->table.heap, &out->value, reterr);
    if (r < 0)
        rx_mark_unref(mark);
    return r;
}

/* The pane is empty before its result goes out. */
static void close_pane(struct keyed_window *k, struct rx_keyed *e, uint32_t flags, struct batch *out)
{
    struct rx_error error;
    int r = make_result(k, e, flags, &out->events[out->count], &error);
    struct pane *pane = pane_of(k, e);
    rx_aggregation_clear(&k->calls, pane->accumulators);
    pane->end = 0;
    if (r < 0)
        rx_bad_result_of(&k->op, AGGREGATE, &error);
    else if (++out->count == RX_SPAN_MAX)
        flush(k, out);
}

static void on_boundary(struct rx_boundary_member *member, rx_time end)
{
    struct keyed_window *k = (struct keyed_window *)member->op;
    struct batch out;
    out.count = 0;
    for (struct rx_keyed *e = k->table.first; e && rx_op_live(&k->op); e = e->next)
        if (pane_of(k, e)->end == end)
            close_pane(k, e, 0, &out);
    flush(k, &out);
}

/* ---- keys ---- */

static void forget(struct keyed_window *k, struct rx_keyed *e)
{
    rx_aggregation_clear(&k->calls, pane_of(k, e)->accumulators);
    rx_keytable_remove(&k->table, e);
}

static void evict(struct keyed_window *k)
{
    struct rx_keyed *e = k->table.oldest;
    rx_count_key_evicted(&k->op);
    if (pane_of(k, e)->end && k->on_complete == ON_COMPLETE_FLUSH) {
        struct batch out;
        out.count = 0;
        close_pane(k, e, RX_WINDOW_PARTIAL, &out);
        flush(k, &out);
    }
    forget(k, e);
}

/* A part of the key, borrowed where it is a plain field; *ret_owned says whether to unref it. */
static int key_part(struct keyed_window *k, unsigned i, const struct rx_event *event, struct rx_value *ret,
                    bool *ret_owned, struct rx_error *reterr)
{
    struct part *part = &k->parts[i];
    if (part->field && event->value.kind == RX_RECORD) {
        const struct rx_value *v = rx_record_get(event->value.u.record, part->field, &part->cache);
        if (v) {
            *ret = *v;
            *ret_owned = false;
            return 0;
        }
    }
    struct rx_expr_env env = rx_op_env(&k->op, event);
    *ret_owned = true;
    int r = rx_expr_eval(rx_keys_expr(k->by, i), &env, ret, NULL);
    return r < 0 ? rx_expr_eval(rx_keys_expr(k->by, i), &env, ret, reterr) : 0;
}

static void release_parts(const struct rx_value *keys, const bool *owned, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (owned[i])
            rx_value_unref(keys[i]);
}

static struct rx_keyed *find_or_add(struct keyed_window *k, const struct rx_value *keys)
{
    uint64_t hash = rx_keytable_hash(keys, k->table.width);
    struct rx_keyed *e = rx_keytable_find(&k->table, keys, hash);
    if (e)
        return e;
    if (k->table.count >= (uint64_t)k->max_keys)
        evict(k);
    return rx_op_live(&k->op) ? rx_keytable_add(&k->table, keys, hash) : NULL;
}

/* ---- events ---- */

static void add_to_pane(struct keyed_window *k, struct rx_keyed *e, const struct rx_event *event)
{
    struct rx_schedule schedule = {.size = k->size.duration, .every = k->size.duration};
    struct rx_error error;
    rx_boundary_reach(&k->member, event->time);
    if (!rx_op_live(&k->op))
        return;
    struct pane *pane = pane_of(k, e);
    rx_time end = rx_schedule_end_after(&schedule, event->time);
    if (pane->end != end && !rx_boundary_want(&k->member, end)) {
        rx_late_event_of(&k->op, WINDOW, event);
        return;
    }
    pane->end = end;
    rx_count_of(&k->op, WINDOW, RX_USED, 1);
    rx_count_in(&k->op, AGGREGATE, 1);
    if (rx_aggregation_add(&k->calls, pane->accumulators, event, &error) == 0 ||
        rx_bad_event_of(&k->op, AGGREGATE, event, &error) == RX_USE_NULL)
        rx_count_of(&k->op, AGGREGATE, RX_USED, 1);
}

static void take_in(struct keyed_window *k, const struct rx_event *event)
{
    struct rx_value keys[WIDTH_MAX];
    bool owned[WIDTH_MAX];
    struct rx_error error;
    for (unsigned i = 0; i < k->table.width; i++) {
        if (key_part(k, i, event, &keys[i], &owned[i], &error) < 0) {
            release_parts(keys, owned, i);
            if (rx_bad_event(&k->op, event, &error) == RX_USE_NULL)
                rx_count(&k->op, RX_UNHEARD, 1);
            return;
        }
    }
    struct rx_keyed *e = find_or_add(k, keys);
    if (e) {
        rx_count(&k->op, RX_USED, 1);
        rx_count_in(&k->op, WINDOW, 1);
        add_to_pane(k, e, event);
    } else if (rx_op_live(&k->op)) {
        rx_error_set(&error, -ENOMEM, "out of memory for a key");
        rx_fail(&k->op, &error);
    }
    release_parts(keys, owned, k->table.width);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take_in((struct keyed_window *)op, &span[i]);
}

static void watermark(struct rx_op *op, rx_time t)
{
    rx_boundary_watermark(&((struct keyed_window *)op)->member, t);
    rx_emit_watermark(op, t);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct keyed_window *k = (struct keyed_window *)op;
    struct batch out;
    (void)port;
    out.count = 0;
    rx_boundary_leave(&k->member);
    for (struct rx_keyed *e = k->table.first; e && rx_op_live(op); e = e->next)
        if (pane_of(k, e)->end && k->on_complete == ON_COMPLETE_FLUSH)
            close_pane(k, e, 0, &out);
    flush(k, &out);
    rx_finish(op);
}

/* ---- life ---- */

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct keyed_window *k = (struct keyed_window *)op;
    int r = rx_aggregation_prepare(&k->calls, k->fields, reterr);
    if (r < 0)
        return r;
    k->member = (struct rx_boundary_member){.op = op, .close = on_boundary};
    for (unsigned i = 0; i < rx_keys_count(k->by); i++)
        k->parts[i].field = rx_expr_as_field(rx_keys_expr(k->by, i));
    rx_keytable_init(&k->table, rx_op_heap(op), (unsigned)rx_keys_count(k->by),
                     sizeof(struct pane) + k->calls.count * sizeof(struct rx_accumulator));
    return 0;
}

static void start(struct rx_op *op)
{
    struct keyed_window *k = (struct keyed_window *)op;
    if (rx_boundary_join(&k->member) < 0) {
        struct rx_error error;
        rx_error_set(&error, -ENOMEM, "out of memory");
        rx_fail(op, &error);
    }
    rx_subscribe(op, 0);
}

static void dispose(struct rx_op *op)
{
    struct keyed_window *k = (struct keyed_window *)op;
    rx_boundary_leave(&k->member);
    for (struct rx_keyed *e = k->table.first; e; e = e->next)
        rx_aggregation_clear(&k->calls, pane_of(k, e)->accumulators);
    rx_keytable_finish(&k->table);
}

/* ---- state: as the three would write it, so that each plan reads the other's ---- */

enum { WINDOW_TIMERS = 2 };

static void write_entry(const struct keyed_window *k, struct rx_writer *w)
{
    rx_frame_end(w, rx_frame_begin_step(w, &k->op, 0, 0));
}

static void write_pane(struct keyed_window *k, const struct pane *pane, struct rx_writer *w)
{
    rx_write_int(w, pane->end - k->size.duration);
    rx_write_int(w, pane->end);
    rx_write_uint(w, 0); /* the timer's place */
    rx_write_uint(w, 0); /* events so far: of `max` */
    rx_write_bool(w, true);
    rx_write_bool(w, true);
    write_entry(k, w);
    size_t frame = rx_frame_begin_step(w, &k->op, 1, 0);
    rx_aggregation_save(&k->calls, pane->accumulators, w);
    rx_frame_end(w, frame);
}

static void write_window(struct keyed_window *k, const struct pane *pane, uint64_t born, struct rx_writer *w)
{
    size_t frame = rx_frame_begin_step(w, &k->op, 1, WINDOW_TIMERS);
    rx_write_uint(w, 0); /* events so far: of windows by count */
    rx_write_bool(w, false);
    rx_write_uint(w, pane->end != 0);
    if (pane->end)
        write_pane(k, pane, w);
    rx_write_bool(w, true);
    rx_boundary_save_as(w, born, pane->end ? pane->end : RX_TIME_NEVER, false);
    rx_write_uint(w, 0); /* windows that have been let go */
    rx_write_uint(w, 0); /* steps that keep something beyond a window */
    rx_frame_end(w, frame);
}

static void write_keys(struct keyed_window *k, const struct rx_keyed *e, struct rx_writer *w)
{
    for (unsigned i = 0; i < k->table.width; i++)
        rx_write_value(w, e->keys[i]);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct keyed_window *k = (struct keyed_window *)op;
    uint64_t born = 0;
    rx_write_bool(w, false);
    rx_write_uint(w, k->table.count);
    for (struct rx_keyed *e = k->table.first; e; e = e->next) {
        write_keys(k, e, w);
        rx_write_int(w, 0); /* the newest event and its place: of idle groups */
        rx_write_uint(w, 0);
        rx_write_bool(w, true);
        write_entry(k, w);
        write_window(k, pane_of(k, e), ++born, w);
    }
    for (struct rx_keyed *e = k->table.oldest; e; e = e->newer)
        write_keys(k, e, w);
    rx_write_uint(w, 0); /* groups that have been let go */
    return 0;
}

static void read_entry(struct rx_reader *outer)
{
    struct rx_reader r = rx_frame_open_step(outer, 0, 0);
    rx_frame_close(outer, &r);
}

static void read_pane(struct keyed_window *k, struct pane *pane, struct rx_reader *r)
{
    rx_read_int(r);
    rx_time end = rx_read_int(r);
    rx_read_uint(r);
    rx_read_uint(r);
    if (!rx_read_bool(r) || !rx_read_bool(r))
        rx_reader_fail(r, -EBADMSG);
    read_entry(r);
    struct rx_reader aggregate = rx_frame_open_step(r, 1, 0);
    if (!rx_reader_failed(&aggregate))
        rx_aggregation_load(&k->calls, pane->accumulators, &aggregate);
    rx_frame_close(r, &aggregate);
    if (rx_reader_failed(r))
        return;
    pane->end = end;
    rx_boundary_rewant(&k->member, end, false);
}

static void read_window(struct keyed_window *k, struct pane *pane, struct rx_reader *outer)
{
    struct rx_reader r = rx_frame_open_step(outer, 1, WINDOW_TIMERS);
    rx_read_uint(&r);
    bool completing = rx_read_bool(&r);
    uint64_t panes = rx_read_uint(&r);
    if (panes == 1)
        read_pane(k, pane, &r);
    bool joined = rx_read_bool(&r);
    bool past;
    rx_boundary_read(&r, &past);
    uint64_t let_go = rx_read_uint(&r) + rx_read_uint(&r);
    if (completing || panes > 1 || !joined || let_go)
        rx_reader_fail(&r, -EBADMSG);
    rx_frame_close(outer, &r);
}

static struct rx_keyed *read_key(struct keyed_window *k, struct rx_reader *r, bool add)
{
    struct rx_value keys[WIDTH_MAX];
    for (unsigned i = 0; i < k->table.width; i++)
        keys[i] = rx_read_value(r);
    uint64_t hash = rx_keytable_hash(keys, k->table.width);
    struct rx_keyed *e = rx_keytable_find(&k->table, keys, hash);
    if (add && !e && !rx_reader_failed(r))
        e = rx_keytable_add(&k->table, keys, hash);
    for (unsigned i = 0; i < k->table.width; i++)
        rx_value_unref(keys[i]);
    if (!e)
        rx_reader_fail(r, -EBADMSG);
    return e;
}

static void read_group(struct keyed_window *k, struct rx_reader *r)
{
    struct rx_keyed *e = read_key(k, r, true);
    rx_read_int(r);
    rx_read_uint(r);
    if (!rx_read_bool(r))
        rx_reader_fail(r, -EBADMSG);
    read_entry(r);
    if (e && !rx_reader_failed(r))
        read_window(k, pane_of(k, e), r);
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct keyed_window *k = (struct keyed_window *)op;
    if (rx_boundary_join(&k->member) < 0)
        return -ENOMEM;
    rx_boundary_watermark(&k->member, rx_op_watermark(op));
    bool completing = rx_read_bool(r);
    uint64_t count = rx_read_uint(r);
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++)
        read_group(k, r);
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++)
        read_key(k, r, false);
    if (rx_read_uint(r) || completing)
        rx_reader_fail(r, -EBADMSG);
    return r->failed;
}

/* ---- in the place of which steps ---- */

extern const struct rx_operator_class rx_operator_group_by, rx_operator_window, rx_operator_aggregate;

static const struct rx_operator_class *const fuses[] = {&rx_operator_group_by, &rx_operator_window,
                                                        &rx_operator_aggregate, NULL};

static int64_t int_of(const struct rx_operator_class *class, const void *image, const char *name)
{
    int64_t value;
    memcpy(&value, rx_option_field(&class->base, image, name), sizeof value);
    return value;
}

static bool is_unset(const void *image, const char *name, size_t size)
{
    const unsigned char *field = rx_option_field(&rx_operator_window.base, image, name);
    for (size_t i = 0; i < size; i++)
        if (field[i])
            return false;
    return true;
}

/* What it does not do: overlaps and gaps, early closing and results, empty windows, and all but time to say when one ends. */
static bool plain_window(const void *image)
{
    const struct rx_class *class = &rx_operator_window.base;
    const struct rx_extent *size = rx_option_field(class, image, "size"),
                           *every = rx_option_field(class, image, "every"), *max = rx_option_field(class, image, "max"),
                           *emit = rx_option_field(class, image, "emit");
    const int *align = rx_option_field(class, image, "align");
    const bool *emit_empty = rx_option_field(class, image, "emit_empty");
    return size->duration > 0 && !every->count && (every->duration == 0 || every->duration == size->duration) &&
           !every->every_event && *align == 0 && !*emit_empty && !max->count && !emit->duration && emit->choice <= 1 &&
           is_unset(image, "latest_by", sizeof(void *));
}

/* Nor idle and expected groups. */
static bool plain_group(const void *image)
{
    const struct rx_strings *expect = rx_option_field(&rx_operator_group_by.base, image, "expect");
    return int_of(&rx_operator_group_by, image, "idle") == 0 && expect->count == 0;
}

static bool skips_bad_events(const struct rx_step *step)
{
    return step->on_error == RX_DEAD_LETTER || step->on_error == RX_DROP;
}

static void take(void *to, enum step step, const void *const *images, const char *name, size_t size)
{
    memcpy(to, rx_option_field(&fuses[step]->base, images[step], name), size);
}

static bool fuse(const struct rx_step *const *steps, const void *const *images, void *image)
{
    struct keyed_window *k = image;
    const struct rx_shaper *fields =
        *(struct rx_shaper *const *)rx_option_field(&rx_operator_aggregate.base, images[AGGREGATE], "fields");
    if (rx_aggregation_describe(fields).carries || !plain_group(images[GROUP]) || !plain_window(images[WINDOW]) ||
        !skips_bad_events(steps[GROUP]) || !skips_bad_events(steps[AGGREGATE]))
        return false;
    take(&k->by, GROUP, images, "by", sizeof k->by);
    take(&k->max_keys, GROUP, images, "max_keys", sizeof k->max_keys);
    take(&k->size, WINDOW, images, "size", sizeof k->size);
    take(&k->on_complete, WINDOW, images, "on_complete", sizeof k->on_complete);
    take(&k->fields, AGGREGATE, images, "fields", sizeof k->fields);
    return true;
}

const struct rx_operator_class rx_operator_keyed_window = {
    .base = {.name = "keyed_window",
             .summary = "group_by, window and aggregate as one",
             .state_size = sizeof(struct keyed_window),
             .flags = RX_INTERNAL | RX_SPAN_SAFE | RX_REPLACES},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = 1, /* group_by's; never armed */
    .init = init,
    .start = start,
    .next = next,
    .complete = complete,
    .watermark = watermark,
    .save = save,
    .load = load,
    .dispose = dispose,
    .fuses = fuses,
    .fuse = fuse,
    .fused_common = WINDOW, /* the boundary clock */
};
