/* Sources: feeds. A source decodes what arrives into events and hands them to its hub in spans. One worker. */
#ifndef RX_CORE_SOURCE_H
#define RX_CORE_SOURCE_H

#include "core/feed/dedupe.h"
#include "core/feed/event_clock.h"
#include "core/feed/format.h"
#include "core/graph/hub.h"
#include "core/option/option.h"

struct rx_source;
struct rx_message_info;
struct rx_site; /* core/io/site.h: the loop, the brokers, and what else a feed or a delivery reaches */
struct rx_ingest;

/* Flags of a source class (rx_class.flags). */
enum {
    RX_SOURCE_ENDS = 1,     /* completes by itself (file, a bounded timer) */
    RX_SOURCE_FREE = 2,     /* has no outside: can run without a loop's descriptors (timer, simulate) */
    RX_SOURCE_TIMED = 8,    /* its messages may bring their times; else it says so (rx_event_clock_by_arrival) */
    RX_SOURCE_CONNECTS = 4, /* has a connection, and says by rx_source_set_connected when it is there */
};

struct rx_source_class {
    struct rx_class base;
    enum rx_format format;                                     /* of its messages, where the user says nothing */
    int (*init)(struct rx_source *, struct rx_error *reterr);  /* options set; resolve brokers, open nothing */
    int (*start)(struct rx_source *, struct rx_error *reterr); /* first subscriber. An outside that is absent is not an
                                                                   error: keep trying with backoff */
    void (*pause)(struct rx_source *, bool);                   /* NULL: cannot */
    void (*ack)(struct rx_source *, uint64_t position);        /* all up to it is safe; NULL: nothing to acknowledge */
    void (*stop)(struct rx_source *);                          /* last subscriber left; start may follow */
    /* What it needs to go on in another engine as if nothing had happened. After load the next start goes on from there.
     * A source that has not started since says nothing. NULL: start is all there is (its outside keeps its place). */
    unsigned state_version;
    void (*save)(struct rx_source *, struct rx_writer *);
    int (*load)(struct rx_source *, struct rx_reader *);    /* -EBADMSG; -ENOMEM */
    void (*ingest)(struct rx_source *, struct rx_ingest *); /* POST /sources/NAME; NULL: 405. See rx_ingest_* */
    /* For a replay, in which nothing else of it runs: what a message of that topic would bring, the source's until the next
     * call. False: none of its topics is meant, or memory is out. NULL: its messages have no topic. */
    bool (*of_topic)(struct rx_source *, const char *topic, size_t length, struct rx_message_info *ret);
    void (*dispose)(struct rx_source *);
    const char *const *fields; /* all that its events have, NULL-terminated; NULL: it cannot be said */
};

enum rx_reject {                   /* why a message was not decoded; counted by reason */
                 RX_REJECT_SYNTAX, /* not of its format */
                 RX_REJECT_UTF8,
                 RX_REJECT_NUMBER,    /* out of range */
                 RX_REJECT_TOO_LARGE, /* max_message */
                 RX_REJECT_TOO_DEEP,  /* depth or key limits */
                 RX_REJECT_TOPIC,     /* does not match the pattern */
                 RX_REJECT_TYPE,
                 RX_REJECT_TIME,  /* it has no usable event_time */
                 RX_REJECT_AHEAD, /* its event_time lies too far in the future */
                 RX_REJECT_MEMORY,
                 RX_REJECT_GAP,      /* no message: the other side says that some are missing here */
                 RX_REJECT_REPEATED, /* `dedupe`: it came before. Counted alone, as nothing is wrong with it */
                 RX_REJECTS
};
const char *rx_reject_name(enum rx_reject); /* "syntax", "utf8", "number", "too_large", "too_deep", "topic" ... */

static inline const struct rx_class *rx_source_common_of(const struct rx_source_class *class)
{
    return class->base.flags & RX_SOURCE_TIMED ? &rx_source_common_timed : &rx_source_common;
}

/* The head of every source's state struct. Set by the pipelines layer before init. */
struct rx_source {
    const struct rx_source_class *class;
    const char *name;
    struct rx_engine *engine;
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_site *site;           /* NULL under `check`, `explain` and `replay` */
    struct rx_hub *hub, *errors;    /* NAME and NAME.errors */
    const struct rx_fields *fields; /* what the plan can reach; NULL: all */
    unsigned reaches;               /* RX_REACHES_META ... */
    const struct rx_source_common *common;
    struct rx_event_clock *clock; /* NULL: time of arrival */
    struct rx_dedupe *dedupe;     /* its own; NULL: repeats are events */
    struct rx_source_tap *tap;    /* source_tap.h; NULL: nobody takes down what comes in */
    uint64_t max_message;         /* bytes; 0: no bound */
    /* the ledger: received = decoded + the sum of rejected */
    uint64_t received, decoded, bytes, rejected[RX_REJECTS];
    uint64_t connects, disconnects; /* of its connection, where it has one */
    uint64_t failures;              /* attempts to connect, or to ask, that failed. The class's */
    uint64_t headers;               /* CSV headers that came among rows, or with other columns than before */
    unsigned starts;                /* counted by who calls class->start */
    bool running, connected;
    bool handed_over;         /* its state was saved, and another goes on with it: stop leaves what it can take over */
    const char *fault;        /* why it cannot read now, in words without secrets; NULL: it can. The class's */
    uint64_t position, acked; /* what it has handed to rx_source_position; what class->ack was told */
    struct rx_source_work *work; /* the span being filled, caches; private to source.c. See rx_source_finish */
};
/* What the user wrote beside the kind; lent. Before init. -ENOMEM. */
int rx_source_set_common(struct rx_source *, const struct rx_source_common *);
/* The ledger, the event clock and what `dedupe` remembers, for who saves a source. */
void rx_source_save(const struct rx_source *, struct rx_writer *);
void rx_source_load(struct rx_source *, struct rx_reader *);
/* After dispose: frees what decoding allocated. Safe on a source that never had an event. */
void rx_source_finish(struct rx_source *);

/* What came with a message. All borrowed; zero where unknown. */
struct rx_message_info {
    const struct rx_key *const
        *capture_keys; /* topic captures: added to the event, and win over the payload's fields */
    const struct rx_value *captures;
    size_t capture_count;
    const char *topic;
    size_t topic_length;
    bool retained;
    const struct rx_mark *mark; /* the scope that it comes from */
    rx_time time;               /* when it happened, where `timed`; an event_time beats it */
    bool timed;
    uint64_t line; /* of the file or body that the message came in; errors name it. 0: none */
    bool stream;   /* a piece of a stream, found by rx_source_message_end: what a CSV header said before holds on */
};

/* The format of its messages: what the user says, or else the kind's own. */
static inline enum rx_format rx_source_format(const struct rx_source *source)
{
    bool given = source->common && source->common->format_given;
    return given ? (enum rx_format)source->common->format : source->class->format;
}
/* Decodes a message of that format and adds what is in it to the span (flushed at 256): one event, or one for each row, line or
 * element. An object gives its fields, any other value stays itself, or with captures is {value: ...}. 0, or the negative errno
 * of the (first) rejection; all have been counted and sent to NAME.errors. `reterr` may be NULL. A subscriber may leave
 * meanwhile: `bytes` must outlive the call only while the source runs. */
int rx_source_message(struct rx_source *, enum rx_format, const char *bytes, size_t length,
                      const struct rx_message_info *, struct rx_error *reterr);
/* A run: the messages that one read brought. What holds for all of them is looked up once, and counted at the end; all else is as by
 * rx_source_message, event for event. On the stack of who reads, and within one turn. */
struct rx_source_run {
    struct rx_source *source;
    enum rx_format format;

    /* private */
    struct rx_format_state *plain; /* NULL: each message goes the general way, and needs all of its info */
    struct rx_format_state *dated; /* not NULL: lines go the short way, with the times that they bring */
    struct rx_heap *heap;
    const struct rx_fields *fields;
    struct rx_event *first, *next, *end; /* of the span: what the run has put there; room */
    uint64_t longest, objects;           /* bytes of a message; of one that may be a JSON object, 0: none may */
    uint64_t bytes;
    rx_time now;
    unsigned starts;
    bool running;
    struct rx_error error;
};
void rx_source_run_begin(struct rx_source_run *, struct rx_source *, enum rx_format);
/* Whether the info of a message without captures matters. */
static inline bool rx_source_run_asks(const struct rx_source_run *run)
{
    return !run->plain || !run->plain->class->value;
}
bool rx_source_run_any(struct rx_source_run *, const char *bytes, size_t length, const struct rx_message_info *);
bool rx_source_run_refuse(struct rx_source_run *, int code, const char *bytes, size_t length,
                          const struct rx_message_info *); /* what run->error says */
bool rx_source_run_hand_on(struct rx_source_run *);

static inline bool rx_source_run_put(struct rx_source_run *run, struct rx_value value, size_t length)
{
    *run->next++ = (struct rx_event){.value = value, .time = run->now};
    run->bytes += length;
    return run->next < run->end || rx_source_run_hand_on(run);
}

/* False: the subscribers have left, and the bytes, and those of further messages, may be gone. */
static inline bool rx_source_run_message(struct rx_source_run *run, const char *bytes, size_t length,
                                         const struct rx_message_info *info)
{
    struct rx_value value;
    if (info || length - 1 >= run->objects || *bytes != '{')
        return rx_source_run_any(run, bytes, length, info);
    int r = rx_json_decode(run->heap, run->fields, NULL, bytes, length, &value, &run->error);
    return r < 0 ? rx_source_run_refuse(run, r, bytes, length, info) : rx_source_run_put(run, value, length);
}
/* Takes the lines at *at, up to a span of them, as far as they come without a word, and answers how many. 0: the next is for
 * rx_source_run_message. *ret_there as it answers. */
size_t rx_source_run_lines(struct rx_source_run *, const char **at, const char *end, bool *ret_there);
void rx_source_run_end(struct rx_source_run *); /* counts; nothing is handed on */
/* Streams: behind the end of the message that begins at `at`, its line break included. NULL: it does not end before `end`. */
const char *rx_source_message_end(struct rx_source *, enum rx_format, const char *at, const char *end);
void rx_source_stream_begin(struct rx_source *);                    /* another stream: a CSV header is to come */
void rx_source_save_stream(struct rx_source *, struct rx_writer *); /* what holds from message to message */
int rx_source_load_stream(struct rx_source *, struct rx_reader *);  /* -EBADMSG; -ENOMEM */
/* The place in the outside of the messages that follow; never back, 0: none. When they, or what became of them, have
 * passed all pipelines, class->ack is told. */
void rx_source_position(struct rx_source *, uint64_t position);
/* A body that is taken whole or not at all: all its messages are decoded before the first is handed on. `lines`: each line is
 * one. *ret_accepted are those that were. The errno of the mistake that stopped it, which has been counted and sent as
 * above; `reterr->at` is its place in the body, where the format has places. */
int rx_source_body(struct rx_source *, enum rx_format, bool lines, const char *body, size_t length,
                   uint64_t *ret_accepted, struct rx_error *reterr);
/* Adds a ready event (its references are taken); received and decoded are counted. */
void rx_source_event_take(struct rx_source *, struct rx_event);
/* Hands the span to the hub, and acknowledges. Call at the end of each read: nothing waits in it. */
void rx_source_flush(struct rx_source *);
/* Counts a message as received and rejected, and sends {at, reason, step, message, event} to NAME.errors, `event` being
 * the first bytes. */
void rx_source_reject(struct rx_source *, enum rx_reject, const char *payload, size_t length, const struct rx_error *);
/* Its connection is there, or gone: counts where that is news, tells its clock, and those who wait for events (rx_hub_link). A
 * source that has a connection says so at each start. */
void rx_source_set_connected(struct rx_source *, bool);
/* The time of an event that has just arrived: of the wall clock, or by the event clock. 0; -ENOMEM, or another negative errno, for
 * which rx_source_reason_of has the reason, with a message. */
int rx_source_stamp(struct rx_source *, struct rx_event *, struct rx_error *reterr);
enum rx_reject rx_source_reason_of(int code);
/* True: `dedupe` dropped it, which was counted. For who hands events on by itself (a replay). */
bool rx_source_drops_repeat_take(struct rx_source *, struct rx_event);
/* One that was an event already, for the reason of that errno. */
void rx_source_reject_event_take(struct rx_source *, struct rx_event, int code, const struct rx_error *);
void rx_source_complete(struct rx_source *); /* flushes, then the end */
void rx_source_fail(struct rx_source *, const struct rx_error *);

/* One POST body on its way through a worker. The bytes are whole; `type` is the Content-Type ("" if none). */
struct rx_ingest {
    char *body; /* malloc'ed; the ingest's */
    size_t length;
    const char *type;
    /* the answer, set by class->ingest */
    int status; /* 202, 400, 413, 429, 503 */
    uint64_t accepted;
    struct rx_error error; /* 400: line and column of the body, message */
};

#endif
