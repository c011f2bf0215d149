/* file: appends each event as a line (NDJSON), opens the file again when it fails, is moved, or is removed, and rotates it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/feed/sink.h"
#include "core/io/site.h"
#include "sinks/render.h"
#include "sinks/rotate.h"

#define RETRY_PERIOD RX_SEC
enum { WRITE_AT_BYTES = 64 * 1024, HEADER_BYTES = 16 * 1024 };

struct file {
    struct rx_sink sink;
    const char *path;
    struct rx_shaper *line;
    uint64_t max_buffer;
    int full;
    struct rx_rotate_options rotate;
    bool rotates, compress;
    struct rx_render_options format;

    struct rx_render render;
    bool wants_header; /* the file is empty: a header comes first, where there is one */
    int fd;            /* -1: not open */
    dev_t device;
    ino_t inode;
    uint64_t size;              /* of the file */
    rx_time made;               /* when it was, by the wall clock */
    struct rx_rotate *rotation; /* NULL: none */
    bool troubled;              /* and said so */
    struct rx_timer age;
    struct rx_buffer buffer; /* whole lines that are not all written yet */
    size_t begun;            /* bytes of the first of them that are in the file already */
    struct rx_timer retry;
    char fault[256];
};

static const struct rx_option options[] = {
    {.name = "path",
     .help = "the file, made if absent and always appended to; - is standard output",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct file, path, const char *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "line",
     .help = "the line, a template; default: the event in the `format`",
     .type = RX_OPTION_TEMPLATE,
     .offset = RX_AT(struct file, line, struct rx_shaper *)},
    {.name = "max_buffer",
     .help = "what is held while the file cannot be written; events past it are dropped and counted",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct file, max_buffer, uint64_t),
     .fallback = "4MiB",
     .min = 1024,
     .max = 1 << 30},
    {.name = "full",
     .help = RX_FULL_HELP,
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct file, full, int),
     .fallback = "drop",
     .choices = rx_full_choices},
    {.name = "rotate",
     .help = "when the file gets another name, PATH.20261124T221731Z, and a new one is begun",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct file, rotate, struct rx_rotate_options),
     .group = &rx_rotate_class,
     .given = RX_AT(struct file, rotates, bool)},
    {.name = "compress",
     .help = "true: rotated files are packed with gzip",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct file, compress, bool),
     .fallback = "false"},
    {.name = "format",
     .type = RX_OPTION_GROUP,
     .offset = RX_AT(struct file, format, struct rx_render_options),
     .group = &rx_render_class,
     .flags = RX_INLINE},
    {0},
};

static bool is_stdout(const struct file *file) { return strcmp(file->path, "-") == 0; }

static void watch_age(struct file *file);

/* Rotation and what is behind it is in trouble, or no more: said once. */
static void on_trouble(void *arg, const char *trouble)
{
    struct file *file = arg;
    bool news = (trouble != NULL) != file->troubled;
    const char *const pairs[] = {"stream", file->sink.pipeline, "path", file->path, trouble ? "error" : NULL, trouble,
                                 NULL};
    file->troubled = trouble != NULL;
    if (news)
        file->sink.site->log(file->sink.site, trouble ? 4 : 6,
                             trouble ? "the file cannot be rotated, or what was rotated be packed or removed"
                                     : "rotation works again",
                             pairs);
}

static void close_file(struct file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* ---- rotation ---- */

/* Where the file system does not know when it was made: when it was first opened here. */
static rx_time made_at(const struct file *file)
{
    struct statx x;
    if (statx(file->fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) == 0 && x.stx_mask & STATX_BTIME)
        return (rx_time)x.stx_btime.tv_sec * RX_SEC + x.stx_btime.tv_nsec;
    return rx_sched_wall(file->sink.sched);
}

static void watch_age(struct file *file)
{
    struct rx_sched *sched = file->sink.sched;
    if (!file->rotation || file->rotate.every == 0)
        return;
    file->made = made_at(file);
    rx_time left = file->made + file->rotate.every - rx_sched_wall(sched);
    rx_sched_arm(sched, &file->age, rx_sched_now(sched) + (left > 0 ? left : 0));
}

static size_t first_line(const struct file *file)
{
    const char *newline = file->buffer.length ? memchr(file->buffer.data, '\n', file->buffer.length) : NULL;
    return newline ? (size_t)(newline - file->buffer.data) + 1 : 0;
}

static bool is_due(const struct file *file)
{
    const struct rx_rotate_options *o = &file->rotate;
    if (!file->rotation || file->size == 0 || file->begun > 0)
        return false;
    bool old = o->every && rx_sched_wall(file->sink.sched) >= file->made + o->every;
    return old || (o->size && file->size + first_line(file) > o->size);
}

/* Between two lines. What fails is tried again with the next: the lines come first. */
static void rotate_if_due(struct file *file)
{
    if (file->fd < 0 || !is_due(file))
        return;
    int r = rx_rotate_now(file->rotation, rx_sched_wall(file->sink.sched));
    if (r < 0) {
        on_trouble(file, strerror(-r));
        return;
    }
    close_file(file);
    rx_sched_stop(file->sink.sched, &file->age);
}

/* How much of the buffer still belongs into this file: whole lines up to its size, one at least. */
static size_t fitting(const struct file *file)
{
    const char *start = file->buffer.data, *end = start + file->buffer.length;
    uint64_t room = file->rotation && file->rotate.size > file->size ? file->rotate.size - file->size : 0;
    if (!file->rotation || !file->rotate.size || room >= file->buffer.length)
        return file->buffer.length;
    const char *newline = room > 0 ? memrchr(start, '\n', (size_t)room) : NULL;
    if (!newline || newline < start + file->begun)
        newline = memchr(start + file->begun, '\n', (size_t)(end - start) - file->begun);
    return newline ? (size_t)(newline - start) + 1 : file->buffer.length;
}

/* ---- writing ---- */

/* Of a file that is there already: what its first line says are the columns. */
static void adopt_header(struct file *file)
{
    char text[HEADER_BYTES];
    int fd = file->size > 0 && file->format.format == RX_RENDER_CSV ? open(file->path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof text, 0) : 0;
    const char *newline = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
    if (newline)
        rx_render_adopt_header(&file->render, text, (size_t)(newline - text) + 1);
    if (fd >= 0)
        close(fd);
}

/* Before the first line, and no event. Of what is not written whole nothing stays. */
static int write_header(struct file *file)
{
    const struct rx_buffer *header = rx_render_header(&file->render);
    if (!file->wants_header || header->length == 0)
        return 0;
    ssize_t n = write(file->fd, header->data, header->length);
    if (n < 0)
        return -errno;
    if ((size_t)n < header->length)
        return ftruncate(file->fd, 0) < 0 ? -errno : -ENOSPC;
    file->wants_header = false;
    file->size += (size_t)n;
    return 0;
}

/* A line that was begun in another file is written again from its start. */
static int open_file(struct file *file)
{
    struct stat now;
    if (file->fd >= 0)
        return 0;
    if (is_stdout(file))
        file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        file->fd = open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    if (file->fd < 0)
        return -errno;
    if (fstat(file->fd, &now) < 0)
        return -errno;
    if (now.st_dev != file->device || now.st_ino != file->inode || (uint64_t)now.st_size < file->begun)
        file->begun = 0; /* a new file may have the number of the one that is gone */
    file->device = now.st_dev;
    file->inode = now.st_ino;
    file->size = (uint64_t)now.st_size;
    file->wants_header = file->size == 0;
    adopt_header(file);
    watch_age(file);
    return 0;
}

/* logrotate moves the file, an operator removes it: what comes next belongs under the path, not where nobody looks. */
static void leave_moved_file(struct file *file)
{
    struct stat at;
    if (file->fd < 0 || is_stdout(file))
        return;
    bool there = stat(file->path, &at) == 0;
    if (there && at.st_dev == file->device && at.st_ino == file->inode)
        return;
    const char *const pairs[] = {"stream", file->sink.pipeline, "path", file->path, NULL};
    file->sink.site->log(file->sink.site, 6,
                         there ? "the file was replaced: opened again" : "the file is gone: made anew", pairs);
    close_file(file);
}

/* The lines among the buffer's first `length` bytes have left; answers where the last of them ends. */
static size_t count_out(struct file *file, size_t length)
{
    const char *start = file->buffer.data, *at = start, *line;
    while ((line = memchr(at, '\n', (size_t)(start + length - at)))) {
        file->sink.out++;
        file->sink.held--;
        at = line + 1;
    }
    return (size_t)(at - start);
}

static int write_some(struct file *file)
{
    rotate_if_due(file);
    int r = open_file(file);
    if (r == 0)
        r = write_header(file);
    if (r < 0)
        return r;
    ssize_t n = write(file->fd, file->buffer.data + file->begun, fitting(file) - file->begun);
    if (n < 0)
        return -errno;
    file->size += (size_t)n;
    size_t written = file->begun + (size_t)n, whole = count_out(file, written);
    file->begun = written - whole;
    file->buffer.length -= whole;
    memmove(file->buffer.data, file->buffer.data + whole, file->buffer.length);
    return 0;
}

static bool is_fault(int code) { return code < 0 && code != -EAGAIN && code != -EINTR; }

static void set_fault(struct file *file, int code)
{
    file->sink.connected = !is_fault(code);
    file->sink.fault = is_fault(code) ? file->fault : NULL;
    if (is_fault(code))
        snprintf(file->fault, sizeof file->fault, "%s: %s", file->path, strerror(-code));
}

/* What cannot be written now stays, for the next second. */
static void write_out(struct file *file)
{
    leave_moved_file(file);
    int r = open_file(file);
    while (r == 0 && file->buffer.length > 0)
        r = write_some(file);
    set_fault(file, r);
    if (is_fault(r))
        close_file(file);
    if (r < 0)
        rx_sched_arm(file->sink.sched, &file->retry, rx_sched_now(file->sink.sched) + RETRY_PERIOD);
}

static void on_age(struct rx_timer *timer)
{
    struct file *file = (struct file *)(void *)((char *)timer - offsetof(struct file, age));
    if (file->fd >= 0 && file->size == 0) { /* an empty file does not age */
        rx_sched_arm(file->sink.sched, timer, rx_sched_now(file->sink.sched) + file->rotate.every);
        return;
    }
    rotate_if_due(file);
    if (file->fd >= 0) /* the clock was set back, or it failed */
        rx_sched_arm(file->sink.sched, timer, rx_sched_now(file->sink.sched) + RETRY_PERIOD);
}

static void on_retry(struct rx_timer *timer)
{
    write_out((struct file *)((char *)timer - offsetof(struct file, retry)));
}

static int init(struct rx_sink *sink, struct rx_error *reterr)
{
    struct file *file = (struct file *)sink;
    if (rx_render_init(&file->render, &file->format, sink->heap, sink->pipeline) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    file->fd = -1;
    file->retry.fire = on_retry;
    file->age.fire = on_age;
    sink->pauses = file->full == RX_FULL_PAUSE;
    return 0;
}

static int check(const void *image, struct rx_error *reterr)
{
    const struct file *file = image;
    if (file->line && file->format.format != RX_RENDER_JSON) {
        rx_error_set(reterr, -EINVAL, "line: a line is what the template makes of it, or of that format");
        rx_error_hint(reterr, "leave out `line` or `format`");
        return -EINVAL;
    }
    if (file->rotates && is_stdout(file))
        return rx_error_set(reterr, -EINVAL, "rotate: standard output cannot be rotated");
    if (rx_render_check(&file->format, reterr) < 0)
        return -EINVAL;
    if (!file->compress || file->rotates)
        return 0;
    rx_error_set(reterr, -EINVAL, "compress: only rotated files are packed, and nothing says when to rotate");
    rx_error_hint(reterr, "rotate: {size: 100MB, keep: 7}");
    return -EINVAL;
}

static int start(struct rx_sink *sink, struct rx_error *reterr)
{
    struct file *file = (struct file *)sink;
    int r = file->rotates ? rx_rotate_create(sink->site->loop, file->path, &file->rotate, file->compress, on_trouble,
                                             file, &file->rotation)
                          : 0;
    if (r < 0)
        return rx_error_set(reterr, r, "out of memory");
    if (file->rotation)
        rx_rotate_tidy(file->rotation);
    write_out(file);
    return 0;
}

static int append_line(struct file *file, const struct rx_event *event, struct rx_error *reterr)
{
    int r = 0;
    if (file->line)
        r = rx_shaper_text(file->line, &(struct rx_expr_env){.event = event}, &file->buffer, reterr);
    else
        r = rx_render_line(&file->render, &file->buffer, event, reterr);
    rx_buffer_append(&file->buffer, "\n", 1);
    if (r == 0 && file->buffer.failed)
        r = rx_error_set(reterr, -ENOMEM, "out of memory");
    return r;
}

static int write_event(struct rx_sink *sink, const struct rx_event *event, struct rx_error *reterr)
{
    struct file *file = (struct file *)sink;
    size_t before = file->buffer.length;
    if (before >= file->max_buffer)
        return -EAGAIN;
    int r = append_line(file, event, reterr);
    if (r < 0) {
        file->buffer.length = before;
        file->buffer.failed = false;
        return r;
    }
    /* A template, or a text in a cell, may hold line breaks of its own: a line is one event. */
    for (char *c = file->buffer.data + before; c < file->buffer.data + file->buffer.length - 1; c++)
        if (*c == '\n')
            *c = ' ';
    sink->held++;
    if (file->buffer.length >= WRITE_AT_BYTES && !rx_timer_armed(&file->retry))
        write_out(file);
    return 0;
}

static void flush(struct rx_sink *sink)
{
    struct file *file = (struct file *)sink;
    if (file->buffer.length > 0 && !rx_timer_armed(&file->retry))
        write_out(file);
}

static bool drain(struct rx_sink *sink)
{
    struct file *file = (struct file *)sink;
    flush(sink);
    return file->buffer.length == 0;
}

static void stop(struct rx_sink *sink)
{
    struct file *file = (struct file *)sink;
    if (file->buffer.length > 0 && !sink->handed_over)
        write_out(file);
    rx_sched_stop(sink->sched, &file->retry);
    rx_sched_stop(sink->sched, &file->age);
    rx_rotate_destroy(file->rotation);
    file->rotation = NULL;
    close_file(file);
    sink->connected = false;
}

/* The lines that are not in the file, the first of them perhaps in part. */
static void save(struct rx_sink *sink, struct rx_writer *w)
{
    struct file *file = (struct file *)sink;
    rx_write_uint(w, file->device);
    rx_write_uint(w, file->inode);
    rx_write_uint(w, file->begun);
    rx_write_text(w, file->buffer.data, file->buffer.length);
}

static int load(struct rx_sink *sink, struct rx_reader *r)
{
    struct file *file = (struct file *)sink;
    size_t length = 0;
    dev_t device = (dev_t)rx_read_uint(r);
    ino_t inode = (ino_t)rx_read_uint(r);
    size_t begun = rx_read_uint(r);
    const char *lines = rx_read_text(r, &length);
    if (rx_reader_failed(r) || begun > length)
        return -EBADMSG;
    rx_buffer_append(&file->buffer, lines, length);
    if (file->buffer.failed)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++)
        sink->held += lines[i] == '\n';
    file->begun = device == file->device && inode == file->inode ? begun : 0;
    if (length > 0)
        write_out(file);
    return 0;
}

static void dispose(struct rx_sink *sink)
{
    struct file *file = (struct file *)sink;
    rx_render_finish(&file->render);
    rx_buffer_finish(&file->buffer);
}

const struct rx_sink_class rx_sink_file = {
    .base = {.name = "file",
             .summary = "Appends each event to a file as a line: JSON, CSV or InfluxDB's",
             .options = options,
             .state_size = sizeof(struct file),
             .example = "file: /var/lib/rxd/averages.ndjson",
             .check = check},
    .init = init,
    .start = start,
    .write = write_event,
    .flush = flush,
    .drain = drain,
    .stop = stop,
    .save = save,
    .load = load,
    .dispose = dispose,
};
