/* CSV: a row is an object, its names from the header or the config. Cells that are JSON numbers, true or false are such, others
 * text; an empty cell is no field at all ("" in quotes is an empty text). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/csv.h"
#include "core/base/scan.h"
#include "core/base/utf8.h"
#include "core/feed/format.h"
#include "core/json/json_quick.h"

struct column {
    const struct rx_key *key; /* kept; NULL: a column without a name, which makes no field */
    bool needed;
};

struct csv {
    struct rx_format_state state;
    struct rx_csv reader;
    char delimiter;
    bool named;         /* the columns are the config's */
    bool awaits_header; /* the next row of the stream is one */
    struct column *columns;
    size_t count;

    const struct rx_fields *fields; /* that `needed` was found for */
    size_t field_count;
    /* The shape of the last row, and which of the needed columns it had. */
    const struct rx_shape *shape; /* counted */
    uint64_t present;
};

/* --- Options --- */

static const struct rx_option options[] = {
    {.name = "header",
     .help =
         "true (the default): the first row of a file, body or message has the columns' names; else the names: [a, b]",
     .type = RX_OPTION_STRINGS,
     .offset = RX_AT(struct rx_csv_options, header, struct rx_strings),
     .flags = RX_COLUMNS},
    {.name = "delimiter",
     .help = "what is between cells, if it is no comma: ; | : or a tab",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct rx_csv_options, delimiter, const char *)},
    {0},
};

static bool is_word(const struct rx_strings *header, const char *word)
{
    return header->count == 1 && strcmp(header->items[0], word) == 0;
}

static int check_names(const struct rx_strings *names, struct rx_error *reterr)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!names->items[i][0] || strlen(names->items[i]) > RX_KEY_MET_MAX)
            return rx_error_set(reterr, -EINVAL, "a column needs a name of 1 to %d bytes", RX_KEY_MET_MAX);
        for (size_t k = 0; k < i; k++)
            if (strcmp(names->items[i], names->items[k]) == 0)
                return rx_error_set(reterr, -EINVAL, "two columns are named \"%.100s\"", names->items[i]);
    }
    return 0;
}

static int check_options(const void *image, struct rx_error *reterr)
{
    const struct rx_csv_options *csv = image;
    if (csv->delimiter && (strlen(csv->delimiter) != 1 || !strchr(",;|:\t", csv->delimiter[0])))
        return rx_error_set(reterr, -EINVAL, "the delimiter is one of , ; | : and a tab (\"\\t\")");
    if (is_word(&csv->header, "false")) {
        rx_error_set(reterr, -EINVAL, "without a header the columns need names");
        rx_error_hint(reterr, "csv: {header: [time, temperature]}");
        return -EINVAL;
    }
    return check_names(&csv->header, reterr);
}

const struct rx_class rx_csv_options = {.name = "csv",
                                        .summary = "How a CSV feed is to be read",
                                        .options = options,
                                        .state_size = sizeof(struct rx_csv_options),
                                        .check = check_options};

/* --- Columns --- */

static void forget_shape(struct csv *csv)
{
    rx_shape_unref(csv->shape);
    csv->shape = NULL;
}

static void drop_columns(struct csv *csv)
{
    for (size_t i = 0; i < csv->count; i++)
        if (csv->columns[i].key)
            rx_key_drop(csv->state.heap, csv->columns[i].key);
    free(csv->columns);
    csv->columns = NULL;
    csv->count = 0;
    csv->field_count = SIZE_MAX;
    forget_shape(csv);
}

static int add_column(struct csv *csv, const char *name, size_t length)
{
    const struct rx_key *key = length ? rx_key_keep(csv->state.heap, name, length) : NULL;
    if (length && !key)
        return -ENOMEM;
    csv->columns[csv->count++].key = key;
    return 0;
}

static bool make_room(struct csv *csv, size_t count)
{
    drop_columns(csv);
    csv->columns = calloc(count ? count : 1, sizeof *csv->columns);
    return csv->columns;
}

/* Of columns of one name the last one counts, as of an object's keys. */
static bool is_repeated(const struct csv *csv, size_t i)
{
    for (size_t k = i + 1; k < csv->count && k < i + RX_SHAPE_KEYS_MAX; k++)
        if (csv->columns[k].key == csv->columns[i].key)
            return true;
    return false;
}

/* Which columns the plan asks for; it may ask for more from one message to the next. */
static void find_needed(struct csv *csv)
{
    const struct rx_fields *fields = csv->state.fields;
    size_t field_count = fields ? rx_fields_count(fields) : 0;
    if (csv->fields == fields && csv->field_count == field_count)
        return;
    csv->fields = fields;
    csv->field_count = field_count;
    forget_shape(csv);
    for (size_t i = 0; i < csv->count; i++) {
        const struct rx_key *key = csv->columns[i].key;
        csv->columns[i].needed = key && rx_fields_has(fields, key->text, key->length) && !is_repeated(csv, i);
    }
}

/* --- Headers --- */

static bool is_named(const struct column *column, const struct rx_csv_cell *cell)
{
    size_t length = column->key ? column->key->length : 0;
    return length == cell->length && (length == 0 || memcmp(column->key->text, cell->text, length) == 0);
}

static bool is_same_header(const struct csv *csv)
{
    bool same = csv->count == csv->reader.count;
    for (size_t i = 0; i < csv->count && same; i++)
        same = is_named(&csv->columns[i], &csv->reader.cells[i]);
    return same;
}

static bool names_a_column(const struct csv *csv, size_t i)
{
    const struct rx_csv_cell *cell = &csv->reader.cells[i];
    if (i < csv->count && is_named(&csv->columns[i], cell))
        return true;
    for (size_t k = 0; k < csv->count && k < RX_SHAPE_KEYS_MAX; k++)
        if (is_named(&csv->columns[k], cell))
            return true;
    return false;
}

static bool is_text(const struct rx_csv_cell *cell)
{
    char first = cell->length ? cell->text[0] : '0';
    return !(first >= '0' && first <= '9') && first != '-';
}

/* Whether a row among the others is a header again (files that were put together, a writer that started anew): every cell is a
 * text, and more than half of them are names of the columns that there are. */
static bool looks_like_header(const struct csv *csv)
{
    size_t known = 0, count = csv->reader.count;
    for (size_t i = 0; i < count; i++)
        if (!is_text(&csv->reader.cells[i]))
            return false;
    for (size_t i = 0; i < count; i++)
        known += names_a_column(csv, i);
    return 2 * known > count;
}

/* The row that was read becomes the header; one that cannot be leaves none. */
static int take_header(struct csv *csv, struct rx_error *reterr)
{
    const struct rx_csv *row = &csv->reader;
    if (is_same_header(csv))
        return 0;
    if (!make_room(csv, row->count))
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    for (size_t i = 0; i < row->count; i++) {
        int r =
            row->cells[i].length > RX_KEY_MET_MAX ? -E2BIG : add_column(csv, row->cells[i].text, row->cells[i].length);
        if (r < 0) {
            drop_columns(csv);
            rx_error_set(reterr, r, r == -ENOMEM ? "out of memory" : "a column's name is longer than 1024 bytes");
            reterr->at = rx_csv_place(row, row->cells[i].place);
            return r;
        }
    }
    return 0;
}

/* --- Rows --- */

static int out_of_memory(struct rx_error *reterr) { return rx_error_set(reterr, -ENOMEM, "out of memory"); }

/* The way that always works: past the limits of shapes the result is a map. */
static int build_row(struct csv *csv, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_object_builder b;
    rx_object_init(&b, csv->state.heap);
    for (size_t i = 0; i < csv->count; i++) {
        const struct rx_csv_cell *cell = &csv->reader.cells[i];
        if (csv->columns[i].needed && (cell->length > 0 || cell->quoted))
            rx_object_put_take(&b, rx_value_ref(rx_key_text(csv->columns[i].key)),
                               rx_json_scalar(csv->state.heap, cell->text, cell->length));
    }
    struct rx_value row = rx_object_finish(&b);
    if (row.kind == RX_NULL)
        return out_of_memory(reterr);
    *ret = row;
    return 1;
}

/* The shape of a row that has these columns: as a rule the last one's. NULL: there is none. */
static const struct rx_shape *shape_for(struct csv *csv, const size_t *at, size_t count, uint64_t present)
{
    if (csv->shape && csv->present == present)
        return csv->shape;
    const struct rx_shape *shape = rx_shape_empty(csv->state.heap);
    for (size_t i = 0; i < count && shape; i++)
        shape = rx_shape_meet(csv->state.heap, shape, csv->columns[at[i]].key);
    if (!shape)
        return NULL;
    forget_shape(csv);
    csv->shape = rx_shape_ref(shape);
    csv->present = present;
    return shape;
}

/* What a row gives of the needed columns. Strings are still texts of the message. */
struct row {
    struct rx_value values[RX_SHAPE_KEYS_MAX];
    size_t at[RX_SHAPE_KEYS_MAX]; /* which column each is of */
    size_t count, needed;
    uint64_t present;
};

/* False: more than a record can have. */
static inline bool put_value(struct row *row, size_t column, struct rx_value value)
{
    if (row->needed == RX_SHAPE_KEYS_MAX)
        return false;
    row->present |= (uint64_t)1 << row->needed++;
    row->at[row->count] = column;
    row->values[row->count++] = value;
    return true;
}

static inline bool put_nothing(struct row *row) { return row->needed++ < RX_SHAPE_KEYS_MAX; }

static bool put_text(struct row *row, size_t column, const char *text, size_t length)
{
    struct rx_value scalar;
    bool is_scalar = rx_json_is_scalar(text, length, &scalar);
    return put_value(row, column, is_scalar ? scalar : rx_string_static(text, (uint32_t)length));
}

static int make_row(struct csv *csv, struct rx_value *ret, struct rx_error *reterr)
{
    struct row row;
    row.count = row.needed = row.present = 0;
    for (size_t i = 0; i < csv->count; i++) {
        const struct rx_csv_cell *cell = &csv->reader.cells[i];
        if (!csv->columns[i].needed)
            continue;
        bool there = cell->length > 0 || cell->quoted;
        if (!(there ? put_text(&row, i, cell->text, cell->length) : put_nothing(&row)))
            return build_row(csv, ret, reterr);
    }
    const struct rx_shape *shape = shape_for(csv, row.at, row.count, row.present);
    if (!shape)
        return build_row(csv, ret, reterr);
    struct rx_value made = rx_record_with_texts(csv->state.heap, shape, row.values);
    if (made.kind == RX_NULL)
        return out_of_memory(reterr);
    *ret = made;
    return 1;
}

/* --- Plain rows, in one pass: as many cells as columns, none in quotes, and not all of them texts, as a header's are. --- */

struct glance {
    struct csv *csv;
    const char *start, *end;
    bool ascii;
};

static inline bool ends_cell(const struct glance *g, const char *p)
{
    return p == g->end || *p == g->csv->delimiter || *p == '\n' || *p == '\r';
}

/* To what may be the end of a cell. */
static inline const char *glance_end(struct glance *g, const char *p)
{
    while ((p = rx_scan_cell(g->start, p, g->end, g->csv->delimiter)) < g->end && (unsigned char)*p >= 0x80) {
        g->ascii = false;
        p++;
    }
    return p;
}

/* Behind the cell at `p`. NULL: not plain. */
static inline const char *glance_cell(struct glance *g, const char *p, size_t i, struct row *row)
{
    bool needed = g->csv->columns[i].needed, is_number = *p == '-' || (*p >= '0' && *p <= '9');
    struct rx_value number;
    const char *behind = needed && is_number ? rx_number_quick(g->start, p, g->end, &number) : NULL;
    if (behind && ends_cell(g, behind))
        return put_value(row, i, number) ? behind : NULL;
    behind = glance_end(g, p);
    if (!needed)
        return behind;
    return (behind > p ? put_text(row, i, p, (size_t)(behind - p)) : put_nothing(row)) ? behind : NULL;
}

/* Behind the line break at `p`, or the end. NULL: there is none. */
static inline const char *glance_break(const struct glance *g, const char *p)
{
    p += p < g->end && *p == '\r';
    return p == g->end ? p : *p == '\n' ? p + 1 : NULL;
}

/* The cell of column `i`, which may be empty. */
static inline const char *glance_column(struct glance *g, const char *p, size_t i, struct row *row, bool *all_text)
{
    if (!ends_cell(g, p)) {
        *all_text = *all_text && *p != '-' && !(*p >= '0' && *p <= '9');
        return glance_cell(g, p, i, row);
    }
    *all_text = false;
    return !g->csv->columns[i].needed || put_nothing(row) ? p : NULL;
}

/* The cells of the row; behind it. */
static inline const char *glance_row(struct glance *g, struct row *row)
{
    const char *p = g->start;
    bool all_text = true;
    for (size_t i = 0; i < g->csv->count; i++) {
        if (i > 0 && (p == g->end || *p++ != g->csv->delimiter))
            return NULL;
        p = glance_column(g, p, i, row, &all_text);
        if (!p)
            return NULL;
    }
    return all_text ? NULL : glance_break(g, p);
}

/* The row at `at`, and what is behind it. NULL: it is for the reader. */
static const char *take_plain_row(struct csv *csv, const char *at, const char *end, struct rx_value *ret)
{
    struct glance g = {.csv = csv, .start = at, .end = end, .ascii = true};
    struct row row;
    row.count = row.needed = row.present = 0;
    if (*at == '\n' || *at == '\r') /* no row */
        return NULL;
    find_needed(csv);
    const char *behind = glance_row(&g, &row);
    if (!behind || (!g.ascii && (*at == '\xEF' || !rx_utf8_valid(at, (size_t)(behind - at)))))
        return NULL;
    const struct rx_shape *shape = shape_for(csv, row.at, row.count, row.present);
    struct rx_value made = shape ? rx_record_with_texts(csv->state.heap, shape, row.values) : rx_null();
    if (made.kind == RX_NULL)
        return NULL;
    *ret = made;
    return behind;
}

static int refuse_row(struct csv *csv, struct rx_error *reterr)
{
    if (csv->count == 0)
        rx_error_set(reterr, -EBADMSG, "a row without a header: the one before it could not be read");
    else
        rx_error_set(reterr, -EBADMSG, "%zu cells, and there are %zu columns", csv->reader.count, csv->count);
    reterr->at = rx_csv_place(&csv->reader, csv->reader.cells[0].place);
    return -EBADMSG;
}

/* 1: a value; 0: it was a header. */
static int use_row(struct csv *csv, bool header, bool stream, struct rx_value *ret, struct rx_error *reterr)
{
    if (header) {
        csv->state.headers += stream && csv->count > 0 && !is_same_header(csv);
        return take_header(csv, reterr);
    }
    if (csv->count > 0 && looks_like_header(csv)) {
        csv->state.headers++;
        return csv->named ? 0 : take_header(csv, reterr);
    }
    if (csv->reader.count != csv->count)
        return refuse_row(csv, reterr);
    find_needed(csv);
    return make_row(csv, ret, reterr);
}

enum { BEGIN, ROWS };

/* Whether the next row is the header: the first of a message, or of a stream. */
static bool is_header_due(struct csv *csv, struct rx_format_cursor *c)
{
    bool due = !csv->named && (c->stream ? csv->awaits_header : c->phase == BEGIN);
    if (c->stream)
        csv->awaits_header = false;
    c->phase = ROWS;
    return due;
}

static int next_row(struct csv *csv, struct rx_format_cursor *c, struct rx_value *ret, struct rx_error *reterr)
{
    const char *from = c->at;
    rx_csv_begin(&csv->reader, from, (size_t)(c->end - from), csv->delimiter);
    int r = rx_csv_next(&csv->reader, reterr);
    if (r == 0 || r == -ENOMEM) {
        c->at = r == 0 ? c->end : c->at;
        return r;
    }
    c->at = csv->reader.at;
    bool header = is_header_due(csv, c);
    struct rx_error large;
    if (rx_format_piece(c, from, c->at, &large) < 0) {
        *reterr = large; /* its place is the message's already */
        r = large.code;
    } else {
        r = r < 0 ? r : use_row(csv, header, c->stream, ret, reterr);
        r = r < 0 ? rx_format_blame_piece(c, reterr) : r;
    }
    if (r < 0 && header)
        drop_columns(csv);
    return r;
}

/* 1, or 0: it is for the reader. */
static int next_plain_row(struct csv *csv, struct rx_format_cursor *c, struct rx_value *ret)
{
    bool due = !csv->named && (c->stream ? csv->awaits_header : c->phase == BEGIN);
    if (due || c->at == c->end)
        return 0;
    struct rx_value row;
    const char *behind = take_plain_row(csv, c->at, c->end, &row);
    if (!behind)
        return 0;
    if (rx_format_piece(c, c->at, behind, NULL) < 0) {
        rx_value_unref(row);
        return 0;
    }
    *ret = row;
    is_header_due(csv, c);
    c->at = behind;
    return 1;
}

static int next(struct rx_format_state *state, struct rx_format_cursor *c, struct rx_value *ret,
                struct rx_error *reterr)
{
    int r = next_plain_row((struct csv *)state, c, ret);
    while (r == 0 && c->at < c->end)
        r = next_row((struct csv *)state, c, ret, reterr);
    return r;
}

/* --- Streams --- */

static const char *message_end(struct rx_format_state *state, const char *at, const char *end)
{
    return rx_csv_row_end(at, end, ((struct csv *)state)->delimiter);
}

/* Rows with spaces in front may be nothing but spaces, which are no row of a stream. */
static size_t plain_lines(struct rx_format_state *state, const char **at, const char *end, uint64_t longest,
                          size_t most, struct rx_value *ret)
{
    struct csv *csv = (struct csv *)state;
    size_t count = 0;
    end = rx_format_lines_end(*at, end);
    if (!csv->named && csv->awaits_header)
        return 0;
    while (count < most && *at < end && **at != ' ' && **at != '\t') {
        const char *behind = take_plain_row(csv, *at, end, &ret[count]);
        if (!behind)
            break;
        if ((longest && (uint64_t)(behind - 1 - *at) > longest) || (behind - *at > 1 && behind[-2] == '\r')) {
            rx_value_unref(ret[count]);
            break;
        }
        *at = behind;
        count++;
    }
    csv->awaits_header = csv->awaits_header && count == 0;
    return count;
}

static void restart(struct rx_format_state *state) { ((struct csv *)state)->awaits_header = true; }

static void save(const struct rx_format_state *state, struct rx_writer *w)
{
    const struct csv *csv = (const struct csv *)state;
    rx_write_bool(w, csv->awaits_header);
    rx_write_uint(w, csv->named ? 0 : csv->count);
    for (size_t i = 0; i < csv->count && !csv->named; i++)
        rx_write_text(w, csv->columns[i].key ? csv->columns[i].key->text : "",
                      csv->columns[i].key ? csv->columns[i].key->length : 0);
}

static int load(struct rx_format_state *state, struct rx_reader *r)
{
    struct csv *csv = (struct csv *)state;
    bool awaits_header = rx_read_bool(r);
    uint64_t count = rx_read_uint(r);
    if (rx_reader_failed(r) || count > RX_CSV_CELLS_MAX)
        return -EBADMSG;
    if (csv->named)
        return count == 0 ? 0 : -EBADMSG;
    if (!make_room(csv, count))
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        size_t length = 0;
        const char *name = rx_read_text(r, &length);
        int result = rx_reader_failed(r) || length > RX_KEY_MET_MAX ? -EBADMSG : add_column(csv, name, length);
        if (result < 0)
            return result;
    }
    csv->awaits_header = awaits_header;
    return 0;
}

/* --- The class --- */

static int init(struct rx_format_state *state, struct rx_error *reterr)
{
    struct csv *csv = (struct csv *)state;
    const struct rx_strings *header = state ? &state->options->csv.header : NULL;
    if (!state)
        return 0;
    csv->delimiter = state->options->csv.delimiter ? state->options->csv.delimiter[0] : ',';
    csv->named = header->count > 0 && !is_word(header, "true");
    csv->awaits_header = true;
    if (!make_room(csv, csv->named ? header->count : 0))
        return out_of_memory(reterr);
    for (size_t i = 0; i < header->count && csv->named; i++)
        if (add_column(csv, header->items[i], strlen(header->items[i])) < 0)
            return out_of_memory(reterr);
    return 0;
}

static void dispose(struct rx_format_state *state)
{
    struct csv *csv = (struct csv *)state;
    drop_columns(csv);
    rx_csv_finish(&csv->reader);
}

const struct rx_format_class rx_format_csv = {.name = "csv",
                                              .state_size = sizeof(struct csv),
                                              .init = init,
                                              .next = next,
                                              .message_end = message_end,
                                              .lines = plain_lines,
                                              .restart = restart,
                                              .save = save,
                                              .load = load,
                                              .dispose = dispose};
