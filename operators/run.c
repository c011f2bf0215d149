/* run: steps in a row that take each event by itself, as one: column programs where they can be said so, the steps themselves where not.
 *
 * The planner puts it in the place of the steps (pipelines/plan/plan_fuse.c); what comes out is the same, byte for byte, in the same
 * order, and so is each step's account. */
#include <errno.h>
#include <string.h>

#include "core/graph/graph.h"

/* Steps that follow one another, in a program or one by one. */
struct segment {
    struct rx_columns *program; /* NULL: one step */
    unsigned first, count;
    unsigned rest; /* spans that go without the program, as it was of no use */
};

/* Of all instances. Programs take room, and most pipelines of many never see a span that is worth one: they are made when one comes. */
struct row {
    const struct rx_step *const *steps;
    const void *const *images;
    unsigned n;
    struct rx_plan_arena *arena;
    struct segment whole; /* until then, and where there is no memory for more */
    bool cut;
    struct segment *segments;
    unsigned count;
    const struct rx_expr *condition; /* that the first step tests; NULL: none */
};

struct run {
    struct rx_op op;
    struct row *row;
};

enum { FEW = 4, REST = 16 }; /* events for which a program is not worth its beginning; spans */

/* ---- one step after another: the specification ---- */

static void apply_steps(struct run *r, const struct segment *s, struct rx_batch *b)
{
    for (unsigned which = s->first; which < s->first + s->count && b->n > 0; which++) {
        if (which > s->first) {
            rx_count_out(&r->op, which - 1, b->n);
            rx_count_in(&r->op, which, b->n);
        }
        rx_each_apply(&r->op, which, r->row->steps[which]->class->each, r->row->images[which], b);
    }
}

/* ---- programs ---- */

static void count_steps(struct run *r, const struct segment *s, const struct rx_columns_outcome *o, size_t n)
{
    for (unsigned i = 0; i < s->count; i++) {
        unsigned which = s->first + i;
        size_t used = n - o->filtered[i];
        rx_count_of(&r->op, which, RX_FILTERED, o->filtered[i]);
        rx_count_of(&r->op, which, RX_ABSENT, o->absent[i]);
        rx_count_of(&r->op, which, RX_USED, used);
        if (i + 1 < s->count) {
            rx_count_out(&r->op, which, used);
            rx_count_in(&r->op, which + 1, used);
        }
        n = used;
    }
}

/* The events that the program left, one step after another; then they go between those that it made. */
static __attribute__((noinline)) void merge_left(struct run *r, const struct segment *s, const struct rx_event *in,
                                                 bool owned, const struct rx_columns_outcome *o, struct rx_batch *out)
{
    struct rx_batch left = {.n = o->left, .owned = owned};
    for (size_t i = 0; i < o->left; i++)
        left.events[i] = in[o->left_at[i]];
    memcpy(left.at, o->left_at, o->left);
    apply_steps(r, s, &left);
    size_t to = out->n + left.n, made = out->n, rest = left.n;
    out->n = to;
    while (rest > 0) {
        bool later = made > 0 && o->made_at[made - 1] > left.at[rest - 1];
        out->events[--to] = later ? out->events[--made] : left.events[--rest];
    }
}

/* What was the batch's own, and neither goes on nor is left. */
static void drop_used(const struct rx_event *in, size_t n, bool makes, const struct rx_columns_outcome *o)
{
    bool stays[RX_SPAN_MAX] = {false};
    for (size_t i = 0; i < o->left; i++)
        stays[o->left_at[i]] = true;
    for (size_t i = 0; i < o->made && !makes; i++)
        stays[o->made_at[i]] = true;
    for (size_t i = 0; i < n; i++)
        if (!stays[i])
            rx_value_unref(in[i].value);
}

static void run_program(struct run *r, struct segment *s, const struct rx_event *in, size_t n, bool owned,
                        struct rx_batch *out)
{
    struct rx_columns_outcome o;
    bool makes = rx_columns_makes(s->program);
    rx_columns_run(s->program, in, n, out->events, &o);
    out->n = o.made;
    out->owned = owned || makes;
    count_steps(r, s, &o, n - o.left);
    if (owned)
        drop_used(in, n, makes, &o);
    if (o.left > n / 2)
        s->rest = REST;
    if (o.left > 0)
        merge_left(r, s, in, owned, &o, out);
}

static bool is_worth(struct segment *s, size_t n)
{
    if (!s->program || n < FEW)
        return false;
    if (s->rest == 0)
        return true;
    s->rest--;
    return false;
}

/* ---- making programs ---- */

static void destroy(void *program) { rx_columns_destroy(program); }

/* As many steps from `first` on as can be said in one program, at the most `limit`: 0: none; -ENOMEM. */
static int add_program(const struct rx_step *const *steps, const void *const *images, unsigned limit,
                       struct rx_plan_arena *arena, struct rx_columns **ret)
{
    struct rx_heap *heap = rx_plan_heap(arena);
    struct rx_columns *program = rx_columns_create(heap);
    int r = program ? 1 : -ENOMEM;
    unsigned count = 0;
    while (r == 1 && count < limit) {
        const struct rx_each *each = steps[count]->class->each;
        r = each->columns ? each->columns(images[count], heap, program) : 0;
        count += r == 1;
    }
    if (r >= 0 && count > 0)
        r = rx_columns_finish(program);
    if (r == 1 && rx_plan_defer(arena, destroy, program) < 0)
        r = -ENOMEM;
    if (r == 1 && count > 0) {
        *ret = program;
        return (int)count;
    }
    rx_columns_destroy(program);
    return r < 0 ? r : count > 1 ? add_program(steps, images, count / 2, arena, ret) : 0;
}

static int cut(struct row *row, struct segment *segments)
{
    for (unsigned i = 0; i < row->n;) {
        struct segment *s = &segments[row->count], *last = s - 1;
        struct rx_columns *program = NULL;
        int count = add_program(row->steps + i, row->images + i, row->n - i, row->arena, &program);
        if (count < 0)
            return count;
        if (count == 0 && row->count > 0 && !last->program) {
            last->count++;
        } else {
            *s = (struct segment){.program = program, .first = i, .count = count ? (unsigned)count : 1};
            row->count++;
        }
        i += count ? (unsigned)count : 1;
    }
    row->segments = segments;
    return 0;
}

static void cut_once(struct row *row)
{
    struct segment *segments = rx_plan_alloc(row->arena, row->n * sizeof *segments);
    row->cut = true;
    row->count = 0;
    if (segments && cut(row, segments) == 0)
        return;
    row->segments = &row->whole;
    row->count = 1;
}

/* ---- running ---- */

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct run *r = (struct run *)op;
    struct row *row = r->row;
    struct rx_batch batches[2], *b = NULL;
    (void)port;
    if (n >= FEW && !row->cut)
        cut_once(row);
    for (unsigned i = 0; i < row->count && n > 0 && rx_op_live(op); i++) {
        struct segment *s = &row->segments[i];
        const struct rx_event *in = b ? b->events : span;
        bool owned = b && b->owned;
        b = &batches[i % 2];
        if (i > 0) {
            rx_count_out(op, s->first - 1, n);
            rx_count_in(op, s->first, n);
        }
        if (is_worth(s, n)) {
            run_program(r, s, in, n, owned, b);
        } else {
            rx_batch_begin(b, in, n, owned);
            apply_steps(r, s, b);
        }
        n = b->n;
    }
    if (!b)
        return;
    rx_emit(op, b->events, b->n);
    rx_batch_finish(b);
}

/* ---- at load ---- */

/* A step alone that cannot be said in columns is best as it is. */
static int is_of_use(const struct rx_step *const *steps, const void *const *images, unsigned n, struct rx_heap *heap)
{
    const struct rx_each *each = steps[0]->class->each;
    if (n > 1 || !each->columns)
        return n > 1;
    struct rx_columns *program = rx_columns_create(heap);
    int r = program ? each->columns(images[0], heap, program) : -ENOMEM;
    rx_columns_destroy(program);
    return r;
}

static int run(const struct rx_step *const *steps, const void *const *images, unsigned n, struct rx_plan_arena *arena,
               void *image)
{
    int r = is_of_use(steps, images, n, rx_plan_heap(arena));
    if (r <= 0)
        return r;
    const void **kept = rx_plan_alloc(arena, n * sizeof *kept);
    struct row *row = rx_plan_alloc(arena, sizeof *row);
    if (!kept || !row)
        return -ENOMEM;
    memcpy(kept, images, n * sizeof *kept);
    *row = (struct row){.steps = steps, .images = kept, .n = n, .arena = arena, .whole = {.count = n}, .count = 1};
    row->segments = &row->whole;
    row->condition = steps[0]->class->condition ? steps[0]->class->condition(images[0]) : NULL;
    ((struct run *)image)->row = row;
    return 1;
}

static const struct rx_expr *condition(const void *image) { return ((const struct run *)image)->row->condition; }

const struct rx_operator_class rx_operator_run = {
    .base = {.name = "run",
             .summary = "steps in a row that take each event by itself, as one",
             .state_size = sizeof(struct run),
             .flags = RX_INTERNAL | RX_SPAN_SAFE},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .condition = condition,
    .run = run,
};
