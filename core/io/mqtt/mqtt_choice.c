/* A broker that is written where it is used. */
#include <errno.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"

int rx_broker_choice_check(const struct rx_broker_choice *c, struct rx_error *reterr)
{
    if (!c->name && !(c->given && c->options.url)) {
        rx_error_set(reterr, -EINVAL, "`mqtt` needs a broker: its name or its url");
        rx_error_hint(reterr, "broker: NAME, one of `brokers:`, or url: mqtt://127.0.0.1:1883");
        return -EINVAL;
    }
    if (c->name && c->given) {
        rx_error_set(reterr, -EINVAL, "the options of a connection stand in `brokers:`, with the broker that is named");
        rx_error_hint(reterr, "move them there, or leave out broker: and write url: here");
        return -EINVAL;
    }
    return c->given ? rx_broker_check(&c->options, reterr) : 0;
}

/* The table says what there is to compare, and to copy. */

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool same_field(const struct rx_option *o, const void *a, const void *b);

static bool same_table(const struct rx_class *class, const void *a, const void *b)
{
    for (const struct rx_option *o = class->options; o->name; o++)
        if (!same_field(o, (const char *)a + o->offset, (const char *)b + o->offset))
            return false;
    return true;
}

static bool same_field(const struct rx_option *o, const void *a, const void *b)
{
    switch (o->type) {
    case RX_OPTION_STRING:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    case RX_OPTION_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case RX_OPTION_ENUM:
        return *(const int *)a == *(const int *)b;
    case RX_OPTION_GROUP:
        return same_table(o->group, a, b);
    case RX_OPTION_VALUE:
        return rx_value_equal(*(const struct rx_value *)a, *(const struct rx_value *)b);
    default: /* durations, sizes, numbers */
        return memcmp(a, b, sizeof(int64_t)) == 0;
    }
}

bool rx_broker_options_same(const struct rx_broker_options *a, const struct rx_broker_options *b)
{
    return same_table(&rx_broker_class, a, b);
}

static void drop_value(void *value) { rx_value_unref(*(struct rx_value *)value); }

static int copy_text(struct rx_plan_arena *arena, const char **text)
{
    char *copy = *text ? rx_plan_alloc(arena, strlen(*text) + 1) : NULL;
    if (*text && !copy)
        return -ENOMEM;
    if (copy)
        memcpy(copy, *text, strlen(*text));
    *text = copy;
    return 0;
}

static int copy_value(struct rx_plan_arena *arena, struct rx_value *value)
{
    struct rx_value *kept = rx_plan_alloc(arena, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = rx_value_ref(*value);
    return rx_plan_defer(arena, drop_value, kept);
}

static int copy_table(const struct rx_class *class, struct rx_plan_arena *arena, void *image)
{
    int r = 0;
    for (const struct rx_option *o = class->options; r == 0 && o->name; o++) {
        void *field = (char *)image + o->offset;
        if (o->type == RX_OPTION_STRING)
            r = copy_text(arena, field);
        else if (o->type == RX_OPTION_VALUE)
            r = copy_value(arena, field);
        else if (o->type == RX_OPTION_GROUP)
            r = copy_table(o->group, arena, field);
    }
    return r;
}

int rx_broker_options_copy(const struct rx_broker_options *o, struct rx_plan_arena *arena,
                           struct rx_broker_options *ret)
{
    *ret = *o;
    return copy_table(&rx_broker_class, arena, ret);
}
