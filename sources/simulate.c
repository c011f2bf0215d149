/* simulate: made-up sensors, the same for the same seed: random walks, sines and spikes at a steady rate. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/feed/source.h"
#include "core/graph/sched.h"
#include "sources/signal.h"

#define WAKE_PERIOD (10 * RX_MSEC) /* at most 100 wake-ups a second, however high the rate */

enum layout { LAYOUT_LONG, LAYOUT_WIDE };

struct simulate {
    struct rx_source source;
    int64_t seed, devices, count;
    double rate;
    struct rx_value signals;
    int layout;

    struct rx_signals kinds;
    const struct rx_shape *shape;
    struct rx_value *names;      /* of the devices */
    struct rx_signal_state *all; /* device by device, signal by signal */
    struct rx_timer tick;
    rx_time began;
    int64_t sent; /* events since the start */
    bool loaded;  /* the next start goes on */
};

static const char *const layouts[] = {"long", "wide", NULL};

static const struct rx_option options[] = {
    {.name = "rate",
     .help = "events a second, of all devices together",
     .type = RX_OPTION_DOUBLE,
     .offset = RX_AT(struct simulate, rate, double),
     .fallback = "10",
     .min = 1e-6,
     .max = 1e7,
     .flags = RX_POSITIONAL},
    {.name = "devices",
     .help = "how many devices: dev-001, dev-002 ...",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct simulate, devices, int64_t),
     .fallback = "10",
     .min = 1,
     .max = 1000000},
    {.name = "signals",
     .help = "what each device measures: {NAME: walk | sine | spikes} or {NAME: {kind:, min:, max:, period:}}; "
             "default {temperature: {kind: walk, min: 15, max: 30}}",
     .type = RX_OPTION_VALUE,
     .offset = RX_AT(struct simulate, signals, struct rx_value)},
    {.name = "layout",
     .help = "long: {device, metric, value}, a signal an event; wide: {device, NAME: value ...}, all in one",
     .type = RX_OPTION_ENUM,
     .offset = RX_AT(struct simulate, layout, int),
     .fallback = "long",
     .choices = layouts},
    {.name = "seed",
     .help = "the same seed gives the same values in the same order",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct simulate, seed, int64_t),
     .fallback = "1"},
    {.name = "count",
     .help = "completes after so many events; without it the feed never ends",
     .type = RX_OPTION_INT,
     .offset = RX_AT(struct simulate, count, int64_t),
     .min = 1,
     .max = 9e15},
    {0},
};

static struct rx_value value_at(struct simulate *simulate, size_t device, size_t signal)
{
    const struct rx_signal *kind = &simulate->kinds.items[signal];
    struct rx_signal_state *state = &simulate->all[device * simulate->kinds.count + signal];
    return rx_double(rx_signal_next(kind, state, (double)simulate->sent / simulate->rate));
}

static struct rx_value next_record(struct simulate *simulate)
{
    struct rx_value values[1 + RX_SIGNALS_MAX];
    size_t turn = (size_t)simulate->sent, signals = simulate->kinds.count, devices = (size_t)simulate->devices;
    size_t device = turn % devices;
    values[0] = rx_value_ref(simulate->names[device]);
    if (simulate->layout == LAYOUT_WIDE) {
        for (size_t i = 0; i < signals; i++)
            values[1 + i] = value_at(simulate, device, i);
    } else {
        size_t signal = turn / devices % signals;
        values[1] =
            rx_string_static(simulate->kinds.items[signal].key->text, simulate->kinds.items[signal].key->length);
        values[2] = value_at(simulate, device, signal);
    }
    return rx_record_take(simulate->source.heap, simulate->shape, values);
}

/* The instant of the n-th event, counted from the start, so that a rate does not drift. */
static rx_time due_of(const struct simulate *simulate, int64_t n)
{
    return simulate->began + (rx_time)((double)n / simulate->rate * 1e9);
}

/* How many are due by now. After the loop was held up it catches up at twice the rate, not all at once. */
static int64_t due_by(const struct simulate *simulate, rx_time now)
{
    int64_t due = simulate->sent, most = due + 1 + (int64_t)(simulate->rate * 2 * WAKE_PERIOD / 1e9);
    if (simulate->count > 0 && most > simulate->count)
        most = simulate->count;
    while (due < most && due_of(simulate, due + 1) <= now)
        due++;
    return due;
}

static void arm(struct simulate *simulate)
{
    struct rx_sched *sched = simulate->source.sched;
    rx_time next = due_of(simulate, simulate->sent + 1), earliest = rx_sched_now(sched) + WAKE_PERIOD;
    if (simulate->rate > 1e9 / WAKE_PERIOD && next < earliest)
        next = earliest;
    rx_sched_arm(sched, &simulate->tick, next);
}

static void on_tick(struct rx_timer *tick)
{
    struct simulate *simulate = (struct simulate *)((char *)tick - offsetof(struct simulate, tick));
    struct rx_source *source = &simulate->source;
    rx_time now = rx_sched_now(source->sched);
    int64_t due = due_by(simulate, now);
    bool last = simulate->count > 0 && due >= simulate->count;
    /* While it is armed nobody has stopped the feed: a stop inside a flush ends the batch. */
    rx_sched_arm(source->sched, tick, now + WAKE_PERIOD);
    while (simulate->sent < due && rx_timer_armed(tick)) {
        struct rx_value record = next_record(simulate);
        simulate->sent++;
        rx_source_event_take(source, (struct rx_event){.value = record, .time = rx_sched_wall(source->sched)});
    }
    rx_source_flush(source);
    if (!rx_timer_armed(tick))
        return;
    if (!last) {
        arm(simulate);
        return;
    }
    rx_sched_stop(source->sched, tick);
    source->running = false;
    rx_source_complete(source);
}

static const struct rx_shape *shape_with(struct rx_heap *heap, const struct rx_shape *shape, const char *name)
{
    const struct rx_key *key = shape ? rx_key_intern(heap, name, strlen(name)) : NULL;
    return key ? rx_shape_with(heap, shape, key) : NULL;
}

static const struct rx_shape *shape_of(struct simulate *simulate)
{
    struct rx_heap *heap = simulate->source.heap;
    const struct rx_shape *shape = shape_with(heap, rx_shape_empty(heap), "device");
    if (simulate->layout == LAYOUT_LONG)
        return shape_with(heap, shape_with(heap, shape, "metric"), "value");
    for (size_t i = 0; i < simulate->kinds.count; i++)
        shape = shape_with(heap, shape, simulate->kinds.items[i].key->text);
    return shape;
}

static int name_devices(struct simulate *simulate)
{
    for (int64_t i = 0; i < simulate->devices; i++) {
        char name[32];
        int length = snprintf(name, sizeof name, "dev-%03lld", (long long)i + 1);
        simulate->names[i] = rx_string(simulate->source.heap, name, (size_t)length);
        if (simulate->names[i].kind != RX_STRING)
            return -ENOMEM;
    }
    return 0;
}

static int init(struct rx_source *source, struct rx_error *reterr)
{
    struct simulate *simulate = (struct simulate *)source;
    simulate->tick.fire = on_tick;
    int r = rx_signals_parse(simulate->signals, source->heap, &simulate->kinds, reterr);
    if (r < 0)
        return r;
    size_t devices = (size_t)simulate->devices;
    simulate->names = calloc(devices, sizeof *simulate->names);
    simulate->all = calloc(devices * simulate->kinds.count, sizeof *simulate->all);
    simulate->shape = shape_of(simulate);
    if (!simulate->names || !simulate->all || !simulate->shape || name_devices(simulate) < 0)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return 0;
}

static size_t series(const struct simulate *simulate) { return (size_t)simulate->devices * simulate->kinds.count; }

static void begin(struct simulate *simulate)
{
    for (size_t i = 0; i < series(simulate); i++)
        rx_signal_begin(&simulate->kinds.items[i % simulate->kinds.count], &simulate->all[i], (uint64_t)simulate->seed,
                        i);
    simulate->began = rx_sched_now(simulate->source.sched);
    simulate->sent = 0;
}

static int start(struct rx_source *source, struct rx_error *reterr)
{
    struct simulate *simulate = (struct simulate *)source;
    if (!simulate->loaded)
        begin(simulate);
    simulate->loaded = false;
    source->running = true;
    int r = rx_sched_arm(source->sched, &simulate->tick, rx_sched_now(source->sched));
    if (r < 0)
        return rx_error_set(reterr, r, "out of memory");
    arm(simulate);
    return 0;
}

static void stop(struct rx_source *source)
{
    source->running = false;
    rx_sched_stop(source->sched, &((struct simulate *)source)->tick);
}

static void save(struct rx_source *source, struct rx_writer *w)
{
    struct simulate *simulate = (struct simulate *)source;
    rx_write_bool(w, source->running);
    if (!source->running)
        return;
    rx_write_int(w, simulate->began);
    rx_write_int(w, simulate->sent);
    for (size_t i = 0; i < series(simulate); i++) {
        rx_write_uint(w, simulate->all[i].random);
        rx_write_double(w, simulate->all[i].level);
        rx_write_double(w, simulate->all[i].phase);
    }
}

static int load(struct rx_source *source, struct rx_reader *r)
{
    struct simulate *simulate = (struct simulate *)source;
    if (!rx_read_bool(r))
        return r->failed;
    simulate->began = rx_read_int(r);
    simulate->sent = rx_read_int(r);
    for (size_t i = 0; i < series(simulate); i++) {
        simulate->all[i].random = rx_read_uint(r);
        simulate->all[i].level = rx_read_double(r);
        simulate->all[i].phase = rx_read_double(r);
    }
    simulate->loaded = !rx_reader_failed(r);
    return r->failed;
}

static void dispose(struct rx_source *source)
{
    struct simulate *simulate = (struct simulate *)source;
    if (source->sched)
        stop(source);
    for (int64_t i = 0; simulate->names && i < simulate->devices; i++)
        rx_value_unref(simulate->names[i]);
    free(simulate->names);
    free(simulate->all);
    simulate->names = NULL;
    simulate->all = NULL;
}

const struct rx_source_class rx_source_simulate = {
    .base = {.name = "simulate",
             .summary = "Made-up sensors: random walks, sines and spikes, the same for the same seed",
             .options = options,
             .state_size = sizeof(struct simulate),
             .flags = RX_SOURCE_ENDS | RX_SOURCE_FREE,
             .example = "simulate: { devices: 10, rate: 100, signals: { temperature: walk, humidity: sine } }"},
    .init = init,
    .start = start,
    .stop = stop,
    .save = save,
    .load = load,
    .dispose = dispose,
};
