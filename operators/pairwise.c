/* pairwise: each event with the one before it. */
#include "core/graph/operator.h"

struct pairwise {
    struct rx_op op;

    bool begun;
    struct rx_value previous;
};

static void next(struct rx_op *op, unsigned port, const struct rx_event *span, size_t n)
{
    struct pairwise *p = (struct pairwise *)op;
    struct rx_event out[RX_SPAN_MAX];
    size_t made = 0;
    (void)port;
    for (size_t i = 0; i < n && rx_op_live(op); i++) {
        bool good = true;
        if (p->begun) {
            struct rx_value pair[] = {p->previous, rx_value_ref(span[i].value)};
            out[made] = span[i];
            out[made].value = rx_list_take(rx_op_heap(op), pair, 2);
            good = rx_op_made(op, &span[i], &out[made].value);
            made += good;
        }
        p->begun = true;
        p->previous = rx_value_ref(span[i].value);
        rx_count(op, RX_USED, good);
    }
    if (made)
        rx_emit(op, out, made);
    for (size_t i = 0; i < made; i++)
        rx_value_unref(out[i].value);
}

static int save(struct rx_op *op, struct rx_writer *w)
{
    struct pairwise *p = (struct pairwise *)op;
    rx_write_bool(w, p->begun);
    if (p->begun)
        rx_write_value(w, p->previous);
    return 0;
}

static int load(struct rx_op *op, struct rx_reader *r)
{
    struct pairwise *p = (struct pairwise *)op;
    p->begun = rx_read_bool(r);
    if (p->begun)
        p->previous = rx_read_value(r);
    return 0;
}

static void dispose(struct rx_op *op) { rx_value_unref(((struct pairwise *)op)->previous); }

static void describe(const void *image, struct rx_facts *facts)
{
    (void)image;
    facts->events = 1;
}

const struct rx_operator_class rx_operator_pairwise = {
    .base = {.name = "pairwise",
             .summary = "put out each event with the one before it, as a list [previous, current]",
             .state_size = sizeof(struct pairwise),
             .flags = RX_SPAN_SAFE,
             .example = "pairwise"},
    .min_inputs = 1,
    .max_inputs = 1,
    .next = next,
    .describe = describe,
    .save = save,
    .load = load,
    .dispose = dispose,
};
