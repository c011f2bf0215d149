/* Rotation of a file. */
#include "sinks/rotate.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "core/io/gzip/gzip.h"
#include "core/io/loop/errand.h"

enum { STAMP_LENGTH = 16, SAME_SECOND_MAX = 1000, NUMBER_ROOM = 16 }; /* 20261124T221731Z; "-1000.gz" */

#define AT(field_, type_) .offset = RX_AT(struct rx_rotate_options, field_, type_)

static const struct rx_option options_table[] = {
    {.name = "size",
     .help = "at this size",
     .type = RX_OPTION_SIZE,
     AT(size, uint64_t),
     .min = 1024,
     .max = 1e15,
     .flags = RX_POSITIONAL},
    {.name = "every", .help = "at this age", .type = RX_OPTION_DURATION, AT(every, rx_time), .min = 1, .max = 3e8},
    {.name = "keep",
     .help = "how many rotated files stay; the oldest are removed",
     .type = RX_OPTION_INT,
     AT(keep, int64_t),
     .fallback = "10",
     .min = 1,
     .max = 100000},
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    const struct rx_rotate_options *o = image;
    if (o->size || o->every)
        return 0;
    rx_error_set(reterr, -EINVAL, "rotate: by what? It needs a size, an age (every), or both");
    rx_error_hint(reterr, "rotate: {size: 100MB, every: 1d, keep: 7}");
    return -EINVAL;
}

const struct rx_class rx_rotate_class = {.name = "rotate",
                                         .summary = "When a file is full",
                                         .options = options_table,
                                         .state_size = sizeof(struct rx_rotate_options),
                                         .check = check};

/* ---- names ---- */

static size_t digits(const char *text) { return strspn(text, "0123456789"); }

bool rx_rotate_is_rotated(const char *base, const char *name, bool *ret_packed)
{
    size_t length = strlen(base);
    const char *at = name + length + 1;
    if (strncmp(name, base, length) != 0 || name[length] != '.' || strlen(at) < STAMP_LENGTH)
        return false;
    if (digits(at) != 8 || at[8] != 'T' || digits(at + 9) != 6 || at[15] != 'Z')
        return false;
    at += STAMP_LENGTH;
    if (*at == '-') {
        size_t count = digits(at + 1);
        if (count == 0)
            return false;
        at += 1 + count;
    }
    *ret_packed = strcmp(at, ".gz") == 0;
    return *ret_packed || *at == '\0';
}

/* The stamp, and which of its second it is. */
static const char *stamp_of(const char *name, long *ret_number)
{
    const char *end = name + strlen(name), *at;
    if (end - name > 3 && strcmp(end - 3, ".gz") == 0)
        end -= 3;
    for (at = end; at > name && at[-1] >= '0' && at[-1] <= '9';)
        at--;
    bool numbered = at < end && at > name && at[-1] == '-';
    *ret_number = numbered ? strtol(at, NULL, 10) : 1;
    end = numbered ? at - 1 : end;
    return end - name < STAMP_LENGTH ? name : end - STAMP_LENGTH;
}

int rx_rotate_compare(const char *a, const char *b)
{
    long first, second;
    const char *one = stamp_of(a, &first), *other = stamp_of(b, &second);
    int r = strncmp(one, other, STAMP_LENGTH);
    return r ? r : (first > second) - (first < second);
}

/* ---- the thread ---- */

struct tidying {
    struct rx_errand errand;
    char *path; /* own */
    bool compress;
    int64_t keep;
    struct rx_error error; /* what it found; code 0: nothing */
    char **names;          /* rotated files in the folder, oldest first */
    size_t count, capacity;
};

static void forget_names(struct tidying *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->names[i]);
    free(t->names);
    t->names = NULL;
    t->count = t->capacity = 0;
}

static void destroy(struct tidying *t)
{
    forget_names(t);
    free(t->path);
    free(t);
}

static void orphaned(struct rx_errand *errand) { destroy((struct tidying *)errand); }

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int add_name(struct tidying *t, const char *name)
{
    if (t->count == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 32;
        char **grown = realloc(t->names, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        t->names = grown;
        t->capacity = capacity;
    }
    t->names[t->count] = strdup(name);
    if (!t->names[t->count])
        return -ENOMEM;
    t->count++;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return rx_rotate_compare(*(char *const *)a, *(char *const *)b);
}

static void note(struct tidying *t, int code, const char *what)
{
    if (!t->error.code)
        rx_error_set(&t->error, code, "%.200s: %s", what, strerror(-code));
}

/* What is half packed is of a run that ended in the middle: the file itself is still there. */
static void drop_half_packed(int folder, const char *base, const char *name)
{
    char whole[NAME_MAX + 1];
    size_t length = strlen(name), part = strlen(".tmp");
    bool packed;
    if (length <= part || length >= sizeof whole || strcmp(name + length - part, ".tmp") != 0)
        return;
    snprintf(whole, sizeof whole, "%.*s", (int)(length - part), name);
    if (rx_rotate_is_rotated(base, whole, &packed) && packed)
        unlinkat(folder, name, 0);
}

static void list_names(struct tidying *t, DIR *folder)
{
    const char *base = base_of(t->path);
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(folder));) {
        bool packed;
        if (rx_rotate_is_rotated(base, entry->d_name, &packed))
            r = add_name(t, entry->d_name);
        else
            drop_half_packed(dirfd(folder), base, entry->d_name);
    }
    if (r < 0)
        note(t, r, t->path);
    if (t->count)
        qsort(t->names, t->count, sizeof *t->names, compare_names);
}

static void remove_oldest(struct tidying *t, int folder)
{
    size_t keep = (size_t)t->keep, gone = t->count > keep ? t->count - keep : 0;
    for (size_t i = 0; i < gone; i++) {
        if (unlinkat(folder, t->names[i], 0) < 0 && errno != ENOENT)
            note(t, -errno, t->names[i]);
        free(t->names[i]);
    }
    if (gone)
        memmove(t->names, t->names + gone, (t->count -= gone) * sizeof *t->names);
}

/* Beside the path. */
static bool join(char ret[static PATH_MAX], const struct tidying *t, const char *name, const char *end)
{
    int n = snprintf(ret, PATH_MAX, "%.*s%s%s", (int)(base_of(t->path) - t->path), t->path, name, end);
    return n > 0 && n < PATH_MAX;
}

static void pack_one(struct tidying *t, const char *name)
{
    char from[PATH_MAX], to[PATH_MAX], half[PATH_MAX];
    struct rx_error error = {0};
    if (!join(from, t, name, "") || !join(to, t, name, ".gz") || !join(half, t, name, ".gz.tmp")) {
        note(t, -ENAMETOOLONG, name);
        return;
    }
    int r = rx_gzip_file(from, half, &error);
    if (r < 0) {
        t->error = t->error.code || r == -ENOENT ? t->error : error; /* who removed it meanwhile wanted it gone */
        return;
    }
    if (rename(half, to) < 0) {
        note(t, -errno, to);
        unlink(half);
    } else if (unlink(from) < 0) {
        note(t, -errno, from);
    }
}

static void pack_all(struct tidying *t)
{
    for (size_t i = 0; i < t->count; i++) {
        bool packed = false;
        if (rx_rotate_is_rotated(base_of(t->path), t->names[i], &packed) && !packed)
            pack_one(t, t->names[i]);
    }
}

/* One thread in a folder at a time: after a reload that of the former sink may still be at it. */
static void work(struct rx_errand *errand)
{
    struct tidying *t = (struct tidying *)errand;
    char path[PATH_MAX];
    DIR *folder = join(path, t, ".", "") ? opendir(path) : NULL;
    if (!folder || flock(dirfd(folder), LOCK_EX) < 0) {
        note(t, -errno, t->path);
    } else {
        list_names(t, folder);
        remove_oldest(t, dirfd(folder));
        if (t->compress)
            pack_all(t);
    }
    if (folder)
        closedir(folder);
}

/* ---- rotation ---- */

struct rx_rotate {
    const char *path;
    const struct rx_rotate_options *options;
    bool compress, again; /* again: there is more to tidy since the thread began */
    void (*told)(void *arg, const char *trouble);
    void *arg;
    char stamp[STAMP_LENGTH + 1]; /* of the last rotation, and which of its second it was; "": none yet */
    int number;
    struct rx_wake *wake;
    struct tidying *tidying; /* NULL: the thread is not at it */
};

static void on_tidied(void *arg)
{
    struct rx_rotate *r = arg;
    struct tidying *t = r->tidying;
    if (!t || !rx_errand_take(&t->errand))
        return;
    r->tidying = NULL;
    r->told(r->arg, t->error.code ? t->error.message : NULL);
    destroy(t);
    if (r->again)
        rx_rotate_tidy(r);
}

int rx_rotate_create(struct rx_loop *loop, const char *path, const struct rx_rotate_options *options, bool compress,
                     void (*told)(void *arg, const char *trouble), void *arg, struct rx_rotate **ret)
{
    struct rx_rotate *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    *r = (struct rx_rotate){.path = path, .options = options, .compress = compress, .told = told, .arg = arg};
    if (rx_wake_create(loop, on_tidied, r, &r->wake) < 0) {
        free(r);
        return -ENOMEM;
    }
    *ret = r;
    return 0;
}

void rx_rotate_destroy(struct rx_rotate *r)
{
    if (!r)
        return;
    if (r->tidying && rx_errand_abandon(&r->tidying->errand))
        destroy(r->tidying);
    rx_wake_destroy(r->wake);
    free(r);
}

void rx_rotate_tidy(struct rx_rotate *r)
{
    r->again = r->tidying != NULL;
    if (r->tidying)
        return;
    struct tidying *t = calloc(1, sizeof *t);
    char *path = strdup(r->path);
    int code = -ENOMEM;
    if (t && path) {
        *t = (struct tidying){.path = path, .compress = r->compress, .keep = r->options->keep};
        r->tidying = t;
        code = rx_errand_start(&t->errand, r->wake, work, orphaned);
    }
    if (code == 0)
        return;
    r->tidying = NULL;
    free(path);
    free(t);
    r->told(r->arg, strerror(-code));
}

static void number_path(char *path, size_t length, int number)
{
    path[length] = '\0';
    if (number > 1)
        snprintf(path + length, NUMBER_ROOM, "-%d", number);
}

/* Neither a file nor what became of it when it was packed. `path` has room for the .gz, and is as before afterwards. */
static bool is_free(char *path)
{
    size_t length = strlen(path);
    bool taken = access(path, F_OK) == 0;
    memcpy(path + length, ".gz", sizeof ".gz");
    taken = taken || access(path, F_OK) == 0;
    path[length] = '\0';
    return !taken;
}

/* Behind all that this second has had, since what was removed is older than what comes. A rotation of another run, or of the
 * former sink, is known by its file: the newest is never removed. */
static int next_number(struct rx_rotate *r, const char *stamp, char *path, size_t length)
{
    int number = 1;
    if (strcmp(r->stamp, stamp) == 0)
        return r->number + 1;
    for (int i = 1; !r->stamp[0] && i <= SAME_SECOND_MAX; i++) {
        number_path(path, length, i);
        number = is_free(path) ? number : i + 1;
    }
    return number;
}

int rx_rotate_now(struct rx_rotate *r, rx_time wall)
{
    char stamp[STAMP_LENGTH + 1], path[PATH_MAX];
    time_t seconds = (time_t)(wall / RX_SEC);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) || strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc) != STAMP_LENGTH)
        return -ERANGE;
    int length = snprintf(path, sizeof path, "%s.%s", r->path, stamp);
    if (length >= (int)sizeof path - NUMBER_ROOM)
        return -ENAMETOOLONG;
    int number = next_number(r, stamp, path, (size_t)length);
    number_path(path, (size_t)length, number);
    if (number > SAME_SECOND_MAX || !is_free(path))
        return -EEXIST;
    if (rename(r->path, path) < 0)
        return -errno;
    memcpy(r->stamp, stamp, sizeof stamp);
    r->number = number;
    rx_rotate_tidy(r);
    return 0;
}
