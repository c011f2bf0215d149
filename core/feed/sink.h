/* Sinks: deliveries. A sink takes the events of a pipeline to the outside; it never blocks the worker. One worker. */
#ifndef RX_CORE_SINK_H
#define RX_CORE_SINK_H

#include "core/graph/hub.h"
#include "core/option/option.h"

struct rx_sink;
struct rx_site;

/* Flags of a sink class (rx_class.flags). */
enum { RX_SINK_ONCE = 1 /* a pipeline has at most one */ };

struct rx_sink_class {
    struct rx_class base;
    int (*init)(struct rx_sink *, struct rx_error *reterr); /* options set; resolve brokers, open nothing */
    int (*start)(struct rx_sink *, struct rx_error *reterr);
    /* Takes one event: 0; -EAGAIN when full (the event is counted as dropped by reason "full", or waits: `pauses`), or another errno (an
     * error of this event: counted, sent to the pipeline's errors). The sink copies what it keeps. */
    int (*write)(struct rx_sink *, const struct rx_event *, struct rx_error *reterr);
    void (*flush)(struct rx_sink *);                        /* after each span; may be NULL */
    void (*end)(struct rx_sink *, const struct rx_error *); /* the stream ended (NULL: completed); may be NULL */
    bool (*drain)(struct rx_sink *);                        /* shutting down: true when nothing is left to deliver */
    void (*stop)(struct rx_sink *);
    /* What it holds, to be delivered by the sink of another engine; after start. NULL: it holds nothing of its own. */
    unsigned state_version;
    void (*save)(struct rx_sink *, struct rx_writer *);
    int (*load)(struct rx_sink *, struct rx_reader *); /* -EBADMSG; -ENOMEM */
    void (*dispose)(struct rx_sink *);
};

/* The head of every sink's state struct. Set by the pipelines layer before init. */
struct rx_sink {
    const struct rx_sink_class *class;
    const char *pipeline; /* the stream that it delivers */
    struct rx_engine *engine;
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_site *site;
    /* The ledger: in = out + lost + refused + dropped_full + errored + held + waiting. The class counts out, held, lost (taken, and
     * then given up) and refused (the destination does not want it), as only it knows; whoever calls write counts the rest. */
    uint64_t in, out, lost, refused, dropped_full, errored, held;
    uint64_t failures; /* attempts to deliver that failed, and were or will be made again. The class's */
    bool pauses;       /* set by init, `full: pause`: what it has no room for waits, and the sources with it */
    uint64_t waiting;  /* taken in, and kept by the pipelines layer until there is room: a part of what is held */
    bool connected;    /* where it has a connection */
    bool handed_over;  /* what it holds was saved, and is another's to deliver: stop does not */
    const char *fault; /* why it cannot deliver now, in words; NULL: it can. The class's */
    const char *loss;  /* why it last lost something, or had it refused; NULL: not known. The class's */
    struct rx_hub *errors;
};

/* The option `full` of sinks that can be full. */
enum { RX_FULL_DROP, RX_FULL_PAUSE };
extern const char *const rx_full_choices[]; /* "drop", "pause", NULL */
#define RX_FULL_HELP                                                                                                   \
    "what becomes of events when there is no room: drop (counted), or pause: they wait, and their sources are paused"

#endif
