/* One request of the http step from its event to its result: the line, tries, waits, order. */
#include "operators/requesting.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* ---- lists ---- */

#define LIST(append_, remove_, link_)                                                                                  \
    void append_(struct await_list *list, struct await *a)                                                             \
    {                                                                                                                  \
        a->link_ = (struct await_link){.previous = list->last};                                                        \
        *(list->last ? &list->last->link_.next : &list->first) = a;                                                    \
        list->last = a;                                                                                                \
    }                                                                                                                  \
    void remove_(struct await_list *list, struct await *a)                                                             \
    {                                                                                                                  \
        *(a->link_.previous ? &a->link_.previous->link_.next : &list->first) = a->link_.next;                          \
        *(a->link_.next ? &a->link_.next->link_.previous : &list->last) = a->link_.previous;                           \
        a->link_ = (struct await_link){0};                                                                             \
    }
LIST(http_append, http_remove, all)
LIST(http_append_same, http_remove_same, same)

static void insert_behind(struct await_list *list, struct await *before, struct await *a)
{
    struct await *next = before ? before->same.next : list->first;
    a->same = (struct await_link){.previous = before, .next = next};
    *(before ? &before->same.next : &list->first) = a;
    *(next ? &next->same.previous : &list->last) = a;
}

/* From the end, where nearly all belong. */
void http_insert_by_due(struct await_list *list, struct await *a)
{
    struct await *before = list->last;
    while (before && (before->due > a->due || (before->due == a->due && before->sequence > a->sequence)))
        before = before->same.previous;
    insert_behind(list, before, a);
}

void http_insert_by_number(struct await_list *list, struct await *a)
{
    struct await *before = list->last;
    while (before && before->number > a->number)
        before = before->same.previous;
    insert_behind(list, before, a);
}

/* ---- life ---- */

struct await *http_add(struct http *h, const struct rx_event *event)
{
    struct await *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    *a = (struct await){.of = h, .event = rx_event_ref(event), .watermark = RX_WATERMARK_NONE};
    http_append(&h->all, a);
    return a;
}

void http_await_free(struct await *a)
{
    rx_event_unref(&a->event);
    rx_event_queue_finish(&a->more);
    rx_value_unref(a->url);
    rx_value_unref(a->request);
    rx_value_unref(a->outcome);
    free(a);
}

int64_t http_size(const struct await *a) { return 1 + (int64_t)a->more.count; }

static bool in_order(const struct http *h) { return h->ordered || h->mode == HTTP_CONCAT; }
static bool has_place(const struct await *a) { return a->state == AWAIT_ASKED || a->state == AWAIT_PAUSED; }

void http_arm(struct http *h, const struct await_list *list, unsigned slot)
{
    if (list->first)
        rx_timer_arm_at(&h->op, slot, list->first->due, list->first->sequence);
    else
        rx_timer_stop(&h->op, slot);
}

int http_more_slots(struct http *h)
{
    uint32_t count = h->slot_count ? h->slot_count * 2 : 8;
    struct await **slots = realloc(h->slots, count * sizeof *slots);
    if (slots)
        h->slots = slots;
    uint32_t *spare = slots ? realloc(h->spare, count * sizeof *spare) : NULL;
    if (!spare)
        return -ENOMEM;
    h->spare = spare;
    for (uint32_t i = count; i > h->slot_count; i--) {
        h->slots[i - 1] = NULL;
        h->spare[h->spare_count++] = i - 1;
    }
    h->slot_count = count;
    return 0;
}

int http_take_slot(struct http *h, struct await *a)
{
    if (h->spare_count == 0 && http_more_slots(h) < 0)
        return -ENOMEM;
    a->slot = h->spare[--h->spare_count];
    h->slots[a->slot] = a;
    return 0;
}

/* No answer is awaited any more. */
static void leave_asked(struct http *h, struct await *a)
{
    bool first = h->asked.first == a;
    http_remove_same(&h->asked, a);
    h->slots[a->slot] = NULL;
    h->spare[h->spare_count++] = a->slot;
    http_counts(h)->under_way--;
    if (first)
        http_arm(h, &h->asked, HTTP_TIMEOUT);
}

/* Out of whatever it is in, with its place. */
static void give_up(struct http *h, struct await *a)
{
    if (a->state == AWAIT_LINE)
        http_remove_same(&h->step->line, a);
    if (a->state == AWAIT_ASKED) {
        rx_call_cancel(&h->op, a->slot);
        leave_asked(h, a);
        http_counts(h)->cancelled++;
    }
    if (a->state == AWAIT_PAUSED) {
        http_remove_same(&h->paused, a);
        http_arm(h, &h->paused, HTTP_PAUSE);
    }
    if (a == h->gathering)
        h->gathering = NULL;
    if (has_place(a))
        h->step->running--;
    else
        h->step->waiting -= http_size(a);
    http_breaker_forget(h, a);
}

/* Event time that came behind it waits for those before it. What may go on now: RX_WATERMARK_NONE: nothing. */
static rx_time unlink_from_all(struct http *h, struct await *a)
{
    struct await *previous = a->all.previous;
    rx_time watermark = a->watermark;
    http_remove(&h->all, a);
    if (previous && watermark != RX_WATERMARK_NONE)
        previous->watermark = watermark;
    return previous ? RX_WATERMARK_NONE : watermark;
}

static void drop(struct http *h, struct await *a, enum rx_account account)
{
    give_up(h, a);
    rx_time watermark = unlink_from_all(h, a);
    int64_t size = http_size(a);
    http_await_free(a);
    rx_hold(&h->op, -size);
    rx_count(&h->op, account, (size_t)size);
    if (watermark != RX_WATERMARK_NONE)
        rx_emit_watermark(&h->op, watermark);
}

void http_leave(struct http *h)
{
    while (h->all.first) {
        struct await *a = h->all.first;
        give_up(h, a);
        http_remove(&h->all, a);
        http_await_free(a);
    }
    if (h->step)
        http_wake_next(h->step, h->concurrency);
}

/* ---- results ---- */

static void deliver(struct http *h, struct await *a)
{
    h->step->waiting -= http_size(a);
    rx_time watermark = unlink_from_all(h, a);
    rx_hold(&h->op, -http_size(a));
    http_put_out_all(h, a);
    http_await_free(a);
    if (watermark != RX_WATERMARK_NONE && rx_op_live(&h->op))
        rx_emit_watermark(&h->op, watermark);
}

static void join_line(struct http *h, struct await *a)
{
    a->state = AWAIT_LINE;
    http_insert_by_number(&h->step->line, a);
}

/* The outcome is taken. */
static void settle_take(struct http *h, struct await *a, struct rx_value outcome)
{
    a->outcome = outcome;
    a->state = AWAIT_DONE;
    h->step->running--;
    h->step->waiting += http_size(a);
    if (!in_order(h)) {
        deliver(h, a);
        return;
    }
    while (rx_op_live(&h->op) && h->all.first && h->all.first->state == AWAIT_DONE)
        deliver(h, h->all.first);
    if (rx_op_live(&h->op) && h->all.first && h->all.first->state == AWAIT_HELD)
        join_line(h, h->all.first);
}

/* ---- tries ---- */

static rx_time pause_of(const struct http *h, int64_t failures)
{
    double wait = (double)h->retry.delay * pow(h->retry.backoff, (double)(failures - 1));
    return wait < (double)h->retry.max_delay ? (rx_time)wait : h->retry.max_delay;
}

static void pause_for(struct http *h, struct await *a, rx_time wait)
{
    a->state = AWAIT_PAUSED;
    a->due = rx_now(&h->op) + wait;
    a->sequence = rx_timer_reserve(&h->op);
    http_insert_by_due(&h->paused, a);
    http_arm(h, &h->paused, HTTP_PAUSE);
}

static void judge(struct http *h, struct await *a, const struct rx_value *answer, const struct rx_error *error)
{
    rx_time after;
    bool transient = http_is_transient(answer, error, &after);
    http_count_answer(h, answer);
    http_breaker_note(h, a, transient);
    if (transient && (h->retry.count < 0 || a->failures < h->retry.count)) {
        rx_time wait = pause_of(h, ++a->failures);
        pause_for(h, a, wait > after ? wait : after);
    } else {
        if (answer)
            http_cache_keep(h, a->request, *answer);
        settle_take(h, a, http_outcome(h, answer, error));
    }
}

static void ask(struct http *h, struct await *a, struct rx_value request)
{
    struct rx_error error;
    a->due = http_due(h);
    a->sequence = rx_timer_reserve(&h->op);
    if (http_take_slot(h, a) < 0) {
        rx_error_set(&error, -ENOMEM, "out of memory");
        settle_take(h, a, http_outcome(h, NULL, &error));
        return;
    }
    if (h->cache_given) {
        rx_value_unref(a->request);
        a->request = rx_value_ref(request);
    }
    http_counts(h)->under_way++;
    http_counts(h)->again += a->failures > 0;
    http_append_same(&h->asked, a);
    if (h->asked.first == a)
        http_arm(h, &h->asked, HTTP_TIMEOUT);
    rx_call_begin(&h->op, a->slot, request);
}

/* It has its place. What cannot be asked is over, and so is what is known. */
static void try_it(struct http *h, struct await *a)
{
    struct rx_error error;
    struct rx_value request, known;
    a->state = AWAIT_ASKED;
    int r = http_request(h, a, &request, &error);
    if (r == 0 && http_cache_find(h, request, &known)) {
        http_breaker_forget(h, a);
        http_counts(h)->kept++;
        settle_take(h, a, rx_value_ref(known));
    } else if (r < 0 || !http_breaker_lets(h, a, &error)) {
        http_breaker_forget(h, a);
        settle_take(h, a, http_outcome(h, NULL, &error));
    } else {
        ask(h, a, request);
    }
    rx_value_unref(request);
}

void http_pump(struct http *h)
{
    struct http_step *s = h->step;
    if (h->pumping)
        return;
    h->pumping = true;
    while (rx_op_live(&h->op) && s->line.first && s->line.first->of == h && s->running < h->concurrency) {
        struct await *a = s->line.first;
        http_remove_same(&s->line, a);
        s->waiting -= http_size(a);
        s->running++;
        try_it(h, a);
    }
    h->pumping = false;
    if (!rx_op_live(&h->op)) {
        http_leave(h);
        return;
    }
    http_wake_next(s, h->concurrency);
    if (h->completing && !h->all.first)
        rx_finish(&h->op);
}

void http_answered(struct http *h, uint64_t tag, const struct rx_value *answer, const struct rx_error *error)
{
    struct await *a = tag < h->slot_count ? h->slots[tag] : NULL;
    if (!a)
        return;
    leave_asked(h, a);
    judge(h, a, answer, error);
    http_pump(h);
}

void http_on_timeout(struct http *h)
{
    struct await *a = h->asked.first;
    struct rx_error error;
    char text[32];
    rx_format_duration(h->timeout, text, sizeof text);
    rx_error_set(&error, -ETIMEDOUT, "no answer within %s", text);
    rx_call_cancel(&h->op, a->slot);
    leave_asked(h, a);
    judge(h, a, NULL, &error);
    http_pump(h);
}

void http_on_pause(struct http *h)
{
    struct await *a = h->paused.first;
    http_remove_same(&h->paused, a);
    http_arm(h, &h->paused, HTTP_PAUSE);
    try_it(h, a);
    http_pump(h);
}

/* ---- what comes in ---- */

static bool is_free(const struct http *h)
{
    return h->step->running < h->concurrency && !h->step->line.first && (h->mode != HTTP_CONCAT || !h->all.first);
}

/* It wants a place from now on. */
void http_set_out(struct http *h, struct await *a)
{
    if (h->mode == HTTP_EXHAUST && h->all.first != a) {
        drop(h, a, RX_FILTERED);
        return;
    }
    while (h->mode == HTTP_SWITCH && h->all.first != a)
        drop(h, h->all.first, RX_SUPERSEDED);
    if (h->mode == HTTP_CONCAT && a->all.previous)
        a->state = AWAIT_HELD;
    else
        join_line(h, a);
    http_pump(h);
}

struct await *http_hold(struct http *h, const struct rx_event *event, bool free)
{
    struct await *a = free || h->step->waiting < h->queue ? http_add(h, event) : NULL;
    if (!a) {
        rx_count(&h->op, RX_EVICTED, 1);
        return NULL;
    }
    rx_hold(&h->op, 1);
    a->number = ++h->step->numbers;
    h->step->waiting++;
    if (!h->op.node->told)
        a->event.time -= rx_wall(&h->op);
    return a;
}

void http_take_in(struct http *h, const struct rx_event *event)
{
    bool replaces = h->mode == HTTP_SWITCH && h->all.first;
    if (h->mode == HTTP_EXHAUST && h->all.first) {
        rx_count(&h->op, RX_FILTERED, 1);
        return;
    }
    struct await *a = http_hold(h, event, replaces || is_free(h));
    if (a)
        http_set_out(h, a);
}

/* Where events have times of their own, event time does not overtake them. */
void http_watermark(struct http *h, rx_time t)
{
    if (h->op.node->told && h->all.last)
        h->all.last->watermark = t;
    else
        rx_pass_watermark(&h->op, t);
}
