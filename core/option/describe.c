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

static struct row row_of(const struct rx_option *option)
{
    struct row row = {0};
    bool required = option->flags & RX_REQUIRED, positional = option->flags & RX_POSITIONAL;
    snprintf(row.cells[0], sizeof row.cells[0], "%s%s", option->name, positional ? " *" : "");
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

void rx_class_describe(const struct rx_class *class, struct rx_buffer *out)
{
    static const struct row head = {{"option", "type", "default", "range"}};
    size_t widths[COLUMNS] = {0};
    bool any = class->options && class->options->name, positional = false, ranges = false;
    rx_buffer_printf(out, "%s: %s\n", class->name, class->summary ? class->summary : "");
    for (const struct rx_option *option = class->options; any && option->name; option++) {
        struct row row = row_of(option);
        measure(&row, widths);
        positional |= (option->flags & RX_POSITIONAL) != 0;
        ranges |= row.cells[3][0] != '\0';
    }
    if (any) {
        measure(&head, widths);
        widths[3] = ranges ? widths[3] : 0;
        rx_buffer_text(out, "\n");
        write_row(out, &head, widths, NULL);
    }
    for (const struct rx_option *option = class->options; any && option->name; option++) {
        struct row row = row_of(option);
        write_row(out, &row, widths, option->help);
    }
    if (positional)
        rx_buffer_text(out, "\n  * what a bare value means\n");
    if (class->example)
        rx_buffer_printf(out, "\nExample\n  %s\n", class->example);
}
