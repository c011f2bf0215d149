/* Finding functions by name, and the functions that belong to no library: size, type, dyn. */
#include "core/expr/functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct rx_function *rx_function_overload(const struct rx_function *f)
{
    return f[1].name && strcmp(f[1].name, f->name) == 0 && f[1].style == f->style ? f + 1 : NULL;
}

static int size_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    switch (args[0].kind) {
    case RX_STRING:
        *ret = rx_int((int64_t)rx_utf8_count(args[0].u.text, args[0].aux));
        return 0;
    case RX_BYTES:
        *ret = rx_int(args[0].aux);
        return 0;
    case RX_LIST:
        *ret = rx_int(args[0].u.list->count);
        return 0;
    default:
        *ret = rx_int(rx_object_count(args[0]));
        return 0;
    }
}

/* A whole JSON number is a double that keeps its digits, so its type is double. */
static int type_of(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    int64_t kind = args[0].kind == RX_RECORD ? RX_MAP : args[0].flags & RX_FLAG_JSON ? RX_DOUBLE : args[0].kind;
    *ret = (struct rx_value){.kind = RX_TYPE, .u.i = kind};
    return 0;
}

static int same(struct rx_call *call, const struct rx_value *args, unsigned count, struct rx_value *ret)
{
    (void)call;
    (void)count;
    *ret = rx_value_ref(args[0]);
    return 0;
}

static const struct rx_function functions_general[] = {
    {"size",
     RX_F_GLOBAL | RX_F_METHOD,
     1,
     1,
     {RX_K_STRING | RX_K_BYTES | RX_K_LIST | RX_K_MAP},
     RX_K_INT,
     size_of,
     "size(x) or x.size()",
     "Code points of a string, bytes, elements of a list, entries of a map.",
     "size(\"día\")",
     "3"},
    {"type",
     RX_F_GLOBAL | RX_F_NULLS,
     1,
     1,
     {RX_K_ALL},
     RX_K_TYPE,
     type_of,
     "type(x)",
     "The type of a value, to be compared with int, uint, double, bool, string, bytes, list, map, null_type, type.",
     "type(1.5) == double",
     "true"},
    {"dyn",
     RX_F_GLOBAL | RX_F_NULLS,
     1,
     1,
     {RX_K_ALL},
     RX_K_ALL,
     same,
     "dyn(x)",
     "The value itself, with its type unknown until run time.",
     "dyn(1) == \"a\"",
     "false"},
    {0},
};

const struct rx_function *const rx_function_tables[] = {
    functions_general, rx_functions_convert,  rx_functions_string, rx_functions_math,  rx_functions_time,
    rx_functions_list, rx_functions_optional, rx_functions_encode, rx_functions_regex, NULL,
};

const struct rx_function *rx_function_find(const char *name, size_t length, unsigned style)
{
    for (size_t t = 0; rx_function_tables[t]; t++)
        for (const struct rx_function *f = rx_function_tables[t]; f->name; f++)
            if ((f->style & style) && strncmp(f->name, name, length) == 0 && f->name[length] == '\0')
                return f;
    return NULL;
}

struct rx_value *rx_call_items(struct rx_call *call, uint32_t count)
{
    (void)call;
    return malloc((count + 1) * sizeof(struct rx_value));
}

int rx_give_items(struct rx_call *call, struct rx_value *items, uint32_t count, struct rx_value *ret)
{
    if (!items)
        return -ENOMEM;
    *ret = rx_list_take(call->heap, items, count);
    free(items);
    return ret->kind == RX_LIST ? 0 : -ENOMEM;
}
