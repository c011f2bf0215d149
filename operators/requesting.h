/* What the http step is made of.
 *
 *   http.c              options, what comes in, the class
 *   requesting_await.c  one request from its event to its result: tries, waits, order
 *   requesting_ask.c    what is asked, and what an answer means
 *   requesting_step.c   what all groups have in common: places, the line for them, the breaker
 *   requesting_batch.c  several events in one request
 *   requesting_cache.c  answers that are kept
 *   requesting_state.c  saving and loading
 *
 * An event waits in the line of the step until one of its places (`concurrency`) is free, keeps the place through all tries, and has
 * its result when they are over. Nothing here knows a socket or a clock but the scheduler's. */
#ifndef RX_OPERATORS_REQUESTING_H
#define RX_OPERATORS_REQUESTING_H

#include "core/graph/graph.h"
#include "core/graph/request.h"
#include "core/value/event_queue.h"
#include "core/value/keytable.h"

enum http_mode { HTTP_MERGE, HTTP_CONCAT, HTTP_SWITCH, HTTP_EXHAUST };
enum http_timer { HTTP_TIMEOUT, HTTP_PAUSE, HTTP_TURN, HTTP_GATHER, HTTP_TIMERS };

struct http_retry {
    int64_t count;
    rx_time delay, max_delay;
    double backoff;
    bool reset_on_success; /* each request counts for itself: it makes no difference */
};

struct http_breaker {
    int64_t failures;
    rx_time cooldown;
};

struct http_cache {
    rx_time ttl;
    int64_t max;
};

struct http_batch {
    int64_t count;
    rx_time every;
};

/* The members of one list: all of an op, in order of coming; or those that share a state. */
struct await_link {
    struct await *previous, *next;
};
struct await_list {
    struct await *first, *last;
};

enum await_state {
    AWAIT_GATHERS, /* a batch that is not full; the last of its op */
    AWAIT_HELD,    /* concat: another one is before it */
    AWAIT_LINE,    /* in the step's line for a place */
    AWAIT_ASKED,   /* the answer is on its way */
    AWAIT_PAUSED,  /* it is tried again later */
    AWAIT_DONE,    /* others that go before it are not */
};

struct await {
    struct await_link all, same; /* of its op; of its state: the line, asked by due time, paused by due time */
    struct http *of;
    struct rx_event event;
    struct rx_event_queue more; /* of a batch: those behind the first */
    struct rx_value url;        /* of a batch: where it goes; else RX_NULL */
    enum await_state state;
    uint64_t number; /* in order of coming to the step */
    int64_t failures;
    rx_time due; /* ASKED: its timeout; PAUSED: the next try */
    uint64_t sequence;
    uint32_t slot;           /* ASKED: its call's tag */
    struct rx_value outcome; /* DONE: a reply, or a text: why there is none */
    struct rx_value request; /* ASKED, with a cache: what was asked */
    rx_time watermark;       /* event time behind it; RX_WATERMARK_NONE: none came */
};

/* Common to all groups of a step. */
struct http_step {
    struct await_list line;
    int64_t running, waiting; /* places taken; events that are in no place */
    uint64_t numbers;
    rx_time last_due;         /* of a try's timeout; the latest so far */
    int64_t with_it;          /* tries that have that one */
    int64_t failures;         /* in a row, while the breaker is closed */
    rx_time open_until;       /* 0: closed */
    struct rx_keytable cache; /* of cached, by the request; `heap` NULL: not there yet */
    uint64_t probe;           /* the one that goes through when the cooldown is over; 0: none is under way */
};

struct http {
    struct rx_op op;
    struct rx_shaper *get, *post, *put, *patch, *delete;
    struct rx_shaper *headers, *body;
    const char *into;
    int mode;
    int64_t concurrency, queue;
    bool ordered;
    rx_time timeout;
    struct http_retry retry;
    struct http_breaker breaker;
    bool breaker_given;
    struct rx_strings allow;
    int64_t redirects;
    uint64_t max_answer;
    struct http_cache cache;
    struct http_batch batch;
    bool cache_given, batch_given;

    struct http_step *step;
    struct await_list all, asked, paused;
    struct await **slots; /* of those asked, by tag */
    uint32_t *spare;      /* tags that are free */
    uint32_t slot_count, spare_count;
    const struct rx_key *into_key;
    struct await *gathering; /* NULL: none */
    bool completing, pumping;
};

/* requesting_await.c */
void http_take_in(struct http *, const struct rx_event *);
void http_set_out(struct http *, struct await *); /* a batch that is full, or whose time has come */
void http_pump(struct http *);                    /* takes places for its own; finishes where all is done */
void http_answered(struct http *, uint64_t tag, const struct rx_value *, const struct rx_error *);
void http_on_timeout(struct http *);
void http_on_pause(struct http *);
void http_leave(struct http *); /* gives up all; also behind its end */
void http_watermark(struct http *, rx_time);
struct await *http_add(struct http *, const struct rx_event *); /* NULL: no memory */
int http_take_slot(struct http *, struct await *);
int http_more_slots(struct http *);
/* The timer for the first of those that have a due time. */
void http_arm(struct http *, const struct await_list *, unsigned slot);
void http_await_free(struct await *);
int64_t http_size(const struct await *); /* events in it */
/* Of an event that comes in; NULL: it may not wait, and has been counted. */
struct await *http_hold(struct http *, const struct rx_event *, bool free);

/* Lists, by `all` or `same`. */
void http_append(struct await_list *, struct await *);
void http_append_same(struct await_list *, struct await *);
void http_insert_by_due(struct await_list *, struct await *);
void http_insert_by_number(struct await_list *, struct await *);
void http_remove(struct await_list *, struct await *);
void http_remove_same(struct await_list *, struct await *);

/* requesting_ask.c */
const char *http_method(const struct http *, struct rx_shaper **ret_url);
int http_request(struct http *, const struct await *, struct rx_value *ret, struct rx_error *reterr);
int http_url(struct http *, const struct rx_event *, struct rx_value *ret, struct rx_error *reterr);
bool http_is_good(const struct rx_reply *);
/* Of an answer: whether asking again may help; and how long the server wants to be left alone, ns. */
bool http_is_transient(const struct rx_value *answer, const struct rx_error *, rx_time *ret_after);
struct rx_value http_outcome(struct http *, const struct rx_value *answer, const struct rx_error *);
void http_put_out(struct http *, const struct rx_event *, struct rx_value outcome);
void http_put_out_null(struct http *, const struct rx_event *); /* as on_error says */

/* requesting_batch.c */
void http_gather(struct http *, const struct rx_event *);
void http_close_batch(struct http *); /* where one gathers: it is admitted */
void http_put_out_all(struct http *, struct await *);

/* requesting_cache.c */
bool http_cache_find(struct http *, struct rx_value request, struct rx_value *ret); /* borrowed */
void http_cache_keep(struct http *, struct rx_value request, struct rx_value reply);
void http_cache_save(const struct http_step *, struct rx_writer *);
void http_cache_load(struct http_step *, struct rx_reader *);
void http_cache_finish(struct http_step *);

/* requesting_step.c */
extern const struct rx_common_class http_step_class;
struct rx_request_counts *http_counts(struct http *);
void http_count_answer(struct http *, const struct rx_value *answer); /* NULL: none came */
rx_time http_due(struct http *);                                      /* of a try that begins now */
void http_wake_next(struct http_step *, int64_t concurrency);         /* another group's turn, by its timer */
bool http_breaker_lets(struct http *, const struct await *, struct rx_error *reterr);
void http_breaker_note(struct http *, const struct await *, bool failed);
void http_breaker_forget(struct http *, const struct await *);

/* requesting_state.c */
int http_save(struct rx_op *, struct rx_writer *);
int http_load(struct rx_op *, struct rx_reader *);

#endif
