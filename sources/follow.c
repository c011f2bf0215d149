/* Following a path. */
#include "sources/follow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_PERIOD RX_SEC

enum {
    WAITING_MAX = 16
}; /* files that took each other's place while an older one is read; later ones are seen later */

struct rx_follow {
    struct rx_sched *sched;
    const char *path;
    char *folder;
    void (*look)(void *arg);
    void *arg;
    int inotify; /* -1: none; the timer does it alone then */
    struct rx_watch *watch;
    struct rx_timer timer;
    struct {
        int fd;
        struct rx_file_identity identity;
    } waiting[RX_FOLLOW_WAITING_MAX]; /* oldest first */
    unsigned count;
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

/* The folder may come later, or another may take its place. */
static void watch_folder(struct rx_follow *f)
{
    if (f->inotify >= 0)
        inotify_add_watch(f->inotify, f->folder, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

static void on_timer(struct rx_timer *timer)
{
    struct rx_follow *f = (struct rx_follow *)(void *)((char *)timer - offsetof(struct rx_follow, timer));
    rx_sched_arm(f->sched, timer, rx_sched_now(f->sched) + LOOK_PERIOD);
    watch_folder(f);
    f->look(f->arg);
}

/* What it says in detail is not needed: it is looked for. */
static void on_event(void *arg, int fd, unsigned events)
{
    struct rx_follow *f = arg;
    char buffer[4096];
    (void)events;
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
    f->look(f->arg);
}

int rx_follow_create(struct rx_loop *loop, const char *path, void (*look)(void *arg), void *arg, struct rx_follow **ret)
{
    struct rx_follow *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    *f = (struct rx_follow){.sched = rx_loop_sched(loop),
                            .path = path,
                            .folder = folder_of(path),
                            .look = look,
                            .arg = arg,
                            .inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
                            .timer.fire = on_timer};
    int r = f->folder ? 0 : -ENOMEM;
    if (r == 0 && f->inotify >= 0)
        r = rx_watch_create(loop, f->inotify, RX_READABLE, on_event, f, &f->watch);
    if (r == 0)
        r = rx_sched_arm(f->sched, &f->timer, rx_sched_now(f->sched) + LOOK_PERIOD);
    watch_folder(f);
    if (r < 0)
        rx_follow_destroy(f);
    else
        *ret = f;
    return r;
}

void rx_follow_destroy(struct rx_follow *f)
{
    if (!f)
        return;
    rx_sched_stop(f->sched, &f->timer);
    rx_watch_destroy(f->watch);
    if (f->inotify >= 0)
        close(f->inotify);
    for (unsigned i = 0; i < f->count; i++)
        close(f->waiting[i].fd);
    free(f->folder);
    free(f);
}

static struct rx_file_identity identity_of(const struct stat *file)
{
    return (struct rx_file_identity){file->st_dev, file->st_ino};
}

static bool is_same(struct rx_file_identity a, struct rx_file_identity b)
{
    return a.device == b.device && a.inode == b.inode;
}

static bool is_newest(const struct rx_follow *f, const struct stat *at, const struct stat *reading)
{
    if (f->count > 0)
        return is_same(f->waiting[f->count - 1].identity, identity_of(at));
    return reading && is_same(identity_of(reading), identity_of(at));
}

static void add(struct rx_follow *f, int fd, struct rx_file_identity identity)
{
    f->waiting[f->count].fd = fd;
    f->waiting[f->count++].identity = identity;
    if (f->count == 1)
        rx_follow_hear(f, fd);
}

int rx_follow_notice(struct rx_follow *f, const struct stat *reading)
{
    struct stat at;
    if (stat(f->path, &at) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    if (f->count == RX_FOLLOW_WAITING_MAX || is_newest(f, &at, reading))
        return 0;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = fstat(fd, &at) < 0 ? -errno : S_ISDIR(at.st_mode) ? -EISDIR : 0;
    if (r < 0 || is_newest(f, &at, reading)) {
        close(fd);
        return r;
    }
    add(f, fd, identity_of(&at));
    return 0;
}

static bool holds_something(int fd)
{
    struct stat now;
    return fstat(fd, &now) == 0 && (now.st_size > 0 || !S_ISREG(now.st_mode));
}

bool rx_follow_has_next(const struct rx_follow *f, bool reading)
{
    return f->count > 1 || (f->count == 1 && (!reading || holds_something(f->waiting[0].fd)));
}

int rx_follow_take_next(struct rx_follow *f)
{
    int fd = f->waiting[0].fd;
    memmove(f->waiting, f->waiting + 1, --f->count * sizeof f->waiting[0]);
    return fd;
}

/* By what the descriptor names, since the path may name another file by now. Watches of older files stay: they may still
 * be written to, and end with the file. */
void rx_follow_hear(struct rx_follow *f, int fd)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (f->inotify >= 0)
        inotify_add_watch(f->inotify, name, IN_MODIFY | IN_ATTRIB);
}

int rx_follow_find(const char *path, struct rx_file_identity identity)
{
    char *folder = folder_of(path);
    DIR *dir = folder ? opendir(folder) : NULL;
    int fd = -1;
    for (struct dirent *entry; fd < 0 && dir && (entry = readdir(dir));) {
        struct stat now;
        if (entry->d_ino != identity.inode)
            continue;
        fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0 && (fstat(fd, &now) < 0 || !is_same(identity_of(&now), identity) || !S_ISREG(now.st_mode))) {
            close(fd);
            fd = -1;
        }
    }
    if (dir)
        closedir(dir);
    free(folder);
    return fd;
}

unsigned rx_follow_waiting(const struct rx_follow *f, struct rx_file_identity ret[static RX_FOLLOW_WAITING_MAX])
{
    for (unsigned i = 0; i < f->count; i++)
        ret[i] = f->waiting[i].identity;
    return f->count;
}

void rx_follow_wait_again(struct rx_follow *f, struct rx_file_identity identity)
{
    int fd = f->count < RX_FOLLOW_WAITING_MAX ? rx_follow_find(f->path, identity) : -1;
    if (fd >= 0)
        add(f, fd, identity);
}
