/* Scalars, and who asks for them: all who ask for what equals a value are found by one look-up. */
#ifndef RX_CORE_GATE_TABLE_H
#define RX_CORE_GATE_TABLE_H

#include "core/value/value.h"

struct rx_gate_member {
    struct rx_value value; /* borrowed */
    void *owner;
    uint64_t order; /* of members whose values hash alike */
    uint64_t hash;  /* set by rx_gate_table_build */
};

struct rx_gate_table { /* zero-initialise; finish frees */
    struct rx_gate_member *members;
    size_t count;

    uint32_t *slots; /* 1 + the first member of a hash; 0: empty */
    size_t mask;
};

/* Makes it of so many members, which are taken (malloc'ed), also on failure: -ENOMEM, and the table is empty then. */
int rx_gate_table_build(struct rx_gate_table *, struct rx_gate_member *members, size_t count);
void rx_gate_table_finish(struct rx_gate_table *);
/* The first member whose value hashes like this one, and how many follow each other that do: the caller compares
 * (rx_value_equal). NULL: none. */
const struct rx_gate_member *rx_gate_table_find(const struct rx_gate_table *, struct rx_value, size_t *ret_count);

#endif
