/* Many `rxd replay` in one process, for tests that run tens of thousands: what a process costs is paid once.
 *
 *   rxd_replays FOLDER      a request is a line on standard input: the arguments behind `rxd replay`, a tab between. It reads
 *                           FOLDER/in, writes FOLDER/out and FOLDER/err, and is answered by its exit status on a line. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/command.h"

enum { ARGUMENTS_MAX = 64 };

const struct rx_command rx_commands[] = {{.name = "replay", .run = rx_command_replay}, {0}};

static int open_all(void)
{
    return freopen("in", "r", stdin) && freopen("out", "w", stdout) && freopen("err", "w", stderr) ? 0 : -1;
}

static int run(char *line)
{
    char *argv[ARGUMENTS_MAX] = {"replay"}, *rest = NULL;
    int argc = 1;
    line[strcspn(line, "\n")] = '\0';
    for (char *word = strtok_r(line, "\t", &rest); word && argc < ARGUMENTS_MAX - 1; word = strtok_r(NULL, "\t", &rest))
        argv[argc++] = word;
    if (open_all() < 0)
        return -1;
    int status = rx_command_replay(argc, argv);
    return fflush(stdout) == 0 && fflush(stderr) == 0 ? status : -1;
}

int main(int argc, char **argv)
{
    FILE *requests = fdopen(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), "r");
    FILE *answers = fdopen(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), "w");
    if (argc != 2 || !requests || !answers || chdir(argv[1]) < 0)
        return 64;
    char *line = NULL;
    size_t capacity = 0;
    int status = 0;
    while (status >= 0 && getline(&line, &capacity, requests) >= 0) {
        status = run(line);
        fprintf(answers, "%d\n", status);
        fflush(answers);
    }
    free(line);
    fclose(requests);
    fclose(answers);
    return status < 0;
}
