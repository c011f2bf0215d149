/* Optionals: a value or none (the optional types of CEL). */
#include <errno.h>

#include "core/expr/functions.h"

static int give_some(struct rx_call *call, struct rx_value value, struct rx_value *ret)
{
    *ret = rx_optional_take(call->heap, rx_value_ref(value));
    return ret->kind == RX_OPTIONAL ? 0 : -ENOMEM;
}

static int of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    return give_some(call, args[0], ret);
}

static bool is_zero(struct rx_value v)
{
    switch (v.kind) {
    case RX_NULL:
        return true;
    case RX_BOOL:
        return !v.u.b;
    case RX_INT:
    case RX_UINT:
        return v.u.u == 0;
    case RX_DOUBLE:
        return v.u.d >= 0 && v.u.d <= 0;
    case RX_STRING:
    case RX_BYTES:
        return v.aux == 0;
    case RX_LIST:
        return v.u.list->count == 0;
    case RX_MAP:
    case RX_RECORD:
        return rx_object_count(v) == 0;
    case RX_TIMESTAMP:
    case RX_DURATION:
        return v.u.i == 0 && v.aux == 0;
    case RX_OPTIONAL:
        return !v.u.optional->present;
    default:
        return false;
    }
}

static int of_non_zero(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    if (!is_zero(args[0]))
        return give_some(call, args[0], ret);
    *ret = rx_optional_none();
    return 0;
}

static int none(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)args;
    (void)count;
    *ret = rx_optional_none();
    return 0;
}

static int has_value(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_bool(args[0].u.optional->present);
    return 0;
}

static int value_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    if (!args[0].u.optional->present)
        return rx_call_fail(call, -EINVAL, "the optional holds no value");
    *ret = rx_value_ref(args[0].u.optional->value);
    return 0;
}

/* The compiler makes jumps of these two, so that the second is computed only when needed. */
static int or_else(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_value_ref(args[0].u.optional->present ? args[0] : args[1]);
    return 0;
}

static int or_value(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_value_ref(args[0].u.optional->present ? args[0].u.optional->value : args[1]);
    return 0;
}

static int unwrap(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)count;
    const struct rx_list *list = args[0].u.list;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].kind != RX_OPTIONAL)
            return rx_call_fail(call, -EINVAL, "element %u is no optional: no such overload", i);
    struct rx_value *items = rx_call_items(call, list->count);
    for (uint32_t i = 0; items && i < list->count; i++)
        if (list->items[i].u.optional->present)
            items[kept++] = rx_value_ref(list->items[i].u.optional->value);
    return rx_give_items(call, items, kept, ret);
}

const struct rx_function rx_functions_optional[] = {
    {"optional.of",
     RX_F_GLOBAL | RX_F_NULLS,
     1,
     1,
     {RX_K_ALL},
     RX_K_OPTIONAL,
     of,
     "optional.of(x)",
     "An optional that holds the value.",
     "optional.of(1).value()",
     "1"},
    {"optional.ofNonZeroValue",
     RX_F_GLOBAL | RX_F_NULLS,
     1,
     1,
     {RX_K_ALL},
     RX_K_OPTIONAL,
     of_non_zero,
     "optional.ofNonZeroValue(x)",
     "None for null, false, 0, and what is empty.",
     "optional.ofNonZeroValue(\"\").hasValue()",
     "false"},
    {"optional.none",
     RX_F_GLOBAL,
     0,
     0,
     {0},
     RX_K_OPTIONAL,
     none,
     "optional.none()",
     "An optional that holds nothing.",
     "optional.none().orValue(5)",
     "5"},
    {"hasValue",
     RX_F_METHOD,
     1,
     1,
     {RX_K_OPTIONAL},
     RX_K_BOOL,
     has_value,
     "optional.hasValue()",
     "Does it hold a value?",
     "{\"a\": 1}.?b.hasValue()",
     "false"},
    {"value",
     RX_F_METHOD,
     1,
     1,
     {RX_K_OPTIONAL},
     RX_K_ALL,
     value_of,
     "optional.value()",
     "The value, or an error.",
     "{\"a\": 1}.?a.value()",
     "1"},
    {"or",
     RX_F_METHOD,
     2,
     2,
     {RX_K_OPTIONAL, RX_K_OPTIONAL},
     RX_K_OPTIONAL,
     or_else,
     "optional.or(other)",
     "The other optional where the first is empty.",
     "{\"a\": 1}.?b.or(optional.of(2)).value()",
     "2"},
    {"orValue",
     RX_F_METHOD | RX_F_NULLS,
     2,
     2,
     {RX_K_OPTIONAL, RX_K_ALL},
     RX_K_ALL,
     or_value,
     "optional.orValue(x)",
     "The value, or another where it is empty.",
     "{\"a\": 1}.?b.orValue(7)",
     "7"},
    {"optional.unwrap",
     RX_F_GLOBAL,
     1,
     1,
     {RX_K_LIST},
     RX_K_LIST,
     unwrap,
     "optional.unwrap(list)",
     "The values that a list of optionals holds.",
     "optional.unwrap([optional.of(1), optional.none()])",
     "[1]"},
    {"unwrapOpt",
     RX_F_METHOD,
     1,
     1,
     {RX_K_LIST},
     RX_K_LIST,
     unwrap,
     "list.unwrapOpt()",
     "The values that a list of optionals holds.",
     "[optional.none(), optional.of(2)].unwrapOpt()",
     "[2]"},
    {0},
};
