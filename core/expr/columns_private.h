/* The inside of a column program: what columns.c builds, columns_run.c computes and columns_make.c puts out. */
#ifndef RX_CORE_COLUMNS_PRIVATE_H
#define RX_CORE_COLUMNS_PRIVATE_H

#include "core/expr/columns.h"
#include "core/expr/internal.h"

enum { COLUMNS_MAX = 24, EDITS_MAX = 24, NO_COLUMN = 255, COLUMN_CODE_MAX = 192 };
enum {
    COLUMN_TEXT_MAX = 256
}; /* longer texts, and lists and objects, cost steps to compare: the interpreter counts them */

/* A column (0 and up), or a constant (-1 and down). */
typedef int16_t operand;

enum column_op {
    COLUMN_LOAD, /* dst: a field of the events, or the whole value */
    COLUMN_IS,   /* dst: that field is the text b */
    COLUMN_ADD,  /* dst: a + b; these in the order of rx_operator_code */
    COLUMN_SUB,
    COLUMN_MUL,
    COLUMN_DIV,
    COLUMN_MOD,
    COLUMN_EQ,
    COLUMN_NE,
    COLUMN_LT,
    COLUMN_LE,
    COLUMN_GT,
    COLUMN_GE,
    COLUMN_NEG, /* dst: -a */
    COLUMN_NOT,
    COLUMN_AND, /* dst: both, of booleans */
    COLUMN_OR,
    COLUMN_KEEP, /* only lanes in which a is true */
};

struct column_ins {
    uint8_t op, step;
    uint8_t dst;
    bool negated; /* IS: is not */
    bool
        drops; /* a lane in which an operand is absent or null is filtered (the condition fails for want of it, whatever else) */
    uint8_t access;
    operand a, b;
    uint32_t after; /* of columns: those that are read later on */
};

struct column_access {
    const struct rx_key *key; /* NULL: the whole value */
    struct rx_slot_cache cache;
    operand otherwise;   /* where it is absent: a constant; NONE */
    bool is_value;       /* `value`: also an event that is no object */
    uint8_t kind, flags; /* that the last span had; RX_KINDS: several */
};
#define NO_OPERAND INT16_MIN

/* What a step has done to a key. */
enum edit_kind { EDIT_SET, EDIT_REMOVE, EDIT_DEFAULT };
struct column_edit {
    const struct rx_key *key;
    enum edit_kind kind;
    operand value;
};

/* What an event is by now, as far as the program goes. */
enum column_form {
    FORM_EVENT,  /* the event, with edits */
    FORM_VALUE,  /* a bare value */
    FORM_RECORD, /* a record of these fields: edits, all EDIT_SET */
};
struct column_object {
    enum column_form form;
    operand value;
    bool scalar; /* FORM_VALUE: it cannot be an object */
    uint16_t count;
    struct column_edit edits[EDITS_MAX];
};

/* How far a program has come. */
struct column_mark {
    uint16_t code, accesses, constants, columns;
};

/* Where the values of a made record come from, for events of one shape. */
struct column_layout {
    uint64_t id;                          /* of the base's shape; 0: none yet */
    const struct rx_shape *base, *result; /* counted. result NULL: it cannot be a record */
    bool same;                            /* nothing changes */
    int16_t from[RX_SHAPE_KEYS_MAX];      /* a slot of the base, or -1 - the edit */
};

struct rx_columns {
    struct rx_heap *heap;
    struct column_ins *code;
    struct column_access *accesses;
    struct rx_value *constants;
    uint16_t code_count, access_count, constant_count, column_count; /* columns: before they share places */
    uint8_t places;                                                  /* that they share */
    uint8_t steps;
    bool makes;
    struct column_object now;
    struct column_object *staged; /* while a step's object is being put together */
    struct column_mark before;    /* that step */
    struct column_layout layout;
    const struct rx_shape *shape; /* FORM_RECORD: what comes out; kept for good */
};

/* ---- at run time ---- */

/* One column: `kind` of all its lanes, in u, i or d; RX_KINDS: of several kinds, in v. A boolean is 0 or 1 in i. */
struct column {
    uint8_t kind, flags;
    uint32_t kinds; /* RX_KINDS: which, rx_kinds */
    union {
        double d[RX_LANES_MAX];
        int64_t i[RX_LANES_MAX];
        struct rx_value v[RX_LANES_MAX];
        double sides[2][RX_LANES_MAX]; /* of `spare`: both operands as doubles */
    };
};

struct lanes {
    struct rx_columns *program;
    const struct rx_event *events;
    struct rx_columns_outcome *out;
    size_t n, span; /* lanes; events that there were */
    bool any_left;
    uint8_t at[RX_LANES_MAX]; /* of each lane its event */
    uint8_t left[RX_LANES_MAX];
    struct column columns[COLUMNS_MAX];
    struct column spare; /* of one instruction */
};

/* What becomes of each lane in one instruction. */
enum lane_fate { LANE_STAYS, LANE_LEFT, LANE_FILTERED, LANE_ABSENT };

/* columns_follow.c: these add to a program. 1, 0: it cannot be said, -ENOMEM. Of an expression the result is a column or a constant. */
int rx_columns_follow(struct rx_columns *, const struct rx_expr *, bool condition, operand *ret);
int rx_columns_constant(struct rx_columns *, struct rx_value, operand *ret);
int rx_columns_emit(struct rx_columns *, struct column_ins, operand *ret); /* with `ret` it has a column */
const struct column_edit *rx_column_edit_of(const struct column_object *,
                                            const struct rx_key *); /* the last; NULL: none */
/* columns_run.c */
void rx_columns_compute(struct lanes *);
struct rx_value rx_column_lane(const struct column *, size_t i); /* borrowed */
/* Takes what does not stay out of all columns that `after` names, and out of the lanes. */
void rx_lanes_settle(struct lanes *, const uint8_t *fates, uint32_t after, unsigned step);
/* columns_load.c */
void rx_lanes_load(struct lanes *, const struct column_ins *);
void rx_lanes_compare_text(struct lanes *, const struct column_ins *);
/* The same, and only lanes in which it is so go on: with no column that would have to be moved up. */
void rx_lanes_keep_text(struct lanes *, const struct column_ins *);
void rx_column_narrow(struct column *, size_t n); /* of values that turn out to be of one kind */
/* columns_make.c */
void rx_columns_put_out(struct lanes *, struct rx_event *out);
void rx_column_layout_finish(struct column_layout *);

#endif
