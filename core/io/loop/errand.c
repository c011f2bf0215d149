/* Errands: who comes last, the loop or the thread, frees them. */
#include "core/io/loop/errand.h"

#include <signal.h>

static void *run(void *arg)
{
    struct rx_errand *e = arg;
    e->work(e);
    pthread_mutex_lock(&e->lock);
    e->done = true;
    bool abandoned = e->abandoned;
    if (!abandoned)
        rx_wake_signal(e->wake);
    pthread_mutex_unlock(&e->lock);
    if (abandoned) {
        pthread_mutex_destroy(&e->lock);
        e->orphaned(e);
    }
    return NULL;
}

int rx_errand_start(struct rx_errand *e, struct rx_wake *wake, void (*work)(struct rx_errand *),
                    void (*orphaned)(struct rx_errand *))
{
    pthread_t thread;
    sigset_t all, before;
    *e = (struct rx_errand){.wake = wake, .work = work, .orphaned = orphaned};
    pthread_mutex_init(&e->lock, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&thread, NULL, run, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pthread_detach(thread);
    else
        pthread_mutex_destroy(&e->lock);
    return -r;
}

static bool look(struct rx_errand *e, bool abandon)
{
    pthread_mutex_lock(&e->lock);
    bool done = e->done;
    e->abandoned = abandon;
    pthread_mutex_unlock(&e->lock);
    if (done)
        pthread_mutex_destroy(&e->lock);
    return done;
}

bool rx_errand_take(struct rx_errand *e) { return look(e, false); }
bool rx_errand_abandon(struct rx_errand *e) { return look(e, true); }
