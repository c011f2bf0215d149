/* Tables: parsing, and rows by key. */
#include "core/feed/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/csv.h"
#include "core/json/json.h"
#include "core/value/record.h"

struct rx_table {
    struct rx_keytable rows; /* of one value each */
    struct rx_buffer scratch;
    uint64_t max_rows;
    bool any;
};

int rx_table_format_of(const char *path, enum rx_table_format *ret, struct rx_error *reterr)
{
    const char *dot = strrchr(path, '.');
    if (dot && (strcmp(dot, ".csv") == 0 || strcmp(dot, ".json") == 0)) {
        *ret = strcmp(dot, ".csv") == 0 ? RX_TABLE_CSV : RX_TABLE_JSON;
        return 0;
    }
    rx_error_set(reterr, -EINVAL, "a table is a .csv or a .json file");
    rx_error_hint(reterr, "the first row of a .csv names the columns; a .json is a list of objects");
    return -EINVAL;
}

/* ---- rows ---- */

static struct rx_value *row_of(struct rx_table *t, struct rx_keyed *e) { return rx_keyed_data(&t->rows, e); }

struct rx_value rx_table_key(struct rx_value value, struct rx_buffer *scratch)
{
    if (value.kind == RX_STRING)
        return value;
    rx_buffer_clear(scratch);
    rx_json_write(scratch, value);
    if (scratch->failed)
        return rx_null();
    return rx_string_static(scratch->data ? scratch->data : "", (uint32_t)scratch->length);
}

struct rx_keyed *rx_table_add_key(struct rx_keytable *rows, struct rx_value text, uint64_t hash)
{
    struct rx_value own = text.kind == RX_STRING ? rx_string(rows->heap, text.u.text, text.aux) : rx_null();
    struct rx_keyed *e = own.kind == RX_STRING ? rx_keytable_add(rows, &own, hash) : NULL;
    rx_value_unref(own);
    return e;
}

/* The row is taken. */
static int put_take(struct rx_table *t, struct rx_value key, struct rx_value row, struct rx_error *reterr)
{
    struct rx_value text = rx_table_key(key, &t->scratch);
    uint64_t hash = rx_keytable_hash(&text, 1);
    struct rx_keyed *e = rx_keytable_find(&t->rows, &text, hash);
    int r = e || t->rows.count < t->max_rows ? 0 : -E2BIG;
    if (!e && r == 0)
        e = rx_table_add_key(&t->rows, text, hash);
    if (e) {
        rx_value_unref(*row_of(t, e));
        *row_of(t, e) = row;
        return 0;
    }
    rx_value_unref(row);
    if (r == 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return rx_error_set(reterr, r, "more than max_rows, %llu", (unsigned long long)t->max_rows);
}

const struct rx_value *rx_table_find(struct rx_table *t, struct rx_value key)
{
    struct rx_value text = rx_table_key(key, &t->scratch);
    struct rx_keyed *e =
        t->any ? rx_keytable_first(&t->rows) : rx_keytable_find(&t->rows, &text, rx_keytable_hash(&text, 1));
    return e ? row_of(t, e) : NULL;
}

size_t rx_table_rows(const struct rx_table *t) { return t->rows.count; }

void rx_table_destroy(struct rx_table *t)
{
    if (!t)
        return;
    for (struct rx_keyed *e = rx_keytable_first(&t->rows); e; e = rx_keytable_next(&t->rows, e))
        rx_value_unref(*row_of(t, e));
    rx_keytable_finish(&t->rows);
    rx_buffer_finish(&t->scratch);
    free(t);
}

/* ---- CSV ---- */

struct csv_table {
    struct rx_table *table;
    struct rx_csv csv;
    struct rx_value *names;
    size_t count, column;
};

static int at_row(struct csv_table *c, struct rx_error *reterr, int code)
{
    if (reterr)
        reterr->at = (struct rx_place){.line = c->csv.line, .column = 1};
    return code;
}

static int no_column(const struct csv_table *c, const char *column, struct rx_error *reterr)
{
    char list[200] = "";
    for (size_t i = 0, used = 0; i < c->count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.*s", i ? ", " : "", (int)c->names[i].aux,
                                 c->names[i].u.text);
    rx_error_set(reterr, -EBADMSG, "no column is called \"%s\"", column);
    rx_error_hint(reterr, "there are %s", list);
    return -EBADMSG;
}

static int name_columns(struct csv_table *c, const char *column, struct rx_error *reterr)
{
    const struct rx_csv_cell *cells = c->csv.cells;
    c->count = 0;
    c->column = column ? SIZE_MAX : 0;
    c->names = calloc(c->csv.count, sizeof *c->names);
    for (; c->names && c->count < c->csv.count; c->count++) {
        const struct rx_csv_cell *cell = &cells[c->count];
        for (size_t k = 0; k < c->count; k++)
            if (c->names[k].aux == cell->length && memcmp(c->names[k].u.text, cell->text, cell->length) == 0)
                return at_row(
                    c, reterr,
                    rx_error_set(reterr, -EBADMSG, "two columns are called \"%.*s\"", (int)cell->length, cell->text));
        c->names[c->count] = rx_string(c->table->rows.heap, cell->text, cell->length);
        if (c->names[c->count].kind != RX_STRING)
            return rx_error_set(reterr, -ENOMEM, "out of memory");
        if (column && strlen(column) == cell->length && memcmp(column, cell->text, cell->length) == 0)
            c->column = c->count;
    }
    if (!c->names)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    if (c->column < c->count)
        return 0;
    return at_row(c, reterr, no_column(c, column, reterr));
}

static struct rx_value row_from(struct csv_table *c)
{
    struct rx_heap *heap = c->table->rows.heap;
    struct rx_object_builder b;
    rx_object_init(&b, heap);
    for (size_t i = 0; i < c->count; i++) {
        const struct rx_csv_cell *cell = &c->csv.cells[i];
        if (!cell->quoted && !cell->length)
            continue;
        struct rx_value value = rx_json_scalar(heap, cell->text, cell->length);
        if (value.kind == RX_NULL)
            b.failed = 1;
        rx_object_put_take(&b, rx_value_ref(c->names[i]), value);
    }
    return rx_object_finish(&b);
}

static int add_row(struct csv_table *c, struct rx_error *reterr)
{
    if (c->csv.count != c->count)
        return at_row(
            c, reterr,
            rx_error_set(reterr, -EBADMSG, "a row with %zu cells, and there are %zu columns", c->csv.count, c->count));
    const struct rx_csv_cell *cell = &c->csv.cells[c->column];
    if (!cell->length)
        return at_row(c, reterr, rx_error_set(reterr, -EBADMSG, "a row without a key"));
    struct rx_value loose = row_from(c), row = rx_value_compact(c->table->rows.heap, loose); /* in one block */
    rx_value_unref(loose);
    if (row.kind == RX_NULL)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return put_take(c->table, rx_string_static(cell->text, (uint32_t)cell->length), row, reterr);
}

static int parse_csv(struct rx_table *t, const char *column, const char *text, size_t length, struct rx_error *reterr)
{
    struct csv_table c = {.table = t};
    rx_csv_begin(&c.csv, text, length, ',');
    int r = rx_csv_next(&c.csv, reterr);
    if (r == 0)
        r = rx_error_set(reterr, -EBADMSG, "there is no row that names the columns");
    else if (r > 0)
        r = name_columns(&c, column, reterr);
    while (r == 0 && (r = rx_csv_next(&c.csv, reterr)) > 0)
        r = add_row(&c, reterr);
    for (size_t i = 0; i < c.count; i++)
        rx_value_unref(c.names[i]);
    free(c.names);
    rx_csv_finish(&c.csv);
    return r;
}

/* ---- JSON ---- */

/* `at`: which row, for a message. */
static int add_object(struct rx_table *t, struct rx_value row, const char *column, size_t at, struct rx_error *reterr)
{
    struct rx_value name = rx_null(), first = rx_null();
    const struct rx_value *key = NULL;
    if (column)
        key = rx_object_get_text(row, column);
    else if (rx_object_count(row) > 0) {
        rx_object_entry(row, 0, &name, &first);
        key = &first;
    }
    if (key && key->kind != RX_NULL)
        return put_take(t, *key, rx_value_ref(row), reterr);
    if (row.kind != RX_RECORD && row.kind != RX_MAP)
        return rx_error_set(reterr, -EBADMSG, "row %zu is a %s, and must be an object", at + 1, rx_kind_name(row.kind));
    return rx_error_set(reterr, -EBADMSG, "row %zu has no \"%s\"", at + 1, column ? column : "field");
}

static int add_all(struct rx_table *t, struct rx_value whole, const char *column, struct rx_error *reterr)
{
    int r = 0;
    if (whole.kind == RX_LIST) {
        const char *name = column;
        char first[128] = "";
        /* the column that is first in the first row, wherever it is in the others */
        if (!name && whole.u.list->count > 0 && rx_object_count(whole.u.list->items[0]) > 0) {
            struct rx_value key, value;
            rx_object_entry(whole.u.list->items[0], 0, &key, &value);
            snprintf(first, sizeof first, "%.*s", key.kind == RX_STRING ? (int)key.aux : 0, key.u.text);
            name = first;
        }
        for (uint32_t i = 0; r == 0 && i < whole.u.list->count; i++)
            r = add_object(t, whole.u.list->items[i], name, i, reterr);
        return r;
    }
    if (whole.kind != RX_RECORD && whole.kind != RX_MAP)
        return rx_error_set(reterr, -EBADMSG, "a table is a list of objects, or an object of rows by key");
    for (uint32_t i = 0; r == 0 && i < rx_object_count(whole); i++) {
        struct rx_value key, value;
        rx_object_entry(whole, i, &key, &value);
        r = column ? add_object(t, value, column, i, reterr) : put_take(t, key, rx_value_ref(value), reterr);
    }
    return r;
}

static int parse_json(struct rx_table *t, const char *column, const char *text, size_t length, struct rx_error *reterr)
{
    struct rx_value whole;
    int r = rx_json_decode(t->rows.heap, NULL, NULL, text, length, &whole, reterr);
    if (r < 0)
        return r;
    r = add_all(t, whole, column, reterr);
    rx_value_unref(whole);
    return r;
}

int rx_table_parse(struct rx_heap *heap, const struct rx_table_options *options, const char *text, size_t length,
                   struct rx_table **ret, struct rx_error *reterr)
{
    if (length > RX_TABLE_BYTES_MAX)
        return rx_error_set(reterr, -E2BIG, "a table has at most %u MiB", RX_TABLE_BYTES_MAX >> 20);
    struct rx_table *t = calloc(1, sizeof *t);
    if (!t)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    rx_keytable_init(&t->rows, heap, 1, sizeof(struct rx_value));
    t->max_rows = options->max_rows;
    t->any = options->any;
    int r = options->format == RX_TABLE_CSV ? parse_csv(t, options->column, text, length, reterr)
                                            : parse_json(t, options->column, text, length, reterr);
    if (r < 0) {
        rx_table_destroy(t);
        return r;
    }
    *ret = t;
    return 0;
}

/* ---- handles ---- */

void rx_table_missed(struct rx_table_handle *h, const struct rx_error *error)
{
    h->failures++;
    if (error->at.line)
        snprintf(h->fault, sizeof h->fault, "%.100s:%u: %.200s", h->path, error->at.line, error->message);
    else
        snprintf(h->fault, sizeof h->fault, "%.100s: %.200s", h->path, error->message);
}

int rx_table_replace(struct rx_table_handle *h, const char *text, size_t length, struct rx_error *reterr)
{
    struct rx_error error = {0};
    struct rx_table *table;
    int r = rx_table_parse(h->heap, &h->options, text, length, &table, &error);
    if (r < 0) {
        rx_table_missed(h, &error);
        if (reterr)
            *reterr = error;
        return r;
    }
    rx_table_destroy(h->table);
    h->table = table;
    h->loads++;
    h->fault[0] = '\0';
    return 0;
}

void rx_table_handle_finish(struct rx_table_handle *h)
{
    rx_table_destroy(h->table);
    h->table = NULL;
}
