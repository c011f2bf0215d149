/* A file that is read again when it changes. */
#include "core/io/loop/file_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/loop/errand.h"

#define LOOK_PERIOD RX_SEC

/* One reading of it. */
struct reading {
    struct rx_errand errand;
    size_t max;
    int result;
    char *text;
    size_t length;
    struct rx_file_stamp stamp;
    struct rx_error error;
    char path[];
};

struct rx_file_watch {
    struct rx_timer timer;
    struct rx_loop *loop;
    struct rx_wake *wake;
    struct reading *reading; /* NULL: none is under way */
    struct rx_file_stamp known, seen;
    size_t max;
    rx_file_told_fn told;
    void *arg;
    char path[];
};

static void destroy_reading(struct reading *r)
{
    free(r->text);
    free(r);
}

static void work(struct rx_errand *e)
{
    struct reading *r = (struct reading *)e;
    r->result = rx_file_read(r->path, r->max, &r->text, &r->length, &r->stamp, &r->error);
}

static void orphaned(struct rx_errand *e) { destroy_reading((struct reading *)e); }

static void look_again(struct rx_file_watch *w)
{
    struct rx_sched *sched = rx_loop_sched(w->loop);
    rx_sched_arm(sched, &w->timer, rx_sched_now(sched) + LOOK_PERIOD);
}

static bool begin_reading(struct rx_file_watch *w)
{
    size_t size = strlen(w->path) + 1;
    struct reading *r = calloc(1, sizeof *r + size);
    if (!r)
        return false;
    r->max = w->max;
    memcpy(r->path, w->path, size);
    if (rx_errand_start(&r->errand, w->wake, work, orphaned) < 0) {
        destroy_reading(r);
        return false;
    }
    w->reading = r;
    return true;
}

/* A file that is still being written is left until it stands still. */
static void on_look(struct rx_timer *timer)
{
    struct rx_file_watch *w = (struct rx_file_watch *)timer;
    struct rx_file_stamp now = rx_file_stamp(w->path);
    bool still = rx_file_stamp_same(now, w->seen);
    w->seen = now;
    if (rx_file_stamp_same(now, w->known) || !still || w->reading || !begin_reading(w))
        look_again(w);
}

static void on_read(void *arg)
{
    struct rx_file_watch *w = arg;
    struct reading *r = w->reading;
    if (!r || !rx_errand_take(&r->errand))
        return;
    w->reading = NULL;
    if (r->result == 0) {
        w->known = r->stamp;
        w->told(w->arg, r->text, r->length, NULL);
    } else if (r->result != -EAGAIN) {
        w->known = w->seen;
        w->told(w->arg, NULL, 0, &r->error);
    }
    destroy_reading(r);
    look_again(w);
}

int rx_file_watch_create(struct rx_loop *loop, const char *path, size_t max, struct rx_file_stamp known,
                         rx_file_told_fn told, void *arg, struct rx_file_watch **ret)
{
    size_t size = strlen(path) + 1;
    struct rx_file_watch *w = calloc(1, sizeof *w + size);
    if (!w)
        return -ENOMEM;
    *w = (struct rx_file_watch){
        .timer = {.fire = on_look}, .loop = loop, .known = known, .seen = known, .max = max, .told = told, .arg = arg};
    memcpy(w->path, path, size);
    int r = rx_wake_create(loop, on_read, w, &w->wake);
    if (r < 0) {
        free(w);
        return r;
    }
    look_again(w);
    *ret = w;
    return 0;
}

void rx_file_watch_destroy(struct rx_file_watch *w)
{
    if (!w)
        return;
    rx_sched_stop(rx_loop_sched(w->loop), &w->timer);
    if (w->reading && rx_errand_abandon(&w->reading->errand))
        destroy_reading(w->reading);
    rx_wake_destroy(w->wake);
    free(w);
}
