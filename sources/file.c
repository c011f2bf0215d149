/* file: the lines of a file or of standard input (NDJSON), one event each; then the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/feed/source.h"
#include "core/io/site.h"

enum {
    CHUNK_BYTES = 256 * 1024, /* read in one turn, so that the loop stays responsive */
};

struct file {
    struct rx_source source;
    const char *path;
    int format;
    uint64_t max_message;

    int fd;
    bool paused;
    struct rx_wake *turn;   /* a regular file: the next piece in the next turn of the loop */
    struct rx_watch *watch; /* a pipe: when there is something */
    char *buffer;
    size_t start, end, capacity;
    bool skipping; /* in a line that is too long: to its end */
    uint64_t line;
    unsigned run; /* counts starts: a subscriber of the last line may have left and come again */
};

static const struct rx_option options[] = {
    {.name = "path",
     .help = "the file; - is standard input",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct file, path, const char *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "format",
     .help = "what a line is: json, text, or auto (text where it cannot be JSON)",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct file, format, int),
     .fallback = "json",
     .choices = rx_format_choices},
    {.name = "max_message",
     .help = "the longest line",
     .type = RX_OPTION_SIZE,
     .offset = RX_AT(struct file, max_message, uint64_t),
     .fallback = "1MiB",
     .min = 1,
     .max = 1 << 28},
    {0},
};

static void stop(struct rx_source *source)
{
    struct file *file = (struct file *)source;
    source->running = false;
    rx_watch_destroy(file->watch);
    rx_wake_destroy(file->turn);
    file->watch = NULL;
    file->turn = NULL;
    if (file->fd > STDIN_FILENO)
        close(file->fd);
    file->fd = -1;
    free(file->buffer);
    file->buffer = NULL;
}

static void take_line(struct file *file, const char *line, size_t length)
{
    file->line++;
    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (length > 0 && strspn(line, " \t") < length)
        rx_source_message(&file->source, (enum rx_format)file->format, line, length,
                          &(struct rx_message_info){.line = file->line}, NULL);
}

static void refuse_line(struct file *file)
{
    struct rx_error error;
    file->line++;
    file->skipping = true;
    rx_error_set(&error, -EMSGSIZE, "line %llu: longer than max_message (%llu bytes)", (unsigned long long)file->line,
                 (unsigned long long)file->source.max_message);
    rx_source_reject(&file->source, RX_REJECT_TOO_LARGE, file->buffer + file->start, file->end - file->start, &error);
}

/* Takes the whole lines in the buffer. A subscriber may leave at any of them: then the buffer is gone. */
static void take_lines(struct file *file)
{
    while (file->source.running && file->start < file->end) {
        char *line = file->buffer + file->start;
        char *newline = memchr(line, '\n', file->end - file->start);
        if (!newline)
            break;
        file->start += (size_t)(newline - line) + 1;
        if (!file->skipping)
            take_line(file, line, (size_t)(newline - line));
        file->skipping = false;
    }
}

static void finish(struct file *file)
{
    struct rx_source *source = &file->source;
    unsigned run = file->run;
    if (file->start < file->end && !file->skipping)
        take_line(file, file->buffer + file->start, file->end - file->start);
    rx_source_flush(source);
    if (source->running && file->run == run) {
        stop(source);
        rx_source_complete(source);
    }
}

static void fail(struct file *file, int code, const char *what)
{
    struct rx_error error;
    rx_error_set(&error, code, "%s: %s: %s", what, file->path, strerror(-code));
    stop(&file->source);
    rx_source_fail(&file->source, &error);
}

/* Moves what is left of a line to the front; a line that fills the whole buffer is refused. */
static void make_room(struct file *file)
{
    size_t rest = file->end - file->start;
    if (rest > file->source.max_message && !file->skipping)
        refuse_line(file);
    if (file->skipping)
        rest = 0;
    if (file->source.running) {
        memmove(file->buffer, file->buffer + file->end - rest, rest);
        file->start = 0;
        file->end = rest;
    }
}

static void read_piece(struct file *file)
{
    size_t room = file->capacity - file->end;
    ssize_t n = read(file->fd, file->buffer + file->end, room < CHUNK_BYTES ? room : CHUNK_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail(file, -errno, "cannot read");
        return;
    }
    if (n == 0) {
        finish(file);
        return;
    }
    file->end += (size_t)n;
    take_lines(file);
    if (!file->source.running)
        return;
    make_room(file);
    if (file->source.running)
        rx_source_flush(&file->source);
}

static void on_turn(void *arg)
{
    struct file *file = arg;
    if (!file->paused)
        read_piece(file);
    if (file->turn && !file->paused)
        rx_wake_signal(file->turn);
}

static void on_readable(void *arg, int fd, unsigned events)
{
    (void)fd, (void)events;
    read_piece(arg);
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    struct file *file = (struct file *)source;
    (void)reterr;
    source->max_message = file->max_message;
    file->fd = -1;
    return 0;
}

/* A regular file is always readable and epoll refuses it, so it takes turns by a wake-up. */
static int watch(struct file *file)
{
    struct stat stat;
    struct rx_loop *loop = file->source.site->loop;
    if (fstat(file->fd, &stat) < 0)
        return -errno;
    if (S_ISDIR(stat.st_mode))
        return -EISDIR;
    if (!S_ISREG(stat.st_mode) && rx_watch_create(loop, file->fd, RX_READABLE, on_readable, file, &file->watch) == 0)
        return 0;
    int r = rx_wake_create(loop, on_turn, file, &file->turn);
    if (r == 0)
        rx_wake_signal(file->turn);
    return r;
}

static int open_file(struct file *file)
{
    file->fd = strcmp(file->path, "-") == 0 ? STDIN_FILENO : open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0)
        return -errno;
    file->capacity = file->source.max_message + CHUNK_BYTES;
    file->start = file->end = 0;
    file->skipping = false;
    file->line = 0;
    file->buffer = malloc(file->capacity);
    return file->buffer ? watch(file) : -ENOMEM;
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct file *file = (struct file *)source;
    source->running = true;
    file->run++;
    int r = open_file(file);
    if (r < 0) {
        stop(source);
        return rx_error_set(reterr, r, "cannot open: %s: %s", file->path, strerror(-r));
    }
    return 0;
}

static void set_paused(struct rx_source *source, bool paused)
{
    struct file *file = (struct file *)source;
    file->paused = paused;
    if (file->watch)
        rx_watch_set(file->watch, paused ? 0 : RX_READABLE);
    if (file->turn && !paused)
        rx_wake_signal(file->turn);
}

const struct rx_source_class rx_source_file = {
    .base = {.name = "file",
             .summary = "Reads a file or standard input line by line (NDJSON), then completes",
             .options = options,
             .state_size = sizeof(struct file),
             .flags = RX_SOURCE_ENDS,
             .example = "file: readings.ndjson"},
    .init = init,
    .start = start,
    .pause = set_paused,
    .stop = stop,
    .dispose = stop,
};
