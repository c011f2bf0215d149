/* The commands of rxd: what main() chooses from, and what they share. Each answers the exit status. */
#ifndef RX_DAEMON_COMMAND_H
#define RX_DAEMON_COMMAND_H

#include "pipelines/plan/plan.h"

/* sysexits.h's numbers where systemd knows them: 64 a wrong command line, 78 a bad config. Else 0, or 1 for any failure. */
enum { RX_EXIT_USAGE = 64, RX_EXIT_CONFIG = 78 };

struct rx_command {
    const char *name, *arguments, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const char *options;               /* what --help says of them, in lines; NULL: none but -c */
};

extern const struct rx_command rx_commands[]; /* ends with a NULL name */

int rx_command_run(int argc, char **argv);
int rx_command_check(int argc, char **argv);
int rx_command_explain(int argc, char **argv);
int rx_command_replay(int argc, char **argv);
int rx_command_test(int argc, char **argv);
extern const char rx_test_help[]; /* rxd test --help */
int rx_command_record(int argc, char **argv);
int rx_command_diff(int argc, char **argv);
int rx_command_eval(int argc, char **argv);
int rx_command_operators(int argc, char **argv);
int rx_command_schema(int argc, char **argv);

/* The -c PATH... of a command line: paths follow -c until the next option; -c may be repeated. */
enum { RX_PATHS_MAX = 256 };
struct rx_paths {
    const char *items[RX_PATHS_MAX];
    size_t count, lost; /* lost: beyond the most that it takes */
};
/* At argv[*i] == "-c" or "--config": takes it and its paths. False if argv[*i] is no such option; -1 in *i on a mistake. */
bool rx_paths_take(struct rx_paths *, int argc, char **argv, int *i);
void rx_paths_add(struct rx_paths *, const char *path);
/* After the command line was read: without a path /etc/rxd/rxd.yaml and /etc/rxd/pipelines.d, where they are. 0, or RX_EXIT_USAGE
 * with what is wrong told. */
int rx_paths_finish(struct rx_paths *, const char *command);

/* Says on stderr how the command is written; answers RX_EXIT_USAGE. */
int rx_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The status of a config that could not be loaded: mistakes are RX_EXIT_CONFIG, for which the unit does not start rxd again;
 * want of memory is 1, and told. `result` is a negative errno. */
int rx_config_status(const struct rx_diagnostics *, int result);
/* Writes the mistakes to stderr. */
void rx_show(const struct rx_diagnostics *);

/* A config, read and planned on an engine of its own, off-line. */
struct rx_loaded {
    struct rx_loop *loop;
    struct rx_site_owner *site;
    struct rx_plan_arena *arena;
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_forest *forest;
    struct rx_logical *logical;
    struct rx_plan *plan;
    size_t remarks; /* things that are legal and look like slips; of rx_load */
};
struct rx_load_options {
    bool outside; /* brokers and settings are checked too, as a run would; nothing is connected or opened */
    bool replay;  /* sources will be replaced */
    bool no_fusion;
    const char *const *shown; /* NULL-terminated names of streams that will be shown whole; may be NULL */
    const char *(*rows)(void *arg, const struct rx_step *, bool *ret_any); /* as of rx_plan_options */
    void *rows_arg;
};
/* 0, or the exit status after all mistakes were written to stderr. rx_unload is safe in either case. */
int rx_load(const struct rx_paths *, const struct rx_load_options *, struct rx_loaded *);
/* The same of one text, with the mistakes for the caller. 0, -EINVAL, -ENOMEM. */
int rx_load_text(const char *text, const char *path, const struct rx_load_options *, struct rx_diagnostics *,
                 struct rx_loaded *);
void rx_unload(struct rx_loaded *);

#endif
