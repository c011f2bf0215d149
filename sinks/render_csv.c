/* Events as rows of CSV: the columns are the user's, or the fields of the first event. */
#include "sinks/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"

static char delimiter_of(const struct rx_render *r)
{
    return r->options->csv.delimiter ? r->options->csv.delimiter[0] : ',';
}

static void drop_columns(struct rx_render *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->columns[i]);
    free(r->columns);
    r->columns = NULL;
    r->count = 0;
    r->known_shape = 0;
    rx_buffer_clear(&r->header);
}

static bool make_room(struct rx_render *r, size_t count)
{
    drop_columns(r);
    r->columns = calloc(count ? count : 1, sizeof *r->columns);
    return r->columns;
}

/* Also into the header. */
static int add_column(struct rx_render *r, const char *name, size_t length)
{
    char *copy = strndup(name, length);
    if (!copy)
        return -ENOMEM;
    rx_buffer_text(&r->header, r->count ? (char[]){delimiter_of(r), '\0'} : "");
    rx_csv_write_cell(&r->header, name, length, delimiter_of(r));
    r->columns[r->count++] = copy;
    return r->header.failed ? -ENOMEM : 0;
}

static int end_header(struct rx_render *r, int result)
{
    rx_buffer_append(&r->header, "\n", 1);
    if (result == 0 && r->header.failed)
        result = -ENOMEM;
    if (result < 0)
        drop_columns(r);
    return result;
}

int rx_render_init(struct rx_render *r, const struct rx_render_options *options, struct rx_heap *heap,
                   const char *stream)
{
    const struct rx_strings *header = &options->csv.header;
    *r = (struct rx_render){.options = options, .heap = heap, .stream = stream};
    r->named = header->count > 1 || (header->count == 1 && strcmp(header->items[0], "true") != 0);
    if (!r->named)
        return 0;
    int result = make_room(r, header->count) ? 0 : -ENOMEM;
    for (size_t i = 0; i < header->count && result == 0; i++)
        result = add_column(r, header->items[i], strlen(header->items[i]));
    return end_header(r, result);
}

void rx_render_finish(struct rx_render *r)
{
    if (!r->options)
        return;
    drop_columns(r);
    rx_buffer_finish(&r->header);
    rx_buffer_finish(&r->cell);
}

const struct rx_buffer *rx_render_header(const struct rx_render *r)
{
    static const struct rx_buffer none = {0};
    return r->named ? &none : &r->header;
}

int rx_render_adopt_header(struct rx_render *r, const char *text, size_t length)
{
    struct rx_csv csv = {0};
    if (r->options->format != RX_RENDER_CSV || r->columns)
        return 0;
    rx_csv_begin(&csv, text, length, delimiter_of(r));
    int result = 0;
    if (rx_csv_next(&csv, NULL) == 1) {
        result = make_room(r, csv.count) ? 0 : -ENOMEM;
        for (size_t i = 0; i < csv.count && result == 0; i++)
            result = add_column(r, csv.cells[i].text, csv.cells[i].length);
        result = end_header(r, result);
    }
    rx_csv_finish(&csv);
    return result;
}

/* --- Rows --- */

static int take_columns(struct rx_render *r, struct rx_value object)
{
    uint32_t count = rx_object_count(object);
    int result = make_room(r, count) ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        struct rx_value name, value;
        rx_object_entry(object, i, &name, &value);
        if (name.kind == RX_STRING)
            result = add_column(r, name.u.text, name.aux);
    }
    return end_header(r, result);
}

static bool has_column(const struct rx_render *r, struct rx_value name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strlen(r->columns[i]) == name.aux && memcmp(r->columns[i], name.u.text, name.aux) == 0)
            return true;
    return false;
}

/* Where the columns are the first event's, nothing that a later one has beyond them is lost in silence. */
static int check_columns(struct rx_render *r, struct rx_value object, struct rx_error *reterr)
{
    uint64_t shape = object.kind == RX_RECORD ? object.u.record->shape->id : 0;
    if (r->named || (shape && shape == r->known_shape))
        return 0;
    for (uint32_t i = 0; i < rx_object_count(object); i++) {
        struct rx_value name, value;
        rx_object_entry(object, i, &name, &value);
        if (name.kind != RX_STRING || has_column(r, name))
            continue;
        rx_error_set(reterr, -EINVAL, "the field \"%.*s\" has no column: the columns are the first event's fields",
                     name.aux < 100 ? (int)name.aux : 100, name.u.text);
        rx_error_hint(reterr, "name the columns: csv: {header: [a, b]}");
        return -EINVAL;
    }
    r->known_shape = shape;
    return 0;
}

/* A number or truth as JSON has it, anything else in the quotes that it needs; null is an empty cell. */
static void write_cell(struct rx_render *r, struct rx_buffer *out, const struct rx_value *value)
{
    if (!value || value->kind == RX_NULL)
        return;
    if (value->kind == RX_STRING) {
        rx_csv_write_cell(out, value->u.text, value->aux, delimiter_of(r));
        return;
    }
    rx_buffer_clear(&r->cell);
    rx_json_write(&r->cell, *value);
    const char *text = r->cell.data;
    size_t length = r->cell.length;
    bool quoted = length >= 2 && text[0] == '"';
    if (length == 4 && memcmp(text, "null", 4) == 0)
        return;
    rx_csv_write_cell(out, text + quoted, length - 2 * quoted, delimiter_of(r));
    out->failed = out->failed || r->cell.failed;
}

static int write_row(struct rx_render *r, struct rx_buffer *out, struct rx_value object, struct rx_error *reterr)
{
    char delimiter = delimiter_of(r);
    size_t begin = out->length;
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0)
            rx_buffer_append(out, &delimiter, 1);
        write_cell(r, out, rx_object_get_text(object, r->columns[i]));
    }
    if (out->length == begin) /* a line with nothing in it would be no row */
        rx_buffer_text(out, "\"\"");
    return out->failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

int rx_render_csv_row(struct rx_render *r, struct rx_buffer *out, struct rx_value object, struct rx_error *reterr)
{
    if (!r->columns && take_columns(r, object) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int result = check_columns(r, object, reterr);
    return result < 0 ? result : write_row(r, out, object, reterr);
}

int rx_render_csv_message(struct rx_render *r, struct rx_buffer *out, struct rx_value object, struct rx_error *reterr)
{
    uint64_t shape = object.kind == RX_RECORD ? object.u.record->shape->id : 0;
    if (!r->named && (!shape || shape != r->known_shape) && take_columns(r, object) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    r->known_shape = shape;
    if (!r->named)
        rx_buffer_append(out, r->header.data, r->header.length);
    return write_row(r, out, object, reterr);
}
