/* file: appends each event as a line (NDJSON), and opens the file again when it fails, is moved, or is removed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/feed/sink.h"
#include "core/io/site.h"
#include "sinks/frame.h"

#define RETRY_PERIOD RX_SEC
enum { WRITE_AT_BYTES = 64 * 1024 };

struct file {
    struct rx_sink sink;
    const char *path;
    struct rx_shaper *line;
    uint64_t max_buffer;
    int full;

    int fd; /* -1: not open */
    dev_t device;
    ino_t inode;
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
     .help = "the line, a template; default: the event as JSON",
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
    {0},
};

static bool is_stdout(const struct file *file) { return strcmp(file->path, "-") == 0; }

static void close_file(struct file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
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
    if (now.st_dev != file->device || now.st_ino != file->inode)
        file->begun = 0;
    file->device = now.st_dev;
    file->inode = now.st_ino;
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
    int r = open_file(file);
    if (r < 0)
        return r;
    ssize_t n = write(file->fd, file->buffer.data + file->begun, file->buffer.length - file->begun);
    if (n < 0)
        return -errno;
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

static void on_retry(struct rx_timer *timer)
{
    write_out((struct file *)((char *)timer - offsetof(struct file, retry)));
}

static int init(struct rx_sink *sink, struct rx_error *reterr)
{
    struct file *file = (struct file *)sink;
    (void)reterr;
    file->fd = -1;
    file->retry.fire = on_retry;
    sink->pauses = file->full == RX_FULL_PAUSE;
    return 0;
}

static int start(struct rx_sink *sink, struct rx_error *reterr)
{
    (void)reterr;
    write_out((struct file *)sink);
    return 0;
}

static int append_line(struct file *file, const struct rx_event *event, struct rx_error *reterr)
{
    int r = 0;
    if (file->line)
        r = rx_shaper_text(file->line, &(struct rx_expr_env){.event = event}, &file->buffer, reterr);
    else
        rx_frame_json(&file->buffer, event);
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
    /* A template may hold line breaks of its own: a line is one event. */
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
    rx_buffer_finish(&file->buffer);
}

const struct rx_sink_class rx_sink_file = {
    .base = {.name = "file",
             .summary = "Appends each event to a file as a line of JSON",
             .options = options,
             .state_size = sizeof(struct file),
             .example = "file: /var/lib/rxd/averages.ndjson"},
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
