/* lookup: to each event the row of a table that its key finds, or the latest event of a stream with that key.
 *
 * A table's file is read, and read again when it changes, by who made the plan (rx_node.table); the rows are the step's, shared
 * by all its groups. The latest events of a stream are kept here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/feed/table.h"
#include "core/graph/graph.h"
#include "core/value/keytable.h"

enum { KEEP, DROP, FAIL };

struct lookup {
    struct rx_op op;
    const char *file;
    const struct rx_tree *stream;
    struct rx_expr *key;
    const char *column, *into;
    int missing;
    int64_t max_rows;

    const struct rx_key *field, *column_key; /* column_key: of a stream, NULL: the first field, or the group's key */
    struct rx_keytable latest;               /* of a stream: of one value each */
    struct rx_buffer scratch;
};

static const char *const missing_choices[] = {"keep", "drop", "error", NULL};

static const struct rx_option options[] = {
    {.name = "file",
     .help =
         "a table: a .csv whose first row names the columns, or a .json list of objects; read again when it changes",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct lookup, file, const char *),
     .flags = RX_TABLE},
    {.name = "stream",
     .help = "in place of a file: the latest event of a stream for each key",
     .type = RX_OPTION_STREAM,
     .offset = RX_AT(struct lookup, stream, const struct rx_tree *)},
    {.name = "key",
     .help = "what is looked for, compared as text",
     .type = RX_OPTION_EXPR,
     .offset = RX_AT(struct lookup, key, struct rx_expr *),
     .flags = RX_REQUIRED},
    {.name = "column",
     .help = "where it is looked for; the first column where it is not given, and of a grouped stream its key",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct lookup, column, const char *)},
    {.name = "into",
     .help =
         "the field that becomes the row, or the stream's event; the file's name without its folder and ending, or the "
         "stream's name, where it is not given",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct lookup, into, const char *)},
    {.name = "missing",
     .help = "what becomes of an event whose key finds nothing: `keep` lets it through without the field",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct lookup, missing, int),
     .fallback = "keep",
     .choices = missing_choices},
    {.name = "max_rows",
     .help = "rows at the most: a larger table is bad, and one more key of a stream takes the place of the one that "
             "was not "
             "used for longest",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct lookup, max_rows, int64_t),
     .fallback = "100000",
     .min = 1,
     .max = 1e7},
    {0},
};

static struct rx_value *value_of(struct lookup *l, struct rx_keyed *e) { return rx_keyed_data(&l->latest, e); }

/* ---- the stream's side ---- */

static void evict(struct lookup *l)
{
    struct rx_keyed *e = rx_keytable_oldest(&l->latest);
    rx_value_unref(*value_of(l, e));
    rx_keytable_remove(&l->latest, e);
    rx_count_key_evicted(&l->op);
}

/* The text of a key. */
static bool remember(struct lookup *l, struct rx_value key, struct rx_value value)
{
    uint64_t hash = rx_keytable_hash(&key, 1);
    struct rx_keyed *e = rx_keytable_find(&l->latest, &key, hash);
    if (!e && l->latest.count >= (uint64_t)l->max_rows)
        evict(l);
    if (!e)
        e = rx_table_add_key(&l->latest, key, hash);
    if (!e)
        return false;
    rx_value_unref(*value_of(l, e));
    *value_of(l, e) = rx_value_ref(value);
    return true;
}

/* What the event is found by later: borrowed; NULL: it has none. */
static const struct rx_value *key_of(struct lookup *l, const struct rx_event *event, struct rx_value *room)
{
    struct rx_value name;
    if (l->column_key)
        return rx_object_get(event->value, rx_key_text(l->column_key));
    struct rx_value from = event->mark && rx_object_count(event->mark->key) > 0 ? event->mark->key : event->value;
    if (rx_object_count(from) == 0)
        return NULL;
    rx_object_entry(from, 0, &name, room);
    return room;
}

static void take_row(struct lookup *l, const struct rx_event *event)
{
    struct rx_value room;
    struct rx_error error;
    const struct rx_value *key = key_of(l, event, &room);
    if (!key || key->kind == RX_NULL) {
        rx_error_set(&error, -ENODATA, "the field `%s` is absent", l->column ? l->column : "key");
        if (rx_bad_event(&l->op, event, &error) == RX_USE_NULL)
            rx_count(&l->op, RX_FILTERED, 1);
        return;
    }
    rx_count(&l->op, RX_USED, 1);
    if (!remember(l, rx_table_key(*key, &l->scratch), event->value))
        rx_fail_memory(&l->op);
}

/* ---- the events ---- */

static const struct rx_value *find(struct lookup *l, struct rx_value key)
{
    struct rx_table_handle *table = l->op.node->table;
    if (key.kind == RX_NULL)
        return NULL;
    if (table)
        return table->table ? rx_table_find(table->table, key) : NULL;
    struct rx_value text = rx_table_key(key, &l->scratch);
    struct rx_keyed *e = rx_keytable_find(&l->latest, &text, rx_keytable_hash(&text, 1));
    return e ? value_of(l, e) : NULL;
}

static void miss(struct lookup *l, const struct rx_event *event, struct rx_value key)
{
    struct rx_error error;
    if (l->missing == KEEP) {
        rx_count(&l->op, RX_USED, 1);
        rx_emit(&l->op, event, 1);
        return;
    }
    if (l->missing == DROP) {
        rx_count(&l->op, RX_FILTERED, 1);
        return;
    }
    struct rx_value text = rx_table_key(key, &l->scratch);
    rx_error_set(&error, -ENODATA, "there is no row for \"%.*s\"", text.aux < 100 ? (int)text.aux : 100, text.u.text);
    if (rx_bad_event(&l->op, event, &error) != RX_USE_NULL)
        return;
    rx_count(&l->op, RX_USED, 1);
    rx_emit_value_take(&l->op, event, rx_object_with_take(rx_op_heap(&l->op), event->value, l->field, rx_null()));
}

static void look_up(struct lookup *l, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&l->op, event);
    struct rx_value key;
    if (!rx_op_eval(&l->op, l->key, &env, &key))
        return;
    const struct rx_value *row = find(l, key);
    if (!row) {
        miss(l, event, key);
        rx_value_unref(key);
        return;
    }
    struct rx_value out = rx_object_with_take(rx_op_heap(&l->op), event->value, l->field, rx_value_ref(*row));
    rx_value_unref(key);
    if (!rx_op_made(&l->op, event, &out))
        return;
    rx_count(&l->op, RX_USED, 1);
    rx_emit_value_take(&l->op, event, out);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct lookup *l = (struct lookup *)op;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        if (port == 0)
            look_up(l, &span[i]);
        else
            take_row(l, &span[i]);
    }
}

/* The stream may end before: its latest events stay. */
static void complete(struct rx_op *op, unsigned port)
{
    if (port == 0)
        rx_finish(op);
}

/* ---- life ---- */

static int check(const void *image, struct rx_error *reterr)
{
    const struct lookup *l = image;
    if (!l->file != !l->stream)
        return 0;
    rx_error_set(reterr, -EINVAL, l->file ? "`file` and `stream` do not go together" : "`lookup` needs a table");
    rx_error_hint(reterr, "write file: rooms.csv, or stream: NAME of a source or pipeline");
    return -EINVAL;
}

static const struct rx_key *field_of(const struct lookup *l)
{
    if (l->into)
        return rx_key_intern(rx_op_heap(&l->op), l->into, strlen(l->into));
    if (l->stream)
        return rx_op_input_name(&l->op, 1);
    const char *slash = strrchr(l->file, '/'), *name = slash ? slash + 1 : l->file, *dot = strrchr(name, '.');
    return rx_key_intern(rx_op_heap(&l->op), name, dot ? (size_t)(dot - name) : strlen(name));
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct lookup *l = (struct lookup *)op;
    struct rx_heap *heap = rx_op_heap(op);
    rx_keytable_init(&l->latest, heap, 1, sizeof(struct rx_value));
    l->field = field_of(l);
    if (l->stream && l->column)
        l->column_key = rx_key_intern(heap, l->column, strlen(l->column));
    bool whole = l->field && (!l->stream || !l->column || l->column_key);
    return whole ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

/* The stream first: what it has at hand is there for the first event. */
static void start(struct rx_op *op)
{
    for (unsigned port = rx_op_inputs(op); port > 0 && rx_op_live(op); port--)
        rx_subscribe(op, port - 1);
}

/* In order of use. */
static int save(struct rx_op *op, struct rx_writer *w)
{
    struct lookup *l = (struct lookup *)op;
    if (rx_keytable_rank(&l->latest) < 0)
        return -ENOMEM;
    rx_write_uint(w, l->latest.count);
    for (uint32_t i = 0; i < l->latest.count; i++) {
        struct rx_keyed *e = rx_keytable_ranked(&l->latest, i);
        rx_write_value(w, e->keys[0]);
        rx_write_value(w, *value_of(l, e));
    }
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct lookup *l = (struct lookup *)op;
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct rx_value key = rx_read_value(r), value = rx_read_value(r);
        if (key.kind != RX_STRING || !remember(l, key, value))
            rx_reader_fail(r, -EBADMSG);
        rx_value_unref(key);
        rx_value_unref(value);
    }
    return r->failed;
}

static void dispose(struct rx_op *op)
{
    struct lookup *l = (struct lookup *)op;
    for (struct rx_keyed *e = rx_keytable_first(&l->latest); e; e = rx_keytable_next(&l->latest, e))
        rx_value_unref(*value_of(l, e));
    rx_keytable_finish(&l->latest);
    rx_buffer_finish(&l->scratch);
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct lookup *l = image;
    facts->output = l->stream ? RX_OUTPUT_ANY : RX_OUTPUT_EDITS;
    facts->spans = !l->stream;
    facts->keys = (uint64_t)l->max_rows;
    facts->events = l->stream ? 1 : 0;
    facts->values = l->stream ? 0 : 8;
}

const struct rx_operator_class rx_operator_lookup = {
    .base = {.name = "lookup",
             .summary = "add the row of a table, or the latest event of a stream, that a key finds",
             .options = options,
             .state_size = sizeof(struct lookup),
             .flags = RX_EDITS | RX_ANY_ORDER,
             .check = check,
             .example = "lookup: {stream: other_sensors, key: device, column: device, into: other}"},
    .min_inputs = 1,
    .max_inputs = 2,
    .init = init,
    .start = start,
    .next = next,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
