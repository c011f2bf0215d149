/* Streams that a step pairs by a key. */
#include "core/graph/pairing.h"

#include <errno.h>
#include <string.h>

bool rx_pairing_has(const struct rx_pairing *p, const char *name)
{
    const char *other;
    for (size_t i = 0; i < rx_stream_count(p->streams); i++)
        if (rx_stream_at(p->streams, i, &other) && other && strcmp(other, name) == 0)
            return true;
    return false;
}

/* The name by which `by` speaks of the main stream; NULL: it does not. */
static const char *main_name(const struct rx_pairing *p)
{
    for (size_t i = 0; p->has_main && p->by && i < rx_side_keys_side_count(p->by); i++)
        if (!rx_pairing_has(p, rx_side_keys_side(p->by, i)->text))
            return rx_side_keys_side(p->by, i)->text;
    return NULL;
}

struct rx_keys *rx_pairing_keys(const struct rx_pairing *p, const struct rx_op *op, unsigned port)
{
    const char *main = port == 0 ? main_name(p) : NULL;
    bool nameless = p->has_main && port == 0;
    return p->by ? rx_side_keys_of(p->by, main ? main : nameless ? "" : rx_op_input_name(op, port)->text) : NULL;
}

/* ---- mistakes ---- */

/* The stream whose name was meant; NULL: none is near. */
static const char *nearest_stream(const struct rx_pairing *p, const char *name)
{
    const char *names[RX_PORTS_MAX + 1] = {NULL};
    size_t n = 0;
    for (size_t i = 0; i < rx_stream_count(p->streams) && n < RX_PORTS_MAX; i++)
        if (rx_stream_at(p->streams, i, &names[n]) && names[n])
            n++;
    names[n] = NULL;
    return rx_nearest(name, names);
}

static bool is_spoken_of(const struct rx_pairing *p, const char *name)
{
    for (size_t i = 0; i < rx_side_keys_side_count(p->by); i++)
        if (strcmp(rx_side_keys_side(p->by, i)->text, name) == 0)
            return true;
    return false;
}

/* A name near that of a stream of which it does not speak otherwise is not the main stream's. */
static bool is_side(const struct rx_pairing *p, const char *name)
{
    const char *main = main_name(p), *near = nearest_stream(p, name);
    bool slip = near && !is_spoken_of(p, near);
    return rx_pairing_has(p, name) || (main && strcmp(main, name) == 0 && !slip);
}

static int refuse_side(const struct rx_pairing *p, const char *name, struct rx_error *reterr)
{
    const char *near = nearest_stream(p, name);
    rx_error_set(reterr, -EINVAL, "`by` speaks of \"%s\", which is none of the streams that are paired", name);
    if (near)
        rx_error_hint(reterr, "did you mean \"%s\"?", near);
    else
        rx_error_hint(reterr, "by: {id: {STREAM: EXPRESSION}}, with the names of the streams");
    return -EINVAL;
}

int rx_pairing_check(const struct rx_pairing *p, struct rx_error *reterr)
{
    if (rx_pairing_width(p->by) > RX_PAIRING_WIDTH_MAX)
        return rx_error_set(reterr, -EINVAL, "a key has at most %d parts", RX_PAIRING_WIDTH_MAX);
    for (size_t i = 0; p->by && i < rx_side_keys_side_count(p->by); i++)
        if (!is_side(p, rx_side_keys_side(p->by, i)->text))
            return refuse_side(p, rx_side_keys_side(p->by, i)->text, reterr);
    return 0;
}

/* ---- events ---- */

int rx_pairing_eval(struct rx_op *op, const struct rx_keys *keys, const struct rx_event *event, struct rx_value *ret,
                    struct rx_error *reterr)
{
    struct rx_expr_env env = rx_op_env(op, event);
    size_t width = keys ? rx_keys_count(keys) : 0;
    ret[0] = rx_null();
    for (size_t i = 0; i < width; i++) {
        int r = rx_expr_eval(rx_keys_expr(keys, i), &env, &ret[i], reterr);
        if (r < 0) {
            while (i > 0)
                rx_value_unref(ret[--i]);
            return r;
        }
    }
    return 0;
}
