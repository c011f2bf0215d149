/* rxd check: validate a config and touch nothing. */
#include <stdio.h>
#include <string.h>

#include "daemon/command.h"

static int parse(int argc, char **argv, struct rx_paths *paths, bool *strict)
{
    for (int i = 1; i < argc; i++) {
        if (rx_paths_take(paths, argc, argv, &i)) {
            if (i < 0)
                return rx_usage("check", "-c needs a file or folder");
        } else if (strcmp(argv[i], "--strict") == 0) {
            *strict = true;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return rx_usage("check", "unexpected argument \"%s\"", argv[i]);
        } else {
            rx_paths_add(paths, argv[i]);
        }
    }
    return rx_paths_finish(paths, "check");
}

static int report(const struct rx_loaded *l, bool strict)
{
    if (strict && l->remarks > 0) {
        fprintf(stderr, "rxd: %zu warning%s, and --strict\n", l->remarks, l->remarks == 1 ? "" : "s");
        return RX_EXIT_CONFIG;
    }
    size_t sources = l->plan->source_count, pipelines = l->plan->pipeline_count;
    printf("ok: %zu %s, %zu %s", sources, sources == 1 ? "source" : "sources", pipelines,
           pipelines == 1 ? "pipeline" : "pipelines");
    if (l->remarks > 0)
        printf("; %zu warning%s", l->remarks, l->remarks == 1 ? "" : "s");
    puts("");
    return 0;
}

int rx_command_check(int argc, char **argv)
{
    struct rx_paths paths = {0};
    struct rx_loaded loaded;
    bool strict = false;
    int status = parse(argc, argv, &paths, &strict);
    if (status)
        return status;
    status = rx_load(&paths, &(struct rx_load_options){.outside = true}, &loaded);
    if (status == 0)
        status = report(&loaded, strict);
    rx_unload(&loaded);
    return status;
}
