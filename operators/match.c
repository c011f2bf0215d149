/* match: a sequence of events, as a pattern says.
 *
 * The events that fit a name of `where` are a row; what fits none is skipped. A match is a run of that row that fits the
 * pattern symbol by symbol: a symbol takes all that it may before the next has its turn, but the last ends at its least
 * count. Where an event fits neither the symbol at hand nor the next, what had begun is given up (greedy as in Flink's CEP: what
 * a symbol has taken it does not give back). A match that has begun is its start in the row, and how far it has come; the
 * row is kept from the first start on. One that is complete but for what must not follow waits apart, with its result made. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/in_order.h"
#include "operators/match_pattern.h"

struct fitting { /* an event of the row */
    struct rx_event event;
    rx_time at;
    bool taken;   /* some complete match has it in its account */
    bool refused; /* a limit kept it from a match */
};

struct partial {
    uint64_t start; /* the event that began it, by number */
    uint32_t symbol, counts[RX_PATTERN_SYMBOLS_MAX];
};

struct waiting {
    rx_time until;
    struct rx_value result;
    uint64_t events; /* in its account */
};

struct match {
    struct rx_op op;
    const char *pattern_text;
    struct rx_keys *where;
    rx_time within;
    const char *into;
    bool overlap;
    int64_t max_partial, max_events, max_waiting;

    struct rx_pattern pattern;
    const struct rx_key *into_key;
    struct rx_in_order order;
    struct fitting *row; /* `row_count` of them from `row_head` on, the first of them number `row_first` */
    size_t row_head, row_count, row_capacity;
    uint64_t row_first;
    struct partial *partials;                  /* in order of their starts */
    struct waiting *waiting;                   /* in order of their ends */
    size_t partial_count, waiting_count, room; /* together not more than room, of each */
};

static const struct rx_option options[] = {
    {.name = "pattern",
     .help =
         "symbols in a row, such as \"fail{3,} -> !ok\": NAME, then ? * + {n} {n,} {n,m}; at last !NAME, what must not "
         "follow, to the end of `within` or for a time: \"fail{3} -> !ok for 60s\"",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct match, pattern_text, const char *),
     .flags = RX_REQUIRED | RX_BLAMED},
    {.name = "where",
     .help = "what each name is; an event that is none of them is skipped",
     .type = RX_OPTION_CASES,
     .offset = RX_AT(struct match, where, struct rx_keys *),
     .flags = RX_REQUIRED},
    {.name = "within",
     .help = "the longest time from the first event of a match to its last",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct match, within, rx_time),
     .min = 0.001,
     .max = 31536000},
    {.name = "into",
     .help = "the field that the match becomes; without it its lists stand beside the group's key",
     .type = RX_OPTION_STRING,
     .offset = RX_AT(struct match, into, const char *)},
    {.name = "overlap",
     .help = "an event may be in several matches; else matching goes on behind each",
     .type = RX_OPTION_BOOL,
     .offset = RX_AT(struct match, overlap, bool),
     .fallback = "false"},
    {.name = "max_partial",
     .help = "matches that have begun and are not over; past it none begins",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct match, max_partial, int64_t),
     .fallback = "1000",
     .min = 1,
     .max = 1e6},
    {.name = "max_events",
     .help = "events kept for them; past it the match that began first is given up",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct match, max_events, int64_t),
     .fallback = "1000",
     .min = 1,
     .max = 1e7},
    {.name = "max_waiting",
     .help = "events that wait for event time at once; past it the earliest does not wait",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct match, max_waiting, int64_t),
     .fallback = "10000",
     .min = 1,
     .max = 1e6},
    {0},
};

/* ---- the row ---- */

static struct fitting *row_at(const struct match *m, uint64_t number)
{
    return &m->row[m->row_head + (number - m->row_first)];
}

static uint64_t row_last(const struct match *m) { return m->row_first + m->row_count - 1; }

/* What was trimmed away leaves room at the front. */
static bool make_row(struct match *m)
{
    if (m->row_head + m->row_count < m->row_capacity)
        return true;
    if (m->row_head <= m->row_count) {
        size_t capacity = m->row_capacity ? m->row_capacity * 2 : 8;
        struct fitting *row = realloc(m->row, capacity * sizeof *row);
        if (!row)
            return false;
        m->row = row;
        m->row_capacity = capacity;
        return true;
    }
    memmove(m->row, m->row + m->row_head, m->row_count * sizeof *m->row);
    m->row_head = 0;
    return true;
}

static bool append(struct match *m, const struct rx_event *event, rx_time at)
{
    if (!make_row(m))
        return false;
    m->row_count++;
    *row_at(m, row_last(m)) = (struct fitting){.event = rx_event_ref(event), .at = at};
    rx_hold(&m->op, 1);
    return true;
}

static void settle(struct match *m, enum rx_account account, uint64_t events)
{
    rx_hold(&m->op, -(int64_t)events);
    rx_count(&m->op, account, events);
}

/* Lets go of what lies before the first start. */
static void trim(struct match *m)
{
    uint64_t end = m->row_first + m->row_count, keep = m->partial_count ? m->partials[0].start : end;
    for (; m->row_first < keep; m->row_first++, m->row_head++, m->row_count--) {
        struct fitting *f = row_at(m, m->row_first);
        if (!f->taken)
            settle(m, f->refused ? RX_EVICTED : RX_FILTERED, 1);
        rx_event_unref(&f->event);
    }
}

/* ---- results ---- */

static struct rx_value list_of(struct match *m, const struct partial *p, unsigned name)
{
    struct rx_value *items = malloc((m->row_count + 1) * sizeof *items);
    uint64_t number = p->start;
    uint32_t n = 0;
    if (!items)
        return rx_null();
    for (unsigned i = 0; i < m->pattern.count; i++) {
        for (uint32_t k = 0; k < p->counts[i]; k++, number++)
            if (m->pattern.symbols[i].name == name)
                items[n++] = rx_value_ref(row_at(m, number)->event.value);
    }
    struct rx_value list = rx_list_take(rx_op_heap(&m->op), items, n);
    free(items);
    return list;
}

/* Null: no memory; then there is no result either. */
static void put_part_take(struct rx_object_builder *b, const struct rx_key *name, struct rx_value part)
{
    if (part.kind == RX_NULL)
        b->failed = 1;
    rx_object_put_key_take(b, name, part);
}

/* Each name where it comes first in the pattern. */
static void put_lists(struct match *m, const struct partial *p, struct rx_object_builder *b)
{
    uint32_t seen = 0;
    for (unsigned i = 0; i < m->pattern.count; i++) {
        unsigned name = m->pattern.symbols[i].name;
        if (!(seen & 1u << name))
            put_part_take(b, rx_keys_name(m->where, name), list_of(m, p, name));
        seen |= 1u << name;
    }
}

static struct rx_value result_of(struct match *m, const struct partial *p)
{
    const struct rx_mark *mark = rx_op_mark(&m->op);
    struct rx_object_builder result, inner;
    rx_object_init_from(&result, rx_op_heap(&m->op), mark ? mark->key : rx_null());
    if (m->into_key) {
        rx_object_init(&inner, rx_op_heap(&m->op));
        put_lists(m, p, &inner);
        put_part_take(&result, m->into_key, rx_object_finish(&inner));
    } else {
        put_lists(m, p, &result);
    }
    return rx_object_finish(&result);
}

static void emit_take(struct match *m, struct rx_value result, rx_time time)
{
    struct rx_event out = {.value = result, .time = time, .mark = rx_op_mark(&m->op)};
    if (rx_op_made(&m->op, NULL, &out.value))
        rx_emit(&m->op, &out, 1);
    rx_value_unref(out.value);
}

static uint64_t length_of(const struct match *m, const struct partial *p)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < m->pattern.count; i++)
        n += p->counts[i];
    return n;
}

/* Its events come into its account, but for those that are in another's. */
static uint64_t take_events(struct match *m, const struct partial *p)
{
    uint64_t taken = 0;
    for (uint64_t n = length_of(m, p), number = p->start; n > 0; n--, number++) {
        taken += !row_at(m, number)->taken;
        row_at(m, number)->taken = true;
    }
    return taken;
}

static void wait_take(struct match *m, struct waiting w)
{
    size_t i = m->waiting_count++;
    for (; i > 0 && m->waiting[i - 1].until > w.until; i--)
        m->waiting[i] = m->waiting[i - 1];
    m->waiting[i] = w;
}

/* All that must come has come, the last at the end of the row. */
static void complete_match(struct match *m, const struct partial *p)
{
    const struct fitting *first = row_at(m, p->start), *last = row_at(m, row_last(m));
    struct waiting w = {.result = result_of(m, p), .events = take_events(m, p)};
    if (m->pattern.without >= 0) {
        w.until = m->pattern.without_for ? last->at + m->pattern.without_for : first->at + m->within;
        wait_take(m, w);
        return;
    }
    settle(m, RX_USED, w.events);
    emit_take(m, w.result, last->event.time);
}

/* ---- the pattern, event by event ---- */

/* Whether the event is one of the symbol at hand, or of the next that may be: then the match goes on. */
static bool advance(const struct match *m, struct partial *p, uint32_t fits)
{
    const struct rx_pattern_symbol *symbols = m->pattern.symbols;
    for (uint32_t i = p->symbol; i < m->pattern.count; i++) {
        if (fits & 1u << symbols[i].name && p->counts[i] < symbols[i].max) {
            p->symbol = i;
            p->counts[i]++;
            return true;
        }
        if (p->counts[i] < symbols[i].min)
            return false;
    }
    return false;
}

static bool is_complete(const struct match *m, const struct partial *p)
{
    unsigned last = m->pattern.count - 1;
    return p->symbol == last && p->counts[last] == m->pattern.symbols[last].min;
}

/* Of those that the event completes the one that began first is put out, and ends all the others, unless matches may overlap.
 * True: matching goes on behind the event. */
static bool advance_all(struct match *m, uint32_t fits)
{
    size_t n = m->partial_count, kept = 0;
    for (size_t i = 0; i < n && rx_op_live(&m->op); i++) {
        struct partial p = m->partials[i];
        if (!advance(m, &p, fits))
            continue;
        if (!is_complete(m, &p)) {
            m->partials[kept++] = p;
            continue;
        }
        complete_match(m, &p);
        if (!m->overlap) {
            m->partial_count = 0;
            return true;
        }
    }
    m->partial_count = kept;
    return false;
}

static void begin(struct match *m, uint32_t fits)
{
    struct partial p = {.start = row_last(m)};
    if (!advance(m, &p, fits))
        return;
    if (m->partial_count + m->waiting_count >= (size_t)m->max_partial)
        row_at(m, p.start)->refused = true;
    else if (!is_complete(m, &p))
        m->partials[m->partial_count++] = p;
    else
        complete_match(m, &p);
}

static void give_up_first(struct match *m, bool for_room)
{
    row_at(m, m->partials[0].start)->refused = for_room;
    m->partial_count--;
    memmove(m->partials, m->partials + 1, m->partial_count * sizeof *m->partials);
    trim(m);
}

static void stop_waiting(struct match *m, enum rx_account account)
{
    for (size_t i = 0; i < m->waiting_count; i++) {
        settle(m, account, m->waiting[i].events);
        rx_value_unref(m->waiting[i].result);
    }
    m->waiting_count = 0;
}

/* Room for one more of each; the first time there is none. */
static bool make_room(struct match *m)
{
    size_t used = m->partial_count + m->waiting_count, room = m->room ? m->room * 2 : 8;
    if (used < m->room)
        return true;
    struct partial *partials = realloc(m->partials, room * sizeof *partials);
    m->partials = partials ? partials : m->partials;
    struct waiting *waiting = partials ? realloc(m->waiting, room * sizeof *waiting) : NULL;
    m->waiting = waiting ? waiting : m->waiting;
    if (waiting)
        m->room = room;
    return waiting != NULL;
}

/* Which names the event fits; -1: a bad event, which is in the account already, as is one that fits none. */
static int64_t fits_of(struct match *m, const struct rx_event *event)
{
    struct rx_expr_env env = rx_op_env(&m->op, event);
    int64_t fits = 0;
    bool absent = false;
    for (unsigned i = 0; i < rx_keys_count(m->where); i++) {
        int r = rx_expr_test(rx_keys_expr(m->where, i), &env, NULL);
        absent |= r == -ENODATA;
        if (r < 0 && r != -ENODATA && (r = rx_op_test(&m->op, rx_keys_expr(m->where, i), event)) < 0)
            return -1;
        if (r == 1)
            fits |= INT64_C(1) << i;
    }
    rx_count(&m->op, RX_FILTERED, fits == 0);
    rx_count(&m->op, RX_ABSENT, fits == 0 && absent);
    return fits;
}

static void take(struct rx_op *op, const struct rx_event *event, rx_time at)
{
    struct match *m = (struct match *)op;
    int64_t fits = fits_of(m, event);
    if (fits <= 0)
        return;
    if (!make_room(m) || !append(m, event, at)) {
        rx_count(op, RX_EVICTED, 1);
        rx_fail_memory(op);
        return;
    }
    if (m->pattern.without >= 0 && fits & INT64_C(1) << m->pattern.without)
        stop_waiting(m, RX_FILTERED);
    if (!advance_all(m, (uint32_t)fits) && rx_op_live(op))
        begin(m, (uint32_t)fits);
    trim(m);
    while (m->row_count > (size_t)m->max_events)
        give_up_first(m, true);
}

/* ---- time ---- */

static rx_time deadline(const struct rx_op *op)
{
    const struct match *m = (const struct match *)op;
    rx_time until = m->waiting_count ? m->waiting[0].until : RX_TIME_NEVER;
    rx_time over = m->partial_count && m->within ? row_at(m, m->row_first)->at + m->within : RX_TIME_NEVER;
    return until < over ? until : over;
}

static void put_out_first(struct match *m)
{
    struct waiting w = m->waiting[0];
    m->waiting_count--;
    memmove(m->waiting, m->waiting + 1, m->waiting_count * sizeof *m->waiting);
    settle(m, RX_USED, w.events);
    emit_take(m, w.result, w.until);
}

static void due(struct rx_op *op, rx_time at)
{
    struct match *m = (struct match *)op;
    if (m->waiting_count && m->waiting[0].until == at)
        put_out_first(m);
    else
        give_up_first(m, false);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    (void)port;
    rx_in_order_next(&((struct match *)op)->order, span, n);
}

static void watermark(struct rx_op *op, rx_time t)
{
    rx_in_order_reached(&((struct match *)op)->order);
    rx_pass_watermark(op, t);
}

/* What waits only for what must not follow: now nothing can, but in a group that had to make room it could have. */
static void complete(struct rx_op *op, unsigned port)
{
    struct match *m = (struct match *)op;
    const struct rx_mark *mark = rx_op_mark(op);
    (void)port;
    rx_in_order_complete(&m->order);
    if (mark && mark->flags & RX_WINDOW_PARTIAL)
        stop_waiting(m, RX_EVICTED);
    while (m->waiting_count && rx_op_live(op))
        put_out_first(m);
    rx_finish(op);
}

/* ---- life ---- */

static const struct rx_in_order_class in_order = {.take = take, .deadline = deadline, .due = due};

static int check(const void *image, struct rx_error *reterr)
{
    const struct match *m = image;
    struct rx_pattern pattern;
    if (rx_keys_count(m->where) > RX_PATTERN_NAMES_MAX)
        return rx_error_set(reterr, -EINVAL, "`where` has at most %d names", RX_PATTERN_NAMES_MAX);
    int r = rx_pattern_parse(m->pattern_text, m->where, &pattern, reterr);
    if (r < 0)
        return r;
    if (pattern.least > (uint64_t)m->max_events) {
        rx_error_set(reterr, -EINVAL, "a match has %llu events at the least, and `max_events` keeps %lld",
                     (unsigned long long)pattern.least, (long long)m->max_events);
        rx_error_hint(reterr, "write a larger max_events");
        return -EINVAL;
    }
    if (pattern.without < 0 || pattern.without_for || m->within)
        return 0;
    const char *name = rx_keys_name(m->where, (size_t)pattern.without)->text;
    rx_error_set(reterr, -EINVAL, "nothing says how long `!%s` must hold", name);
    rx_error_hint(reterr, "write within: 10s, or !%s for 10s in the pattern", name);
    return -EINVAL;
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct match *m = (struct match *)op;
    rx_in_order_init(&m->order, op, &in_order, (size_t)m->max_waiting);
    int r = rx_pattern_parse(m->pattern_text, m->where, &m->pattern, reterr);
    if (r == 0 && m->into && !(m->into_key = rx_key_intern(rx_op_heap(op), m->into, strlen(m->into))))
        r = rx_error_set(reterr, -ENOMEM, "out of memory");
    return r;
}

static void dispose(struct rx_op *op)
{
    struct match *m = (struct match *)op;
    for (size_t i = 0; i < m->row_count; i++)
        rx_event_unref(&m->row[m->row_head + i].event);
    for (size_t i = 0; i < m->waiting_count; i++)
        rx_value_unref(m->waiting[i].result);
    free(m->row);
    free(m->partials);
    free(m->waiting);
    rx_in_order_finish(&m->order);
}

/* ---- state ---- */

static void save_row(const struct match *m, struct rx_writer *w)
{
    rx_write_uint(w, m->row_count);
    for (size_t i = 0; i < m->row_count; i++) {
        const struct fitting *f = &m->row[m->row_head + i];
        rx_write_event(w, &f->event);
        rx_write_int(w, f->at);
        rx_write_uint(w, f->taken | (unsigned)f->refused << 1);
    }
}

static void save_partials(const struct match *m, struct rx_writer *w)
{
    rx_write_uint(w, m->partial_count);
    for (size_t i = 0; i < m->partial_count; i++) {
        rx_write_uint(w, m->partials[i].start - m->row_first);
        rx_write_uint(w, m->partials[i].symbol);
        for (unsigned k = 0; k < m->pattern.count; k++)
            rx_write_uint(w, m->partials[i].counts[k]);
    }
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    const struct match *m = (struct match *)op;
    rx_in_order_save(&m->order, w);
    save_row(m, w);
    save_partials(m, w);
    rx_write_uint(w, m->waiting_count);
    for (size_t i = 0; i < m->waiting_count; i++) {
        rx_write_int(w, m->waiting[i].until);
        rx_write_value(w, m->waiting[i].result);
        rx_write_uint(w, m->waiting[i].events);
    }
    return 0;
}

static void load_row(struct match *m, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct rx_event event = rx_read_event(r);
        rx_time at = rx_read_int(r);
        uint64_t flags = rx_read_uint(r);
        bool kept = append(m, &event, at);
        rx_event_unref(&event);
        if (!kept) {
            rx_reader_fail(r, -ENOMEM);
            return;
        }
        struct fitting *f = row_at(m, row_last(m));
        f->taken = flags & 1;
        f->refused = flags & 2;
        rx_hold(&m->op, f->taken ? -1 : 0);
    }
}

/* A damaged one may not reach outside of the row. */
static void load_partials(struct match *m, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        struct partial p = {.start = rx_read_uint(r)};
        uint64_t symbol = rx_read_uint(r);
        p.symbol = (uint32_t)symbol;
        for (unsigned k = 0; k < m->pattern.count; k++)
            p.counts[k] = (uint32_t)rx_read_uint(r);
        uint64_t before = m->partial_count ? m->partials[m->partial_count - 1].start + 1 : 0;
        bool good = symbol < m->pattern.count && p.start >= before && p.start < m->row_count &&
                    p.start + length_of(m, &p) == m->row_count;
        if (!make_room(m) || !good)
            rx_reader_fail(r, -EBADMSG);
        else
            m->partials[m->partial_count++] = p;
    }
}

static void load_waiting(struct match *m, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        if (!make_room(m)) {
            rx_reader_fail(r, -ENOMEM);
            return;
        }
        struct waiting w = {.until = rx_read_int(r), .result = rx_read_value(r)};
        w.events = rx_read_uint(r);
        m->waiting[m->waiting_count++] = w;
        rx_hold(&m->op, rx_reader_failed(r) ? 0 : (int64_t)w.events);
    }
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct match *m = (struct match *)op;
    rx_in_order_load(&m->order, r);
    load_row(m, r);
    load_partials(m, r);
    load_waiting(m, r);
    if (m->partial_count ? m->partials[0].start != 0 : m->row_count > 0)
        rx_reader_fail(r, -EBADMSG);
    return r->failed;
}

static void describe(const void *image, struct rx_facts *facts)
{
    const struct match *m = image;
    facts->reads_all = true;
    facts->waiting = (uint64_t)m->max_waiting;
    facts->events = facts->waiting + (uint64_t)m->max_events;
    facts->values = 0;
    facts->bytes = (uint64_t)m->max_partial * (sizeof(struct partial) + sizeof(struct waiting));
}

const struct rx_operator_class rx_operator_match = {
    .base = {.name = "match",
             .summary = "put out each sequence of events that fits a pattern",
             .options = options,
             .state_size = sizeof(struct match),
             .flags = RX_REPLACES | RX_TOLD_WHEN_WANTED,
             .check = check,
             .example = "match: {pattern: \"low{2} -> !high\", where: {low: value < 5, high: value > 8}, within: 1s}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .next = next,
    .watermark = watermark,
    .describe = describe,
    .complete = complete,
    .save = save,
    .load = load,
    .dispose = dispose,
};
