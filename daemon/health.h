/* What is wrong now: conditions, each with its subject, its reason and since when.
 *
 * Whoever knows of faults states, once a second or so, every condition that holds; what is not stated any more has
 * ended. Begin and end are logged here, once. Each thread has a health of its own; others get copies by message. */
#ifndef RX_DAEMON_HEALTH_H
#define RX_DAEMON_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipelines/run/runtime.h"

enum rx_severity { RX_WARNING, RX_FAULT /* not ready while it stands */, RX_SEVERITIES };

enum rx_condition_kind {
#define RX_CONDITION(symbol_, name_, severity_, subject_, least_, begins_, ends_, remedy_) RX_CONDITION_##symbol_,
#include "daemon/conditions.def"
#undef RX_CONDITION
    RX_CONDITIONS
};

struct rx_condition_class {
    const char *name;
    enum rx_severity severity;
    const char *subject; /* what the subject is: "broker", "pipeline", ... */
    unsigned least;      /* of what is counted, within RX_HEALTH_HOLD */
    const char *begins, *ends;
};
extern const struct rx_condition_class rx_condition_classes[];

#define RX_HEALTH_HOLD (30 * RX_SEC) /* after the last event of a counted condition, until it is over */

struct rx_health;
struct rx_health *rx_health_create(void);
void rx_health_destroy(struct rx_health *);

/* A round: begin, state what holds, end. `monotonic` and `wall` are the present on both clocks, in ns. */
void rx_health_begin(struct rx_health *, rx_time monotonic, rx_time wall);
void rx_health_begin_now(struct rx_health *);
/* It holds. `part` says which of several ("file 2"), "" if there is one; a reason of "" is not known yet, and not logged
 * before it is. `count`: events, attempts, as the kind has them; 0: none. */
void rx_health_holds(struct rx_health *, enum rx_condition_kind, const char *subject, const char *part,
                     const char *reason, uint64_t count);
/* A count of mishaps so far. It holds while the count has risen by at least the kind's `least` lately. */
void rx_health_counts(struct rx_health *, enum rx_condition_kind, const char *subject, const char *part, uint64_t total,
                      const char *reason);
void rx_health_end(struct rx_health *);
/* What a worker knows to be wrong with its sources, pipelines and sinks, stated. On the worker's thread. */
void rx_health_of_runtime(struct rx_health *, struct rx_plan *, const struct rx_runtime *);
/* Changes whenever a condition begins, ends, or has another reason; never 0. */
uint64_t rx_health_version(const struct rx_health *);

struct rx_condition {
    enum rx_condition_kind kind;
    char subject[128], part[32], reason[256];
    rx_time since; /* wall clock, ns since the epoch */
    uint64_t count;
};

#define RX_CONDITIONS_MAX 128

/* A copy to be handed over; zero-initialise. More conditions than RX_CONDITIONS_MAX are only counted. */
struct rx_conditions {
    struct rx_condition *list;
    size_t count;
    uint64_t unlisted[RX_SEVERITIES];
    uint64_t begun[RX_CONDITIONS]; /* so far, by kind */
    uint64_t version;
};
/* Replaces what was in `ret`. -ENOMEM: the version is 0, the list empty. */
int rx_health_copy(const struct rx_health *, struct rx_conditions *ret);
void rx_conditions_finish(struct rx_conditions *);
/* Adds another thread's: the same condition of the same subject becomes one. */
int rx_conditions_merge(struct rx_conditions *into, const struct rx_conditions *from);
bool rx_conditions_fault(const struct rx_conditions *); /* is there one that makes the daemon not ready? */

#endif
