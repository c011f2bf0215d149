/* What the commands share: paths, usage, loading a config. */
#include "daemon/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/json/json.h"
#include "daemon/front/site.h"
#include "daemon/settings.h"

int rx_usage(const char *command, const char *format, ...)
{
    va_list args;
    fputs("rxd: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    for (const struct rx_command *c = rx_commands; command && c->name; c++)
        if (strcmp(c->name, command) == 0)
            fprintf(stderr, "\nusage: rxd %s %s", c->name, c->arguments);
    fputs("\n`rxd --help` lists the commands\n", stderr);
    return RX_EXIT_USAGE;
}

void rx_paths_add(struct rx_paths *paths, const char *path)
{
    if (paths->count < RX_PATHS_MAX)
        paths->items[paths->count++] = path;
    else
        paths->lost++;
}

bool rx_paths_take(struct rx_paths *paths, int argc, char **argv, int *i)
{
    if (strcmp(argv[*i], "-c") != 0 && strcmp(argv[*i], "--config") != 0)
        return false;
    bool first = true;
    while (*i + 1 < argc && (argv[*i + 1][0] != '-' || argv[*i + 1][1] == '\0') &&
           (first || access(argv[*i + 1], F_OK) == 0 || strchr(argv[*i + 1], '/'))) {
        rx_paths_add(paths, argv[++*i]);
        first = false;
    }
    if (first)
        *i = -1;
    return true;
}

int rx_paths_finish(struct rx_paths *paths, const char *command)
{
    static const char *const places[] = {"/etc/rxd/rxd.yaml", "/etc/rxd/pipelines.d"};
    bool named = paths->count > 0;
    for (size_t i = 0; !named && i < 2; i++)
        if (access(places[i], F_OK) == 0)
            rx_paths_add(paths, places[i]);
    if (paths->lost > 0)
        return rx_usage(command, "at most %d paths: name the folder that they are in", RX_PATHS_MAX);
    return paths->count ? 0 : rx_usage(command, "name a config with -c, or put one at /etc/rxd/rxd.yaml");
}

void rx_show(const struct rx_diagnostics *diagnostics)
{
    struct rx_buffer out = {0};
    rx_diagnostics_render(diagnostics, &out);
    if (out.length)
        fwrite(out.data, 1, out.length, stderr);
    rx_buffer_finish(&out);
}

int rx_config_status(const struct rx_diagnostics *diagnostics, int result)
{
    if (result == -ENOMEM || !diagnostics || rx_diagnostics_starved(diagnostics))
        fputs("rxd: out of memory\n", stderr);
    else if (rx_diagnostics_count(diagnostics) > 0)
        return RX_EXIT_CONFIG;
    else
        fprintf(stderr, "rxd: %s\n", strerror(-result));
    return 1;
}

static int check_outside(struct rx_loaded *l, struct rx_diagnostics *diagnostics)
{
    struct rx_settings settings;
    l->arena = rx_plan_arena_create(l->heap);
    int r = l->arena ? rx_loop_create(&l->loop) : -ENOMEM;
    if (r < 0)
        return r;
    rx_settings_read(l->forest, l->arena, NULL, diagnostics, &settings);
    return rx_site_create(&(struct rx_site_options){.loop = l->loop, .heap = l->heap, .forest = l->forest}, diagnostics,
                          &l->site);
}

/* All sections are looked at, whatever mistakes one of them has, and `read` (the answer of reading them). */
static int plan(struct rx_loaded *l, const struct rx_load_options *options, int read,
                struct rx_diagnostics *diagnostics)
{
    if (!l->forest)
        return read;
    rx_diagnostics_settle(diagnostics);
    struct rx_logical_options logical = {.replay = options->replay, .shown = options->shown};
    int r = rx_logical_create(l->forest, &logical, diagnostics, &l->logical);
    size_t before = rx_diagnostics_count(diagnostics);
    int outside = options->outside ? check_outside(l, diagnostics) : 0;
    bool brokers_are_right = rx_diagnostics_count(diagnostics) == before;
    r = read < 0 ? read : r < 0 ? r : outside;
    if (r < 0 || !brokers_are_right) /* who names a broker that could not be made would be told that there is none */
        return r < 0 ? r : -EINVAL;
    struct rx_plan_options physical = {.no_fusion = options->no_fusion,
                                       .site = l->site ? rx_site_of(l->site) : NULL,
                                       .rows = options->rows,
                                       .rows_arg = options->rows_arg};
    r = rx_plan_create(l->logical, l->engine, &physical, diagnostics, &l->plan);
    return r == 0 && rx_diagnostics_count(diagnostics) > 0 ? -EINVAL : r;
}

static int make_engine(struct rx_loaded *l)
{
    *l = (struct rx_loaded){.heap = rx_heap_create(NULL), .sched = rx_sched_create(0)};
    l->engine = l->heap && l->sched ? rx_engine_create(l->heap, l->sched) : NULL;
    return l->engine ? 0 : -ENOMEM;
}

int rx_load_text(const char *text, const char *path, const struct rx_load_options *options,
                 struct rx_diagnostics *diagnostics, struct rx_loaded *l)
{
    int r = make_engine(l);
    return r < 0 ? r
                 : plan(l, options, rx_forest_read_text(text, strlen(text), path, 0, diagnostics, &l->forest),
                        diagnostics);
}

int rx_load(const struct rx_paths *paths, const struct rx_load_options *options, struct rx_loaded *l)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    int r = make_engine(l);
    if (r == 0 && !diagnostics)
        r = -ENOMEM;
    if (r == 0)
        r = plan(l, options, rx_forest_read(paths->items, paths->count, diagnostics, &l->forest), diagnostics);
    if (diagnostics) {
        rx_show(diagnostics);
        l->remarks = rx_diagnostics_remarks(diagnostics);
    }
    int status = r < 0 ? rx_config_status(diagnostics, r) : 0;
    rx_diagnostics_destroy(diagnostics);
    return status;
}

void rx_unload(struct rx_loaded *l)
{
    rx_plan_destroy(l->plan);
    rx_logical_destroy(l->logical);
    rx_site_destroy(l->site);
    rx_plan_arena_destroy(l->arena);
    rx_loop_destroy(l->loop);
    rx_forest_destroy(l->forest);
    rx_engine_destroy(l->engine);
    rx_sched_destroy(l->sched);
    rx_heap_destroy(l->heap);
    *l = (struct rx_loaded){0};
}
