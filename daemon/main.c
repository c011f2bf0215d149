/* rxd: the command line. */
#include <stdio.h>
#include <string.h>

#include "daemon/command.h"

const struct rx_command rx_commands[] = {
    {"run", "[-c PATH...] [--listen ADDRESS]", "run in the foreground; the default", rx_command_run},
    {"check", "-c PATH...", "validate a config, touch nothing", rx_command_check},
    {"explain", "-c PATH... [NAME] [--dot]", "show the plan: steps, fields, state, first output", rx_command_explain},
    {"replay", "-c PATH... [NAME...] < FILE", "run recorded events under virtual time", rx_command_replay},
    {"eval", "EXPR [--event JSON | -]", "evaluate one expression", rx_command_eval},
    {"operators", "[NAME]", "list operators, sources and sinks, or describe one", rx_command_operators},
    {0},
};

static int help(void)
{
    puts("rxd " RXD_VERSION ": reactive pipelines as a service\n\nusage: rxd COMMAND ...\n");
    for (const struct rx_command *c = rx_commands; c->name; c++)
        printf("  %-9s %-32s %s\n", c->name, c->arguments, c->summary);
    puts("\n  -c PATH   a YAML or JSON file, or a folder of them; several may follow"
         "\n            (without -c: /etc/rxd/rxd.yaml and /etc/rxd/pipelines.d)"
         "\n  replay also takes --subscriptions (who subscribed to what, and when), --span N, --no-fusion, and "
         "--restart N (save"
         "\n            everything after every N-th event or timer, and go on in a new engine; --alternate-fusion with"
         "\n            it: in the other kind of plan each time)"
         "\n  SIGTERM stops in order, SIGHUP reloads the config"
         "\n  --help, --version"
         "\n\nExit status: 0 done, 1 failed, 64 wrong command line, 78 mistakes in the config.");
    return 0;
}

static const struct rx_command *find(const char *name)
{
    for (const struct rx_command *c = rx_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0))
        return help();
    if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
        return puts("rxd " RXD_VERSION) < 0;
    if (argc < 2 || argv[1][0] == '-')
        return rx_command_run(argc, argv);
    const struct rx_command *command = find(argv[1]);
    if (command)
        return command->run(argc - 1, argv + 1);
    return rx_usage(NULL, "there is no command \"%s\"", argv[1]);
}
