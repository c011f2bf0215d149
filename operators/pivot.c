/* pivot: {name, value} events of a group into one record of the latest values, put out at each event.
 *
 * Names keep the place of their first event. An event that is older than its name's value changes nothing, so that
 * the order of arrival does not matter. Its group's key stands in the record first, and wins over a name like it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/operator.h"

struct latest {
    struct rx_value name, value; /* compact */
    rx_time time;
};

struct pivot {
    struct rx_op op;
    struct rx_expr *name, *value;
    rx_time max_age;
    int64_t max_names;

    struct latest *latest; /* in order of their first events */
    size_t count, capacity;
};

static const struct rx_option options[] = {
    {.name = "name",
     .help = "the field that the value becomes: a text",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct pivot, name, struct rx_expr *),
     .fallback = "name"},
    {.name = "value",
     .help = "the value",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct pivot, value, struct rx_expr *),
     .fallback = "value"},
    {.name = "max_age",
     .help = "a value that is older than the newest event by more than this is left out; without it none is",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct pivot, max_age, rx_time),
     .min = 0.001,
     .max = 31536000},
    {.name = "max_names",
     .help = "names at once; one more takes the place of the one whose value is the oldest",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct pivot, max_names, int64_t),
     .fallback = "64",
     .min = 1,
     .max = 10000},
    {0},
};

/* ---- the latest values ---- */

static void forget(struct pivot *p, size_t i)
{
    rx_value_unref(p->latest[i].name);
    rx_value_unref(p->latest[i].value);
    memmove(&p->latest[i], &p->latest[i + 1], (--p->count - i) * sizeof *p->latest);
}

static struct latest *find(struct pivot *p, struct rx_value name)
{
    for (size_t i = 0; i < p->count; i++) {
        struct rx_value known = p->latest[i].name;
        if (known.aux == name.aux && memcmp(known.u.text, name.u.text, name.aux) == 0)
            return &p->latest[i];
    }
    return NULL;
}

static void make_room(struct pivot *p)
{
    size_t oldest = 0;
    if (p->count < (size_t)p->max_names)
        return;
    for (size_t i = 1; i < p->count; i++)
        if (p->latest[i].time < p->latest[oldest].time)
            oldest = i;
    forget(p, oldest);
    rx_count_key_evicted(&p->op);
}

/* A place for one more; NULL: no memory. */
static struct latest *append(struct pivot *p)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? p->capacity * 2 : 8;
        struct latest *latest = realloc(p->latest, capacity * sizeof *latest);
        if (!latest)
            return NULL;
        p->latest = latest;
        p->capacity = capacity;
    }
    p->latest[p->count] = (struct latest){.time = INT64_MIN};
    return &p->latest[p->count++];
}

static void drop_stale(struct pivot *p)
{
    rx_time newest = INT64_MIN;
    for (size_t i = 0; i < p->count; i++)
        newest = p->latest[i].time > newest ? p->latest[i].time : newest;
    for (size_t i = p->count; p->max_age > 0 && i-- > 0;)
        if (p->latest[i].time < newest - p->max_age)
            forget(p, i);
}

/* False: it is older than what is there. */
static bool remember(struct pivot *p, struct rx_value name, struct rx_value value, rx_time time)
{
    struct latest *latest = find(p, name);
    if (latest && time < latest->time)
        return false;
    if (!latest) {
        make_room(p);
        latest = append(p);
        if (!latest) {
            rx_fail_memory(&p->op);
            return false;
        }
        latest->name = rx_value_compact(rx_op_heap(&p->op), name);
    }
    rx_value_unref(latest->value);
    latest->value = rx_value_compact(rx_op_heap(&p->op), value);
    latest->time = time;
    return true;
}

static struct rx_value record(struct pivot *p)
{
    const struct rx_mark *mark = rx_op_mark(&p->op);
    struct rx_object_builder b;
    struct rx_value key = mark ? mark->key : rx_null();
    rx_object_init_from(&b, rx_op_heap(&p->op), key);
    for (size_t i = 0; i < p->count; i++)
        if (!rx_object_get(key, p->latest[i].name))
            rx_object_put_take(&b, rx_value_ref(p->latest[i].name), rx_value_ref(p->latest[i].value));
    return rx_object_finish(&b);
}

/* ---- events ---- */

static bool evaluate(struct pivot *p, const struct rx_event *event, struct rx_value *name, struct rx_value *value)
{
    struct rx_expr_env env = rx_op_env(&p->op, event);
    struct rx_error error;
    if (!rx_op_eval(&p->op, p->name, &env, name))
        return false;
    if (name->kind == RX_STRING)
        return rx_op_eval(&p->op, p->value, &env, value);
    rx_error_set(&error, -EINVAL, "the name is a %s, and must be a text", rx_kind_name(name->kind));
    if (rx_bad_event(&p->op, event, &error) == RX_USE_NULL)
        rx_count(&p->op, RX_FILTERED, 1);
    return false;
}

static void take_in(struct pivot *p, const struct rx_event *event)
{
    struct rx_value name = rx_null(), value = rx_null();
    bool good = evaluate(p, event, &name, &value);
    bool changed = good && remember(p, name, value, event->time);
    rx_value_unref(name);
    rx_value_unref(value);
    if (good && !changed && rx_op_live(&p->op))
        rx_count(&p->op, RX_SUPERSEDED, 1);
    if (!changed)
        return;
    drop_stale(p);
    struct rx_value out = record(p);
    if (!rx_op_made(&p->op, event, &out))
        return;
    rx_count(&p->op, RX_USED, 1);
    rx_emit_value_take(&p->op, event, out);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++)
        take_in((struct pivot *)op, &span[i]);
}

/* ---- state ---- */

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct pivot *p = (struct pivot *)op;
    rx_write_uint(w, p->count);
    for (size_t i = 0; i < p->count; i++) {
        rx_write_value(w, p->latest[i].name);
        rx_write_value(w, p->latest[i].value);
        rx_write_int(w, p->latest[i].time);
    }
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct pivot *p = (struct pivot *)op;
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct latest *latest = append(p);
        if (!latest) {
            rx_reader_fail(r, -ENOMEM);
            break;
        }
        latest->name = rx_read_value(r);
        latest->value = rx_read_value(r);
        latest->time = rx_read_int(r);
        if (latest->name.kind != RX_STRING)
            rx_reader_fail(r, -EBADMSG);
    }
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct pivot *p = (struct pivot *)op;
    while (p->count)
        forget(p, p->count - 1);
    free(p->latest);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct pivot *p = image;
    facts->values = 2 * (uint64_t)p->max_names;
}

const struct rx_operator_class rx_operator_pivot = {
    .base = {.name = "pivot",
             .summary = "gather {name, value} events into one record of the latest values",
             .options = options,
             .state_size = sizeof(struct pivot),
             .flags = RX_SPAN_SAFE | RX_REPLACES,
             .example = "pivot: {name: metric, value: value}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .describe = describe,
    .save = save,
    .load = load,
    .dispose = dispose,
};
