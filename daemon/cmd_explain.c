/* rxd explain: the logical and the physical plan, what is decoded, what state is bounded by, when output comes. */
#include <stdio.h>
#include <string.h>

#include "core/json/json.h"
#include "daemon/command.h"
#include "pipelines/plan/explain.h"

struct arguments {
    struct rx_paths paths;
    const char *name;
    bool dot;
};

static int parse(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        if (rx_paths_take(&a->paths, argc, argv, &i)) {
            if (i < 0)
                return rx_usage("explain", "-c needs a file or folder");
        } else if (strcmp(argv[i], "--dot") == 0) {
            a->dot = true;
        } else if (argv[i][0] != '-' && !a->name) {
            a->name = argv[i];
        } else {
            return rx_usage("explain", "unexpected argument \"%s\"", argv[i]);
        }
    }
    return rx_paths_finish(&a->paths, "explain");
}

static int explain(const struct arguments *a, struct rx_loaded *loaded)
{
    struct rx_buffer out = {0};
    if (a->name && !rx_plan_find_pipeline(loaded->plan, a->name)) {
        fprintf(stderr, "rxd: there is no pipeline \"%s\"\n", a->name);
        return 1;
    }
    if (a->dot)
        rx_explain_dot(loaded->plan, a->name, &out);
    else
        rx_explain(loaded->plan, a->name, &out);
    printf("%.*s", (int)out.length, out.data ? out.data : "");
    rx_buffer_finish(&out);
    return 0;
}

int rx_command_explain(int argc, char **argv)
{
    struct arguments a = {0};
    struct rx_loaded loaded;
    int status = parse(argc, argv, &a);
    if (status)
        return status;
    status = rx_load(&a.paths, &(struct rx_load_options){.outside = true}, &loaded);
    if (status == 0)
        status = explain(&a, &loaded);
    rx_unload(&loaded);
    return status;
}
