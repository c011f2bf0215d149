/* Threads that run tasks. */
#include "pipelines/run/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 64 };

struct rx_crew {
    pthread_mutex_t lock;
    pthread_cond_t work, ran;
    struct rx_task *first, **last;
    pthread_t threads[THREADS_MAX];
    unsigned count;
    bool stopping;
};

static void enqueue(struct rx_crew *crew, struct rx_task *task)
{
    task->queued = true;
    task->next = NULL;
    *crew->last = task;
    crew->last = &task->next;
    pthread_cond_signal(&crew->work);
}

static struct rx_task *dequeue(struct rx_crew *crew)
{
    struct rx_task *task = crew->first;
    crew->first = task->next;
    if (!crew->first)
        crew->last = &crew->first;
    task->queued = false;
    return task;
}

static void run_one(struct rx_crew *crew)
{
    struct rx_task *task = dequeue(crew);
    task->running = true;
    pthread_mutex_unlock(&crew->lock);
    task->run(task);
    pthread_mutex_lock(&crew->lock);
    task->running = false;
    if (task->again) {
        task->again = false;
        enqueue(crew, task);
    }
    pthread_cond_broadcast(&crew->ran);
}

static void *work(void *arg)
{
    struct rx_crew *crew = arg;
    pthread_mutex_lock(&crew->lock);
    while (!crew->stopping) {
        if (crew->first)
            run_one(crew);
        else
            pthread_cond_wait(&crew->work, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

struct rx_crew *rx_crew_create(void)
{
    struct rx_crew *crew = calloc(1, sizeof *crew);
    pthread_condattr_t monotonic;
    if (!crew)
        return NULL;
    crew->last = &crew->first;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->work, NULL);
    pthread_cond_init(&crew->ran, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return crew;
}

void rx_crew_destroy(struct rx_crew *crew)
{
    if (!crew)
        return;
    rx_crew_lock(crew);
    crew->stopping = true;
    pthread_cond_broadcast(&crew->work);
    rx_crew_unlock(crew);
    for (unsigned i = 0; i < crew->count; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->work);
    pthread_cond_destroy(&crew->ran);
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}

/* Signals are the main thread's. */
int rx_crew_grow(struct rx_crew *crew, unsigned threads)
{
    sigset_t all, before;
    int r = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rx_crew_lock(crew);
    while (r == 0 && crew->count < threads && crew->count < THREADS_MAX) {
        r = -pthread_create(&crew->threads[crew->count], NULL, work, crew);
        crew->count += r == 0;
    }
    rx_crew_unlock(crew);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

void rx_crew_lock(struct rx_crew *crew) { pthread_mutex_lock(&crew->lock); }
void rx_crew_unlock(struct rx_crew *crew) { pthread_mutex_unlock(&crew->lock); }

void rx_crew_post(struct rx_crew *crew, struct rx_task *task)
{
    if (task->running)
        task->again = true;
    else if (!task->queued)
        enqueue(crew, task);
}

static void take_out(struct rx_crew *crew, struct rx_task *task)
{
    struct rx_task **link = &crew->first;
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    if (!*link)
        crew->last = link;
    task->queued = false;
}

void rx_crew_recall(struct rx_crew *crew, struct rx_task *task)
{
    while (task->running) {
        task->again = false;
        pthread_cond_wait(&crew->ran, &crew->lock);
    }
    if (task->queued)
        take_out(crew, task);
}

bool rx_crew_wait(struct rx_crew *crew, rx_time until)
{
    if (until == RX_TIME_NEVER)
        return pthread_cond_wait(&crew->ran, &crew->lock) == 0;
    struct timespec t = {.tv_sec = until / RX_SEC, .tv_nsec = until % RX_SEC};
    return pthread_cond_timedwait(&crew->ran, &crew->lock, &t) == 0;
}
