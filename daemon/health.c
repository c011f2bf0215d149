/* Conditions: rounds, what is logged of them, and copies. */
#include "daemon/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/log.h"

#define SAY_AGAIN (60 * RX_SEC) /* a standing condition whose reason has changed */

const struct rx_condition_class rx_condition_classes[] = {
#define RX_CONDITION(symbol_, name_, severity_, subject_, least_, begins_, ends_, remedy_)                             \
    {name_, RX_##severity_, subject_, least_, begins_, ends_},
#include "daemon/conditions.def"
#undef RX_CONDITION
};

struct entry {
    enum rx_condition_kind kind;
    uint32_t hash;
    char *subject, *part;
    char reason[256];
    bool stated, holds;             /* in this round: known at all; holding */
    bool standing, logged, changed; /* changed: another reason than what was logged */
    uint64_t count;                 /* what is shown */
    uint64_t total, base;           /* counted: so far; when it began to rise */
    rx_time risen;                  /* counted: monotonic time of the last rise */
    rx_time began, said;            /* monotonic */
    rx_time since;                  /* wall clock */
};

struct rx_health {
    struct entry *entries;
    size_t count, capacity;
    size_t cursor; /* subjects are stated in the same order each round: the next is most likely here */
    rx_time now, wall;
    uint64_t version;
    uint64_t begun[RX_CONDITIONS];
};

struct rx_health *rx_health_create(void)
{
    struct rx_health *h = calloc(1, sizeof *h);
    if (h)
        h->version = 1;
    return h;
}

static void finish_entry(struct entry *e)
{
    free(e->subject);
    free(e->part);
}

void rx_health_destroy(struct rx_health *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++)
        finish_entry(&h->entries[i]);
    free(h->entries);
    free(h);
}

uint64_t rx_health_version(const struct rx_health *h) { return h->version; }

/* ---- rounds ---- */

void rx_health_begin(struct rx_health *h, rx_time monotonic, rx_time wall)
{
    h->now = monotonic;
    h->wall = wall;
    h->cursor = 0;
    for (size_t i = 0; i < h->count; i++)
        h->entries[i].stated = h->entries[i].holds = false;
}

static rx_time read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (rx_time)t.tv_sec * RX_SEC + t.tv_nsec;
}

void rx_health_begin_now(struct rx_health *h)
{
    rx_health_begin(h, read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_REALTIME));
}

static uint32_t hash_of(enum rx_condition_kind kind, const char *subject, const char *part)
{
    uint32_t hash = 2166136261u ^ (uint32_t)kind;
    for (const char *c = subject; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (const char *c = part; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash;
}

static bool is(const struct entry *e, uint32_t hash, enum rx_condition_kind kind, const char *subject, const char *part)
{
    return e->hash == hash && e->kind == kind && strcmp(e->subject, subject) == 0 && strcmp(e->part, part) == 0;
}

/* A new entry at the cursor; NULL: no memory. The next round tries again. */
static struct entry *insert(struct rx_health *h, const struct entry *new)
{
    if (h->count == h->capacity) {
        size_t capacity = h->capacity ? h->capacity * 2 : 16;
        struct entry *grown = realloc(h->entries, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        h->entries = grown;
        h->capacity = capacity;
    }
    struct entry *e = &h->entries[h->cursor];
    memmove(e + 1, e, (h->count - h->cursor) * sizeof *e);
    *e = *new;
    h->count++;
    h->cursor++;
    return e;
}

static struct entry *entry_of(struct rx_health *h, enum rx_condition_kind kind, const char *subject, const char *part)
{
    uint32_t hash = hash_of(kind, subject, part);
    for (size_t i = 0; i < h->count; i++) {
        size_t at = h->cursor + i < h->count ? h->cursor + i : h->cursor + i - h->count;
        if (is(&h->entries[at], hash, kind, subject, part)) {
            h->cursor = at + 1;
            return &h->entries[at];
        }
    }
    struct entry new = {.kind = kind, .hash = hash, .subject = strdup(subject), .part = strdup(part)};
    struct entry *e = new.subject &&new.part ? insert(h, &new) : NULL;
    if (!e)
        finish_entry(&new);
    return e;
}

static void hold(struct rx_health *h, struct entry *e, const char *reason, uint64_t count)
{
    e->holds = true;
    e->count = count;
    if (strncmp(e->reason, reason, sizeof e->reason - 1) == 0)
        return;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
    e->changed = true;
    h->version += e->standing;
}

void rx_health_holds(struct rx_health *h, enum rx_condition_kind kind, const char *subject, const char *part,
                     const char *reason, uint64_t count)
{
    struct entry *e = entry_of(h, kind, subject, part);
    if (!e)
        return;
    e->stated = true;
    hold(h, e, reason, count);
}

void rx_health_counts(struct rx_health *h, enum rx_condition_kind kind, const char *subject, const char *part,
                      uint64_t total, const char *reason)
{
    struct entry *e = total ? entry_of(h, kind, subject, part) : NULL;
    if (!e)
        return;
    e->stated = true;
    if (total < e->total) /* counted anew */
        e->total = e->base = 0;
    bool recent = h->now - e->risen <= RX_HEALTH_HOLD && e->total > 0;
    if (total > e->total) {
        if (!recent)
            e->base = e->total;
        e->total = total;
        e->risen = h->now;
        recent = true;
    }
    if (recent && total - e->base >= rx_condition_classes[kind].least)
        hold(h, e, reason, total - e->base);
}

/* ---- what is logged ---- */

static void say(const struct rx_health *h, const struct entry *e, bool begins)
{
    const struct rx_condition_class *class = &rx_condition_classes[e->kind];
    char lasted[32];
    const char *pairs[] = {"condition", class->name, class->subject, e->subject, NULL, NULL, NULL, NULL, NULL};
    size_t n = 4;
    if (e->part[0]) {
        pairs[n++] = "part";
        pairs[n++] = e->part;
    }
    snprintf(lasted, sizeof lasted, "%.1fs", (double)(h->now - e->began) / (double)RX_SEC);
    pairs[n++] = begins ? "reason" : "lasted";
    pairs[n++] = begins ? e->reason : lasted;
    enum rx_log_level level = !begins ? RX_LOG_INFO : class->severity == RX_FAULT ? RX_LOG_ERROR : RX_LOG_WARNING;
    rx_log(level, begins ? class->begins : class->ends, pairs);
}

static void tell(struct rx_health *h, struct entry *e)
{
    if (!e->reason[0] || !e->changed || (e->logged && h->now - e->said < SAY_AGAIN))
        return;
    say(h, e, true);
    e->logged = true;
    e->changed = false;
    e->said = h->now;
}

static void begin_or_end(struct rx_health *h, struct entry *e)
{
    if (e->holds && !e->standing) {
        e->since = h->wall;
        e->began = h->now;
        h->begun[e->kind]++;
    } else if (!e->holds && e->standing) {
        if (e->logged)
            say(h, e, false);
        e->logged = false;
        e->reason[0] = '\0';
    }
    h->version += e->holds != e->standing;
    e->standing = e->holds;
}

void rx_health_end(struct rx_health *h)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->count; i++) {
        struct entry *e = &h->entries[i];
        begin_or_end(h, e);
        if (e->standing)
            tell(h, e);
        if (!e->stated)
            finish_entry(e);
        else
            h->entries[kept++] = *e;
    }
    h->count = kept;
}

/* ---- copies ---- */

static int reserve(struct rx_conditions *c)
{
    if (c->list)
        return 0;
    c->list = calloc(RX_CONDITIONS_MAX, sizeof *c->list);
    return c->list ? 0 : -ENOMEM;
}

static void add(struct rx_conditions *c, const struct rx_condition *condition)
{
    if (c->count < RX_CONDITIONS_MAX)
        c->list[c->count++] = *condition;
    else
        c->unlisted[rx_condition_classes[condition->kind].severity]++;
}

static struct rx_condition condition_of(const struct entry *e)
{
    struct rx_condition c = {.kind = e->kind, .since = e->since, .count = e->count};
    snprintf(c.subject, sizeof c.subject, "%s", e->subject);
    snprintf(c.part, sizeof c.part, "%s", e->part);
    snprintf(c.reason, sizeof c.reason, "%s", e->reason);
    return c;
}

void rx_conditions_finish(struct rx_conditions *c)
{
    free(c->list);
    *c = (struct rx_conditions){0};
}

int rx_health_copy(const struct rx_health *h, struct rx_conditions *ret)
{
    rx_conditions_finish(ret);
    memcpy(ret->begun, h->begun, sizeof ret->begun);
    for (size_t i = 0; i < h->count; i++) {
        if (!h->entries[i].standing)
            continue;
        if (reserve(ret) < 0)
            return -ENOMEM;
        struct rx_condition c = condition_of(&h->entries[i]);
        add(ret, &c);
    }
    ret->version = h->version;
    return 0;
}

static struct rx_condition *find(const struct rx_conditions *c, const struct rx_condition *like)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].kind == like->kind && strcmp(c->list[i].subject, like->subject) == 0 &&
            strcmp(c->list[i].part, like->part) == 0)
            return &c->list[i];
    return NULL;
}

int rx_conditions_merge(struct rx_conditions *into, const struct rx_conditions *from)
{
    for (size_t i = 0; i < RX_SEVERITIES; i++)
        into->unlisted[i] += from->unlisted[i];
    for (size_t i = 0; i < RX_CONDITIONS; i++)
        into->begun[i] += from->begun[i];
    if (from->count && reserve(into) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < from->count; i++) {
        struct rx_condition *same = find(into, &from->list[i]);
        if (!same) {
            add(into, &from->list[i]);
            continue;
        }
        same->since = from->list[i].since < same->since ? from->list[i].since : same->since;
        same->count += from->list[i].count;
    }
    return 0;
}

bool rx_conditions_fault(const struct rx_conditions *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (rx_condition_classes[c->list[i].kind].severity == RX_FAULT)
            return true;
    return c->unlisted[RX_FAULT] > 0;
}
