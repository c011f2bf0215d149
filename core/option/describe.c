/* The catalogue entry of a class, for people: `rxd operators NAME`. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json/json.h"
#include "core/option/option.h"

enum { COLUMNS = 4, WIDTH_MAX = 40 };

struct row {
    char cells[COLUMNS][120]; /* name, type, default, range */
};

static void format_bound(enum rx_option_type type, double bound, char *out, size_t size)
{
    if (type == RX_OPTION_DURATION || type == RX_OPTION_EXTENT)
        rx_format_duration((rx_time)llround(bound * 1e9), out, size);
    else
        snprintf(out, size, "%.15g", bound);
}

static void format_range(const struct rx_option *option, char *out, size_t size)
{
    char min[48], max[48];
    if (option->min == 0 && option->max == 0)
        return;
    format_bound(option->type, option->min, min, sizeof min);
    if (isinf(option->max) || option->max >= 9.2e18 || option->max < option->min) {
        snprintf(out, size, "from %s", min);
        return;
    }
    format_bound(option->type, option->max, max, sizeof max);
    snprintf(out, size, "%s to %s", min, max);
}

static void format_type(const struct rx_option *option, char *out, size_t size)
{
    size_t used = 0;
    if (option->type != RX_OPTION_ENUM)
        used = (size_t)snprintf(out, size, "%s", rx_option_type_name(option->type));
    for (size_t i = 0; option->choices && option->choices[i] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " | " : "", option->choices[i]);
}

/* An option, and the group that it is in: shown as `retry.max`, or by its name alone where the group is inline. */
static struct row row_of(const struct rx_option *option, const struct rx_option *group)
{
    struct row row = {0};
    bool within = group && !(group->flags & RX_INLINE);
    bool required = option->flags & RX_REQUIRED && (!group || group->flags & RX_REQUIRED),
         positional = option->flags & RX_POSITIONAL && !group;
    snprintf(row.cells[0], sizeof row.cells[0], "%s%s%s%s", within ? group->name : "", within ? "." : "", option->name,
             positional ? " *" : "");
    format_type(option, row.cells[1], sizeof row.cells[1]);
    snprintf(row.cells[2], sizeof row.cells[2], "%s",
             required           ? "required"
             : option->fallback ? option->fallback
                                : "-");
    format_range(option, row.cells[3], sizeof row.cells[3]);
    return row;
}

static void measure(const struct row *row, size_t widths[COLUMNS])
{
    for (size_t c = 0; c < COLUMNS; c++) {
        size_t width = strlen(row->cells[c]);
        if (width > WIDTH_MAX)
            width = WIDTH_MAX;
        if (width > widths[c])
            widths[c] = width;
    }
}

/* A line of the table; columns that are empty in every row are left out, no blanks at the end. */
static void write_row(struct rx_buffer *out, const struct row *row, const size_t widths[COLUMNS], const char *help)
{
    size_t pending = 2;
    for (size_t c = 0; c < COLUMNS; c++) {
        if (widths[c] == 0)
            continue;
        size_t width = strlen(row->cells[c]);
        if (width > 0) {
            rx_buffer_printf(out, "%*s%s", (int)pending, "", row->cells[c]);
            pending = 0;
        }
        pending += 2 + (width < widths[c] ? widths[c] - width : 0);
    }
    if (help && *help)
        rx_buffer_printf(out, "%*s%s", (int)pending, "", help);
    rx_buffer_text(out, "\n");
}

static bool is_own(const struct rx_class *class, const char *name)
{
    for (const struct rx_option *option = class->options; option->name; option++)
        if (!(option->flags & RX_INLINE) && strcmp(option->name, name) == 0)
            return true;
    return false;
}

/* Calls for each option, and for each of a group behind it. */
static void each_option(const struct rx_class *class,
                        void (*call)(void *arg, const struct rx_option *, const struct rx_option *group), void *arg)
{
    for (const struct rx_option *option = class->options; option && option->name; option++) {
        if (!(option->flags & RX_INLINE))
            call(arg, option, NULL);
        const struct rx_option *inner = option->type == RX_OPTION_GROUP ? option->group->options : NULL;
        for (; inner && inner->name; inner++)
            if (!(option->flags & RX_INLINE) || !is_own(class, inner->name))
                call(arg, inner, option);
    }
}

struct table {
    struct rx_buffer *out;
    size_t widths[COLUMNS];
    bool positional, ranges;
};

static void measure_option(void *arg, const struct rx_option *option, const struct rx_option *group)
{
    struct table *table = arg;
    struct row row = row_of(option, group);
    measure(&row, table->widths);
    table->positional |= !group && option->flags & RX_POSITIONAL;
    table->ranges |= row.cells[3][0] != '\0';
}

static void write_option(void *arg, const struct rx_option *option, const struct rx_option *group)
{
    struct table *table = arg;
    struct row row = row_of(option, group);
    write_row(table->out, &row, table->widths, option->help);
}

void rx_class_describe(const struct rx_class *class, struct rx_buffer *out)
{
    static const struct row head = {{"option", "type", "default", "range"}};
    struct table table = {.out = out};
    rx_buffer_printf(out, "%s: %s\n", class->name, class->summary ? class->summary : "");
    each_option(class, measure_option, &table);
    if (class->options && class->options->name) {
        measure(&head, table.widths);
        table.widths[3] = table.ranges ? table.widths[3] : 0;
        rx_buffer_text(out, "\n");
        write_row(out, &head, table.widths, NULL);
    }
    each_option(class, write_option, &table);
    if (table.positional)
        rx_buffer_text(out, "\n  * what a bare value means\n");
    if (class->example)
        rx_buffer_printf(out, "\nExample\n  %s\n", class->example);
}

/* ---- as Markdown ---- */

/* What would end a cell is escaped, and so is `more`. */
static void write_cell(struct rx_buffer *out, const char *text, const char *more)
{
    rx_buffer_text(out, " ");
    for (; *text; text++) {
        if (*text == '|' || strchr(more, *text))
            rx_buffer_text(out, "\\");
        rx_buffer_append(out, text, 1);
    }
    rx_buffer_text(out, " |");
}

static void write_markdown_option(void *arg, const struct rx_option *option, const struct rx_option *group)
{
    struct table *table = arg;
    struct row row = row_of(option, group);
    rx_buffer_text(table->out, "|");
    for (size_t c = 0; c < COLUMNS; c++)
        if (c < COLUMNS - 1 || table->ranges)
            write_cell(table->out, row.cells[c], "*<>[]_");
    write_cell(table->out, option->help ? option->help : "", "");
    rx_buffer_text(table->out, "\n");
}

void rx_class_describe_markdown(const struct rx_class *class, struct rx_buffer *out)
{
    struct table table = {.out = out};
    rx_buffer_printf(out, "%s.\n", class->summary ? class->summary : "");
    each_option(class, measure_option, &table);
    if (class->options && class->options->name)
        rx_buffer_printf(out, "\n| option | type | default | %sdoes |\n|---|---|---|%s---|\n",
                         table.ranges ? "range | " : "", table.ranges ? "---|" : "");
    each_option(class, write_markdown_option, &table);
    if (class->example)
        rx_buffer_printf(out, "\n```yaml excerpt\n%s\n```\n", class->example);
}
