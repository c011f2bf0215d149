/* rxd: the command line. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/command.h"

const struct rx_command rx_commands[] = {
    {"run", "[[-c] PATH...] [--listen ADDRESS]", "run in the foreground; the default", rx_command_run,
     "--listen ADDRESS    instead of the config's http.listen"},
    {"check", "[[-c] PATH...] [--strict]", "validate a config, touch nothing", rx_command_check,
     "--strict            warnings count as mistakes"},
    {"explain", "[-c PATH...] [NAME] [--dot]", "show the plan: steps, fields, state, first output", rx_command_explain,
     "--dot               as a graph for Graphviz"},
    {"replay", "[-c PATH...] [NAME...] < FILE", "run recorded events under virtual time", rx_command_replay,
     "A line of FILE is an event, {\"at\": MILLISECONDS, \"source\": NAME, \"next\": EVENT},\n"
     "or \"complete\": true or \"error\": TEXT in place of \"next\". {\"at\": 600, \"end\": true} stops the clock "
     "there.\n"
     "NAME is what is shown: pipelines, also X.late and X.errors. Without one: all pipelines.\n\n"
     "--subscriptions     who subscribed to what, and when\n"
     "--span N            hand events on in spans of at most N\n"
     "--no-fusion         every step on its own\n"
     "--index-from N      look conditions up where N pipelines or more read one stream\n"
     "--restart N         save everything after every N-th event or timer, and go on in a new engine\n"
     "--alternate-fusion  with --restart: in the other kind of plan each time"},
    {"test", "FILE... [--filter NAME]", "run tests of pipelines under virtual time", rx_command_test, rx_test_help},
    {"record", "URL SOURCE...", "write a running daemon's live events as replay lines", rx_command_record,
     "URL is where the daemon listens: http://127.0.0.1:8088. It ends at the first bound, at SIGINT, or when\n"
     "all sources have ended. Exit status: 0 where the recording has no holes.\n\n"
     "--max N             events; default 1000000\n"
     "--bytes N           of lines; default 1073741824\n"
     "--for DURATION      30s, 5m ...; default: without end"},
    {"diff", "OLD NEW [NAME...] < FILE", "run two configs over one recording, show where they differ", rx_command_diff,
     "OLD and NEW are configs: files or folders. FILE is a recording, as `rxd replay` reads it.\n"
     "NAME is what is compared: pipelines, also X.late and X.errors. Without one: all pipelines.\n"
     "Exit status: 0 where all outputs are the same, 1 where any differs.\n\n"
     "--untimed           only values and their order count, not times"},
    {"eval", "EXPR [--event JSON | -]", "evaluate one expression", rx_command_eval,
     "--event JSON        the event, or - for standard input; default: {}\n"
     "--explain           the compiled expression instead\n"
     "--                  before an expression that begins with a dash"},
    {"operators", "[NAME]", "list operators, sources and sinks, or describe one", rx_command_operators,
     "--all               each with its options, defaults, an example and marbles\n"
     "--markdown          the same as the page docs/reference.md"},
    {"schema", "", "the config's JSON Schema, for editors", rx_command_schema, NULL},
    {0},
};

static const char paths_help[] = "\n  -c, --config PATH   a YAML or JSON file, or a folder of them; several may follow"
                                 "\n                      (without it: /etc/rxd/rxd.yaml and /etc/rxd/pipelines.d)";

static int help(void)
{
    puts("rxd " RXD_VERSION ": reactive pipelines as a service\n\nusage: rxd COMMAND ...\n");
    for (const struct rx_command *c = rx_commands; c->name; c++)
        printf("  %-9s %-32s %s\n", c->name, c->arguments, c->summary);
    puts(paths_help);
    puts("  --help, -h          this, or after a command: its options\n"
         "  --version, -V\n\n"
         "SIGTERM and SIGINT stop in order, a second one at once; SIGHUP reloads the config.\n"
         "Exit status: 0 done or stopped in order, 1 failed, 64 wrong command line, 78 mistakes in the config.");
    return 0;
}

static int help_on(const struct rx_command *c)
{
    printf("usage: rxd %s%s%s\n\n%s\n", c->name, c->arguments[0] ? " " : "", c->arguments, c->summary);
    for (const char *line = c->options; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        printf("%s  %.*s\n", line == c->options ? "\n" : "", (int)strcspn(line, "\n"), line);
    if (strstr(c->arguments, "-c PATH"))
        puts(paths_help);
    return 0;
}

static bool is_help(const char *argument) { return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0; }

static const struct rx_command *find(const char *name)
{
    for (const struct rx_command *c = rx_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static bool is_path(const char *argument) { return strpbrk(argument, "/.") || access(argument, F_OK) == 0; }

int main(int argc, char **argv)
{
    if (argc > 1 && (is_help(argv[1]) || strcmp(argv[1], "help") == 0))
        return help();
    if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
        return puts("rxd " RXD_VERSION) < 0;
    const struct rx_command *command = argc > 1 ? find(argv[1]) : NULL;
    if (argc < 2 || argv[1][0] == '-' || (!command && is_path(argv[1])))
        return rx_command_run(argc, argv);
    if (command && argc > 2 && is_help(argv[2]))
        return help_on(command);
    if (command)
        return command->run(argc - 1, argv + 1);
    return rx_usage(NULL, "there is no command \"%s\"", argv[1]);
}
