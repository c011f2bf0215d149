/* What all groups of an http step have in common: the places, the line for them, the breaker. */
#include "operators/requesting.h"

#include <errno.h>
#include <stdio.h>

enum { IN_A_MILLISECOND = 256 };
#define LAST_DUE_MAX (INT64_MAX / 2)

void http_wake_next(struct http_step *s, int64_t concurrency)
{
    struct await *next = s->line.first;
    if (next && s->running < concurrency && !rx_timer_is_armed(&next->of->op, HTTP_TURN))
        rx_timer_arm(&next->of->op, HTTP_TURN, rx_now(&next->of->op));
}

/* Thousands that were asked at one instant do not time out at one instant, which would hold up all other timers: so many in a
 * millisecond. It never falls, so that tries are in order of it. */
rx_time http_due(struct http *h)
{
    struct http_step *s = h->step;
    rx_time due = rx_now(&h->op) + h->timeout;
    if (s->last_due < due || s->with_it >= IN_A_MILLISECOND) {
        s->last_due = s->last_due < due ? due : s->last_due + RX_MSEC;
        s->with_it = 0;
    }
    s->with_it++;
    return s->last_due;
}

struct rx_request_counts *http_counts(struct http *h) { return h->op.node->ledger->requests; }

void http_count_answer(struct http *h, const struct rx_value *answer)
{
    struct rx_request_counts *counts = http_counts(h);
    struct rx_reply reply;
    if (!answer)
        counts->failed++;
    else if (rx_reply_read(*answer, &reply) && http_is_good(&reply))
        counts->good++;
    else
        counts->bad++;
}

static void say(struct http *h, const char *text)
{
    const struct rx_engine *engine = rx_op_engine(&h->op);
    if (engine->log)
        engine->log(engine->log_arg, 4, h->op.node->step->label, text);
}

/* Open: nothing is asked until the cooldown is over; then one, and the others when that one has been answered well. */
bool http_breaker_lets(struct http *h, const struct await *a, struct rx_error *reterr)
{
    struct http_step *s = h->step;
    if (!s->open_until || s->probe == a->number)
        return true;
    if (rx_now(&h->op) >= s->open_until && !s->probe) {
        s->probe = a->number;
        return true;
    }
    rx_error_set(reterr, -EHOSTDOWN, "not asked: the breaker is open");
    return false;
}

static void open_breaker(struct http *h)
{
    struct http_step *s = h->step;
    if (!s->open_until)
        say(h, "the breaker is open: too many requests in a row have failed");
    s->open_until = rx_now(&h->op) + h->breaker.cooldown;
    http_counts(h)->breaker_open = true;
    s->probe = 0;
}

static void close_breaker(struct http *h)
{
    say(h, "the breaker is closed again");
    h->step->open_until = 0;
    http_counts(h)->breaker_open = false;
    h->step->failures = 0;
    h->step->probe = 0;
}

/* While it is open only the probe counts: what was asked before it opened says nothing new. */
void http_breaker_note(struct http *h, const struct await *a, bool failed)
{
    struct http_step *s = h->step;
    if (!h->breaker_given || (s->open_until && s->probe != a->number))
        return;
    if (s->open_until && !failed)
        close_breaker(h);
    else if (s->open_until || (failed && s->failures + 1 >= h->breaker.failures))
        open_breaker(h);
    else
        s->failures = failed ? s->failures + 1 : 0;
}

void http_breaker_forget(struct http *h, const struct await *a)
{
    if (h->step->probe == a->number)
        h->step->probe = 0;
}

/* Places and the line come with the groups. */
static void save(const struct rx_common *common, struct rx_writer *w)
{
    const struct http_step *s = rx_common_data(common);
    rx_write_uint(w, s->numbers);
    rx_write_int(w, s->last_due);
    rx_write_int(w, s->with_it);
    rx_write_int(w, s->failures);
    rx_write_int(w, s->open_until);
    rx_write_uint(w, s->probe);
    http_cache_save(s, w);
}

/* What is damaged begins anew. */
static void load(struct rx_common *common, struct rx_reader *r)
{
    struct http_step *s = rx_common_data(common);
    s->numbers = rx_read_uint(r);
    s->last_due = rx_read_int(r);
    s->with_it = rx_read_int(r);
    s->failures = rx_read_int(r);
    s->open_until = rx_read_int(r);
    s->probe = rx_read_uint(r);
    if (s->failures < 0 || s->failures > 1000000000) /* of the option breaker.failures */
        s->failures = 0;
    if (s->last_due < 0 || s->last_due > LAST_DUE_MAX || s->with_it < 0)
        s->last_due = s->with_it = 0;
    http_cache_load(s, r);
}

static void finish(struct rx_common *common) { http_cache_finish(rx_common_data(common)); }

const struct rx_common_class http_step_class = {
    .size = sizeof(struct http_step), .save = save, .load = load, .finish = finish};
