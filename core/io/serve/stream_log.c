/* The front's end of a served stream: the segments that are kept, and the latest of each key. */
#include "core/io/serve/stream_log.h"

#include "core/io/serve/stream_keys.h"
#include "core/io/serve/stream_segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ADOPT_BYTES = 16 * 1024, /* smaller hand-overs are copied behind the last segment */
    TAIL_BYTES_MIN = 4096,
    FRAMES_MIN = 64, /* kept whatever their age */
};
/* Where no number of frames is asked for, history is what came within this time, so that memory follows the rate and is
 * level soon. Segments of a slow stream cover a part of it each. */
#define HISTORY_AGE (60 * RX_SEC)
#define SEGMENT_AGE (15 * RX_SEC)

struct rx_log {
    struct rx_log_limits limits;
    uint64_t generation;

    struct rx_log_link *link;
    struct rx_latest *latest;
    struct rx_segment **segments; /* oldest first */
    size_t count, capacity;
    struct rx_segment *spare; /* the last that was dropped, to be filled again: a level stream allocates nothing */
    size_t bytes, orphan_bytes;
    uint64_t first, last, lost;
    uint64_t frames; /* in the segments */
    uint64_t held;   /* readers still want what is from here on */
    rx_time last_time;
    rx_time now; /* of the last collection, monotonic */
};

static struct rx_log_limits with_defaults(const struct rx_log_limits *limits)
{
    struct rx_log_limits l = limits ? *limits : (struct rx_log_limits){0};
    if (!l.max_bytes)
        l.max_bytes = (size_t)4 * 1024 * 1024;
    if (l.max_bytes < 2 * RX_SEGMENT_BYTES)
        l.max_bytes = 2 * RX_SEGMENT_BYTES;
    if (!l.max_keys)
        l.max_keys = 10000;
    return l;
}

static struct rx_log *create_front(uint64_t generation, const struct rx_log_limits *limits)
{
    struct rx_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    log->limits = with_defaults(limits);
    log->generation = generation;
    log->first = 1;
    log->held = UINT64_MAX;
    log->latest = rx_latest_create(log->limits.max_keys, log->limits.key_ttl);
    if (log->latest)
        return log;
    free(log);
    return NULL;
}

int rx_log_create(uint64_t generation, const struct rx_log_limits *limits, struct rx_log_writer **ret_writer,
                  struct rx_log **ret_log)
{
    struct rx_log *log = create_front(generation, limits);
    if (!log)
        return -ENOMEM;
    log->link = calloc(1, sizeof *log->link);
    struct rx_log_writer *writer =
        log->link ? rx_log_writer_create(log->link, generation, log->limits.max_bytes) : NULL;
    if (!writer) {
        free(log->link);
        log->link = NULL;
        rx_log_destroy(log);
        return -ENOMEM;
    }
    atomic_init(&log->link->ends, 2);
    *ret_writer = writer;
    *ret_log = log;
    return 0;
}

static void let_go(struct rx_log *log, struct rx_segment *s)
{
    if (--s->refs == 0) {
        rx_segment_destroy(log->spare);
        log->spare = s;
        return;
    }
    s->log = log;
    log->orphan_bytes += rx_segment_bytes(s);
}

static void drop_oldest(struct rx_log *log)
{
    struct rx_segment *s = log->segments[0];
    log->bytes -= rx_segment_bytes(s);
    log->frames -= s->count;
    memmove(log->segments, log->segments + 1, --log->count * sizeof(struct rx_segment *));
    let_go(log, s);
}

void rx_log_destroy(struct rx_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->count; i++)
        rx_log_unpin(log->segments[i]);
    rx_segment_destroy(log->spare);
    rx_latest_destroy(log->latest);
    if (log->link)
        log->link->reader = NULL;
    rx_log_link_unref(log->link);
    free(log->segments);
    free(log);
}

static bool push_segment(struct rx_log *log, struct rx_segment *s)
{
    if (log->count == log->capacity) {
        size_t capacity = log->capacity ? log->capacity * 2 : 8;
        struct rx_segment **moved = realloc(log->segments, capacity * sizeof(struct rx_segment *));
        if (!moved)
            return false;
        log->segments = moved;
        log->capacity = capacity;
    }
    log->segments[log->count++] = s;
    log->bytes += rx_segment_bytes(s);
    log->frames += s->count;
    return true;
}

static rx_time clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

static bool absorb(struct rx_log *log, const struct rx_segment *s)
{
    if (!log->count)
        return false;
    struct rx_segment *tail = log->segments[log->count - 1];
    if (rx_segment_end(tail) != s->first)
        return false;
    if (!log->limits.max_frames && log->now - tail->born > SEGMENT_AGE && tail->count >= FRAMES_MIN / 4)
        return false;
    size_t before = rx_segment_bytes(tail);
    bool done = rx_segment_absorb(tail, s);
    log->bytes += rx_segment_bytes(tail) - before;
    log->frames += done ? s->count : 0;
    return done;
}

/* As large as the one before came to be, and half as much again. */
static size_t tail_capacity(const struct rx_log *log, size_t needed)
{
    size_t before = log->count ? log->segments[log->count - 1]->text_length : 0, capacity = TAIL_BYTES_MIN;
    while (capacity < before + before / 2 || capacity < needed)
        capacity *= 2;
    return capacity < RX_SEGMENT_BYTES ? capacity : RX_SEGMENT_BYTES;
}

static struct rx_segment *take_spare(struct rx_log *log, size_t capacity)
{
    struct rx_segment *s = log->spare;
    if (!s || s->text_capacity < capacity || s->text_capacity > 4 * capacity)
        return NULL;
    log->spare = NULL;
    return s;
}

static bool open_tail(struct rx_log *log, const struct rx_segment *s)
{
    size_t capacity = tail_capacity(log, s->text_length);
    struct rx_segment *tail = take_spare(log, capacity);
    if (tail)
        rx_segment_reset(tail, s->first);
    else
        tail = rx_segment_create(s->first, capacity);
    if (tail)
        tail->born = log->now;
    if (tail && push_segment(log, tail))
        return true;
    rx_segment_destroy(tail);
    return false;
}

static void put_latest(struct rx_log *log, const struct rx_segment *s, uint32_t i)
{
    struct rx_frame_view view;
    rx_segment_view(s, i, &view);
    rx_latest_put(log->latest, &view);
}

/* Without a key the last is the latest. */
static void update_latest(struct rx_log *log, const struct rx_segment *s)
{
    uint32_t last = s->count;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->entries[i].kind != RX_FRAME_MESSAGE)
            continue;
        if (s->entries[i].keyed)
            put_latest(log, s, i);
        else
            last = i;
    }
    if (last < s->count)
        put_latest(log, s, last);
    if (s->count)
        log->last_time = s->entries[s->count - 1].time;
}

/* Without memory the frames are lost to history: the cursors meet a gap. */
static void take_in(struct rx_log *log, struct rx_segment *s)
{
    bool small = s->text_length < ADOPT_BYTES;
    s->born = log->now;
    update_latest(log, s);
    log->lost += s->first - log->last - 1;
    log->last = rx_segment_end(s) - 1;
    if (!s->count || (small && (absorb(log, s) || (open_tail(log, s) && absorb(log, s))))) {
        rx_segment_destroy(s);
    } else if (!push_segment(log, s)) {
        log->lost += s->count;
        rx_segment_destroy(s);
    }
}

/* The sequence behind which no more than max_frames are. */
static uint64_t history_start(const struct rx_log *log)
{
    uint64_t start = log->first, kept = log->frames;
    for (size_t i = 0; log->limits.max_frames && i < log->count && kept > log->limits.max_frames; i++) {
        uint64_t excess = kept - log->limits.max_frames, here = log->segments[i]->count;
        start = log->segments[i]->first + (excess < here ? excess : here);
        kept -= here;
    }
    return start;
}

/* History gives way to its limits, but not what live readers still want: that stays until twice the bytes are there. */
static bool may_drop(const struct rx_log *log)
{
    return rx_segment_end(log->segments[0]) <= log->held || log->bytes > 2 * log->limits.max_bytes;
}

static bool is_old(const struct rx_log *log)
{
    return !log->limits.max_frames && log->count > 1 && log->now - log->segments[1]->born > HISTORY_AGE &&
           log->frames - log->segments[0]->count >= FRAMES_MIN;
}

static void apply_limits(struct rx_log *log)
{
    uint64_t start = history_start(log);
    if (start > log->held)
        start = log->held;
    if (log->first < start)
        log->first = start;
    while (log->count > 1 && rx_segment_end(log->segments[0]) <= log->first)
        drop_oldest(log);
    while (log->count > 2 && log->bytes > log->limits.max_bytes && may_drop(log))
        drop_oldest(log);
    while (is_old(log) && may_drop(log))
        drop_oldest(log);
    uint64_t there = log->count ? log->segments[0]->first : log->last + 1;
    if (log->first < there)
        log->first = there;
}

static struct rx_segment *take_published(struct rx_log_link *link)
{
    struct rx_segment *newest = atomic_exchange(&link->published, NULL);
    struct rx_segment *oldest = NULL;
    while (newest) {
        struct rx_segment *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void rx_log_collect(struct rx_log *log)
{
    atomic_store(&log->link->woken, false);
    struct rx_segment *s = take_published(log->link);
    if (s)
        log->now = clock_now();
    while (s) {
        struct rx_segment *next = s->next;
        s->next = NULL;
        atomic_fetch_sub_explicit(&log->link->in_flight, rx_segment_bytes(s), memory_order_relaxed);
        take_in(log, s);
        s = next;
    }
    apply_limits(log);
}

void rx_log_set_reader(struct rx_log *log, void *reader) { log->link->reader = reader; }
uint64_t rx_log_generation(const struct rx_log *log) { return log->generation; }
uint64_t rx_log_first(const struct rx_log *log) { return log->first; }
uint64_t rx_log_last(const struct rx_log *log) { return log->last; }
uint64_t rx_log_lost(const struct rx_log *log) { return log->lost; }
void rx_log_hold(struct rx_log *log, uint64_t from) { log->held = from; }
rx_time rx_log_last_time(const struct rx_log *log) { return log->last_time; }
size_t rx_log_orphan_bytes(const struct rx_log *log) { return log->orphan_bytes; }
const struct rx_log_limits *rx_log_limits(const struct rx_log *log) { return &log->limits; }
void rx_log_set_limits(struct rx_log *log, const struct rx_log_limits *limits)
{
    size_t max_bytes = log->limits.max_bytes;
    log->limits = with_defaults(limits);
    log->limits.max_bytes = max_bytes;
    rx_latest_set_limits(log->latest, log->limits.max_keys, log->limits.key_ttl);
}

size_t rx_log_key_count(const struct rx_log *log) { return rx_latest_count(log->latest); }

/* Of the last segment that starts at or before `sequence`: its index + 1; 0: none does. Readers stand mostly in the
 * last segment. */
static size_t place_of(const struct rx_log *log, uint64_t sequence)
{
    size_t low = 0, high = log->count;
    if (!high || log->segments[0]->first > sequence)
        return 0;
    if (log->segments[high - 1]->first <= sequence)
        low = high - 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(log->segments[middle]->first <= sequence ? &low : &high) = middle;
    }
    return low + 1;
}

static struct rx_segment *segment_of(const struct rx_log *log, uint64_t sequence)
{
    size_t place = sequence >= log->first ? place_of(log, sequence) : 0;
    struct rx_segment *s = place ? log->segments[place - 1] : NULL;
    return s && sequence < rx_segment_end(s) ? s : NULL;
}

uint64_t rx_log_next(const struct rx_log *log, uint64_t sequence)
{
    if (sequence > log->last)
        return sequence;
    if (sequence < log->first)
        return log->first;
    size_t place = place_of(log, sequence);
    if (place && sequence < rx_segment_end(log->segments[place - 1]))
        return sequence;
    return place < log->count ? log->segments[place]->first : log->last + 1;
}

uint64_t rx_log_previous(const struct rx_log *log, uint64_t sequence)
{
    size_t place = sequence > log->first ? place_of(log, sequence - 1) : 0;
    if (!place)
        return 0;
    uint64_t end = rx_segment_end(log->segments[place - 1]);
    return sequence < end ? sequence - 1 : end - 1;
}

bool rx_log_frame(const struct rx_log *log, uint64_t sequence, struct rx_frame_view *ret)
{
    return rx_log_pinned_frame(segment_of(log, sequence), sequence, ret);
}

static uint32_t span_end(const struct rx_segment *s, uint32_t i)
{
    if (!s->terminals)
        return s->count;
    while (i < s->count && s->entries[i].kind == RX_FRAME_MESSAGE)
        i++;
    return i < s->count ? i + 1 : i;
}

uint64_t rx_log_span(const struct rx_log *log, uint64_t sequence, const char **ret_text, size_t *ret_length)
{
    const struct rx_segment *s = segment_of(log, sequence);
    if (!s)
        return sequence;
    uint32_t i = (uint32_t)(sequence - s->first), end = span_end(s, i);
    const struct rx_frame_entry *last = &s->entries[end - 1];
    *ret_text = s->text + s->entries[i].text_at;
    *ret_length = last->text_at + rx_entry_length(last) - s->entries[i].text_at;
    return s->first + end;
}

uint64_t rx_log_frame_at(const struct rx_log *log, uint64_t sequence, size_t offset, size_t *ret_start)
{
    const struct rx_segment *s = segment_of(log, sequence);
    if (!s)
        return sequence;
    uint32_t from = (uint32_t)(sequence - s->first), low = from, high = s->count;
    size_t base = s->entries[from].text_at;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        *(s->entries[middle].text_at - base <= offset ? &low : &high) = middle;
    }
    *ret_start = s->entries[low].text_at - base;
    return s->first + low;
}

struct rx_segment *rx_log_pin(struct rx_log *log, uint64_t sequence)
{
    struct rx_segment *s = segment_of(log, sequence);
    if (s)
        s->refs++;
    return s;
}

void rx_log_unpin(struct rx_segment *s)
{
    if (!s || --s->refs)
        return;
    if (s->log)
        s->log->orphan_bytes -= rx_segment_bytes(s);
    rx_segment_destroy(s);
}

bool rx_log_pinned_frame(const struct rx_segment *s, uint64_t sequence, struct rx_frame_view *ret)
{
    if (!s || sequence < s->first || sequence >= rx_segment_end(s))
        return false;
    rx_segment_view(s, (uint32_t)(sequence - s->first), ret);
    return true;
}

bool rx_log_is_orphan(const struct rx_segment *s) { return s && s->log; }

void rx_log_snapshot(struct rx_log *log, rx_time now, void (*each)(void *arg, const struct rx_frame_view *), void *arg)
{
    rx_latest_each(log->latest, now, each, arg);
}
