/* A crew: threads that run tasks, any thread any task, a task on one of them at a time. Threads are made as they are wanted. */
#ifndef RX_PIPELINES_CREW_H
#define RX_PIPELINES_CREW_H

#include <stdbool.h>

#include "core/value/value.h"

struct rx_crew;

/* Embedded by its owner; zero-initialised it waits for nothing. */
struct rx_task {
    void (*run)(struct rx_task *); /* on a thread of the crew, without the lock */
    struct rx_task *next;          /* private from here on, under the lock */
    bool queued, running, again;
};

struct rx_crew *rx_crew_create(void);   /* no threads yet; NULL: no memory */
void rx_crew_destroy(struct rx_crew *); /* no task may be queued or run any more; NULL is fine */
/* At least so many threads; any thread. A negative errno where one could not be made. */
int rx_crew_grow(struct rx_crew *, unsigned threads);

/* One lock, for what the tasks and their owners share. */
void rx_crew_lock(struct rx_crew *);
void rx_crew_unlock(struct rx_crew *);
/* With the lock held. It runs once more from now on, after the tasks that wait already. */
void rx_crew_post(struct rx_crew *, struct rx_task *);
/* It waits for no turn any more, and when this returns it does not run. */
void rx_crew_recall(struct rx_crew *, struct rx_task *);
/* Until some task has run, or the monotonic clock is at `until` (RX_TIME_NEVER: no bound): false then. */
bool rx_crew_wait(struct rx_crew *, rx_time until);

#endif
