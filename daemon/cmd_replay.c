/* rxd replay: recorded events through the pipelines, under virtual time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/command.h"
#include "pipelines/run/replay.h"

enum { NAMES_MAX = 255 };

struct arguments {
    struct rx_paths paths;
    const char *names[NAMES_MAX + 1];
    size_t name_count;
    bool subscriptions, no_fusion, alternate_fusion;
    size_t span, index_from;
    unsigned long restart;
};

static void write_out(void *arg, const char *text, size_t length)
{
    (void)arg;
    fwrite(text, 1, length, stdout);
}

static int parse(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        if (rx_paths_take(&a->paths, argc, argv, &i)) {
            if (i < 0)
                return rx_usage("replay", "-c needs a file or folder");
        } else if (strcmp(argv[i], "--subscriptions") == 0) {
            a->subscriptions = true;
        } else if (strcmp(argv[i], "--no-fusion") == 0) {
            a->no_fusion = true;
        } else if (strcmp(argv[i], "--span") == 0 && i + 1 < argc) {
            a->span = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--index-from") == 0 && i + 1 < argc) {
            a->index_from = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--restart") == 0 && i + 1 < argc) {
            a->restart = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--alternate-fusion") == 0) {
            a->alternate_fusion = true;
        } else if (argv[i][0] == '-') {
            return rx_usage("replay", "there is no option \"%s\"", argv[i]);
        } else if (a->name_count < NAMES_MAX) {
            a->names[a->name_count++] = argv[i];
        } else {
            return rx_usage("replay", "at most %d names; without any all pipelines are shown", NAMES_MAX);
        }
    }
    return rx_paths_finish(&a->paths, "replay");
}

static int feed(struct rx_replay *replay, struct rx_error *reterr)
{
    char *line = NULL;
    size_t capacity = 0;
    int r = 0;
    for (ssize_t n; r == 0 && (n = getline(&line, &capacity, stdin)) >= 0;)
        r = rx_replay_line(replay, line, (size_t)n, reterr);
    free(line);
    return r == 0 ? rx_replay_finish(replay, reterr) : r;
}

static void tell_loss(void *arg, const char *stream, uint64_t n)
{
    (void)arg;
    fprintf(stderr, "rxd: %llu %s to %s\n", (unsigned long long)n, n == 1 ? "event went" : "events went", stream);
}

static int replay(const struct rx_logical *logical, const struct arguments *a)
{
    struct rx_replay_options options = {.names = a->names,
                                        .span = a->span,
                                        .restart = a->restart,
                                        .alternate_fusion = a->alternate_fusion,
                                        .subscriptions = a->subscriptions,
                                        .write = write_out};
    struct rx_plan_options plan_options = {.no_fusion = a->no_fusion, .index_from = a->index_from};
    struct rx_replay *run = NULL;
    struct rx_error error = {0};
    int r = rx_replay_create(logical, &plan_options, &options, &run, &error);
    if (r == 0)
        r = feed(run, &error);
    if (r < 0 && error.at.line)
        fprintf(stderr, "rxd: input line %u: %s\n", error.at.line, error.message);
    else if (r < 0)
        fprintf(stderr, "rxd: %s\n", error.message);
    if (run)
        rx_replay_losses(run, tell_loss, NULL);
    rx_replay_destroy(run);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "rxd: cannot write: %s\n", strerror(errno));
        return 1;
    }
    return r < 0;
}

int rx_command_replay(int argc, char **argv)
{
    struct arguments a = {0};
    int status = parse(argc, argv, &a);
    if (status)
        return status;
    struct rx_loaded loaded;
    status = rx_load(&a.paths, &(struct rx_load_options){.replay = true, .no_fusion = a.no_fusion, .shown = a.names},
                     &loaded);
    if (status == 0)
        status = replay(loaded.logical, &a);
    rx_unload(&loaded);
    return status;
}
