/* Whole files. */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rx_file_stamp stamp_of(const struct stat *s)
{
    return (struct rx_file_stamp){.device = (uint64_t)s->st_dev,
                                  .inode = (uint64_t)s->st_ino,
                                  .size = (uint64_t)s->st_size,
                                  .changed = (int64_t)s->st_mtim.tv_sec * 1000000000 + s->st_mtim.tv_nsec};
}

struct rx_file_stamp rx_file_stamp(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? stamp_of(&s) : (struct rx_file_stamp){0};
}

bool rx_file_stamp_same(struct rx_file_stamp a, struct rx_file_stamp b)
{
    return a.device == b.device && a.inode == b.inode && a.size == b.size && a.changed == b.changed;
}

static int fill(int fd, char *text, size_t length, struct rx_error *reterr)
{
    for (size_t at = 0; at < length;) {
        ssize_t n = read(fd, text + at, length - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rx_error_set(reterr, -errno, "cannot be read: %s", strerror(errno));
        if (n == 0)
            return rx_error_set(reterr, -EAGAIN, "it changed while it was read");
        at += (size_t)n;
    }
    return 0;
}

static int read_open(int fd, size_t max, char **ret, size_t *ret_length, struct rx_file_stamp *ret_stamp,
                     struct rx_error *reterr)
{
    struct stat before, after;
    if (fstat(fd, &before) < 0 || !S_ISREG(before.st_mode))
        return rx_error_set(reterr, -EINVAL, "it is no file");
    size_t length = (size_t)before.st_size;
    if (length > max)
        return rx_error_set(reterr, -E2BIG, "it has over %zu MiB", max >> 20);
    char *text = malloc(length + 1);
    if (!text)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int r = fill(fd, text, length, reterr);
    if (r == 0 && (fstat(fd, &after) < 0 || !rx_file_stamp_same(stamp_of(&before), stamp_of(&after))))
        r = rx_error_set(reterr, -EAGAIN, "it changed while it was read");
    if (r < 0) {
        free(text);
        return r;
    }
    text[length] = '\0';
    *ret = text;
    *ret_length = length;
    *ret_stamp = stamp_of(&before);
    return 0;
}

int rx_file_read(const char *path, size_t max, char **ret, size_t *ret_length, struct rx_file_stamp *ret_stamp,
                 struct rx_error *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return rx_error_set(reterr, -errno, "cannot be opened: %s", strerror(errno));
    int r = read_open(fd, max, ret, ret_length, ret_stamp, reterr);
    close(fd);
    return r;
}
