/* file: the lines of a file or of standard input (NDJSON), one event each; then the end, or what is added (`follow`). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/feed/source.h"
#include "core/io/site.h"
#include "sources/follow.h"

enum {
    CHUNK_BYTES = 256 * 1024, /* read in one turn, so that the loop stays responsive */
};

struct file {
    struct rx_source source;
    const char *path;
    bool follow;

    int fd;
    bool paused;
    struct rx_follow *following; /* NULL: not */
    bool at_end;                 /* of what there is: it waits for more */
    bool left;                   /* it has a successor that holds something: once more at its end, it is done */
    char fault[256];
    struct rx_wake *turn;   /* a regular file: the next piece in the next turn of the loop */
    struct rx_watch *watch; /* a pipe: when there is something */
    char *buffer;
    size_t start, end, capacity;
    bool skipping; /* in a line that is too long: to its end */
    uint64_t line;
    enum rx_format format; /* of what it holds */
    const struct rx_format_class *messages;
    struct rx_message_info info;
    unsigned run; /* counts starts: a subscriber of the last line may have left and come again */

    /* Where the next start goes on: what was read and not yet taken in, and the place behind it in a file that is still
     * the same. */
    struct {
        bool set;
        struct rx_file_identity identity, waiting[RX_FOLLOW_WAITING_MAX];
        unsigned waiting_count;
        off_t offset;
        uint64_t line;
        bool skipping;
        char *rest;
        size_t rest_length;
    } loaded;
};

static const struct rx_option options[] = {
    {.name = "path",
     .help = "the file; - is standard input",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct file, path, const char *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "follow",
     .help = "true: reads on as `tail -F` does: what is added, and the file that takes its place",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct file, follow, bool),
     .fallback = "false"},
    {0},
};

static void stop(struct rx_source *source)
{
    struct file *file = (struct file *)source;
    source->running = false;
    rx_watch_destroy(file->watch);
    rx_wake_destroy(file->turn);
    rx_follow_destroy(file->following);
    file->watch = NULL;
    file->turn = NULL;
    file->following = NULL;
    source->fault = NULL;
    if (file->fd > STDIN_FILENO)
        close(file->fd);
    file->fd = -1;
    free(file->buffer);
    file->buffer = NULL;
}

static size_t without_break(const char *text, size_t length)
{
    length -= length > 0 && text[length - 1] == '\n';
    return length - (length > 0 && text[length - 1] == '\r');
}

static unsigned count_lines(const char *at, size_t length)
{
    unsigned lines = 0;
    for (const char *end = at + length; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    return lines;
}

/* A message with its line break, if it has one. False: the subscribers have left, and the buffer with them. */
static bool take_message(struct file *file, struct rx_source_run *run, const char *bytes, size_t length)
{
    const struct rx_format_class *class = file->messages;
    file->info.line = class->binary ? 0 : file->line + 1;
    file->line += class->message_end ? count_lines(bytes, length) : 1;
    length = class->binary ? length : without_break(bytes, length);
    if (!class->binary && rx_format_skip_space(bytes, bytes + length) == bytes + length)
        return true;
    return rx_source_run_message(run, bytes, length, &file->info);
}

/* The last message of a file needs no line break. */
static void take_rest(struct file *file)
{
    struct rx_source_run run;
    if (file->start == file->end || file->skipping)
        return;
    rx_source_run_begin(&run, &file->source, file->format);
    take_message(file, &run, file->buffer + file->start, file->end - file->start);
    rx_source_run_end(&run);
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

/* Behind the next message in the buffer. NULL: it is not all there. What follows something too long begins with a line; among
 * bytes that are no lines nothing can be told apart any more. */
static char *message_end(struct file *file)
{
    char *at = file->buffer + file->start, *end = file->buffer + file->end;
    if (!file->skipping && file->messages->message_end)
        return (char *)(uintptr_t)rx_source_message_end(&file->source, file->format, at, end);
    char *newline = file->skipping && file->messages->binary ? NULL : memchr(at, '\n', (size_t)(end - at));
    return newline ? newline + 1 : NULL;
}

/* Those lines that need no look of ours. False: there is none. */
static bool take_lines(struct file *file, struct rx_source_run *run, bool *ret_there)
{
    const char *at = file->buffer + file->start, *end = file->buffer + file->end;
    size_t lines = file->skipping ? 0 : rx_source_run_lines(run, &at, end, ret_there);
    if (lines > 0 && *ret_there) {
        file->line += lines;
        file->start = (size_t)(at - file->buffer);
    }
    return lines > 0;
}

/* Takes the whole messages in the buffer. A subscriber may leave at any of them: then the buffer is gone. */
static void take_messages(struct file *file)
{
    struct rx_source_run run;
    bool there = true;
    rx_source_run_begin(&run, &file->source, file->format);
    while (there && file->start < file->end) {
        if (take_lines(file, &run, &there))
            continue;
        char *from = file->buffer + file->start, *behind = message_end(file);
        if (!behind)
            break;
        file->start += (size_t)(behind - from);
        if (!file->skipping)
            there = take_message(file, &run, from, (size_t)(behind - from));
        if (there)
            file->skipping = false;
    }
    rx_source_run_end(&run);
}

static void finish(struct file *file)
{
    struct rx_source *source = &file->source;
    unsigned run = file->run;
    take_rest(file);
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

/* ---- following ---- */

/* What the file held before it was cut is gone: a line that had begun too. */
static void start_over(struct file *file)
{
    struct rx_error error;
    rx_error_set(&error, -EBADMSG, "the file was cut in the middle of a line");
    if (file->start < file->end && !file->skipping)
        rx_source_reject(&file->source, RX_REJECT_SYNTAX, file->buffer + file->start, file->end - file->start, &error);
    file->start = file->end = 0;
    file->skipping = false;
    file->line = 0;
    rx_source_stream_begin(&file->source);
}

/* Its last line needs no newline. */
static void change_to(struct file *file, int fd)
{
    unsigned run = file->run;
    take_rest(file);
    if (!file->source.running || file->run != run) {
        close(fd);
        return;
    }
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    file->start = file->end = 0;
    file->skipping = false;
    file->line = 0;
    file->at_end = false;
    rx_source_stream_begin(&file->source);
    rx_follow_hear(file->following, fd);
}

/* At its end: the file was cut, another goes on from it, or nothing. Between its end and the first look at the other it may
 * have got its last lines. */
static void wait_for_more(struct file *file)
{
    struct stat now;
    bool open = file->fd >= 0 && fstat(file->fd, &now) == 0;
    file->at_end = true;
    if (open && S_ISREG(now.st_mode) && now.st_size < lseek(file->fd, 0, SEEK_CUR) &&
        lseek(file->fd, 0, SEEK_SET) == 0) {
        start_over(file);
        file->at_end = false;
        return;
    }
    bool next = rx_follow_has_next(file->following, open);
    if (next && (file->left || !open))
        change_to(file, rx_follow_take_next(file->following));
    else if (next)
        file->at_end = false;
    file->left = next && !file->left;
    if (file->source.running)
        rx_source_flush(&file->source);
}

static void set_fault(struct file *file, int code)
{
    snprintf(file->fault, sizeof file->fault, "%.180s: %s", file->path, code < 0 ? strerror(-code) : "");
    file->source.fault = code < 0 ? file->fault : NULL;
}

static void on_look(void *arg)
{
    struct file *file = arg;
    struct stat reading;
    bool open = file->fd >= 0 && fstat(file->fd, &reading) == 0;
    set_fault(file, rx_follow_notice(file->following, open ? &reading : NULL));
    file->at_end = false;
    if (!file->paused)
        rx_wake_signal(file->turn);
}

/* ---- reading ---- */

static void read_piece(struct file *file)
{
    if (file->fd < 0) {
        wait_for_more(file);
        return;
    }
    size_t room = file->capacity - file->end;
    ssize_t n = read(file->fd, file->buffer + file->end, room < CHUNK_BYTES ? room : CHUNK_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        file->at_end = file->following && errno == EAGAIN; /* a pipe */
        return;
    }
    if (n < 0) {
        fail(file, -errno, "cannot read");
        return;
    }
    if (n == 0) {
        if (file->following)
            wait_for_more(file);
        else
            finish(file);
        return;
    }
    file->end += (size_t)n;
    file->left = false;
    take_messages(file);
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
    if (file->turn && !file->paused && !file->at_end)
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

static void forget_loaded(struct file *file)
{
    free(file->loaded.rest);
    memset(&file->loaded, 0, sizeof file->loaded);
}

/* Another file of that name, or one that was cut, is read from its start. What came through a pipe is not there again. */
static bool go_on(struct file *file)
{
    struct stat now;
    if (fstat(file->fd, &now) < 0)
        return false;
    bool regular = S_ISREG(now.st_mode);
    if (regular && (now.st_dev != file->loaded.identity.device || now.st_ino != file->loaded.identity.inode ||
                    now.st_size < file->loaded.offset || lseek(file->fd, file->loaded.offset, SEEK_SET) < 0))
        return false;
    if (file->loaded.rest_length > file->capacity)
        return false;
    if (file->loaded.rest_length)
        memcpy(file->buffer, file->loaded.rest, file->loaded.rest_length);
    file->end = file->loaded.rest_length;
    file->line = file->loaded.line;
    file->skipping = file->loaded.skipping;
    return true;
}

static int make_buffer(struct file *file)
{
    file->capacity = file->source.max_message + CHUNK_BYTES;
    file->start = file->end = 0;
    file->skipping = false;
    file->line = 0;
    file->buffer = malloc(file->capacity);
    return file->buffer ? 0 : -ENOMEM;
}

static int open_file(struct file *file)
{
    file->fd = strcmp(file->path, "-") == 0 ? STDIN_FILENO : open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0)
        return -errno;
    int r = make_buffer(file);
    if (r == 0)
        r = watch(file);
    if (r == 0 && !(file->loaded.set && go_on(file)))
        rx_source_stream_begin(&file->source);
    return r;
}

/* The file that was read before may have another name by now. What stands under the path comes after it. */
static int begin_following(struct file *file)
{
    struct rx_loop *loop = file->source.site->loop;
    file->at_end = false;
    int r = make_buffer(file);
    if (r == 0)
        r = rx_wake_create(loop, on_turn, file, &file->turn);
    if (r == 0)
        r = rx_follow_create(loop, file->path, on_look, file, &file->following);
    if (r < 0)
        return r;
    if (file->loaded.set)
        file->fd = rx_follow_find(file->path, file->loaded.identity);
    if (file->fd < 0 || !go_on(file))
        rx_source_stream_begin(&file->source);
    if (file->fd >= 0)
        rx_follow_hear(file->following, file->fd);
    for (unsigned i = 0; i < file->loaded.waiting_count; i++)
        rx_follow_wait_again(file->following, file->loaded.waiting[i]);
    on_look(file);
    return 0;
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct file *file = (struct file *)source;
    source->running = true;
    file->run++;
    file->format = rx_source_format(source);
    file->messages = rx_format_class_of(file->format);
    file->info = (struct rx_message_info){.stream = true};
    int r = file->follow ? begin_following(file) : open_file(file);
    forget_loaded(file);
    if (r < 0) {
        stop(source);
        return rx_error_set(reterr, r, "cannot open: %s: %s", file->path, strerror(-r));
    }
    return 0;
}

static int check(const void *image, struct rx_error *reterr)
{
    const struct file *file = image;
    if (!file->follow || strcmp(file->path, "-") != 0)
        return 0;
    return rx_error_set(reterr, -EINVAL, "follow: standard input cannot be followed; it is read until it ends");
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

static void save_waiting(const struct file *file, struct rx_writer *w)
{
    struct rx_file_identity waiting[RX_FOLLOW_WAITING_MAX];
    unsigned count = file->following ? rx_follow_waiting(file->following, waiting) : 0;
    rx_write_uint(w, count);
    for (unsigned i = 0; i < count; i++) {
        rx_write_uint(w, waiting[i].device);
        rx_write_uint(w, waiting[i].inode);
    }
}

static void load_waiting(struct file *file, struct rx_reader *r)
{
    uint64_t count = rx_read_uint(r);
    if (count > RX_FOLLOW_WAITING_MAX) {
        rx_reader_fail(r, -EBADMSG);
        return;
    }
    file->loaded.waiting_count = (unsigned)count;
    for (unsigned i = 0; i < count; i++) {
        file->loaded.waiting[i].device = (dev_t)rx_read_uint(r);
        file->loaded.waiting[i].inode = (ino_t)rx_read_uint(r);
    }
}

static void save(struct rx_source *source, struct rx_writer *w)
{
    struct file *file = (struct file *)source;
    struct stat now;
    bool open = file->fd >= 0 && fstat(file->fd, &now) == 0;
    rx_write_bool(w, open);
    if (!open)
        return;
    off_t offset = S_ISREG(now.st_mode) ? lseek(file->fd, 0, SEEK_CUR) : 0;
    rx_write_uint(w, now.st_dev);
    rx_write_uint(w, now.st_ino);
    rx_write_int(w, offset);
    rx_write_uint(w, file->line);
    rx_write_bool(w, file->skipping);
    rx_write_text(w, file->buffer + file->start, file->end - file->start);
    save_waiting(file, w);
    rx_source_save_stream(&file->source, w);
}

static int load(struct rx_source *source, struct rx_reader *r)
{
    struct file *file = (struct file *)source;
    if (!rx_read_bool(r))
        return r->failed;
    size_t length = 0;
    file->loaded.identity.device = (dev_t)rx_read_uint(r);
    file->loaded.identity.inode = (ino_t)rx_read_uint(r);
    file->loaded.offset = (off_t)rx_read_int(r);
    file->loaded.line = rx_read_uint(r);
    file->loaded.skipping = rx_read_bool(r);
    const char *rest = rx_read_text(r, &length);
    if (rx_reader_failed(r))
        return r->failed;
    file->loaded.rest = malloc(length + 1);
    if (!file->loaded.rest)
        return -ENOMEM;
    memcpy(file->loaded.rest, rest, length);
    file->loaded.rest_length = length;
    file->loaded.set = true;
    load_waiting(file, r);
    return rx_source_load_stream(source, r);
}

static void dispose(struct rx_source *source)
{
    stop(source);
    forget_loaded((struct file *)source);
}

const struct rx_source_class rx_source_file = {
    .base = {.name = "file",
             .summary = "Reads a file or standard input line by line (NDJSON), then completes, or follows it",
             .options = options,
             .state_size = sizeof(struct file),
             .flags = RX_SOURCE_ENDS,
             .example = "file: readings.ndjson",
             .check = check},
    .init = init,
    .format = RX_FORMAT_JSON,
    .start = start,
    .pause = set_paused,
    .stop = stop,
    .state_version = 2,
    .save = save,
    .load = load,
    .dispose = dispose,
};
