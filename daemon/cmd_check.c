/* rxd check: validate a config and touch nothing. */
#include <stdio.h>

#include "daemon/command.h"

int rx_command_check(int argc, char **argv)
{
    struct rx_paths paths = {0};
    for (int i = 1; i < argc; i++) {
        if (!rx_paths_take(&paths, argc, argv, &i))
            return rx_usage("check", "unexpected argument \"%s\"", argv[i]);
        if (i < 0)
            return rx_usage("check", "-c needs a file or folder");
    }
    rx_paths_default(&paths);
    if (!paths.count)
        return rx_usage("check", "name the config with -c");
    struct rx_loaded loaded;
    int status = rx_load(&paths, &(struct rx_load_options){.outside = true}, &loaded);
    if (status == 0)
        printf("ok: %zu sources, %zu pipelines\n", loaded.plan->source_count, loaded.plan->pipeline_count);
    rx_unload(&loaded);
    return status;
}
