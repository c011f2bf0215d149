/* The log. */
#include "daemon/log.h"

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KINDS = 64, BURST = 10, PERIOD = 10, LINE_MAX_BYTES = 4096 };

/* How often a message was written lately. Messages that share a row share its allowance. */
struct kind {
    const char *message;
    time_t since;
    unsigned written, suppressed;
};

static struct {
    pthread_mutex_t lock;
    enum rx_log_level least;
    struct kind kinds[KINDS];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .least = RX_LOG_INFO};

void rx_log_configure(enum rx_log_level least)
{
    pthread_mutex_lock(&state.lock);
    state.least = least;
    pthread_mutex_unlock(&state.lock);
}

static time_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* False: not this time. Otherwise *ret_suppressed were left out since the last line of this kind. */
static bool allow(const char *message, unsigned *ret_suppressed)
{
    uint32_t hash = 2166136261u;
    for (const char *c = message; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    struct kind *kind = &state.kinds[hash % KINDS];
    time_t t = now();
    *ret_suppressed = 0;
    if (t - kind->since >= PERIOD) {
        *ret_suppressed = kind->suppressed;
        *kind = (struct kind){.since = t};
    }
    if (kind->written < BURST) {
        kind->written++;
        return true;
    }
    kind->suppressed++;
    return false;
}

struct line {
    char text[LINE_MAX_BYTES];
    size_t length;
};

static void put(struct line *line, char c)
{
    if (line->length < sizeof line->text - 1)
        line->text[line->length++] = c;
}

static void put_text(struct line *line, const char *text)
{
    for (; *text; text++)
        put(line, *text);
}

static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_-./:@%+", *c))
            return false;
    return *text;
}

/* Quoted where a reader could take it for more than one word; no control character gets through. */
static void put_value(struct line *line, const char *text)
{
    if (is_plain(text)) {
        put_text(line, text);
        return;
    }
    put(line, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            put(line, '\\');
        put(line, (unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text);
    }
    put(line, '"');
}

static void put_pair(struct line *line, const char *key, const char *value)
{
    put(line, ' ');
    put_text(line, key);
    put(line, '=');
    put_value(line, value);
}

static void put_head(struct line *line, enum rx_log_level level, const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    if (getenv("JOURNAL_STREAM")) {
        put_text(line, priorities[level]);
    } else {
        char stamp[40];
        time_t t = time(NULL);
        struct tm tm;
        strftime(stamp, sizeof stamp, "time=%Y-%m-%dT%H:%M:%SZ ", gmtime_r(&t, &tm));
        put_text(line, stamp);
    }
    put_text(line, "level=");
    put_text(line, names[level]);
    put_pair(line, "msg", message);
}

void rx_log(enum rx_log_level level, const char *message, const char *const *pairs)
{
    unsigned suppressed;
    struct line line = {.length = 0};
    pthread_mutex_lock(&state.lock);
    bool wanted = level <= state.least && allow(message, &suppressed);
    if (wanted) {
        put_head(&line, level, message);
        for (; pairs && pairs[0]; pairs += 2)
            if (pairs[1])
                put_pair(&line, pairs[0], pairs[1]);
        char count[16];
        snprintf(count, sizeof count, "%u", suppressed);
        if (suppressed)
            put_pair(&line, "suppressed", count);
        line.text[line.length++] = '\n';
        if (write(STDERR_FILENO, line.text, line.length) < 0)
            state.kinds[0].suppressed++;
    }
    pthread_mutex_unlock(&state.lock);
}
