/* timer: {value: 0}, {value: 1}, ... one a period, the first after one period (Rx interval). */
#include <errno.h>

#include "core/feed/source.h"
#include "core/graph/sched.h"

struct timer {
    struct rx_source source;
    rx_time every;
    int64_t count;

    struct rx_timer tick;
    const struct rx_shape *shape; /* {value} */
    int64_t next;
    bool loaded; /* the next start goes on: the tick's place is */
    rx_time due;
    uint64_t sequence;
};

static const struct rx_option options[] = {
    {.name = "every",
     .help = "the period",
     .type = RX_OPTION_DURATION,
     .offset = RX_AT(struct timer, every, rx_time),
     .min = 1e-6,
     .max = 1e9,
     .flags = RX_REQUIRED | RX_POSITIONAL},
    {.name = "count",
     .help = "completes after so many ticks; without it the timer never ends",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct timer, count, int64_t),
     .min = 1,
     .max = 9e15},
    {0},
};

static void on_tick(struct rx_timer *tick)
{
    struct timer *timer = (struct timer *)((char *)tick - offsetof(struct timer, tick));
    struct rx_source *source = &timer->source;
    rx_time now = rx_sched_now(source->sched);
    struct rx_value number = rx_json_int(timer->next++);
    bool last = timer->count > 0 && timer->next >= timer->count;
    /* Armed before the event goes out: whoever hears it may stop the timer. */
    if (!last)
        rx_sched_arm(source->sched, tick, now + timer->every);
    struct rx_value value = rx_record_take(source->heap, timer->shape, &number);
    rx_source_event_take(source, (struct rx_event){.value = value, .time = rx_sched_wall(source->sched)});
    rx_source_flush(source);
    if (last && source->running && !rx_timer_armed(tick)) {
        source->running = false;
        rx_source_complete(source);
    }
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    struct timer *timer = (struct timer *)source;
    const struct rx_shape *empty = rx_shape_empty(source->heap);
    timer->shape = empty ? rx_shape_with(source->heap, empty, rx_key_known(source->heap, RX_KEY_VALUE)) : NULL;
    timer->tick.fire = on_tick;
    return timer->shape ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct timer *timer = (struct timer *)source;
    int r;
    source->running = true;
    if (timer->loaded) {
        r = rx_sched_arm_at(source->sched, &timer->tick, timer->due, timer->sequence);
    } else {
        timer->next = 0;
        r = rx_sched_arm(source->sched, &timer->tick, rx_sched_now(source->sched) + timer->every);
    }
    timer->loaded = false;
    return r < 0 ? rx_error_set(reterr, r, "out of memory") : 0;
}

static void stop(struct rx_source *source)
{
    source->running = false;
    rx_sched_stop(source->sched, &((struct timer *)source)->tick);
}

static void save(struct rx_source *source, struct rx_writer *w)
{
    struct timer *timer = (struct timer *)source;
    rx_write_bool(w, rx_timer_armed(&timer->tick));
    if (!rx_timer_armed(&timer->tick))
        return;
    rx_write_int(w, timer->next);
    rx_write_int(w, timer->tick.due);
    rx_write_uint(w, timer->tick.sequence);
}

static int load(struct rx_source *source, struct rx_reader *r)
{
    struct timer *timer = (struct timer *)source;
    timer->loaded = rx_read_bool(r);
    if (timer->loaded) {
        timer->next = rx_read_int(r);
        timer->due = rx_read_int(r);
        timer->sequence = rx_read_uint(r);
    }
    timer->loaded = timer->loaded && !rx_reader_failed(r);
    return r->failed;
}

static const char *const fields[] = {"value", NULL};

const struct rx_source_class rx_source_timer = {
    .fields = fields,
    .base = {.name = "timer",
             .summary = "Counts up from 0, one event a period",
             .options = options,
             .state_size = sizeof(struct timer),
             .flags = RX_SOURCE_ENDS | RX_SOURCE_FREE,
             .example = "timer: { every: 1s }"},
    .init = init,
    .start = start,
    .stop = stop,
    .save = save,
    .load = load,
    .dispose = stop,
};
