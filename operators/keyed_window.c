/* keyed_window, sliding_window: group_by -> window -> aggregate, or window -> aggregate, as one keyed, incremental operator.
 *
 * The planner puts it in the place of the steps (pipelines/plan/plan_fuse.c); what comes out is the same, byte for byte: keys
 * close in order of creation, and the boundary's timer belongs to the node in both. No event is kept. */
#include <errno.h>
#include <string.h>

#include "operators/keyed.h"

enum { GROUP }; /* the first of three steps; of two there is none */

static bool grouped(const struct keyed_window *k) { return k->by != NULL; }

/* ---- results ---- */

void rx_keyed_flush(struct keyed_window *k, struct batch *out)
{
    size_t n = out->count;
    if (n == 0)
        return;
    out->count = 0;
    for (unsigned i = 0; i < k->aggregate; i++)
        rx_count_out(&k->op, i, n);
    rx_emit(&k->op, out->events, n);
    for (size_t i = 0; i < n; i++)
        rx_event_unref(&out->events[i]);
}

static struct rx_value build_key(struct keyed_window *k, const struct rx_keyed *e)
{
    struct rx_object_builder b;
    rx_object_init(&b, k->table.heap);
    for (unsigned i = 0; i < k->table.width; i++)
        rx_object_put_key_take(&b, rx_keys_name(k->by, i), rx_value_ref(e->keys[i]));
    return rx_object_finish(&b);
}

/* The first is built; the others have its shape. */
static struct rx_value key_record(struct keyed_window *k, const struct rx_keyed *e)
{
    struct rx_value values[KEYED_WIDTH_MAX];
    if (!k->key_shape) {
        struct rx_value built = build_key(k, e);
        if (built.kind == RX_RECORD && built.u.record->shape->count == k->table.width)
            k->key_shape = rx_shape_ref(built.u.record->shape);
        return built;
    }
    for (unsigned i = 0; i < k->table.width; i++)
        values[i] = rx_value_ref(e->keys[i]);
    return rx_record_take(k->table.heap, k->key_shape, values);
}

static const struct rx_mark *mark_of(struct keyed_window *k, const struct rx_keyed *e, rx_time start, rx_time end,
                                     uint32_t flags)
{
    if (!grouped(k))
        return rx_mark_with_window(k->table.heap, rx_op_mark(&k->op), start, end, flags);
    struct rx_value record = key_record(k, e);
    const struct rx_mark *group = rx_mark_with_key(k->table.heap, rx_op_mark(&k->op), record);
    const struct rx_mark *mark = group ? rx_mark_with_window(k->table.heap, group, start, end, flags) : NULL;
    rx_mark_unref(group);
    rx_value_unref(record);
    return mark;
}

void rx_keyed_result(struct keyed_window *k, struct rx_keyed *e, const struct rx_accumulator *accumulators,
                     const struct rx_carry *carries, rx_time start, rx_time end, uint32_t flags, struct batch *out)
{
    struct rx_aggregation_scope scope = {.mark = mark_of(k, e, start, end, flags),
                                         .until = flags ? rx_op_reached(&k->op) : RX_TIME_NEVER,
                                         .carries = carries};
    struct rx_event *event = &out->events[out->count];
    struct rx_error error;
    if (!scope.mark) {
        rx_error_set(&error, -ENOMEM, "out of memory for a result");
        rx_bad_result_of(&k->op, k->aggregate, &error);
        return;
    }
    bool windowed = rx_mark_has_window(scope.mark);
    *event = (struct rx_event){.time = windowed ? rx_mark_time(scope.mark) : rx_wall(&k->op), .mark = scope.mark};
    if (rx_aggregation_result(&k->calls, accumulators, &scope, k->table.heap, &event->value, &error) < 0) {
        rx_mark_unref(scope.mark);
        rx_bad_result_of(&k->op, k->aggregate, &error);
    } else if (++out->count == RX_SPAN_MAX) {
        rx_keyed_flush(k, out);
    }
}

/* The earliest end after `end` that some key has something for. */
static rx_time next_end(struct keyed_window *k, rx_time end)
{
    rx_time every = k->every.duration, next = RX_TIME_NEVER;
    if (k->latest <= end && k->form == &rx_keyed_tumbling)
        return next;
    for (struct rx_keyed *e = rx_keytable_first(&k->table); e && next > end + every;
         e = rx_keytable_next(&k->table, e)) {
        rx_time wanted = k->form->next_end(k, e, end);
        next = wanted < next ? wanted : next;
    }
    return next;
}

static void on_boundary(struct rx_boundary_member *member, rx_time end)
{
    struct keyed_window *k = (struct keyed_window *)member->op;
    struct batch out;
    rx_time next = next_end(k, end);
    k->closed = end;
    k->closed_any = true;
    if (next != RX_TIME_NEVER)
        rx_boundary_want(member, next);
    out.count = 0;
    for (struct rx_keyed *e = rx_keytable_first(&k->table); e && rx_op_live(&k->op); e = rx_keytable_next(&k->table, e))
        k->form->close(k, e, end, &out);
    rx_keyed_flush(k, &out);
}

/* ---- keys ---- */

static void evict(struct keyed_window *k)
{
    struct rx_keyed *e = rx_keytable_oldest(&k->table);
    rx_keyed_flush(k, k->pending); /* what came before it */
    rx_count_key_evicted(&k->op);
    if (k->on_complete == KEYED_FLUSH) {
        struct batch out;
        out.count = 0;
        k->form->flush(k, e, RX_WINDOW_PARTIAL, &out);
        rx_keyed_flush(k, &out);
    }
    k->form->forget(k, e);
    rx_keytable_remove(&k->table, e);
}

static struct rx_keyed *add_key(struct keyed_window *k, const struct rx_value *keys, uint64_t hash)
{
    struct rx_keyed *e = rx_keytable_add(&k->table, keys, hash);
    if (!e || !k->form->init || k->form->init(k, e) == 0)
        return e;
    k->form->forget(k, e);
    rx_keytable_remove(&k->table, e);
    return NULL;
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

static struct rx_keyed *find_or_add(struct keyed_window *k, const struct rx_value *keys, uint64_t hash)
{
    if (!grouped(k))
        return k->table.count ? rx_keytable_first(&k->table) : add_key(k, NULL, 0);
    struct rx_keyed *e = rx_keytable_find(&k->table, keys, hash);
    if (e)
        return e;
    if (k->table.count >= (uint64_t)k->max_keys)
        evict(k);
    return rx_op_live(&k->op) ? add_key(k, keys, hash) : NULL;
}

/* ---- events ---- */

void rx_keyed_failed(struct keyed_window *k, const struct rx_event *event, const struct rx_error *error)
{
    rx_bad_event_of(&k->op, k->aggregate, event, error);
}

static void count_span(struct keyed_window *k)
{
    struct keyed_tally *tally = &k->tally;
    if (grouped(k)) {
        rx_count(&k->op, RX_USED, tally->grouped);
        rx_count_in(&k->op, k->window, tally->grouped);
    }
    rx_count_of(&k->op, k->window, RX_USED, tally->taken);
    rx_count_in(&k->op, k->aggregate, tally->windows);
    rx_count_of(&k->op, k->aggregate, RX_USED, tally->used);
    *tally = (struct keyed_tally){0};
}

bool rx_keyed_want(struct keyed_window *k, rx_time end)
{
    k->quiet = end < k->quiet ? end : k->quiet;
    return rx_boundary_want(&k->member, end);
}

/* What is remembered of the boundary from event to event may be otherwise. */
static void look_again(struct keyed_window *k)
{
    k->quiet = k->form->by_time ? rx_boundary_quiet(&k->member) : RX_TIME_NEVER;
    k->begins = k->ends = 0;
}

static void add_to(struct keyed_window *k, struct rx_keyed *e, const struct rx_event *event)
{
    k->tally.grouped++;
    if (event->time >= k->quiet) {
        rx_boundary_reach(&k->member, event->time);
        look_again(k);
        if (!rx_op_live(&k->op))
            return;
    }
    k->form->add(k, e, event);
}

/* False: a bad event, and it has been told. */
static bool evaluate_key(struct keyed_window *k, const struct rx_event *event, struct rx_value *keys, bool *owned)
{
    struct rx_error error;
    for (unsigned i = 0; i < k->table.width; i++) {
        if (key_part(k, i, event, &keys[i], &owned[i], &error) == 0)
            continue;
        release_parts(keys, owned, i);
        if (rx_bad_event(&k->op, event, &error) == RX_USE_NULL)
            rx_count(&k->op, RX_UNHEARD, 1);
        return false;
    }
    return true;
}

static void put_in(struct keyed_window *k, const struct rx_event *event, const struct rx_value *keys, uint64_t hash)
{
    struct rx_keyed *e = find_or_add(k, keys, hash);
    if (e)
        add_to(k, e, event);
    else if (rx_op_live(&k->op))
        rx_fail_memory(&k->op);
}

static void take_in(struct keyed_window *k, const struct rx_event *event)
{
    struct rx_value keys[KEYED_WIDTH_MAX];
    bool owned[KEYED_WIDTH_MAX];
    if (!evaluate_key(k, event, keys, owned))
        return;
    put_in(k, event, keys, grouped(k) ? rx_keytable_hash(keys, k->table.width) : 0);
    release_parts(keys, owned, k->table.width);
}

/* The key where it is one plain field; NULL: it is not, or the event has none. */
static const struct rx_value *plain_key(struct keyed_window *k, const struct rx_event *event)
{
    struct part *part = &k->parts[0];
    if (!k->plain || event->value.kind != RX_RECORD)
        return NULL;
    return rx_record_get(event->value.u.record, part->field, &part->cache);
}

/* Keys that are hashed together, and from how many on the table is in no near cache, so that what they will read is fetched
 * beforehand. */
enum { TOGETHER = 32, FAR = 4096 };

static void fetch(const struct keyed_window *k, const struct rx_value *const *keys, const uint64_t *hashes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (keys[i])
            rx_keytable_fetch_slot(&k->table, hashes[i]);
    for (size_t i = 0; i < n; i++)
        if (keys[i])
            rx_keytable_fetch_entry(&k->table, hashes[i]);
    for (size_t i = 0; i < n; i++)
        if (keys[i])
            rx_keytable_fetch_key(&k->table, hashes[i]);
}

/* As put_in and add_to, where nothing is out of the ordinary. */
static inline void put_in_one(struct keyed_window *k, const struct rx_event *event, const struct rx_value *key,
                              uint64_t hash)
{
    struct rx_keyed *e = k->table.count && event->time < k->quiet ? rx_keytable_find_one(&k->table, key, hash) : NULL;
    if (!e) {
        put_in(k, event, key, hash);
        return;
    }
    k->tally.grouped++;
    k->form->add(k, e, event);
}

static void take_together(struct keyed_window *k, const struct rx_event *events, size_t n)
{
    const struct rx_value *keys[TOGETHER];
    uint64_t hashes[TOGETHER];
    for (size_t i = 0; i < n; i++) {
        keys[i] = plain_key(k, &events[i]);
        hashes[i] = keys[i] ? rx_keytable_hash_of(*keys[i]) : 0;
    }
    if (k->table.count > FAR)
        fetch(k, keys, hashes, n);
    for (size_t i = 0; i < n && rx_op_live(&k->op); i++)
        if (keys[i])
            put_in_one(k, &events[i], keys[i], hashes[i]);
        else
            take_in(k, &events[i]);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct keyed_window *k = (struct keyed_window *)op;
    struct batch out;
    (void)port;
    out.count = 0;
    k->pending = &out;
    look_again(k);
    for (size_t i = 0; i < n && rx_op_live(op); i += TOGETHER)
        take_together(k, span + i, n - i < TOGETHER ? n - i : TOGETHER);
    count_span(k);
    rx_keyed_flush(k, &out);
    k->pending = NULL;
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
    for (struct rx_keyed *e = rx_keytable_first(&k->table); e && rx_op_live(op) && k->on_complete == KEYED_FLUSH;
         e = rx_keytable_next(&k->table, e))
        k->form->flush(k, e, 0, &out);
    rx_boundary_leave(&k->member);
    rx_keyed_flush(k, &out);
    rx_finish(op);
}

/* ---- life ---- */

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b > 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void choose_form(struct keyed_window *k)
{
    if (k->every.every_event) {
        k->form = &rx_keyed_each;
    } else if (k->size.count) {
        k->form = &rx_keyed_counted;
        k->events = common_divisor(k->size.count, k->every.count);
        k->stride = k->every.count / k->events;
    } else if (k->every.duration == k->size.duration && !k->calls.carries) {
        k->form = &rx_keyed_tumbling;
    } else {
        k->form = &rx_keyed_hopping;
        k->pane = (rx_time)common_divisor((uint64_t)k->size.duration, (uint64_t)k->every.duration);
    }
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct keyed_window *k = (struct keyed_window *)op;
    int r = rx_aggregation_prepare(&k->calls, k->fields, reterr);
    k->calls.outer = rx_op_env(op, NULL).outer;
    if (r < 0)
        return r;
    k->member = (struct rx_boundary_member){.op = op, .close = on_boundary};
    k->window = grouped(k);
    k->aggregate = k->window + 1;
    k->latest = INT64_MIN;
    choose_form(k);
    unsigned width = grouped(k) ? (unsigned)rx_keys_count(k->by) : 0;
    for (unsigned i = 0; i < width; i++)
        k->parts[i].field = rx_expr_as_field(rx_keys_expr(k->by, i));
    k->plain = width == 1 && k->parts[0].field;
    rx_keytable_init(&k->table, rx_op_heap(op), width, k->form->entry + (k->form->accumulates ? k->calls.size : 0));
    return 0;
}

static void start(struct rx_op *op)
{
    struct keyed_window *k = (struct keyed_window *)op;
    if (k->form->by_time && rx_boundary_join(&k->member) < 0)
        rx_fail_memory(op);
    rx_subscribe(op, 0);
}

static void dispose(struct rx_op *op)
{
    struct keyed_window *k = (struct keyed_window *)op;
    rx_boundary_leave(&k->member);
    for (struct rx_keyed *e = rx_keytable_first(&k->table); e; e = rx_keytable_next(&k->table, e))
        k->form->forget(k, e);
    rx_shape_unref(k->key_shape);
    rx_keytable_finish(&k->table);
}

/* ---- state: of windows that follow one another, as the three steps would write it; else a form of its own, which begins with a
 * number that theirs never begins with ---- */

enum { OWN_FORM = 77 };

static bool shares_state(const struct keyed_window *k) { return grouped(k) && k->form == &rx_keyed_tumbling; }

void rx_keyed_write_entry(struct keyed_window *k, struct rx_writer *w)
{
    rx_write_uint(w, 0); /* what it reads has not ended */
    rx_frame_end(w, rx_frame_begin_step(w, &k->op, 0, 0));
}

void rx_keyed_read_entry(struct rx_reader *outer)
{
    if (rx_read_uint(outer))
        rx_reader_fail(outer, -EBADMSG);
    struct rx_reader r = rx_frame_open_step(outer, 0, 0);
    rx_frame_close(outer, &r);
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
    if (rx_keytable_rank(&k->table) < 0)
        return -ENOMEM;
    rx_write_uint(w, shares_state(k) ? 0 : OWN_FORM);
    if (!shares_state(k)) {
        rx_write_bool(w, k->closed_any);
        rx_write_int(w, k->closed);
    }
    rx_write_uint(w, k->table.count);
    for (struct rx_keyed *e = rx_keytable_first(&k->table); e; e = rx_keytable_next(&k->table, e)) {
        write_keys(k, e, w);
        k->form->save(k, e, ++born, w);
    }
    for (uint32_t i = 0; i < k->table.count; i++)
        write_keys(k, rx_keytable_ranked(&k->table, i), w);
    rx_write_uint(w, 0); /* groups that have been let go */
    return 0;
}

static struct rx_keyed *look_up(struct keyed_window *k, const struct rx_value *keys, bool add)
{
    uint64_t hash = grouped(k) ? rx_keytable_hash(keys, k->table.width) : 0;
    struct rx_keyed *e = grouped(k) ? rx_keytable_find(&k->table, keys, hash) : rx_keytable_first(&k->table);
    return e && add ? NULL : e ? e : add ? add_key(k, keys, hash) : NULL;
}

static struct rx_keyed *read_key(struct keyed_window *k, struct rx_reader *r, bool add)
{
    struct rx_value keys[KEYED_WIDTH_MAX];
    for (unsigned i = 0; i < k->table.width; i++)
        keys[i] = rx_read_value(r);
    struct rx_keyed *e = rx_reader_failed(r) ? NULL : look_up(k, keys, add);
    for (unsigned i = 0; i < k->table.width; i++)
        rx_value_unref(keys[i]);
    if (!e)
        rx_reader_fail(r, -EBADMSG);
    return e;
}

/* What the keys have open is wanted again. */
static void want_again(struct keyed_window *k)
{
    for (struct rx_keyed *e = rx_keytable_first(&k->table); e && k->form->by_time; e = rx_keytable_next(&k->table, e)) {
        rx_time end = k->form->next_end(k, e, k->closed_any ? k->closed : INT64_MIN);
        k->latest = RX_TIME_NEVER; /* which is the last is not known: look at all of them each time */
        if (end != RX_TIME_NEVER)
            rx_boundary_rewant(&k->member, end, false);
    }
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct keyed_window *k = (struct keyed_window *)op;
    if (k->form->by_time && rx_boundary_join(&k->member) < 0)
        return -ENOMEM;
    rx_boundary_watermark(&k->member, rx_op_watermark(op));
    if (rx_read_uint(r) != (shares_state(k) ? 0 : OWN_FORM))
        rx_reader_fail(r, -EBADMSG);
    if (!shares_state(k)) {
        k->closed_any = rx_read_bool(r);
        k->closed = rx_read_int(r);
    }
    uint64_t count = rx_read_uint(r);
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++) {
        struct rx_keyed *e = read_key(k, r, true);
        if (e)
            k->form->load(k, e, r);
    }
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++)
        read_key(k, r, false);
    if (rx_read_uint(r))
        rx_reader_fail(r, -EBADMSG);
    if (!rx_reader_failed(r))
        want_again(k);
    return r->failed;
}

/* ---- in the place of which steps ---- */

extern const struct rx_operator_class rx_operator_group_by, rx_operator_window, rx_operator_aggregate;

static const struct rx_operator_class *const three[] = {&rx_operator_group_by, &rx_operator_window,
                                                        &rx_operator_aggregate, NULL};
static const struct rx_operator_class *const two[] = {&rx_operator_window, &rx_operator_aggregate, NULL};

/* Panes a key at the most, and what they may keep. Below the limit of windows that overlap the steps alone would keep as much. */
enum { PANES_MAX = 1000000, BYTES_MAX = 1024 };

static const void *field_of(const struct rx_operator_class *class, const void *image, const char *name)
{
    return rx_option_field(&class->base, image, name);
}

static int64_t int_of(const struct rx_operator_class *class, const void *image, const char *name)
{
    int64_t value;
    memcpy(&value, field_of(class, image, name), sizeof value);
    return value;
}

/* What it does not do of windows: gaps, early closing and early results, empty windows, and ends that the clock or other streams
 * say. These are the options that it knows (and `max_events`, of windows that hold events here too); all others must be as they are by
 * default. */
static bool plain_window(const struct rx_step *step, const void *image)
{
    static const char *const known[] = {"size", "every", "on_complete", "align", "emit_empty", NULL};
    const struct rx_class *class = &rx_operator_window.base;
    const int *align = field_of(&rx_operator_window, image, "align");
    const bool *emit_empty = field_of(&rx_operator_window, image, "emit_empty");
    const struct rx_extent *every = field_of(&rx_operator_window, image, "every");
    for (const struct rx_option *o = class->options; o->name; o++) {
        bool other = !(every->every_event && strcmp(o->name, "max_events") == 0);
        for (size_t i = 0; known[i]; i++)
            other = other && strcmp(o->name, known[i]) != 0;
        if (other && rx_option_tree(class, step->options, o))
            return false;
    }
    return *align == 0 && !*emit_empty;
}

/* Nor groups that end by themselves, and those that are expected. */
static bool plain_group(const void *image)
{
    const struct rx_value *expect = field_of(&rx_operator_group_by, image, "expect");
    return int_of(&rx_operator_group_by, image, "idle") == 0 && int_of(&rx_operator_group_by, image, "duration") == 0 &&
           expect->kind == RX_NULL;
}

static bool skips_bad_events(const struct rx_step *step)
{
    return step->on_error == RX_DEAD_LETTER || step->on_error == RX_DROP;
}

/* Windows that leave no gaps, of so many panes that a key has room for them. */
static bool fits(struct keyed_window *k)
{
    struct rx_aggregation_facts calls = rx_aggregation_describe(k->fields);
    uint64_t size = k->size.count ? k->size.count : (uint64_t)k->size.duration;
    uint64_t every = k->size.count ? k->every.count : (uint64_t)k->every.duration;
    if (every == 0) {
        k->every = k->size;
        every = size;
    }
    if (size == 0 || every > size || (k->size.count > 0) != (k->every.count > 0))
        return false;
    if (k->size.count && every < size && calls.carries)
        return false; /* which sample lay before a window that began among others is not told by its time alone */
    bool small = size / every <= RX_WINDOWS_MAX || (calls.bytes <= BYTES_MAX && !calls.needs_order);
    return small && size / common_divisor(size, every) <= PANES_MAX;
}

/* Of windows of each event, whose totals stand beside the events that the steps alone would keep. On event time they wait for their
 * instant, and what came behind it. */
static bool fits_each(const struct keyed_window *k)
{
    struct rx_aggregation_facts calls = rx_aggregation_describe(k->fields);
    return calls.bytes == 0 && !calls.carries && !calls.needs_order;
}

static void take(void *to, const struct rx_operator_class *class, const void *image, const char *name, size_t size)
{
    memcpy(to, field_of(class, image, name), size);
}

/* Of windows that follow one another each plan reads the other's state; panes are a state of their own. */
static enum rx_fusing fuse_window(const struct rx_step *const *steps, const void *const *images, bool told,
                                  struct keyed_window *k)
{
    if (!plain_window(steps[0], images[0]) || !skips_bad_events(steps[1]))
        return RX_FUSES_NOT;
    take(&k->size, &rx_operator_window, images[0], "size", sizeof k->size);
    take(&k->every, &rx_operator_window, images[0], "every", sizeof k->every);
    take(&k->on_complete, &rx_operator_window, images[0], "on_complete", sizeof k->on_complete);
    take(&k->fields, &rx_operator_aggregate, images[1], "fields", sizeof k->fields);
    k->max_events = int_of(&rx_operator_window, images[0], "max_events");
    if (k->every.every_event)
        return !told && fits_each(k) ? RX_FUSES_STATE : RX_FUSES_NOT;
    if (!fits(k) ||
        (told && k->size.count)) /* which are counted together is then known only when event time has come */
        return RX_FUSES_NOT;
    bool follow = k->size.duration > 0 && k->every.duration == k->size.duration;
    return follow && !rx_aggregation_describe(k->fields).carries ? RX_FUSES : RX_FUSES_STATE;
}

static enum rx_fusing fuse_three(const struct rx_step *const *steps, const void *const *images, bool told, void *image)
{
    struct keyed_window *k = image;
    if (!plain_group(images[GROUP]) || !skips_bad_events(steps[GROUP]))
        return RX_FUSES_NOT;
    take(&k->by, &rx_operator_group_by, images[GROUP], "by", sizeof k->by);
    take(&k->max_keys, &rx_operator_group_by, images[GROUP], "max_keys", sizeof k->max_keys);
    return fuse_window(steps + 1, images + 1, told, k);
}

static enum rx_fusing fuse_two(const struct rx_step *const *steps, const void *const *images, bool told, void *image)
{
    return fuse_window(steps, images, told, image) == RX_FUSES_NOT ? RX_FUSES_NOT : RX_FUSES_STATE;
}

#define KEYED(name_, summary_, fuses_, fuse_, common_)                                                                 \
    const struct rx_operator_class rx_operator_##name_ = {                                                             \
        .base = {.name = #name_,                                                                                       \
                 .summary = summary_,                                                                                  \
                 .state_size = sizeof(struct keyed_window),                                                            \
                 .flags = RX_INTERNAL | RX_SPAN_SAFE | RX_REPLACES},                                                   \
        .min_inputs = 1,                                                                                               \
        .max_inputs = 1,                                                                                               \
        .timer_slots = 2, /* group_by's; never armed */                                                                \
        .init = init,                                                                                                  \
        .start = start,                                                                                                \
        .next = next,                                                                                                  \
        .complete = complete,                                                                                          \
        .watermark = watermark,                                                                                        \
        .save = save,                                                                                                  \
        .load = load,                                                                                                  \
        .dispose = dispose,                                                                                            \
        .fuses = fuses_,                                                                                               \
        .fuse = fuse_,                                                                                                 \
        .fused_common = common_, /* the boundary clock */                                                              \
    }

KEYED(keyed_window, "group_by, window and aggregate as one", three, fuse_three, 1);
KEYED(sliding_window, "window and aggregate as one", two, fuse_two, 0);
