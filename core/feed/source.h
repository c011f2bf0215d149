/* Sources: feeds. A source decodes what arrives into events and hands them to its hub in spans. One worker. */
#ifndef RX_CORE_SOURCE_H
#define RX_CORE_SOURCE_H

#include "core/feed/event_clock.h"
#include "core/graph/hub.h"
#include "core/option/option.h"

struct rx_source;
struct rx_site; /* core/io/site.h: the loop, the brokers, and what else a feed or a delivery reaches */
struct rx_ingest;

/* Flags of a source class (rx_class.flags). */
enum {
    RX_SOURCE_ENDS = 1,     /* completes by itself (file, a bounded timer) */
    RX_SOURCE_FREE = 2,     /* has no outside: can run without a loop's descriptors (timer, simulate) */
    RX_SOURCE_CONNECTS = 4, /* has a connection, and says by rx_source_set_connected when it is there */
};

struct rx_source_class {
    struct rx_class base;
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
    void (*dispose)(struct rx_source *);
};

enum rx_reject {                   /* why a message was not decoded; counted by reason */
                 RX_REJECT_SYNTAX, /* not JSON */
                 RX_REJECT_UTF8,
                 RX_REJECT_NUMBER,    /* out of range */
                 RX_REJECT_TOO_LARGE, /* max_message */
                 RX_REJECT_TOO_DEEP,  /* depth or key limits */
                 RX_REJECT_TOPIC,     /* does not match the pattern */
                 RX_REJECT_TYPE,
                 RX_REJECT_TIME,  /* it has no usable event_time */
                 RX_REJECT_AHEAD, /* its event_time lies too far in the future */
                 RX_REJECT_MEMORY,
                 RX_REJECT_GAP, /* no message: the other side says that some are missing here */
                 RX_REJECTS
};
const char *rx_reject_name(enum rx_reject); /* "syntax", "utf8", "number", "too_large", "too_deep", "topic" ... */

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
    uint64_t max_message;         /* bytes; default 1 MiB */
    /* the ledger: received = decoded + the sum of rejected */
    uint64_t received, decoded, bytes, rejected[RX_REJECTS];
    uint64_t connects, disconnects; /* of its connection, where it has one */
    uint64_t failures;              /* attempts to connect, or to ask, that failed. The class's */
    bool running, connected;
    const char *fault;           /* why it cannot read now, in words without secrets; NULL: it can. The class's */
    uint64_t position, acked;    /* what it has handed to rx_source_position; what class->ack was told */
    struct rx_source_work *work; /* the span being filled, caches; private to source.c. See rx_source_finish */
};
/* The ledger and the event clock, for who saves a source. */
void rx_source_save(const struct rx_source *, struct rx_writer *);
void rx_source_load(struct rx_source *, struct rx_reader *);
/* After dispose: frees what decoding allocated. Safe on a source that never had an event. */
void rx_source_finish(struct rx_source *);

enum rx_format { RX_FORMAT_AUTO, RX_FORMAT_JSON, RX_FORMAT_TEXT };
extern const char *const rx_format_choices[]; /* "auto", "json", "text", NULL */

/* What came with a message. All borrowed; zero where unknown. */
struct rx_message_info {
    const struct rx_key *const
        *capture_keys; /* topic captures: added to the event, and win over the payload's fields */
    const struct rx_value *captures;
    size_t capture_count;
    const char *topic;
    size_t topic_length;
    bool retained;
    uint64_t line; /* of the file or body that the message came in; errors name it. 0: none */
};

/* Decodes one message and adds its event to the span (flushed at 256). An object gives its fields, any other JSON value
 * {value: ...}; `auto` takes what is not JSON at its first byte as text. 0, or the negative errno of a rejection, which
 * has then been counted and sent to NAME.errors. `ret_error` may be NULL. */
int rx_source_message(struct rx_source *, enum rx_format, const char *payload, size_t length,
                      const struct rx_message_info *, struct rx_error *reterr);
/* The place in the outside of the messages that follow; never back, 0: none. When they, or what became of them, have
 * passed all pipelines, class->ack is told. */
void rx_source_position(struct rx_source *, uint64_t position);
/* Bodies that are taken whole or not at all: as rx_source_message for a JSON message without captures, but its event waits
 * for rx_source_commit, which counts it and hands it on, or rx_source_discard. 1: it is right, but as many wait as may:
 * commit, and give it to rx_source_message. A rejection is counted and sent as there. */
int rx_source_stage(struct rx_source *, const char *payload, size_t length, struct rx_error *reterr);
void rx_source_commit(struct rx_source *);
void rx_source_discard(struct rx_source *);
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
