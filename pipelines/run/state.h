/* The state of a worker: what to write down between two events, so that another engine goes on as if nothing had happened.
 *
 * A state is a header {what it is, format version, the scheduler's present and next sequence number} and sections, each
 * {kind, name, class, class version, hash of the options that shape it, bytes}. Sections are found by kind and name, so
 * that a state outlives a change of what stands beside them. A worker's thread. */
#ifndef RX_PIPELINES_STATE_H
#define RX_PIPELINES_STATE_H

#include "pipelines/plan/plan.h"

#define RX_STATE_FORMAT 1

enum rx_section_kind {
    RX_SECTION_HUB,
    RX_SECTION_PIPELINE,
    RX_SECTION_SOURCE,
    RX_SECTION_SINK,
    RX_SECTION_DELIVERY, /* the supervisor's part of a stream */
    RX_SECTION_REPLAY,
};

/* What a section says of itself. Texts are borrowed. */
struct rx_section {
    enum rx_section_kind kind;
    const char *name, *class;
    uint64_t version, hash;
};

void rx_state_begin(struct rx_writer *, const struct rx_sched *);
size_t rx_section_begin(struct rx_writer *, const struct rx_section *);
void rx_section_end(struct rx_writer *, size_t at);

/* A state opened for reading; the bytes are borrowed and stay. */
struct rx_state;
/* -EBADMSG: no state, or cut off. -EPROTO: of a newer format. The reader's heap is where values will be made. */
int rx_state_open(const struct rx_reader *, struct rx_state **ret, struct rx_error *reterr);
void rx_state_close(struct rx_state *);
/* The scheduler stands where it stood, and gives the numbers that it would have given. Before anything is loaded. */
void rx_state_restore_sched(const struct rx_state *, struct rx_sched *);
/* The bytes of the section of this kind and name; false: there is none. ret_section may be NULL. */
bool rx_state_find(const struct rx_state *, enum rx_section_kind, const char *name, struct rx_section *ret_section,
                   struct rx_reader *ret);

/* All hubs and pipelines of a plan, its pipelines bound (rx_runtime_bind). */
void rx_plan_save(const struct rx_plan *, struct rx_writer *);
/* Hubs, then pipelines, upstream first. Nothing is subscribed yet. A pipeline that the state does not know, or knows with
 * other steps, is left out: *ret_kept counts the others. -EBADMSG with the pipeline's name: what was made is discarded. */
int rx_plan_load(struct rx_plan *, const struct rx_state *, size_t *ret_kept, struct rx_error *reterr);
/* Stops every pipeline, telling nobody: for what was loaded and has no subscriber that would stop it. Inside a turn. */
void rx_plan_discard(struct rx_plan *);

#endif
