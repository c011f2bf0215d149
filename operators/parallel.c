/* parallel: the steps behind it, up to `merge` or the end, run in lanes, each for some of the keys; the events of one key stay in
 * order.
 *
 * A key belongs to one of PARTS parts by its hash, on any machine and for good. A part is an instance of the steps; where nothing but
 * the step's own thread is there (a replay, a test) they run here, else (core/graph/lanes.h) each in a lane, part p in lane p modulo
 * their number. So neither what comes out for a key nor what is saved depends on how many lanes there are. */
#include <errno.h>

#include "core/graph/lanes.h"
#include "core/value/keytable.h"

enum { PARTS = 16, WIDTH_MAX = 16 };

struct parallel {
    struct rx_op op;
    struct rx_keys *by;
    int64_t lanes; /* 0: as many as the daemon has cores for */

    struct rx_lanes *crossing;        /* NULL: the parts run here: */
    struct rx_instance *parts[PARTS]; /* NULL: not begun, or over */
    uint32_t over;                    /* bit p: part p has ended by itself */
    bool completing;
};

static const struct rx_option options[] = {
    {.name = "by",
     .help = "a field, a list of fields, or {name: EXPR, ...}: events of one key stay in order, in one lane",
     .type = RX_OPTION_KEYS,
     .offset = RX_AT(struct parallel, by, struct rx_keys *),
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "lanes",
     .help = "threads for the steps behind it; left out: one for each core",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct parallel, lanes, int64_t),
     .flags = RX_STATELESS,
     .min = 1,
     .max = PARTS},
    {0},
};

/* ---- events ---- */

static int part_of(struct parallel *p, const struct rx_event *event, unsigned *ret, struct rx_error *reterr)
{
    struct rx_expr_env env = rx_op_env(&p->op, event);
    struct rx_value keys[WIDTH_MAX];
    int r = rx_keys_values(p->by, &env, keys, reterr);
    if (r < 0)
        return r;
    unsigned width = (unsigned)rx_keys_count(p->by);
    *ret = (unsigned)(rx_keytable_hash(keys, width) >> 32) % PARTS;
    for (unsigned i = 0; i < width; i++)
        rx_value_unref(keys[i]);
    return 0;
}

static struct rx_lane_host *host_of(const struct parallel *p) { return rx_op_engine(&p->op)->lanes; }

static void send(struct parallel *p, const struct rx_event *event, unsigned part)
{
    rx_hold(&p->op, 1);
    if (host_of(p)->event(p->crossing, part, event))
        return;
    rx_hold(&p->op, -1);
    rx_count(&p->op, RX_EVICTED, 1);
}

static void route(struct parallel *p, const struct rx_event *event, unsigned part)
{
    if (p->crossing) {
        send(p, event, part);
        return;
    }
    if (!p->parts[part] && !(p->over & 1u << part))
        p->parts[part] = rx_instance_open(&p->op, 0, NULL, &p->parts[part]);
    bool heard = p->parts[part] && rx_instance_pass(p->parts[part], event, 1);
    rx_count(&p->op, heard ? RX_USED : RX_UNHEARD, 1);
}

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct parallel *p = (struct parallel *)op;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        struct rx_error error;
        unsigned part;
        if (part_of(p, &span[i], &part, &error) == 0)
            route(p, &span[i], part);
        else if (rx_bad_event(op, &span[i], &error) == RX_USE_NULL)
            rx_count(op, RX_UNHEARD, 1);
    }
}

static void watermark(struct rx_op *op, rx_time t)
{
    struct parallel *p = (struct parallel *)op;
    if (p->crossing)
        host_of(p)->watermark(p->crossing, t);
    else
        rx_pass_watermark(op, t);
}

static void fail_for_memory(struct parallel *p)
{
    struct rx_error e;
    rx_error_set(&e, -ENOMEM, "out of memory");
    rx_fail(&p->op, &e);
}

static void barrier(struct rx_op *op, uint64_t number)
{
    struct parallel *p = (struct parallel *)op;
    if (!p->crossing)
        rx_pass_barrier(op);
    else if (!host_of(p)->barrier(p->crossing, number))
        fail_for_memory(p);
}

static void tell_link(struct rx_op *op, bool away)
{
    struct parallel *p = (struct parallel *)op;
    if (p->crossing)
        host_of(p)->link(p->crossing, away);
}

/* ---- the end ---- */

static void finish_when_quiet(struct parallel *p)
{
    if (p->completing && !p->op.opened)
        rx_finish(&p->op);
}

static void complete(struct rx_op *op, unsigned port)
{
    struct parallel *p = (struct parallel *)op;
    (void)port;
    p->completing = true;
    if (p->crossing) {
        if (!host_of(p)->end(p->crossing, NULL))
            fail_for_memory(p);
        return;
    }
    for (unsigned i = 0; i < PARTS && rx_op_live(op); i++)
        if (p->parts[i])
            rx_instance_complete(p->parts[i]);
    finish_when_quiet(p);
}

static void error(struct rx_op *op, unsigned port, const struct rx_error *e)
{
    struct parallel *p = (struct parallel *)op;
    (void)port;
    if (p->crossing) {
        if (!host_of(p)->end(p->crossing, e))
            rx_fail(op, e);
        return;
    }
    for (unsigned i = 0; i < PARTS && rx_op_live(op); i++)
        if (p->parts[i])
            rx_instance_error(p->parts[i], e);
    rx_fail(op, e);
}

/* Of all lanes together. */
static void out_of_lanes(struct rx_op *op, const struct rx_note *note)
{
    if (note->kind == RX_WATERMARK)
        rx_emit_watermark(op, note->watermark);
    else if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else
        rx_finish(op);
}

static void inner(struct rx_op *op, struct rx_instance *instance, const struct rx_note *note)
{
    struct parallel *p = (struct parallel *)op;
    if (note->kind == RX_NEXT) {
        rx_emit(op, note->span, note->count);
        return;
    }
    if (!instance) {
        out_of_lanes(op, note);
        return;
    }
    size_t part = (size_t)((struct rx_instance **)rx_instance_tag(instance) - p->parts);
    p->parts[part] = NULL;
    p->over |= 1u << part;
    if (note->kind == RX_ERROR)
        rx_fail(op, note->error);
    else
        finish_when_quiet(p);
}

/* ---- life ---- */

static int check(const void *image, struct rx_error *reterr)
{
    const struct parallel *p = image;
    if (rx_keys_count(p->by) > WIDTH_MAX)
        return rx_error_set(reterr, -EINVAL, "a key has at most %d parts", WIDTH_MAX);
    return 0;
}

static int init(struct rx_op *op, struct rx_error *reterr)
{
    struct parallel *p = (struct parallel *)op;
    struct rx_lane_host *host = host_of(p);
    return host ? host->open(host, op, PARTS, (unsigned)p->lanes, &p->crossing, reterr) : 0;
}

static void dispose(struct rx_op *op)
{
    struct parallel *p = (struct parallel *)op;
    if (p->crossing)
        host_of(p)->close(p->crossing);
}

/* ---- state: the parts that have begun, in order ---- */

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct parallel *p = (struct parallel *)op;
    rx_write_bool(w, p->completing);
    rx_write_uint(w, p->over);
    if (p->crossing)
        return host_of(p)->save(p->crossing, w);
    for (unsigned i = 0; i < PARTS; i++) {
        rx_write_bool(w, p->parts[i] != NULL);
        if (p->parts[i])
            rx_instance_save(p->parts[i], w);
    }
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct parallel *p = (struct parallel *)op;
    p->completing = rx_read_bool(r);
    p->over = (uint32_t)rx_read_uint(r);
    if (p->crossing)
        return host_of(p)->load(p->crossing, r);
    for (unsigned i = 0; i < PARTS && !rx_reader_failed(r); i++)
        if (rx_read_bool(r))
            p->parts[i] = rx_instance_load_own(op, 0, &p->parts[i], r);
    return r->failed;
}

static void describe(const void *image, struct rx_facts *facts)
{
    (void)image;
    facts->parts = PARTS;
    facts->values = 0;
    facts->needs_order = false;
    facts->lates = false; /* it hands the time on, and waits for none */
}

const struct rx_operator_class rx_operator_parallel = {
    .base = {.name = "parallel",
             .summary = "run the steps behind it, up to `merge` or the end, on several cores: lanes, dealt by a key",
             .options = options,
             .state_size = sizeof(struct parallel),
             .flags = RX_OPENS_LANES | RX_PASSES,
             .check = check,
             .example = "parallel: {by: device, lanes: 2}"},
    .min_inputs = 1,
    .max_inputs = 1,
    .init = init,
    .next = next,
    .watermark = watermark,
    .barrier = barrier,
    .link = tell_link,
    .describe = describe,
    .complete = complete,
    .error = error,
    .inner = inner,
    .save = save,
    .load = load,
    .dispose = dispose,
};
