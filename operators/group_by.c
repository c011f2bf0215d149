/* group_by: splits the stream by a key; the steps behind it run once per group.
 *
 * A group lives until the input ends, its idle time or its duration is over, or max_keys makes room: then it completes. One that is expected
 * is there from the start, and lives until the input ends. The key of a
 * group whose steps have ended by themselves stays known, and its events go nowhere, as in RxJS. */
#include <errno.h>
#include <string.h>

#include "core/graph/operator.h"
#include "core/value/keytable.h"

enum { SLOT_IDLE, SLOT_DURATION, SLOTS };
enum { WIDTH_MAX = 16 };

struct group_by {
    struct rx_op op;
    struct rx_keys *by;
    int64_t max_keys;
    rx_time idle, duration;
    struct rx_value expect; /* a list, or one; RX_NULL: none */

    struct rx_keytable table; /* of struct group */
    bool completing;
};

struct group {
    struct rx_instance *instance; /* NULL: ended by itself */
    rx_time last;                 /* of the newest event */
    uint64_t sequence;            /* its idle timer's place in the order of time */
    rx_time opened;               /* with a duration; and the place of the timer that ends it */
    uint64_t opening;
    bool expected; /* neither idle nor evicted */
};

static const struct rx_option options[] = {
    {.name = "by",
     .help = "a field, a list of fields, or {name: EXPR, ...}",
     .type = RX_OPTION_KEYS,
     .offset = RX_AT(struct group_by, by, struct rx_keys *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "max_keys",
     .help = "groups at once; one more completes the least recently used, its result marked partial",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct group_by, max_keys, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 1e9},
    {.name = "idle",
     .help = "a group without an event for so long completes",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct group_by, idle, rx_time),
     .min = 0.001,
     .max = 31536000},
    {.name = "duration",
     .help = "a group completes so long after it was opened; the next event of its key opens another",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct group_by, duration, rx_time),
     .min = 0.001,
     .max = 31536000},
    {.name = "expect",
     .help = "keys that have a group from the start, which is neither idle nor evicted",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct group_by, expect, struct rx_value)},
    {0},
};

static size_t expected(const struct group_by *g)
{
    return g->expect.kind == RX_LIST ? g->expect.u.list->count : g->expect.kind != RX_NULL;
}

static struct rx_value expected_key(const struct group_by *g, size_t i)
{
    return g->expect.kind == RX_LIST ? g->expect.u.list->items[i] : g->expect;
}

static struct group *data_of(struct group_by *g, struct rx_keyed *e) { return rx_keyed_data(&g->table, e); }

/* ---- keys and marks ---- */

static struct rx_value key_record(struct group_by *g, const struct rx_keyed *e)
{
    struct rx_object_builder b;
    rx_object_init(&b, g->table.heap);
    for (unsigned i = 0; i < g->table.width; i++)
        rx_object_put_key_take(&b, rx_keys_name(g->by, i), rx_value_ref(e->keys[i]));
    return rx_object_finish(&b);
}

static const struct rx_mark *mark_of(struct group_by *g, const struct rx_keyed *e)
{
    struct rx_value record = key_record(g, e);
    const struct rx_mark *mark = rx_mark_with_key(g->table.heap, rx_op_mark(&g->op), record);
    rx_value_unref(record);
    return mark;
}

/* ---- groups ---- */

/* The least recently used that may go; NULL: none. Those that may not become the newest, out of its way. */
static struct rx_keyed *oldest(struct group_by *g)
{
    struct rx_keyed *e = rx_keytable_oldest(&g->table);
    for (size_t i = 0; i < expected(g) && e && data_of(g, e)->expected; i++) {
        rx_keytable_touch(&g->table, e);
        e = rx_keytable_oldest(&g->table);
    }
    return e && !data_of(g, e)->expected ? e : NULL;
}

static void arm_idle(struct group_by *g)
{
    if (!g->idle)
        return;
    struct rx_keyed *first = oldest(g);
    if (!first) {
        rx_timer_stop(&g->op, SLOT_IDLE);
        return;
    }
    const struct group *group = data_of(g, first);
    rx_timer_arm_at(&g->op, SLOT_IDLE, group->last + g->idle, group->sequence);
}

static void touch(struct group_by *g, struct group *group)
{
    group->last = rx_now(&g->op);
    if (g->idle)
        group->sequence = rx_timer_reserve(&g->op);
    arm_idle(g);
}

static void complete_group(struct group_by *g, struct rx_keyed *e, uint32_t flags)
{
    struct rx_instance *instance = data_of(g, e)->instance;
    rx_keytable_remove(&g->table, e);
    if (!instance)
        return;
    rx_instance_set_tag(instance, NULL);
    if (flags) {
        const struct rx_mark *mark = rx_instance_mark(instance);
        rx_instance_seal(instance,
                         rx_mark_with_window(g->table.heap, mark, mark->start, mark->end, mark->flags | flags));
    }
    rx_instance_complete(instance);
}

/* In order of opening; those that are expected stay, and are the first. NULL: none. */
static struct rx_keyed *opened_first(struct group_by *g)
{
    struct rx_keyed *e = g->duration ? rx_keytable_first(&g->table) : NULL;
    while (e && data_of(g, e)->expected)
        e = rx_keytable_next(&g->table, e);
    return e;
}

static void arm_duration(struct group_by *g)
{
    struct rx_keyed *e = opened_first(g);
    if (e)
        rx_timer_arm_at(&g->op, SLOT_DURATION, data_of(g, e)->opened + g->duration, data_of(g, e)->opening);
    else
        rx_timer_stop(&g->op, SLOT_DURATION);
}

static void note_opening(struct group_by *g, struct group *group)
{
    if (!g->duration)
        return;
    group->opened = rx_now(&g->op);
    group->opening = rx_timer_reserve(&g->op);
    arm_duration(g);
}

/* There is one: `expect` has fewer keys than max_keys. */
static void evict(struct group_by *g)
{
    struct rx_keyed *e = oldest(g);
    if (!e)
        return;
    rx_count_key_evicted(&g->op);
    complete_group(g, e, RX_WINDOW_PARTIAL);
}

static struct rx_keyed *open_group(struct group_by *g, const struct rx_value *keys, uint64_t hash)
{
    if (g->table.count >= (uint64_t)g->max_keys)
        evict(g);
    if (!rx_op_live(&g->op))
        return NULL;
    struct rx_keyed *e = rx_keytable_add(&g->table, keys, hash);
    const struct rx_mark *mark = e ? mark_of(g, e) : NULL;
    if (!mark) {
        rx_fail_memory(&g->op);
        return NULL;
    }
    touch(g, data_of(g, e));
    struct rx_instance *instance = rx_instance_open(&g->op, 0, mark, e);
    if (!rx_op_live(&g->op))
        return NULL;
    data_of(g, e)->instance = instance;
    note_opening(g, data_of(g, e));
    return e;
}

/* ---- events ---- */

static void route(struct group_by *g, const struct rx_event *event, const struct rx_value *keys)
{
    uint64_t hash = rx_keytable_hash(keys, g->table.width);
    struct rx_keyed *e = rx_keytable_find(&g->table, keys, hash);
    if (e)
        touch(g, data_of(g, e));
    else
        e = open_group(g, keys, hash);
    struct rx_instance *instance = e ? data_of(g, e)->instance : NULL;
    bool heard = instance && rx_instance_next(instance, event, 1);
    rx_count(&g->op, heard ? RX_USED : RX_UNHEARD, 1);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct group_by *g = (struct group_by *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        struct rx_value keys[WIDTH_MAX];
        struct rx_error error;
        struct rx_expr_env env = rx_op_env(op, &span[i]);
        if (rx_keys_values(g->by, &env, keys, &error) < 0) {
            if (rx_bad_event(op, &span[i], &error) == RX_USE_NULL)
                rx_count(op, RX_UNHEARD, 1);
            continue;
        }
        route(g, &span[i], keys);
        for (unsigned k = 0; k < g->table.width; k++)
            rx_value_unref(keys[k]);
    }
}

static void timer(struct rx_op *op, unsigned slot)
{
    struct group_by *g = (struct group_by *)op;
    struct rx_keyed *e = slot == SLOT_IDLE ? oldest(g) : opened_first(g);
    if (e && (slot == SLOT_DURATION || data_of(g, e)->last + g->idle <= rx_now(op)))
        complete_group(g, e, 0);
    if (rx_op_live(op)) {
        arm_idle(g);
        arm_duration(g);
    }
}

/* ---- the end ---- */

static void finish_when_quiet(struct group_by *g)
{
    if (g->completing && !g->op.opened)
        rx_finish(&g->op);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct group_by *g = (struct group_by *)op;
    (void)port;
    g->completing = true;
    rx_timer_stop(op, SLOT_IDLE);
    rx_timer_stop(op, SLOT_DURATION);
    for (struct rx_keyed *e; (e = rx_keytable_first(&g->table)) && rx_op_live(op);)
        complete_group(g, e, 0);
    finish_when_quiet(g);
}

static void error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    struct group_by *g = (struct group_by *)op;
    (void)port;
    for (struct rx_keyed *k = rx_keytable_first(&g->table); k && rx_op_live(op); k = rx_keytable_next(&g->table, k)) {
        struct rx_instance *instance = data_of(g, k)->instance;
        data_of(g, k)->instance = NULL;
        if (instance)
            rx_instance_error(instance, e);
    }
    rx_fail(op, e);
}

/* The tag is the table's entry, while that is there. */
static void inner(struct rx_op *op, struct rx_instance *instance, const struct rx_note *note)
{
    struct group_by *g = (struct group_by *)op;
    if (note->kind == RX_NEXT) {
        rx_emit(op, note->span, note->count);
        return;
    }
    if (rx_instance_tag(instance))
        data_of(g, rx_instance_tag(instance))->instance = NULL;
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else
        finish_when_quiet(g);
}

/* ---- life ---- */

static bool is_plain(struct rx_value key)
{
    return key.kind == RX_STRING || (key.kind > RX_NULL && key.kind <= RX_DOUBLE);
}

static int check(const void *image, struct rx_error *reterr)
{
    const struct group_by *g = image;
    if (rx_keys_count(g->by) > WIDTH_MAX)
        return rx_error_set(reterr, -EINVAL, "a group key has at most %d parts", WIDTH_MAX);
    for (size_t i = 0; i < expected(g); i++)
        if (!is_plain(expected_key(g, i))) {
            rx_error_set(reterr, -EINVAL, "`expect` lists keys: texts, numbers, true or false");
            rx_error_hint(reterr, "write expect: [press, saw]");
            return -EINVAL;
        }
    if (expected(g) && rx_keys_count(g->by) != 1) {
        rx_error_set(reterr, -EINVAL, "`expect` lists the values of a key with one part, and this one has %zu",
                     rx_keys_count(g->by));
        rx_error_hint(reterr, "group by one field, or leave `expect` out");
        return -EINVAL;
    }
    if (expected(g) >= (size_t)g->max_keys) {
        rx_error_set(reterr, -EINVAL, "`expect` has %zu keys, and max_keys leaves no room for another", expected(g));
        rx_error_hint(reterr, "write a larger max_keys");
        return -EINVAL;
    }
    return 0;
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct group_by *g = (struct group_by *)op;
    (void)reterr;
    rx_keytable_init(&g->table, rx_op_heap(op), (unsigned)rx_keys_count(g->by), sizeof(struct group));
    return 0;
}

/* It also makes them the newest in use. */
static void mark_expected(struct group_by *g)
{
    for (size_t i = 0; i < expected(g); i++) {
        struct rx_value key = expected_key(g, i);
        struct rx_keyed *e = rx_keytable_find(&g->table, &key, rx_keytable_hash(&key, 1));
        if (e)
            data_of(g, e)->expected = true;
    }
}

static void start(struct rx_op *op)
{
    struct group_by *g = (struct group_by *)op;
    for (size_t i = 0; i < expected(g) && rx_op_live(op); i++) {
        struct rx_value key = expected_key(g, i);
        uint64_t hash = rx_keytable_hash(&key, 1);
        if (!rx_keytable_find(&g->table, &key, hash))
            open_group(g, &key, hash);
    }
    mark_expected(g);
    if (rx_op_live(op))
        arm_idle(g);
    rx_subscribe(op, 0);
}

static void dispose(struct rx_op *op) { rx_keytable_finish(&((struct group_by *)op)->table); }

/* ---- state: groups in order of creation, their order of use beside ---- */

static void save_group(struct group_by *g, struct rx_keyed *e, struct rx_writer *w)
{
    const struct group *group = data_of(g, e);
    for (unsigned i = 0; i < g->table.width; i++)
        rx_write_value(w, e->keys[i]);
    rx_write_int(w, group->last);
    rx_write_uint(w, group->sequence);
    if (g->duration) {
        rx_write_int(w, group->opened);
        rx_write_uint(w, group->opening);
    }
    rx_write_bool(w, group->instance != NULL);
    if (group->instance)
        rx_instance_save(group->instance, w);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct group_by *g = (struct group_by *)op;
    if (rx_keytable_rank(&g->table) < 0)
        return -ENOMEM;
    rx_write_bool(w, g->completing);
    rx_write_uint(w, g->table.count);
    for (struct rx_keyed *e = rx_keytable_first(&g->table); e; e = rx_keytable_next(&g->table, e))
        save_group(g, e, w);
    for (uint32_t n = 0; n < g->table.count; n++)
        for (unsigned i = 0; i < g->table.width; i++)
            rx_write_value(w, rx_keytable_ranked(&g->table, n)->keys[i]);
    return 0;
}

static void read_keys(struct group_by *g, struct rx_value *keys, struct rx_reader *r)
{
    for (unsigned i = 0; i < g->table.width; i++)
        keys[i] = rx_read_value(r);
}

static void unref_keys(struct group_by *g, struct rx_value *keys)
{
    for (unsigned i = 0; i < g->table.width; i++)
        rx_value_unref(keys[i]);
}

static void load_group(struct group_by *g, struct rx_reader *r)
{
    struct rx_value keys[WIDTH_MAX];
    read_keys(g, keys, r);
    struct rx_keyed *e = rx_keytable_add(&g->table, keys, rx_keytable_hash(keys, g->table.width));
    unref_keys(g, keys);
    if (!e) {
        rx_reader_fail(r, -ENOMEM);
        return;
    }
    data_of(g, e)->last = rx_read_int(r);
    data_of(g, e)->sequence = rx_read_uint(r);
    if (g->duration) {
        data_of(g, e)->opened = rx_read_int(r);
        data_of(g, e)->opening = rx_read_uint(r);
    }
    if (rx_read_bool(r))
        data_of(g, e)->instance = rx_instance_load(&g->op, 0, mark_of(g, e), e, r);
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct group_by *g = (struct group_by *)op;
    g->completing = rx_read_bool(r);
    uint64_t count = rx_read_uint(r);
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++)
        load_group(g, r);
    mark_expected(g);
    for (uint64_t i = 0; i < count && !rx_reader_failed(r); i++) {
        struct rx_value keys[WIDTH_MAX];
        read_keys(g, keys, r);
        rx_keytable_find(&g->table, keys, rx_keytable_hash(keys, g->table.width));
        unref_keys(g, keys);
    }
    return r->failed;
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct group_by *g = image;
    facts->keys = (uint64_t)g->max_keys;
    facts->scope_ends = g->idle > 0;
    facts->opens_unasked = expected(g) > 0;
}

const struct rx_operator_class rx_operator_group_by = {
    .base = {.name = "group_by",
             .summary = "split the stream by a key; the steps behind run once per group",
             .options = options,
             .state_size = sizeof(struct group_by),
             .flags = RX_OPENS_GROUP | RX_PASSES,
             .check = check,
             .example = "group_by: device"},
    .min_inputs = 1,
    .max_inputs = 1,
    .timer_slots = SLOTS,
    .init = init,
    .start = start,
    .next = next,
    .describe = describe,
    .complete = complete,
    .error = error,
    .timer = timer,
    .inner = inner,
    .save = save,
    .load = load,
    .dispose = dispose,
};
