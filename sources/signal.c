/* Made-up signals for simulate. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/option/option.h"
#include "sources/signal.h"

enum { KIND_WALK, KIND_SINE, KIND_SPIKES };

static const char *const kinds[] = {"walk", "sine", "spikes", NULL};
static const char *const parameters[] = {"kind", "min", "max", "period", NULL};
static const struct rx_signal fallback = {.kind = KIND_WALK, .min = 15, .max = 30, .period = 60};

static int parse_kind(struct rx_value value, int *ret, struct rx_error *reterr)
{
    for (int i = 0; value.kind == RX_STRING && kinds[i]; i++)
        if (strlen(kinds[i]) == value.aux && memcmp(kinds[i], value.u.text, value.aux) == 0) {
            *ret = i;
            return 0;
        }
    return rx_error_set(reterr, -EINVAL, "signals: a kind is walk, sine or spikes");
}

static int parse_number(struct rx_value value, const char *name, double *ret, struct rx_error *reterr)
{
    if (value.kind != RX_INT && value.kind != RX_DOUBLE)
        return rx_error_set(reterr, -EINVAL, "signals: %s must be a number", name);
    *ret = value.kind == RX_INT ? (double)value.u.i : value.u.d;
    return 0;
}

static int parse_period(struct rx_value value, double *ret, struct rx_error *reterr)
{
    char text[32];
    rx_time period;
    if (value.kind != RX_STRING)
        return parse_number(value, "period", ret, reterr);
    if (value.aux >= sizeof text)
        return rx_error_set(reterr, -EINVAL, "signals: period must be a duration such as 60s");
    memcpy(text, value.u.text, value.aux);
    text[value.aux] = '\0';
    int r = rx_parse_duration(text, &period, reterr);
    if (r == 0)
        *ret = (double)period / 1e9;
    return r;
}

static int parse_parameter(struct rx_value key, struct rx_value value, struct rx_signal *signal,
                           struct rx_error *reterr)
{
    char name[32] = "";
    if (key.kind == RX_STRING && key.aux < sizeof name)
        memcpy(name, key.u.text, key.aux);
    if (strcmp(name, "kind") == 0)
        return parse_kind(value, &signal->kind, reterr);
    if (strcmp(name, "min") == 0)
        return parse_number(value, name, &signal->min, reterr);
    if (strcmp(name, "max") == 0)
        return parse_number(value, name, &signal->max, reterr);
    if (strcmp(name, "period") == 0)
        return parse_period(value, &signal->period, reterr);
    const char *near = rx_nearest(name, parameters);
    int r = rx_error_set(reterr, -EINVAL, "signals: unknown key %s; a signal has kind, min, max and period", name);
    if (near)
        rx_error_hint(reterr, "did you mean %s?", near);
    return r;
}

static int parse_signal(struct rx_value value, struct rx_signal *signal, struct rx_error *reterr)
{
    if (value.kind == RX_STRING)
        return parse_kind(value, &signal->kind, reterr);
    if (value.kind != RX_RECORD && value.kind != RX_MAP)
        return rx_error_set(reterr, -EINVAL, "signals: each is a kind, or {kind:, min:, max:, period:}");
    for (uint32_t i = 0; i < rx_object_count(value); i++) {
        struct rx_value key, parameter;
        rx_object_entry(value, i, &key, &parameter);
        int r = parse_parameter(key, parameter, signal, reterr);
        if (r < 0)
            return r;
    }
    if (!(signal->min < signal->max) || !(signal->period > 0))
        return rx_error_set(reterr, -EINVAL, "signals: min must be below max, and period above 0");
    return 0;
}

static int add(struct rx_signals *signals, struct rx_heap *heap, struct rx_value key, struct rx_value value,
               struct rx_error *reterr)
{
    struct rx_signal *signal = &signals->items[signals->count++];
    *signal = fallback;
    signal->key = key.kind == RX_STRING ? rx_key_intern(heap, key.u.text, key.aux) : NULL;
    if (!signal->key)
        return rx_error_set(reterr, -EINVAL, "signals: a name must be text");
    return parse_signal(value, signal, reterr);
}

int rx_signals_parse(struct rx_value value, struct rx_heap *heap, struct rx_signals *ret, struct rx_error *reterr)
{
    ret->count = 0;
    if (value.kind == RX_NULL)
        return add(ret, heap, rx_string_static("temperature", 11), rx_string_static("walk", 4), reterr);
    uint32_t count = value.kind == RX_RECORD || value.kind == RX_MAP ? rx_object_count(value) : 0;
    if (count == 0 || count > RX_SIGNALS_MAX)
        return rx_error_set(reterr, -EINVAL, "signals: a mapping of 1 to %d names", RX_SIGNALS_MAX);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        struct rx_value name, signal;
        rx_object_entry(value, i, &name, &signal);
        r = add(ret, heap, name, signal, reterr);
    }
    return r;
}

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double next_unit(struct rx_signal_state *state) { return (double)(next_random(&state->random) >> 11) * 0x1p-53; }

void rx_signal_begin(const struct rx_signal *signal, struct rx_signal_state *state, uint64_t seed, uint64_t index)
{
    uint64_t mixed = seed;
    state->random = next_random(&mixed) + index;
    state->random = next_random(&state->random);
    state->phase = next_unit(state);
    state->level = signal->min + (signal->max - signal->min) * next_unit(state);
}

static double walk(const struct rx_signal *signal, struct rx_signal_state *state)
{
    double width = signal->max - signal->min;
    state->level += (next_unit(state) - 0.5) * width * 0.05;
    if (state->level < signal->min)
        state->level = 2 * signal->min - state->level;
    if (state->level > signal->max)
        state->level = 2 * signal->max - state->level;
    return state->level;
}

static double sine(const struct rx_signal *signal, struct rx_signal_state *state, double seconds)
{
    double angle = 6.283185307179586 * (seconds / signal->period + state->phase);
    return signal->min + (signal->max - signal->min) * (0.5 + 0.5 * sin(angle));
}

/* Noise in the lowest tenth, and a spike far above once in a hundred. */
static double spikes(const struct rx_signal *signal, struct rx_signal_state *state)
{
    double width = signal->max - signal->min, noise = next_unit(state);
    bool spike = next_unit(state) < 0.01;
    return signal->min + width * (spike ? 0.9 + 0.1 * noise : 0.1 * noise);
}

double rx_signal_next(const struct rx_signal *signal, struct rx_signal_state *state, double seconds)
{
    double value = signal->kind == KIND_WALK   ? walk(signal, state)
                   : signal->kind == KIND_SINE ? sine(signal, state, seconds)
                                               : spikes(signal, state);
    return round(value * 100) / 100;
}
