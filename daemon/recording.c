/* A recording being written. */
#include "daemon/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

#define PATIENCE (250 * RX_MSEC) /* how long a line waits for those of other sources before it */
enum { LINE_MAX_BYTES = 32 * 1024 * 1024 };

struct rx_recording_line {
    int64_t at; /* microseconds */
    rx_time came;
    char *text; /* what follows `{"at":...`, with the newline */
    size_t length;
};

/* ---- writing ---- */

static void put(struct rx_recording *r, const char *text, size_t length)
{
    if (!r->failed && fwrite(text, 1, length, r->out) != length)
        r->failed = errno ? -errno : -EIO;
    r->bytes += length;
}

static int format_at(int64_t us, char *out, size_t size)
{
    return us % 1000 ? snprintf(out, size, "{\"at\":%lld.%03lld", (long long)(us / 1000), (long long)(us % 1000))
                     : snprintf(out, size, "{\"at\":%lld", (long long)(us / 1000));
}

/* The clock begins a whole millisecond before the first event, or at it. */
static void put_start(struct rx_recording *r, int64_t us)
{
    char line[64];
    put(r, line, (size_t)snprintf(line, sizeof line, "{\"at\":%lld,\"start\":true}\n", (long long)(us / 1000)));
}

static void put_line(struct rx_recording *r, const struct rx_recording_line *line)
{
    char head[48];
    bool late = r->events > 0 && line->at < r->last;
    if (r->full || r->failed)
        return;
    if (r->events == 0)
        put_start(r, line->at);
    r->late += late;
    r->last = late ? r->last : line->at;
    put(r, head, (size_t)format_at(r->last, head, sizeof head));
    put(r, line->text, line->length);
    r->events++;
    r->full = (r->max_events && r->events >= r->max_events) || (r->max_bytes && r->bytes >= r->max_bytes);
}

/* The first n of those that wait. */
static void write_first(struct rx_recording *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_line(r, &r->waiting[i]);
        free(r->waiting[i].text);
    }
    if (n > 0)
        memmove(r->waiting, r->waiting + n, (r->waiting_count - n) * sizeof *r->waiting);
    r->waiting_count -= n;
    if (n > 0 && fflush(r->out) != 0 && !r->failed)
        r->failed = -errno;
}

void rx_recording_settle(struct rx_recording *r, rx_time now)
{
    size_t n = 0;
    for (size_t i = 0; i < r->waiting_count; i++)
        if (!r->merges || now - r->waiting[i].came >= PATIENCE)
            n = i + 1; /* and what is before it in time */
    write_first(r, n);
}

void rx_recording_finish(struct rx_recording *r)
{
    write_first(r, r->waiting_count);
    free(r->waiting);
    r->waiting = NULL;
    r->waiting_capacity = 0;
}

static bool has_room(struct rx_recording *r)
{
    if (r->waiting_count < r->waiting_capacity)
        return true;
    size_t capacity = r->waiting_capacity ? r->waiting_capacity * 2 : 64;
    struct rx_recording_line *bigger = realloc(r->waiting, capacity * sizeof *bigger);
    if (!bigger)
        return false;
    r->waiting = bigger;
    r->waiting_capacity = capacity;
    return true;
}

/* Its place is most often the last. */
static int add_take(struct rx_recording *r, struct rx_recording_line line)
{
    if (!line.text || !has_room(r)) {
        free(line.text);
        return r->failed = -ENOMEM;
    }
    size_t i = r->waiting_count++;
    for (; i > 0 && r->waiting[i - 1].at > line.at; i--)
        r->waiting[i] = r->waiting[i - 1];
    r->waiting[i] = line;
    return 0;
}

/* ---- reading ---- */

static int refuse(struct rx_recorded_reader *reader, const char *why, size_t length)
{
    snprintf(reader->why, sizeof reader->why, "%.*s", (int)(length < 150 ? length : 150), why);
    return -EPROTO;
}

static int strange(struct rx_recorded_reader *reader)
{
    static const char why[] = "the answer is not what an rxd tells of a source";
    return refuse(reader, why, sizeof why - 1);
}

/* Milliseconds with three digits or six behind the point, or none. */
static const char *read_at(const char *text, int64_t *ret_us)
{
    char *end;
    long long ms = strtoll(text, &end, 10), us = 0;
    if (end == text)
        return NULL;
    if (*end == '.') {
        const char *digits = end + 1;
        for (int i = 0; i < 3; i++, digits++)
            us = us * 10 + (*digits >= '0' && *digits <= '9' ? *digits - '0' : 0);
        end = (char *)(uintptr_t)digits + strspn(digits, "0123456789");
    }
    *ret_us = ms * 1000 + us;
    return end;
}

static int add(struct rx_recording *r, const char *source, int64_t at, rx_time now, const char *rest, size_t length)
{
    struct rx_buffer text = {0};
    rx_buffer_text(&text, ",\"source\":");
    rx_json_write_string(&text, source, strlen(source));
    rx_buffer_append(&text, rest, length);
    rx_buffer_text(&text, "\n");
    struct rx_recording_line line = {.at = at, .came = now, .length = text.length};
    line.text = text.failed ? NULL : malloc(text.length);
    if (line.text)
        memcpy(line.text, text.data, text.length);
    rx_buffer_finish(&text);
    return add_take(r, line);
}

/* {"id":"...","at":T,...}: the value stays as it is written, byte by byte. */
static int take_message(struct rx_recorded_reader *reader, struct rx_recording *r, const char *source, rx_time now)
{
    static const char id[] = "{\"id\":\"", between[] = "\",\"at\":";
    const char *text = reader->data.data;
    int64_t at;
    const char *rest = strncmp(text, id, sizeof id - 1) == 0 ? strchr(text + sizeof id - 1, '"') : NULL;
    rest = rest && strncmp(rest, between, sizeof between - 1) == 0 ? read_at(rest + sizeof between - 1, &at) : NULL;
    return rest && *rest == ',' ? add(r, source, at, now, rest, strlen(rest)) : strange(reader);
}

/* {"complete":true,"at":T} and {"error":TEXT,"at":T} are the source's; an error without a time is the daemon's. */
static int take_end(struct rx_recorded_reader *reader, struct rx_recording *r, const char *source, rx_time now)
{
    static const char mark[] = ",\"at\":";
    const char *text = reader->data.data, *found = NULL;
    int64_t at;
    for (const char *next = strstr(text, mark); next; next = strstr(next + 1, mark))
        found = next;
    const char *rest = found ? read_at(found + sizeof mark - 1, &at) : NULL;
    if (!rest || strcmp(rest, "}") != 0)
        return refuse(reader, text, reader->data.length);
    struct rx_buffer out = {0};
    rx_buffer_text(&out, ",");
    rx_buffer_append(&out, text + 1, (size_t)(found - text - 1));
    rx_buffer_text(&out, "}");
    int result = out.failed ? -ENOMEM : add(r, source, at, now, out.data, out.length);
    rx_buffer_finish(&out);
    reader->ended = true;
    return result;
}

/* {"missed":N}; null: nobody knows how many. */
static void take_gap(const struct rx_recorded_reader *reader, struct rx_recording *r)
{
    const char *number = strchr(reader->data.data, ':');
    r->holes = true;
    r->missing += number ? strtoull(number + 1, NULL, 10) : 0;
}

static int dispatch(struct rx_recorded_reader *reader, struct rx_recording *r, const char *source, rx_time now)
{
    int result = 0;
    if (reader->data.length == 0)
        return 0;
    rx_buffer_append(&reader->data, "", 1);
    reader->data.length -= !reader->data.failed;
    if (reader->data.failed)
        return r->failed = -ENOMEM;
    if (strcmp(reader->event, "gap") == 0)
        take_gap(reader, r);
    else if (strcmp(reader->event, "message") == 0)
        result = take_message(reader, r, source, now);
    else
        result = take_end(reader, r, source, now);
    rx_buffer_clear(&reader->data);
    reader->event[0] = '\0';
    return result;
}

static int take_line(struct rx_recorded_reader *reader, struct rx_recording *r, const char *source, rx_time now)
{
    const char *text = reader->line.data;
    size_t length = reader->line.length - 1; /* without its end */
    if (length == 0)
        return dispatch(reader, r, source, now);
    if (strncmp(text, "event: ", 7) == 0)
        snprintf(reader->event, sizeof reader->event, "%s", text + 7);
    else if (strncmp(text, "data: ", 6) == 0)
        rx_buffer_append(&reader->data, text + 6, length - 6);
    return 0;
}

int rx_recorded_read(struct rx_recorded_reader *reader, struct rx_recording *r, const char *source, rx_time now,
                     const char *bytes, size_t length)
{
    int result = 0;
    for (size_t i = 0; i < length && result == 0 && !r->full;) {
        const char *end = memchr(bytes + i, '\n', length - i);
        size_t n = end ? (size_t)(end - bytes) - i : length - i;
        rx_buffer_append(&reader->line, bytes + i, n);
        i += n + (end != NULL);
        if (reader->line.length > LINE_MAX_BYTES)
            return strange(reader);
        if (!end)
            continue;
        rx_buffer_append(&reader->line, "", 1);
        result = reader->line.failed ? (r->failed = -ENOMEM) : take_line(reader, r, source, now);
        rx_buffer_clear(&reader->line);
    }
    if (!r->merges)
        rx_recording_settle(r, now);
    return r->failed ? r->failed : result;
}

void rx_recorded_reader_finish(struct rx_recorded_reader *reader)
{
    rx_buffer_finish(&reader->line);
    rx_buffer_finish(&reader->data);
}
