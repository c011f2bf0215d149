/* rxd test --watch: runs again when a test file, a config, a recording or a table changes. Editors write a new file and rename it, so
 * that folders are watched, not files. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/cmd_test.h"

enum {
    PATHS_MAX = 4096, /* that are watched; further ones are told of */
    SETTLE_MS = 50,   /* one change is often several */
    MASK = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF,
};

struct test_watch {
    int inotify;
    char *paths[PATHS_MAX];
    int folders[PATHS_MAX]; /* the watch of the folder that each is in; of a folder its own */
    size_t count, lost;
};

/* ---- what is watched ---- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int watch_folder(const struct test_watch *w, const char *path)
{
    struct stat s;
    char *folder = strdup(path);
    if (!folder)
        return -1;
    bool itself = stat(path, &s) == 0 && S_ISDIR(s.st_mode);
    char *slash = itself ? NULL : strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    int id = inotify_add_watch(w->inotify, itself || slash ? folder : ".", MASK);
    free(folder);
    return id;
}

static void add(struct test_watch *w, const char *path)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->paths[i], path) == 0)
            return;
    char *copy = w->count < PATHS_MAX ? strdup(path) : NULL;
    int folder = copy ? watch_folder(w, path) : -1;
    if (folder < 0) {
        w->lost++;
        free(copy);
        return;
    }
    w->folders[w->count] = folder;
    w->paths[w->count++] = copy;
}

static void forget(struct test_watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->paths[i]);
    w->count = w->lost = 0;
}

void test_watch_add(struct test_watch *w, const char *path, const struct test_session *s)
{
    add(w, path);
    for (size_t i = 0; s->file.configs && s->file.configs[i]; i++)
        add(w, s->file.configs[i]);
    for (size_t i = 0; i < s->file.count; i++) {
        const struct rx_tree *input = s->file.tests[i].input;
        char *recording = input && input->kind == RX_TREE_SCALAR ? rx_test_file_path(&s->file, input->text) : NULL;
        if (recording)
            add(w, recording);
        free(recording);
    }
    for (const struct rx_plan_table *t = s->loaded.plan ? s->loaded.plan->tables : NULL; t; t = t->next)
        add(w, t->handle.path);
}

/* ---- waiting ---- */

static bool concerns(const struct test_watch *w, const struct inotify_event *e)
{
    struct stat s;
    for (size_t i = 0; i < w->count; i++) {
        if (w->folders[i] != e->wd)
            continue;
        bool folder = stat(w->paths[i], &s) == 0 && S_ISDIR(s.st_mode);
        if (folder || (e->len > 0 && strcmp(e->name, name_of(w->paths[i])) == 0))
            return true;
    }
    return (e->mask & IN_Q_OVERFLOW) != 0;
}

/* Reads what there is: whether any of it concerns us. */
static bool read_changes(const struct test_watch *w)
{
    union {
        struct inotify_event event;
        char bytes[8192];
    } room;
    bool found = false;
    for (ssize_t n; (n = read(w->inotify, room.bytes, sizeof room.bytes)) > 0;)
        for (char *at = room.bytes; at < room.bytes + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
            found = found || concerns(w, e);
            at += sizeof *e + e->len;
        }
    return found;
}

/* True: something changed; false: a signal says that it is enough. */
static bool wait_for_change(const struct test_watch *w, int signals)
{
    bool changed = false;
    for (;;) {
        struct pollfd fds[] = {{.fd = w->inotify, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        int n = poll(fds, 2, changed ? SETTLE_MS : -1);
        if ((n < 0 && errno != EINTR) || (n > 0 && fds[1].revents))
            return false;
        if (n == 0)
            return true;
        if (n > 0 && fds[0].revents)
            changed = read_changes(w) || changed;
    }
}

/* ---- the command ---- */

static sigset_t those_that_end(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

static int open_signals(void)
{
    sigset_t set = those_that_end();
    return sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC) : -1;
}

/* The folders are watched before the files are read, so that no change falls between. A signal ends a run in the middle of it. */
static int run(const struct test_arguments *a, struct test_watch *w)
{
    sigset_t set = those_that_end();
    forget(w);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    int status = test_run_files(a, w);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (w->lost)
        fprintf(stderr, "rxd: %zu files are not watched\n", w->lost);
    printf("\nwaiting for changes of %zu %s, Ctrl-C ends\n", w->count, w->count == 1 ? "file" : "files");
    fflush(stdout);
    return status;
}

int test_watch_run(const struct test_arguments *a)
{
    struct test_watch *w = calloc(1, sizeof *w);
    int signals = open_signals(), status = 1;
    if (w)
        w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (!w || w->inotify < 0 || signals < 0) {
        fprintf(stderr, "rxd: cannot watch files: %s\n", strerror(errno));
    } else {
        for (size_t i = 0; i < a->file_count; i++)
            watch_folder(w, a->files[i]);
        status = run(a, w);
        while (wait_for_change(w, signals)) {
            putchar('\n');
            status = run(a, w);
        }
    }
    if (w && w->inotify >= 0)
        close(w->inotify);
    if (signals >= 0)
        close(signals);
    if (w)
        forget(w);
    free(w);
    return status;
}
