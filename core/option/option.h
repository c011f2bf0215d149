/* Options: one declarative table per operator, source and sink. Parsing, range checks, error messages, the catalogue,
 * the JSON Schema and the reference page come from it. */
#ifndef RX_CORE_OPTION_H
#define RX_CORE_OPTION_H

#include "core/expr/columns.h"
#include "core/option/diagnostics.h"
#include "core/value/value.h"

/* With the C type of the field that receives it. */
enum rx_option_type {
    RX_OPTION_BOOL,       /* bool */
    RX_OPTION_INT,        /* int64_t */
    RX_OPTION_DOUBLE,     /* double */
    RX_OPTION_DURATION,   /* rx_time, nanoseconds. "500ms", "1m30s" */
    RX_OPTION_SIZE,       /* uint64_t, bytes. "64KiB", "10MB" */
    RX_OPTION_STRING,     /* const char * */
    RX_OPTION_STRINGS,    /* struct rx_strings: one text or a list of texts */
    RX_OPTION_PAIRS,      /* struct rx_pairs: a mapping of name to text (headers) */
    RX_OPTION_ENUM,       /* int: the index into choices */
    RX_OPTION_EXTENT,     /* struct rx_extent: a duration or a count, or one of the choices */
    RX_OPTION_EXPR,       /* struct rx_expr * */
    RX_OPTION_SHAPER,     /* struct rx_shaper *: one expression, or an object of named ones, nested (map, set) */
    RX_OPTION_KEYS,       /* struct rx_keys *: a field, [a, b], or {name: EXPR} (group_by) */
    RX_OPTION_CASES,      /* struct rx_keys *: {name: CONDITION}, in order of writing (route) */
    RX_OPTION_SIDE_KEYS,  /* struct rx_side_keys *: the same, or {name: {STREAM: EXPR, ...}} (join) */
    RX_OPTION_AGGREGATES, /* struct rx_shaper * compiled with RX_EXPR_AGGREGATES */
    RX_OPTION_TEMPLATE,   /* struct rx_shaper *: a literal (or a literal tree) with {EXPR} in its strings */
    RX_OPTION_VALUE, /* struct rx_value: a literal tree; the arena owns it. Plain scalars by spelling; 0123 stays text */
    RX_OPTION_STREAM,  /* const struct rx_tree *: a name or {from:, pipe:}; resolved by the planner */
    RX_OPTION_STREAMS, /* const struct rx_tree *: one stream, a list of names, or a mapping of name to stream */
    RX_OPTION_ZONE,    /* const struct rx_zone *: a time zone; the arena owns it */
    RX_OPTION_PIPE,    /* const struct rx_tree *: a list of steps; resolved by the planner */
    RX_OPTION_GROUP,   /* the struct of `group`, embedded: a mapping of that class's own options (or its bare value) */
};

enum {
    RX_REQUIRED = 1,
    RX_POSITIONAL = 2, /* what a bare value means. Where its type is itself an object (SHAPER, AGGREGATES, TEMPLATE,
                           VALUE), and it has RX_WHOLE, a mapping is always that object */
    RX_WHOLE = 4,
    RX_SIBLING =
        1 << 21,      /* stands beside the step, as on_error does: where the positional option takes a mapping whole */
    RX_BRANCH = 16,   /* STRING, CASES: names the streams that the step feeds, PIPELINE.NAME */
    RX_BROKER = 32,   /* STRING: names one of `brokers:` */
    RX_CAPTURES = 64, /* STRINGS: {name} in it makes a field of the event */
    RX_COLUMNS = 1 << 20, /* STRINGS of a source: all fields that its events have (but true and false) */
    RX_OPENED =
        128, /* STREAM: no further input, but a graph of its own that the step opens (with the PIPE beside it) */
    RX_STATELESS = 8, /* state saved under another value of it can be loaded all the same (a log level) */
    RX_INLINE = 256,  /* GROUP: its options stand among those of the class itself, not under a name; those
                       win where two have one name.
                       What it requires is asked for where it has RX_REQUIRED */
    RX_TABLE = 1024,  /* STRING: a table's file, read at load (rx_node.table) */
    RX_BLAMED =
        512, /* STRING, STRINGS: a place in what class->check says is inside a text of it: `line` tells which (from 1, of
                       all that these options were given), `offset` where */
};

struct rx_option {
    const char *name, *help;
    enum rx_option_type type;
    size_t offset;              /* into the state struct */
    const char *fallback;       /* spelled as a user would; NULL: zero of the type (absent) */
    double min, max;            /* both 0: unchecked; max < min: no upper bound. Durations in seconds */
    const char *const *choices; /* ENUM: NULL-terminated */
    unsigned flags;
    const char *const *locals; /* EXPR and SHAPER: names bound at evaluation (`acc`), NULL-terminated */
    /* GROUP. Where nothing of it was written its defaults are set, and what it requires is not asked for. */
    const struct rx_class *group;
    size_t given; /* offset of a bool: whether it was written, or something of a group. 0: nobody asks */
};

/* offsetof that compiles only if the field has the type: RX_AT(struct take, count, int64_t). */
#define RX_AT(type_, field_, expected_)                                                                                \
    (offsetof(type_, field_) +                                                                                         \
     0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type_ *)0)->field_), expected_) ? 1 : -1]))

struct rx_strings {
    const char *const *items;
    size_t count;
};

struct rx_pairs {
    const char *const *names, *const *texts;
    size_t count;
};

struct rx_extent {
    rx_time duration; /* > 0: by time */
    uint64_t count;   /* > 0: by count */
    bool every_event; /* the choice `event`: `every: event` */
    unsigned choice;  /* 1: the first of the choices; 0: none of them */
};

/* The common head of every class (operator, source, sink). */
struct rx_class {
    const char *name, *summary;
    const struct rx_option *options; /* ends with a row whose name is NULL; may be NULL */
    size_t state_size;
    unsigned flags;      /* per kind of class */
    const char *example; /* one YAML line for the catalogue */
    /* Whether the options, each right by itself, go together; asked at load. NULL: they do. */
    int (*check)(const void *image, struct rx_error *reterr);
};

/* Where parsed options live: pointers in images (expressions, strings, shapers) are owned by the arena and freed with it. */
struct rx_plan_arena;
struct rx_plan_arena *rx_plan_arena_create(struct rx_heap *);
void rx_plan_arena_destroy(struct rx_plan_arena *);
void *rx_plan_alloc(struct rx_plan_arena *, size_t size); /* zeroed; freed with the arena */
/* Registers a destructor run (in reverse order) when the arena is destroyed. */
int rx_plan_defer(struct rx_plan_arena *, void (*destroy)(void *), void *what);
struct rx_heap *rx_plan_heap(const struct rx_plan_arena *);
/* What is known of the event that the expressions compiled from here on see: the outputs that an earlier step declared. Lent
 * until it is told otherwise; count 0: nothing. */
struct rx_known {
    const struct rx_expr_type *types;
    size_t count;
    bool closed;   /* these are all the fields there are: to name another is a mistake */
    bool declared; /* these are all that the events are said to have: to name another looks like a slip */
};
void rx_plan_know(struct rx_plan_arena *, struct rx_known);
struct rx_known rx_plan_known(const struct rx_plan_arena *);

/* Fills `image` (class->state_size bytes, zeroed by the caller) from a step's or source's value. `value` NULL: `- name`
 * alone. `where` is the node to blame for what is missing. Answers 0, or -EINVAL with every mistake in `diagnostics`. */
int rx_options_parse(const struct rx_class *, const struct rx_tree *value, const struct rx_tree *where,
                     struct rx_plan_arena *, void *image, struct rx_diagnostics *);
/* Diagnoses what is wrong with options that go together: in the text that the error's place speaks of (RX_BLAMED), else at the
 * value, or at `where` without one. */
void rx_options_blame(const struct rx_class *, const struct rx_tree *value, const struct rx_tree *where,
                      const struct rx_error *, struct rx_diagnostics *);
/* Adds what the image's expressions reach (see rx_expr_reach). */
int rx_options_reach(const struct rx_class *, const void *image, struct rx_fields *, unsigned *reaches);

/* What the user wrote for one option of a step's value; NULL: nothing. */
const struct rx_tree *rx_option_tree(const struct rx_class *, const struct rx_tree *value, const struct rx_option *);
const char *rx_class_positional(const struct rx_class *); /* what a bare value means; "": it has no such option */
bool rx_class_has_sibling(const struct rx_class *, const char *name); /* an option that stands beside the step */
bool rx_class_has_option(const struct rx_class *, const char *name);
/* The field of an image that an option of that name sets. NULL: there is none. */
const void *rx_option_field(const struct rx_class *, const void *image, const char *name);
/* The streams that a STREAM or STREAMS option names; *ret_name is the user's name for one, NULL: it has none. */
size_t rx_stream_count(const struct rx_tree *);
const struct rx_tree *rx_stream_at(const struct rx_tree *, size_t i, const char **ret_name);
/* A hash of the options that shape state, from a parsed image and the value that it was parsed from. */
uint64_t rx_options_hash(const struct rx_class *, const struct rx_tree *value, const void *image);

/* A tree as a literal value, as RX_OPTION_VALUE takes it: plain scalars by their spelling, quoted ones as text. The caller's.
 * -ENOMEM. */
int rx_tree_value(const struct rx_tree *, struct rx_heap *, struct rx_value *ret);

/* A name of a source, a pipeline, a step: [A-Za-z_][A-Za-z0-9_-]*. */
bool rx_is_name(const char *);

/* Scalars, for who parses keys outside a table (http.listen ...). 0 or -EINVAL/-ERANGE with a message. */
int rx_parse_duration(const char *text, rx_time *ret, struct rx_error *);
int rx_parse_size(const char *text, uint64_t *ret, struct rx_error *);
int rx_parse_bool(const char *text, bool *ret, struct rx_error *);
void rx_format_duration(rx_time, char *out, size_t size); /* "1m30s" */
void rx_format_size(uint64_t, char *out, size_t size);    /* "54.9 MiB", rounded */
const char *rx_option_type_name(enum rx_option_type);     /* "duration", "expression" ...: for people */

/* The catalogue entry of a class as text, for `rxd operators NAME`. */
struct rx_buffer;
void rx_class_describe(const struct rx_class *, struct rx_buffer *out);
/* The same as Markdown: summary, table of options, example. */
void rx_class_describe_markdown(const struct rx_class *, struct rx_buffer *out);

/* Shapers: expressions arranged in an object (map, set, aggregate), or text with {EXPR} in it (templates, payloads). */
struct rx_shaper;
/* The object (or the one value). The heap is the arena's: shapes were found there at load. An expression's error is the
 * shaper's, except that in AGGREGATES a result that is absent (the average of nothing) is null. */
int rx_shaper_eval(struct rx_shaper *, const struct rx_expr_env *, struct rx_heap *, struct rx_value *ret,
                   struct rx_error *reterr);
/* The values of the object alone, the caller's, in the order of its shape: for who makes a larger one of them. 1; 0: it is no object of
 * at most RX_SHAPE_KEYS_MAX names, and nothing was done; or as eval. */
struct rx_shape;
int rx_shaper_values(struct rx_shaper *, const struct rx_expr_env *, struct rx_heap *, struct rx_value *values,
                     const struct rx_shape **ret_shape, struct rx_error *reterr);
/* Like eval, but writes over / adds to the object `base` (set). A non-object base counts as {value: base}. Every
 * expression sees the environment as it was: none sees what another one set. */
int rx_shaper_apply(struct rx_shaper *, const struct rx_expr_env *, struct rx_heap *, struct rx_value base,
                    struct rx_value *ret, struct rx_error *reterr);
/* Adds what it makes (`over`: of each event with the fields laid over) to a column program, as its functions answer. */
int rx_shaper_columns(const struct rx_shaper *, bool over, struct rx_columns *);
/* Renders a template as text (a topic, a line). */
int rx_shaper_text(struct rx_shaper *, const struct rx_expr_env *, struct rx_buffer *out, struct rx_error *reterr);
/* The same, with what the expressions yield percent-encoded (all but the unreserved characters of RFC 3986, 2.3). */
int rx_shaper_url(struct rx_shaper *, const struct rx_expr_env *, struct rx_buffer *out, struct rx_error *reterr);
/* The same, but what stands in the place of the host (before "://" has been followed by one of "/?#") is not encoded: it is refused
 * (-EINVAL) where it could be more than a host and a port; what begins the URL is taken as it is. */
int rx_shaper_whole_url(struct rx_shaper *, const struct rx_expr_env *, struct rx_buffer *out, struct rx_error *reterr);
/* Of a template of a URL: whether its host stands in it, literally. */
bool rx_shaper_names_host(const struct rx_shaper *);
/* Every expression in the shaper, in order of writing. */
size_t rx_shaper_expr_count(const struct rx_shaper *);
struct rx_expr *rx_shaper_expr(const struct rx_shaper *, size_t i);
/* Aggregate calls of a shaper are numbered flat: calls 0..n-1 of expression 0, then those of expression 1, and so on, each
 * in rx_expr_aggregate order. `env->slots` of eval and apply holds rx_shaper_slot_count values in that order. */
size_t rx_shaper_slot_count(const struct rx_shaper *);
/* The first slot of expression i. */
size_t rx_shaper_slot_first(const struct rx_shaper *, size_t i);
/* Compiles a template tree outside a table. */
int rx_shaper_template(const struct rx_tree *, struct rx_plan_arena *, struct rx_shaper **ret, struct rx_diagnostics *);

/* Keys: the group key as named expressions. A name that the event lacks is looked for in the mark. */
struct rx_keys;
/* Compiles keys outside a table. */
int rx_keys_compile(const struct rx_tree *, struct rx_plan_arena *, struct rx_keys **ret, struct rx_diagnostics *);
size_t rx_keys_count(const struct rx_keys *);
const struct rx_key *rx_keys_name(const struct rx_keys *, size_t i);
struct rx_expr *rx_keys_expr(const struct rx_keys *, size_t i);
/* The keys of an event, as many as there are; they are the caller's. After a mistake there are none. */
int rx_keys_values(struct rx_keys *, const struct rx_expr_env *, struct rx_value *values, struct rx_error *reterr);
/* The key of an event as an RX_RECORD {name: value} made of compact copies. */
int rx_keys_eval(struct rx_keys *, const struct rx_expr_env *, struct rx_heap *, struct rx_value *ret,
                 struct rx_error *reterr);

/* Keys by which several streams are paired: the same names for all, and for each an expression of its own, or the common
 * one; where neither is given, the field of that name. */
struct rx_side_keys;
int rx_side_keys_compile(const struct rx_tree *, struct rx_plan_arena *, struct rx_side_keys **ret,
                         struct rx_diagnostics *);
size_t rx_side_keys_count(const struct rx_side_keys *);
const struct rx_key *rx_side_keys_name(const struct rx_side_keys *, size_t i);
/* The streams that are named in it, where each is named first. */
size_t rx_side_keys_side_count(const struct rx_side_keys *);
const struct rx_tree *rx_side_keys_side(const struct rx_side_keys *, size_t i);
/* The keys of one stream; of one that is not named, what is for all of them. */
struct rx_keys *rx_side_keys_of(const struct rx_side_keys *, const char *side);

#endif
