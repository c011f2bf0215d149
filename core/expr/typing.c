/* Which kinds an operator takes and yields: the number rules of LANGUAGE.md over the overloads of CEL. */
#include <stdio.h>
#include <string.h>

#include "core/expr/compiler.h"

static rx_kinds number_pair(enum rx_operator_code op, rx_kinds a, rx_kinds b)
{
    rx_kinds both = a | b;
    if (op == O_MOD && (both & RX_K_DOUBLE))
        return 0;
    if (both & RX_K_DOUBLE)
        return RX_K_DOUBLE;
    if (both & RX_K_JSON)
        return op == O_DIV ? RX_K_DOUBLE : op == O_MOD ? RX_K_JSON : RX_K_JSON | RX_K_DOUBLE;
    return a == b ? a : 0;
}

static rx_kinds arithmetic_pair(enum rx_operator_code op, rx_kinds a, rx_kinds b)
{
    if ((a & RX_K_NUMBER) && (b & RX_K_NUMBER))
        return number_pair(op, a, b);
    if (op == O_ADD && a == b && (a & (RX_K_STRING | RX_K_BYTES | RX_K_LIST | RX_K_DURATION)))
        return a;
    if (op == O_ADD && (a | b) == (RX_K_TIMESTAMP | RX_K_DURATION))
        return RX_K_TIMESTAMP;
    if (op != O_SUB)
        return 0;
    if (a == b && (a & (RX_K_TIMESTAMP | RX_K_DURATION)))
        return RX_K_DURATION;
    return a == RX_K_TIMESTAMP && b == RX_K_DURATION ? RX_K_TIMESTAMP : 0;
}

static rx_kinds pair(enum rx_operator_code op, rx_kinds a, rx_kinds b)
{
    switch (op) {
    case O_EQ:
    case O_NE:
        return RX_K_BOOL;
    case O_LT:
    case O_LE:
    case O_GT:
    case O_GE:
        if ((a & RX_K_NUMBER) && (b & RX_K_NUMBER))
            return RX_K_BOOL;
        return a == b && (a & (RX_K_STRING | RX_K_BYTES | RX_K_BOOL | RX_K_TIMESTAMP | RX_K_DURATION)) ? RX_K_BOOL : 0;
    case O_IN:
        return b & (RX_K_LIST | RX_K_MAP) ? RX_K_BOOL : 0;
    default:
        return arithmetic_pair(op, a, b);
    }
}

rx_kinds rx_kinds_binary(enum rx_operator_code op, rx_kinds a, rx_kinds b)
{
    rx_kinds result = 0;
    for (rx_kinds x = a & RX_K_ALL; x; x &= x - 1)
        for (rx_kinds y = b & RX_K_ALL; y; y &= y - 1)
            result |= pair(op, x & (0 - x), y & (0 - y));
    return result;
}

rx_kinds rx_kinds_negate(rx_kinds kinds)
{
    rx_kinds result = kinds & (RX_K_INT | RX_K_DOUBLE | RX_K_JSON);
    return result & RX_K_JSON ? result | RX_K_DOUBLE : result;
}

bool rx_kinds_may_equal(rx_kinds a, rx_kinds b)
{
    if ((a & b) || ((a | b) & RX_K_NULL))
        return true;
    return ((a & RX_K_NUMBER) && (b & RX_K_NUMBER)) || ((a & RX_K_MAP) && (b & RX_K_MAP));
}

static const struct {
    rx_kinds kinds;
    const char *text;
} names[] = {
    {RX_K_NULL, "null"},
    {RX_K_BOOL, "a bool"},
    {RX_K_NUMBER, "a number"},
    {RX_K_INT, "an int"},
    {RX_K_UINT, "a uint"},
    {RX_K_DOUBLE, "a double"},
    {RX_K_JSON, "a number"},
    {RX_K_TIMESTAMP, "a timestamp"},
    {RX_K_DURATION, "a duration"},
    {RX_K_TYPE, "a type"},
    {RX_K_STRING, "a string"},
    {RX_K_BYTES, "bytes"},
    {RX_K_LIST, "a list"},
    {RX_K_MAP, "a map"},
    {RX_K_OPTIONAL, "an optional"},
};

/* The widest name that `kinds` covers, taken out of it; NULL: none. A lone number kind keeps its own name. */
static const char *take_name(rx_kinds *kinds)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rx_kinds part = *kinds & names[i].kinds;
        bool covers = part == names[i].kinds || (names[i].kinds == RX_K_MAP && part) ||
                      (names[i].kinds == RX_K_NUMBER && (part & (part - 1)));
        if (covers) {
            *kinds &= ~names[i].kinds;
            return names[i].text;
        }
    }
    return NULL;
}

const char *rx_kinds_text(rx_kinds kinds, char *out, size_t size)
{
    size_t used = 0;
    if ((kinds & RX_K_ALL) == RX_K_ALL || !kinds)
        return "any value";
    for (const char *name; (name = take_name(&kinds)) && used < size;)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? (kinds ? ", " : " or ") : "", name);
    return out;
}
