/* Users' tests: what goes in, as the lines of a replay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/json/json.h"
#include "core/option/option.h"
#include "pipelines/run/replay_lines.h"
#include "pipelines/run/test_private.h"

#define RECORDING_BYTES_MAX ((size_t)256 << 20) /* of an input that is a file */

struct reading {
    const struct rx_test_file *file;
    const struct rx_test *test;
    struct rx_heap *heap;
    struct rx_diagnostics *diagnostics;
    struct rx_test_input *input;
    const struct rx_tree *source, *diagram; /* of the one at hand */
};

/* ---- lines ---- */

static int add_line(struct reading *r, rx_time at, struct rx_buffer *text, const struct rx_tree *where, size_t offset)
{
    struct rx_test_input *in = r->input;
    if (in->count == in->capacity) {
        size_t capacity = in->capacity ? in->capacity * 2 : 64;
        struct rx_test_line *bigger = realloc(in->lines, capacity * sizeof *bigger);
        if (!bigger)
            text->failed = true;
        in->lines = bigger ? bigger : in->lines;
        in->capacity = bigger ? capacity : in->capacity;
    }
    if (text->failed) {
        rx_buffer_finish(text);
        return -ENOMEM;
    }
    in->lines[in->count++] =
        (struct rx_test_line){.at = at, .text = text->data, .length = text->length, .where = where, .offset = offset};
    *text = (struct rx_buffer){0};
    return 0;
}

static void begin_line(struct rx_buffer *text, rx_time at)
{
    rx_buffer_text(text, "{\"at\":");
    rx_replay_write_ms(text, at);
}

/* ---- lists of lines ---- */

static rx_time time_of_value(const struct rx_value *at)
{
    if (at && at->kind == RX_INT && at->u.i >= 0 && at->u.i <= INT64_C(9000000000000))
        return at->u.i * RX_MSEC;
    return at && at->kind == RX_DOUBLE && at->u.d >= 0 && at->u.d <= 9e12 ? (rx_time)(at->u.d * (double)RX_MSEC) : -1;
}

/* A line as text: the replay looks at it whole; here its time is read. */
static int take_text(struct reading *r, const char *text, size_t length, const struct rx_tree *where)
{
    struct rx_buffer line = {0};
    struct rx_value value;
    struct rx_error error;
    int result = rx_json_decode(r->heap, NULL, NULL, text, length, &value, &error);
    if (result == -ENOMEM)
        return result;
    if (result < 0) {
        rx_diagnosef(r->diagnostics, where, "write {at: 10, source: NAME, next: VALUE}",
                     "this is no line of a replay: %.200s", error.message);
        return 0;
    }
    rx_time at = time_of_value(rx_object_get_text(value, "at"));
    rx_value_unref(value);
    rx_buffer_append(&line, text, length);
    return add_line(r, at, &line, where, 0);
}

/* A line as a tree, in which `at` may be a duration. */
static int take_map(struct reading *r, const struct rx_tree *map)
{
    const struct rx_tree *at_tree = rx_tree_get(map, "at");
    struct rx_buffer line = {0};
    rx_time at = -1;
    if (!at_tree || test_time_of(at_tree, &at) < 0) {
        rx_diagnosef(r->diagnostics, at_tree ? at_tree : map, NULL,
                     "`at` is a duration, as 1m30s, or a number of milliseconds");
        return 0;
    }
    begin_line(&line, at);
    for (size_t i = 0; i < map->count; i++) {
        struct rx_value value;
        if (map->items[i] == at_tree)
            continue;
        if (rx_tree_value(map->items[i], r->heap, &value) < 0) {
            rx_buffer_finish(&line);
            return -ENOMEM;
        }
        rx_buffer_text(&line, ",");
        rx_json_write_string(&line, map->keys[i]->text, map->keys[i]->length);
        rx_buffer_text(&line, ":");
        rx_json_write(&line, value);
        rx_value_unref(value);
    }
    rx_buffer_text(&line, "}");
    return add_line(r, at, &line, map, 0);
}

static int take_list(struct reading *r, const struct rx_tree *list)
{
    int result = 0;
    for (size_t i = 0; i < list->count && result == 0; i++) {
        const struct rx_tree *item = list->items[i];
        if (item->kind == RX_TREE_SCALAR)
            result = take_text(r, item->text, item->length, item);
        else if (item->kind == RX_TREE_MAP)
            result = take_map(r, item);
        else
            rx_diagnosef(r->diagnostics, item, NULL, "an input line is {at: 10, source: NAME, next: VALUE}");
    }
    return result;
}

/* ---- a recording ---- */

static int take_recording(struct reading *r, const struct rx_tree *path)
{
    char *found = rx_test_file_path(r->file, path->text), *text = NULL;
    struct rx_file_stamp stamp;
    struct rx_error error;
    size_t length = 0;
    int result = found ? rx_file_read(found, RECORDING_BYTES_MAX, &text, &length, &stamp, &error) : -ENOMEM;
    if (result < 0 && result != -ENOMEM) {
        rx_diagnosef(r->diagnostics, path,
                     "`input` is a list of lines, a mapping of sources to diagrams, or the path of a recording",
                     "%.200s: %.200s", found, error.message);
        result = 0;
    }
    for (size_t at = 0; at < length && result == 0;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t n = end ? (size_t)(end - (text + at)) : length - at;
        if (strspn(text + at, " \t\r") < n)
            result = take_text(r, text + at, n, path);
        at += n + 1;
    }
    free(text);
    free(found);
    return result;
}

/* ---- diagrams ---- */

static void begin_source_line(struct reading *r, struct rx_buffer *line, rx_time at)
{
    begin_line(line, at);
    rx_buffer_text(line, ",\"source\":");
    rx_json_write_string(line, r->source->text, r->source->length);
}

static int refuse(struct reading *r, const struct rx_marble *m, const char *message, const char *hint)
{
    struct rx_error error = {0};
    rx_error_set(&error, -EINVAL, "%s", message);
    if (hint)
        rx_error_hint(&error, "%s", hint);
    error.at = (struct rx_place){.line = 1, .column = 1, .offset = m->offset};
    rx_diagnose_inside(r->diagnostics, r->diagram, &error);
    return 0;
}

static bool is_word(const struct rx_marble *m, const char *word)
{
    return m->length == strlen(word) && memcmp(m->text, word, m->length) == 0;
}

static int write_value(struct reading *r, const struct rx_marble *m, struct rx_buffer *line)
{
    struct rx_value value;
    struct rx_error error = {0};
    int result = test_symbol(&r->test->legend, r->heap, m, &value, &error);
    if (result == -EINVAL) {
        refuse(r, m, error.message, error.hint);
        return result;
    }
    if (result < 0)
        return result;
    rx_buffer_text(line, ",\"next\":");
    rx_json_write(line, value);
    rx_value_unref(value);
    return 0;
}

static void write_error(struct reading *r, struct rx_buffer *line)
{
    const struct rx_value *text = rx_legend_find(&r->test->legend, "#", 1);
    rx_buffer_text(line, ",\"error\":");
    if (text && text->kind == RX_STRING)
        rx_json_write_string(line, text->u.text, text->aux);
    else
        rx_buffer_text(line, "\"error\"");
}

/* What stands behind `at` and the source. -EINVAL: told. */
static int write_marble(struct reading *r, const struct rx_marble *m, struct rx_buffer *line)
{
    bool known = true;
    if (m->kind == RX_MARBLE_VALUE)
        return write_value(r, m, line);
    if (m->kind == RX_MARBLE_ERROR)
        write_error(r, line);
    else if (m->kind == RX_MARBLE_COMPLETE)
        rx_buffer_text(line, ",\"complete\":true");
    else if ((known = m->kind == RX_MARBLE_WORD &&
                      (is_word(m, "disconnect") || is_word(m, "connect") || is_word(m, "restart"))))
        rx_buffer_printf(line, ",\"%.*s\":true", (int)m->length, m->text);
    if (known)
        return 0;
    if (m->kind == RX_MARBLE_LEAVE)
        refuse(r, m, "`!` ends no input", "stop the clock with `end: \"---!\"` beside `input`");
    else
        refuse(r, m, "nothing happens by that name", "[disconnect], [connect] or [restart]");
    return -EINVAL;
}

/* What stands before ^ came before anybody listened. */
static int take_marble(void *arg, const struct rx_marble *m)
{
    struct reading *r = arg;
    struct rx_buffer line = {0};
    if (m->kind == RX_MARBLE_ZERO || m->at < 0)
        return 0;
    begin_source_line(r, &line, m->at);
    int result = write_marble(r, m, &line);
    if (result == 0) {
        rx_buffer_text(&line, "}");
        return add_line(r, m->at, &line, r->diagram, m->offset);
    }
    rx_buffer_finish(&line);
    return result == -EINVAL ? 0 : result;
}

static int take_diagram(struct reading *r, const struct rx_tree *source, const struct rx_tree *diagram)
{
    struct rx_error error = {0};
    r->source = source;
    r->diagram = diagram;
    if (diagram->kind != RX_TREE_SCALAR) {
        rx_diagnosef(r->diagnostics, diagram, "for example: \"-a-b-|\"", "a source is given a diagram");
        return 0;
    }
    int result = rx_marble_parse(diagram->text, diagram->length, r->test->tick, take_marble, r, &error);
    if (result != -EINVAL)
        return result;
    rx_diagnose_inside(r->diagnostics, diagram, &error);
    return 0;
}

/* ---- the whole ---- */

/* Stable: what happens at one instant does so in the order of writing. */
static void merge(struct rx_test_line *lines, struct rx_test_line *room, size_t n)
{
    if (n < 2)
        return;
    size_t half = n / 2, a = 0, b = half;
    merge(lines, room, half);
    merge(lines + half, room, n - half);
    for (size_t i = 0; i < n; i++)
        room[i] = a < half && (b == n || lines[a].at <= lines[b].at) ? lines[a++] : lines[b++];
    memcpy(lines, room, n * sizeof *lines);
}

static int sort(struct rx_test_input *in)
{
    struct rx_test_line *room = malloc((in->count + 1) * sizeof *room);
    if (!room)
        return -ENOMEM;
    merge(in->lines, room, in->count);
    free(room);
    return 0;
}

static int take_input(struct reading *r, const struct rx_tree *input)
{
    int result = 0;
    if (input->kind == RX_TREE_LIST)
        return take_list(r, input);
    if (input->kind == RX_TREE_SCALAR)
        return take_recording(r, input);
    for (size_t i = 0; i < input->count && result == 0; i++)
        result = take_diagram(r, input->keys[i], input->items[i]);
    return result == 0 ? sort(r->input) : result;
}

/* Stops the clock, in place of what would come later. */
static int add_end(struct reading *r)
{
    struct rx_buffer line = {0};
    while (r->input->count > 0 && r->input->lines[r->input->count - 1].at > r->test->end)
        free(r->input->lines[--r->input->count].text);
    begin_line(&line, r->test->end);
    rx_buffer_text(&line, ",\"end\":true}");
    return add_line(r, r->test->end, &line, rx_tree_get(r->test->tree, "end"), 0);
}

int test_input_read(const struct rx_test_file *file, struct rx_test *test, struct rx_heap *heap,
                    struct rx_diagnostics *diagnostics)
{
    struct reading r = {.file = file, .test = test, .heap = heap, .diagnostics = diagnostics, .input = &test->in};
    int result = test->input ? take_input(&r, test->input) : 0;
    return result == 0 && test->end >= 0 ? add_end(&r) : result;
}
