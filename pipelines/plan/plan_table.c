/* The files of tables (lookup): read when the plan is made, so that `check` sees what is wrong with them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipelines/plan/plan_private.h"

static const struct rx_option *table_option(const struct rx_class *class)
{
    for (const struct rx_option *o = class->options; o && o->name; o++)
        if (o->flags & RX_TABLE)
            return o;
    return NULL;
}

/* As it stands, from the folder that rxd runs in; else from the config's own. */
static char *find_file(const char *path, const struct rx_file *config)
{
    const char *slash = strrchr(config->path, '/');
    struct rx_file_stamp none = {0};
    if (path[0] == '/' || !slash || !rx_file_stamp_same(rx_file_stamp(path), none))
        return strdup(path);
    size_t folder = (size_t)(slash + 1 - config->path), size = folder + strlen(path) + 1;
    char *found = malloc(size);
    if (found)
        snprintf(found, size, "%.*s%s", (int)folder, config->path, path);
    return found;
}

static int say(struct rx_assembly *a, const struct rx_tree *where, const char *path, const struct rx_error *error)
{
    struct rx_error named;
    if (error->at.line)
        rx_error_set(&named, error->code, "%.150s, line %u: %.250s", path, error->at.line, error->message);
    else
        rx_error_set(&named, error->code, "%.150s: %.250s", path, error->message);
    if (error->hint[0])
        rx_error_hint(&named, "%s", error->hint);
    rx_diagnose(a->diagnostics, where, &named);
    return error->code == -ENOMEM ? -ENOMEM : 0;
}

static int read_table(struct rx_plan_table *t, struct rx_error *reterr)
{
    char *text = NULL;
    size_t length;
    int r = rx_file_read(t->handle.path, RX_TABLE_BYTES_MAX, &text, &length, &t->read, reterr);
    if (r == -ENOENT && t->handle.path[0] != '/')
        rx_error_hint(reterr, "a relative path counts from where rxd runs, else from the config's folder");
    if (r == 0)
        r = rx_table_replace(&t->handle, text, length, reterr);
    free(text);
    return r;
}

static int take_rows(struct rx_plan_table *t, const char *text, bool any, struct rx_error *reterr)
{
    t->handle.options.format = RX_TABLE_JSON;
    t->handle.options.any = any;
    if (text[strspn(text, " \n")] == '{')
        t->handle.options.column = NULL;
    return rx_table_replace(&t->handle, text, strlen(text), reterr);
}

static void finish_table(void *arg) { rx_table_handle_finish(&((struct rx_plan_table *)arg)->handle); }

static struct rx_plan_table *make_table(struct rx_assembly *a, const struct rx_step *step, const void *image,
                                        const char *path)
{
    struct rx_plan_arena *arena = a->plan->arena;
    struct rx_plan_table *t = rx_plan_alloc(arena, sizeof *t);
    char *found = t ? find_file(path, step->where->file) : NULL;
    if (!found || rx_plan_defer(arena, free, found) < 0) {
        free(found);
        return NULL;
    }
    const char *const *column = rx_option_field(&step->class->base, image, "column");
    const int64_t *max_rows = rx_option_field(&step->class->base, image, "max_rows");
    t->step = step;
    t->handle = (struct rx_table_handle){
        .heap = a->plan->engine->heap,
        .path = found,
        .options = {.column = column ? *column : NULL, .max_rows = max_rows ? (uint64_t)*max_rows : UINT64_MAX}};
    return rx_plan_defer(arena, finish_table, t) == 0 ? t : NULL;
}

int rx_assembly_table(struct rx_assembly *a, struct rx_node *node)
{
    const struct rx_step *step = node->step;
    const struct rx_option *option = node->image ? table_option(&step->class->base) : NULL;
    const char *path = option ? *(const char *const *)(const void *)((const char *)node->image + option->offset) : NULL;
    if (!path)
        return 0;
    struct rx_plan_table *t = make_table(a, step, node->image, path);
    struct rx_error error = {0};
    if (!t)
        return -ENOMEM;
    bool any = false;
    const char *rows = a->options->rows ? a->options->rows(a->options->rows_arg, step, &any) : NULL;
    int r = rows ? take_rows(t, rows, any, &error) : rx_table_format_of(path, &t->handle.options.format, &error);
    if (r == 0 && !rows)
        r = read_table(t, &error);
    if (r < 0)
        return say(a, rx_option_tree(&step->class->base, step->options, option), t->handle.path, &error);
    t->next = a->plan->tables;
    a->plan->tables = t;
    node->table = &t->handle;
    return 0;
}
