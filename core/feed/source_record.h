/* Making a source's records: for source.c, and for a replay, which stands in its place. */
#ifndef RX_CORE_SOURCE_RECORD_H
#define RX_CORE_SOURCE_RECORD_H

#include "core/feed/source.h"

enum { RX_GRAFTS = 8, RX_GRAFT_CAPTURES = 16 };

/* How captures go into records of one shape: the shape that results and the slot of each capture. */
struct rx_graft {
    const struct rx_shape *from; /* alive as long as `to`, which goes on from it */
    const struct rx_shape *to;   /* counted */
    const struct rx_key *const *keys;
    size_t count;
    bool used;                       /* the plan can reach one of them */
    int8_t slots[RX_GRAFT_CAPTURES]; /* -1: the plan cannot reach it */
};

struct rx_source_records {
    struct rx_graft grafts[RX_GRAFTS]; /* direct-mapped by shape */
    const struct rx_fields *fields;    /* what the grafts were made for */
    size_t field_count;
    const struct rx_shape *value_shape, *meta_shape; /* {value}, {source, topic, retained} */
    const struct rx_key *name;                       /* the source's */
};
void rx_source_records_finish(struct rx_source_records *);

/* What a decoded payload becomes: itself; with captures in `info` (may be NULL) a record, of anything but an object {value: ...},
 * with them put over it. 0 or -ENOMEM. */
int rx_source_record_take(struct rx_source_records *, const struct rx_source *, struct rx_value decoded,
                          const struct rx_message_info *info, struct rx_value *ret);
/* An object without the fields that the plan cannot reach; any other value stays itself, and so does all without memory. */
struct rx_value rx_source_record_pruned_take(const struct rx_source *, struct rx_value decoded);
/* {source, topic, retained}, the last two where there is a topic. 0 or -ENOMEM. */
int rx_source_record_meta(struct rx_source_records *, const struct rx_source *, const struct rx_message_info *info,
                          struct rx_value *ret);

#endif
