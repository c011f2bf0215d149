/* The operator contract: what an operator is, and all that it may call.
 *
 * The Rx grammar holds on every edge: next* (error | complete)?; calls on one observer never overlap and never re-enter
 * (a nested emission on one node is queued, bounded, and drained by the outer one); nothing after a terminal; nothing
 * after cancel has returned. Everything belongs to one worker. Source of the semantics: Rx design guidelines, RxJS 7.8. */
#ifndef RX_CORE_OPERATOR_H
#define RX_CORE_OPERATOR_H

#include "core/graph/facts.h"
#include "core/graph/note.h"
#include "core/graph/sched.h"
#include "core/option/option.h"
#include "core/value/codec.h"

struct rx_op;
struct rx_instance;
struct rx_node;
struct rx_engine;
struct rx_step;

#define RX_SPAN_MAX  256
#define RX_PORTS_MAX 16

/* Flags of an operator class (rx_class.flags). */
enum {
    RX_SPAN_SAFE = 1,     /* per-event work, no early end, no terminal of its own, no inner subscription */
    RX_OPENS_GROUP = 2,   /* the steps behind it run once per group: sub-graph 0 */
    RX_OPENS_WINDOW = 4,  /* the steps behind it run once per window: sub-graph 0 */
    RX_REDUCES = 8,       /* closes the innermost window scope */
    RX_CLOSES_SCOPE = 16, /* merge */
    RX_RESUBSCRIBES = 32, /* may subscribe port 0 again (retry, repeat) */
    RX_INTERNAL = 64,     /* made by the planner; not in the catalogue */
    RX_PASSES = 128,      /* these three: enum rx_output */
    RX_REPLACES = 256,
    RX_EDITS = 4096,
    RX_ENDS_EARLY = 1024,   /* may complete before its input does (take) */
    RX_BRANCHES = 512,      /* feeds streams of its own, X.NAME (node->feeds), named by its RX_BRANCH option */
    RX_ENDS_PIPE = 1 << 18, /* no step may stand behind it */
    RX_MERGES = 8192,       /* what `from: [a, b]` means */
    RX_BEGINS = 32768,      /* a pipeline begins with it: `join:` in place of `from:`, its other options beside it */
    RX_CREATES = 1 << 22,   /* a stream of its own, without inputs, written where it is read: from: {of: [1, 2]} */
    RX_CATCHES = 1 << 24,   /* there is something that it does only where its input ends in an error (catch, retry) */
    RX_NOT_A_STEP = RX_INTERNAL | RX_BEGINS | RX_CREATES,
    RX_AT_END = 131072, /* what it is there for comes when its input ends (take_last) */
    /* Its slot `watermark` has something to do only when what it wanted has been reached, or the form changes: in a scope it need not
     * be told of every instant in between. Before an event comes to it, it has always been told. */
    RX_TOLD_WHEN_WANTED = 1 << 19,
    RX_OPENS_LANES = 1 << 20, /* the steps behind it run in lanes, each for some of the keys: sub-graph 0 */
    RX_ANY_ORDER =
        16384, /* what it does with its events does not depend on their order; without state that is so anyway */
};

/* Events on their way through steps that take each by itself. */
struct rx_batch {
    size_t n;
    bool owned;              /* their values are the batch's; else borrowed, as all the rest is */
    uint8_t at[RX_SPAN_MAX]; /* of each its place in the span that the batch began with, growing */
    struct rx_event events[RX_SPAN_MAX];
};

/* A step that takes each event by itself and keeps nothing, so that several of them in a row may run as one (rx_run). It has either
 * of the first two; `which` is the step (rx_count_of), `image` its options. */
struct rx_each {
    /* What becomes of the event: a value in *ret, the caller's. False: nothing, and that is accounted for. */
    bool (*make)(struct rx_op *, unsigned which, const void *image, const struct rx_event *, struct rx_value *ret);
    /* Does it go on? 1 or 0, which the caller counts, or -1: no, and that is accounted for. */
    int (*test)(struct rx_op *, unsigned which, const void *image, const struct rx_event *);
    /* Adds the step to a column program, as its functions answer. It must give the same. NULL: it cannot. */
    int (*columns)(const void *image, struct rx_heap *, struct rx_columns *);
};

/* Whether a class runs several steps as one, and then whether its state is theirs or of its own. */
enum rx_fusing { RX_FUSES_NOT, RX_FUSES, RX_FUSES_STATE };

struct rx_operator_class {
    struct rx_class base;
    unsigned min_inputs, max_inputs; /* port 0 is the chain; the rest come from STREAM options, in table order */
    unsigned timer_slots;
    int (*init)(struct rx_op *, struct rx_error *reterr); /* state zeroed, options set. NULL: nothing to do */
    void (*start)(struct rx_op *); /* subscribed: subscribe inputs, arm timers. NULL: subscribe all inputs in order */
    void (*next)(struct rx_op *, unsigned port, const struct rx_event *span, size_t n);
    void (*complete)(struct rx_op *, unsigned port);                       /* NULL: finish after the last port */
    void (*error)(struct rx_op *, unsigned port, const struct rx_error *); /* NULL: forward */
    /* Event time is at `t` (in either form, note.h) on all live inputs; also called when it has reached what the op wanted.
     * NULL: rx_pass_watermark. */
    void (*watermark)(struct rx_op *, rx_time t);
    /* A source that feeds it is without its connection, or none is any more. It may arm and stop timers, and puts nothing out.
     * NULL: nothing to do; the graph passes it on either way. */
    void (*link)(struct rx_op *, bool away);
    void (*timer)(struct rx_op *, unsigned slot);
    void (*settle)(struct rx_op *);                                              /* of rx_settle_later */
    void (*inner)(struct rx_op *, struct rx_instance *, const struct rx_note *); /* next, complete or error */
    /* A barrier has come on all live inputs. NULL: rx_pass_barrier. */
    void (*barrier)(struct rx_op *, uint64_t number);
    /* Of rx_call_begin; `answer` is borrowed, NULL: see the error. */
    void (*answer)(struct rx_op *, uint64_t tag, const struct rx_value *answer, const struct rx_error *error);
    /* Puts out, with that event time, the result that it would have if its input ended now, and goes on as if it had not been
     * asked: of steps that reduce, where results come before a window closes (rx_facts.early, rx_instance_peek). NULL: it cannot. */
    void (*peek)(struct rx_op *, rx_time at);
    /* Of what opens windows that may overlap: how far apart their starts are, ns, where they are even; 0: uneven. NULL: they never
     * overlap. */
    rx_time (*apart)(const struct rx_op *);
    void (*cancel)(struct rx_op *); /* it will hear nothing more, and was not at its end. NULL: nothing to do */
    unsigned state_version;         /* of what save writes; older ones that load still reads are told from the length */
    int (*save)(struct rx_op *, struct rx_writer *); /* NULL: stateless. Timers are saved by the graph */
    int (*load)(struct rx_op *, struct rx_reader *); /* after init, in place of start: inputs and timers are restored */
    void (*dispose)(struct rx_op *);                 /* exactly once; tolerates a half-made object */
    /* What the planner asks; any thread. `image`: the state struct with its options set, and nothing else. */
    void (*describe)(const void *image, struct rx_facts *); /* corrects the facts of the flags. NULL: they are right */
    const struct rx_operator_class *collects; /* a window of its own with one step of this class in it (buffer) */
    /* A class that runs several steps as one: which, each alone in the scope of the one before it, NULL-terminated; and whether
     * it can, from their options and whether events have times of their own (`told`). it sets its own in `ret_image`, and gives the same output and accounts as they would. */
    const struct rx_operator_class *const *fuses;
    enum rx_fusing (*fuse)(const struct rx_step *const *, const void *const *images, bool told, void *ret_image);
    uint16_t fused_common; /* of which of them rx_common_get is */
    /* What its (first) step tests before all else, one rx_op_test an event: where that is not true the event goes no further, and leaves no
     * trace but in the step's account (RX_FILTERED, and what rx_op_test counts). Hubs look such conditions up. NULL: nothing. */
    const struct rx_expr *(*condition)(const void *image);
    const struct rx_each *each; /* NULL: it is no such step. Its `next` is rx_each_next */
    /* A class that runs such steps, one behind another, as one: 1 with `ret_image` set (what it makes is the arena's), 0: it is no
     * use, -ENOMEM. */
    int (*run)(const struct rx_step *const *, const void *const *images, unsigned n, struct rx_plan_arena *,
               void *ret_image);
};

/* How often work was begun anew at one moment. */
struct rx_rounds {
    uint32_t moment, count;
};

/* The head of every operator's state struct: `struct take { struct rx_op op; int64_t count; ... }`. Private to graph.c
 * but for the accessors below. */
struct rx_op {
    const struct rx_operator_class *class;
    struct rx_instance *instance;
    const struct rx_node *node; /* its place in the sub-graph */
    struct rx_op *next_dead;
    struct rx_instance *opened; /* instances it opened, in order of opening (list head) */
    struct rx_instance **opened_tail;
    struct rx_op_timer *timers;                /* class->timer_slots of them */
    struct rx_call *calls;                     /* pending, the oldest first */
    struct rx_emission *queued, **queued_tail; /* nested emissions */
    uint32_t queued_count;
    int64_t held;
    rx_time reached, watermark; /* on all live inputs; put out */
    uint64_t barrier;           /* the newest */
    uint16_t barrier_ports;     /* bit p: it has come on port p and waits for others */
    uint16_t live_ports;        /* bit p: port p is subscribed and has not ended */
    struct rx_op_want *want;    /* of event time; NULL: nothing yet */
    struct rx_kept *kept;       /* of steps in its windows */
    struct rx_rounds rounds;    /* rx_op_again */
    uint64_t born;              /* among all ops and instances of the engine */
    uint8_t state;              /* enum in graph.c */
    bool busy;                  /* inside a callback that notes may not enter again */
    bool starting;              /* subscribing its inputs */
    bool reach_again;           /* an input reached another time meanwhile */
    bool unsettled;             /* rx_settle_later */
    bool away;                  /* a source that feeds it is without its connection */
};

struct rx_engine *rx_op_engine(const struct rx_op *);
struct rx_heap *rx_op_heap(const struct rx_op *);
rx_time rx_now(const struct rx_op *);        /* for waits: never stops, jumps or goes back */
rx_time rx_wall(const struct rx_op *);       /* for times of events and bounds of windows: what the wall clock says */
unsigned rx_op_inputs(const struct rx_op *); /* ports connected */
const struct rx_key *rx_op_input_name(const struct rx_op *, unsigned port); /* the name the user gave the stream */
const struct rx_mark *rx_op_mark(const struct rx_op *); /* of the scope it runs in; borrowed, may be NULL */
bool rx_op_live(const struct rx_op *);                  /* false after a terminal or cancel */

/* Emission. Events are borrowed. After rx_finish and rx_fail nothing is delivered any more; both cancel the inputs,
 * the timers and the instances that are still open. */
void rx_emit(struct rx_op *, const struct rx_event *span, size_t n);
/* For one-to-one operators: emits `value` (taken) in place of `in`: same time, mark and meta. */
void rx_emit_value_take(struct rx_op *, const struct rx_event *in, struct rx_value value);
/* For steps that reduce: emits `value` (taken) with the mark of the scope, at the window's end less 1 ns, or the wall clock's now. */
void rx_emit_result_take(struct rx_op *, struct rx_value value);
void rx_emit_result_at_take(struct rx_op *, struct rx_value value, rx_time at); /* the same, with that event time */
/* Values of its own, borrowed: with the mark of the scope, at the wall clock's now; of a list all elements. */
void rx_emit_own(struct rx_op *, struct rx_value);
void rx_emit_own_list(struct rx_op *, struct rx_value list);
void rx_finish(struct rx_op *);
void rx_fail(struct rx_op *, const struct rx_error *);
void rx_fail_memory(struct rx_op *); /* out of memory */

/* Event time. The least watermark of the op's live inputs, never back (the forms: note.h); and the instant that it has reached
 * by now. */
rx_time rx_op_watermark(const struct rx_op *);
rx_time rx_op_reached(const struct rx_op *);
/* class->watermark is called when event time has reached `t`, by the note that says so or, where the watermark runs, by a timer;
 * not before this call returns. One an op, the earliest of those wanted; it is saved with the op. When it has been told, ask
 * again for the next. Operators upstream hear of one instant before those downstream. */
void rx_watermark_want(struct rx_op *, rx_time t);
void rx_pass_watermark(struct rx_op *, rx_time); /* to the instances that are open, in order, then downstream */
void rx_emit_watermark(struct rx_op *, rx_time); /* downstream alone */

void rx_pass_barrier(struct rx_op *); /* the newest goes on downstream */

/* class->settle is called when all has come of what the graph is taking in now (an event of a source, a timer, an answer), by
 * whatever ways that do not wait; upstream first, and before event time goes on. Nothing is saved of it: it is over before the turn is. */
void rx_settle_later(struct rx_op *);

bool rx_op_is_away(const struct rx_op *); /* what class->link was told last */

/* Inputs. Subscribing may deliver events, and even the end, before it returns. Subscribing a port again (after its end
 * or rx_cancel) re-creates the upstream subtree with fresh state. */
void rx_subscribe(struct rx_op *, unsigned port);
/* The same, as the last thing that a callback does: what comes at once is handed on as it comes, and does not wait in a queue until
 * the callback has returned. */
void rx_subscribe_last(struct rx_op *, unsigned port);
void rx_cancel(struct rx_op *, unsigned port);
bool rx_input_live(const struct rx_op *, unsigned port);

/* To be asked before each round of work that the op gives itself: subscribing again after an end, taking in what it put out.
 * False: that has happened too often since anything came from outside and since the clock moved on, and the op has failed with
 * an error that names its step and says what it was `doing` ("subscribed again"), and why for the last time (NULL: not).
 * One op may go RX_ROUNDS_MAX rounds, all those of a worker together RX_ROUNDS_ALL_MAX. */
#define RX_ROUNDS_MAX     1000000
#define RX_ROUNDS_ALL_MAX 10000000
bool rx_op_again(struct rx_op *, const char *doing, const struct rx_error *why);
/* That error, for a limit of the op's own. */
void rx_fail_endless(struct rx_op *, const char *doing, unsigned limit, const struct rx_error *why);

/* Timers: plain data (slot, due). A due time in the past fires at this instant, after what is scheduled already. */
void rx_timer_arm(struct rx_op *, unsigned slot, rx_time due);
void rx_timer_arm_at(struct rx_op *, unsigned slot, rx_time due, uint64_t sequence);
uint64_t rx_timer_reserve(struct rx_op *); /* a place in the order of now, for rx_timer_arm_at later */
void rx_timer_stop(struct rx_op *, unsigned slot);
/* From now on this slot's timer is (not) in the background: it waits for input and alone keeps no replay going. */
void rx_timer_background(struct rx_op *, unsigned slot, bool);
/* This slot's timer goes on for ever by itself: it keeps a replay going only for who may have had enough of it. */
void rx_timer_endless(struct rx_op *, unsigned slot, bool);
bool rx_timer_is_armed(const struct rx_op *, unsigned slot);

/* Sub-graphs: an instance of sub-graph `which` of the op's node. `mark` is taken (NULL: the op's own); `tag` is the
 * opener's (its group or window). The instance is subscribed before the call returns; NULL: it has ended already (class->
 * inner was told), or memory is out (reported as a failure of the op). Its notifications come to class->inner; after the terminal, or rx_instance_close, the
 * instance is gone (reclaimed at the end of the turn). */
struct rx_instance *rx_instance_open(struct rx_op *, unsigned which, const struct rx_mark *mark, void *tag);
/* The same for a stream that is opened for an event, `outer` to the expressions in it; the event is borrowed. */
struct rx_instance *rx_instance_open_for(struct rx_op *, unsigned which, void *tag, const struct rx_event *outer);
void *rx_instance_tag(const struct rx_instance *);
void rx_instance_set_tag(struct rx_instance *, void *tag);
const struct rx_mark *rx_instance_mark(const struct rx_instance *);
/* A scope whose bounds or flags are known only at its close: a new mark (taken; NULL: no memory, the old one stays) for
 * what comes from now on. What has left it keeps the old one, which never changes. */
void rx_instance_seal(struct rx_instance *, const struct rx_mark *);
/* Pushes into the instance's entry. False when nothing inside listens any more (the caller counts the event). */
bool rx_instance_next(struct rx_instance *, const struct rx_event *span, size_t n);
/* The same of an instance that is no scope of its own: the events keep their marks. */
bool rx_instance_pass(struct rx_instance *, const struct rx_event *span, size_t n);
void rx_instance_watermark(struct rx_instance *, rx_time);
void rx_instance_complete(struct rx_instance *);
void rx_instance_error(struct rx_instance *, const struct rx_error *);
void rx_instance_close(struct rx_instance *); /* cancels it; no terminal comes */
/* Asks for the result so far: the step at the exit puts it out (class->peek), or where that opens groups, in each of them the
 * one at theirs, in order. Facts with `early` have seen to it at load that they can. */
void rx_instance_peek(struct rx_instance *, rx_time at);
/* save and load of an instance, for scope operators; the tag is the opener's to restore. */
int rx_instance_save(struct rx_instance *, struct rx_writer *);
struct rx_instance *rx_instance_load(struct rx_op *, unsigned which, const struct rx_mark *mark, void *tag,
                                     struct rx_reader *);
struct rx_instance *rx_instance_load_for(struct rx_op *, unsigned which, void *tag, const struct rx_event *outer,
                                         struct rx_reader *);
struct rx_instance *rx_instance_load_own(struct rx_op *, unsigned which, void *tag,
                                         struct rx_reader *);         /* the op's mark */
const struct rx_event *rx_instance_outer(const struct rx_instance *); /* NULL: it was not opened for one */

/* For an op that runs several steps as one: the frames of steps that it stands for, as an operator with so many live
 * inputs and timers (none armed) would write them; `as` gives the event time. End with rx_frame_end, rx_frame_close. */
size_t rx_frame_begin_step(struct rx_writer *, const struct rx_op *as, unsigned inputs, unsigned timers);
struct rx_reader rx_frame_open_step(struct rx_reader *, unsigned inputs, unsigned timers);

/* Calls out of the graph: a question to the outside that is answered later. The engine's caller asks it (rx_engine.caller);
 * class->answer hears of it, with the value or the error; what cannot be asked at all is answered with the error at once. What is pending when the op ends is
 * cancelled; when it is saved, asked again by whoever loads it, in the same order. `request` is borrowed; `tag` is the op's,
 * a number that it can save. */
void rx_call_begin(struct rx_op *, uint64_t tag, struct rx_value request);
void rx_call_cancel(struct rx_op *, uint64_t tag); /* no answer comes; no-op where none is awaited */

/* The ledger: every event that came in is accounted for once. Counters belong to the step, not to each instance. */
enum rx_account {
    RX_USED,       /* passed on, or became part of a result */
    RX_FILTERED,   /* a condition said no */
    RX_ABSENT,     /* filtered because an operand was absent or null (a part of filtered) */
    RX_ERRORED,    /* a bad event */
    RX_SUPERSEDED, /* discarded: a newer event took its place (debounce, throttle, sample) */
    RX_LATE,       /* discarded: too late, see rx_late_event */
    RX_EVICTED,    /* discarded: a limit's policy */
    RX_UNHEARD,    /* discarded: nobody downstream listens, or the step had ended */
    RX_ACCOUNTS
};
void rx_count(struct rx_op *, enum rx_account, size_t n);
void rx_count_key_evicted(struct rx_op *);   /* a group ended to make room: no event is charged */
void rx_hold(struct rx_op *, int64_t delta); /* events kept for later: a gauge. What is still held at dispose is
                                                 discarded as RX_UNHEARD by the graph: release with rx_hold(-n) first */

/* In a node that runs several steps each keeps its own account, as if it ran alone: the calls above speak of the first
 * (`which` 0). What the first takes in and the last puts out the graph counts; the rest the operator. */
void rx_count_of(struct rx_op *, unsigned which, enum rx_account, size_t n);
void rx_count_in(struct rx_op *, unsigned which, size_t n);
void rx_count_out(struct rx_op *, unsigned which, size_t n);

/* One bad event, by the step's on_error: it is counted and, for dead_letter, sent to the pipeline's error stream. The
 * answer says how to go on. */
enum rx_verdict { RX_SKIP_EVENT, RX_USE_NULL, RX_STEP_FAILED /* rx_fail was called */ };
enum rx_verdict rx_bad_event(struct rx_op *, const struct rx_event *, const struct rx_error *);
enum rx_verdict rx_bad_event_of(struct rx_op *, unsigned which, const struct rx_event *, const struct rx_error *);

/* The same for a result that could not be made: no input is charged with it. */
enum rx_verdict rx_bad_result(struct rx_op *, const struct rx_error *);
enum rx_verdict rx_bad_result_of(struct rx_op *, unsigned which, const struct rx_error *);

/* An event that came too late for what the step does: counted as RX_LATE, and sent to the pipeline's X.late as {at, reason:
 * "late", step, message, event}. */
void rx_late_event(struct rx_op *, const struct rx_event *);
void rx_late_event_of(struct rx_op *, unsigned which, const struct rx_event *);

/* After making a value from an event (NULL: from several), RX_NULL where it could not be: a bad event, or a bad result, as where
 * it is too large (and then dropped, and RX_NULL). True
 * when it is there to be emitted, which is also where on_error wants null. */
bool rx_op_made(struct rx_op *, const struct rx_event *in, struct rx_value *made);

/* Evaluates for an event. A failure is a bad event: false; or true with null where on_error says so. */
bool rx_op_eval(struct rx_op *, struct rx_expr *, const struct rx_expr_env *, struct rx_value *ret);
/* A condition: 1 true, 0 false (counted as nothing; an absent operand as RX_ABSENT), -1 a bad event. */
int rx_op_test(struct rx_op *, struct rx_expr *, const struct rx_event *);

/* The same of the step that `which` says. */
int rx_op_test_of(struct rx_op *, unsigned which, struct rx_expr *, const struct rx_event *);

/* Steps that take each event by itself (struct rx_each): their `next`, and one of them on a batch, with its account. */
void rx_each_next(struct rx_op *, unsigned port, const struct rx_event *span, size_t n);
void rx_each_apply(struct rx_op *, unsigned which, const struct rx_each *, const void *image, struct rx_batch *);
void rx_batch_begin(struct rx_batch *, const struct rx_event *span, size_t n, bool owned);
void rx_batch_finish(struct rx_batch *); /* gives back what is its own */

/* What all instances of one node have in common (a boundary clock): zeroed bytes, made at the first call, gone with the
 * plan. It has one timer; at one instant these fire before all other timers, upstream nodes first. */
struct rx_common;
struct rx_common_class {
    size_t size;
    void (*timer)(struct rx_common *);
    /* State that stands with no instance open; both NULL: none. The timer is the loader's to arm. */
    void (*save)(const struct rx_common *, struct rx_writer *);
    void (*load)(struct rx_common *, struct rx_reader *);
    void (*finish)(struct rx_common *); /* gives back what the bytes refer to. NULL: nothing */
};
struct rx_common *rx_common_get(struct rx_op *, const struct rx_common_class *); /* NULL: no memory */
void *rx_common_data(const struct rx_common *);
void rx_common_arm(struct rx_common *, rx_time due); /* by the wall clock */
void rx_common_stop(struct rx_common *);

/* What a step keeps beyond the window that it runs in: zeroed bytes at first, that live with the step which opens the windows,
 * and so with its group. It does not outlive an outer window, nor reach over groups that are opened inside the window. NULL: it is not
 * directly in a window, or no memory. */
struct rx_kept_class {
    size_t size;
    void (*save)(const void *, struct rx_writer *);
    int (*load)(void *, struct rx_reader *); /* 0, or < 0: cleared, and begun anew */
    void (*clear)(void *);
};
void *rx_kept_get(struct rx_op *, const struct rx_kept_class *);
rx_time rx_windows_apart(const struct rx_op *); /* class->apart of what opens its windows; RX_TIME_NEVER: no overlap */

/* The environment for expressions on an event: it, and the event for which an operator opened the stream that the op is in
 * (`outer`; none elsewhere). */
struct rx_expr_env rx_op_env(const struct rx_op *, const struct rx_event *);

#endif
