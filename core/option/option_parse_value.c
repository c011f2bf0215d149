/* Literal trees as values: plain scalars by their spelling as in JSON and YAML's core schema, quoted ones as text. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option_private.h"

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* Digits with an optional sign, without a leading zero: 0123 is an identifier, not a number. */
static bool is_whole(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    if (!isdigit((unsigned char)*text) || (*text == '0' && text[1]))
        return false;
    return text[strspn(text, "0123456789")] == '\0';
}

static bool is_decimal(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    size_t whole = strspn(text, "0123456789"), fraction = 0;
    if (whole > 1 && *text == '0')
        return false;
    text += whole;
    if (*text == '.') {
        fraction = strspn(text + 1, "0123456789");
        text += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text += text[1] == '-' || text[1] == '+' ? 2 : 1;
        if (!isdigit((unsigned char)*text))
            return false;
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

static bool plain_number(const char *text, struct rx_value *ret)
{
    static const char *const infinite[] = {".inf", ".Inf", ".INF", "+.inf", NULL};
    static const char *const negative[] = {"-.inf", "-.Inf", "-.INF", NULL}, *const nan[] = {".nan", ".NaN", ".NAN",
                                                                                             NULL};
    if (is_whole(text)) {
        errno = 0;
        long long whole = strtoll(text, NULL, 10);
        *ret = errno ? rx_double(strtod(text, NULL)) : rx_json_int(whole);
        return true;
    }
    if (is_decimal(text))
        *ret = rx_double(strtod(text, NULL));
    else if (is_one_of(text, infinite))
        *ret = rx_double(HUGE_VAL);
    else if (is_one_of(text, negative))
        *ret = rx_double(-HUGE_VAL);
    else if (is_one_of(text, nan))
        *ret = rx_double((double)NAN);
    else
        return false;
    return true;
}

static bool plain_word(const char *text, struct rx_value *ret)
{
    static const char *const nulls[] = {"null", "Null", "NULL", "~", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL}, *const no[] = {"false", "False", "FALSE", NULL};
    if (is_one_of(text, nulls))
        *ret = rx_null();
    else if (is_one_of(text, yes) || is_one_of(text, no))
        *ret = rx_bool(is_one_of(text, yes));
    else
        return false;
    return true;
}

static int build(const struct rx_tree *, struct rx_heap *, struct rx_value *ret);

static int build_scalar(const struct rx_tree *tree, struct rx_heap *heap, struct rx_value *ret)
{
    if (!tree->quoted && (plain_word(tree->text, ret) || plain_number(tree->text, ret)))
        return 0;
    *ret = rx_string(heap, tree->text, tree->length);
    return ret->kind == RX_STRING ? 0 : -ENOMEM;
}

static int build_list(const struct rx_tree *tree, struct rx_heap *heap, struct rx_value *ret)
{
    struct rx_value *items = calloc(tree->count ? tree->count : 1, sizeof *items);
    int r = items && tree->count <= UINT32_MAX ? 0 : -ENOMEM;
    size_t done = 0;
    for (; r == 0 && done < tree->count; done++)
        if ((r = build(tree->items[done], heap, &items[done])) < 0)
            break;
    if (r == 0) {
        *ret = rx_list_take(heap, items, (uint32_t)tree->count);
        r = ret->kind == RX_LIST ? 0 : -ENOMEM;
    } else {
        while (done > 0)
            rx_value_unref(items[--done]);
    }
    free(items);
    return r;
}

static int build_map(const struct rx_tree *tree, struct rx_heap *heap, struct rx_value *ret)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    for (size_t i = 0; i < tree->count; i++) {
        struct rx_value value;
        int r = build(tree->items[i], heap, &value);
        if (r < 0) {
            rx_object_abort(&builder);
            return r;
        }
        struct rx_value key = rx_string(heap, tree->keys[i]->text, tree->keys[i]->length);
        if (key.kind != RX_STRING) {
            rx_value_unref(value);
            rx_object_abort(&builder);
            return -ENOMEM;
        }
        rx_object_put_take(&builder, key, value);
    }
    *ret = rx_object_finish(&builder);
    return ret->kind == RX_NULL ? -ENOMEM : 0;
}

/* Recursion is bounded by the depth of the config tree. */
static int build(const struct rx_tree *tree, struct rx_heap *heap, struct rx_value *ret)
{
    switch (tree->kind) {
    case RX_TREE_SCALAR:
        return build_scalar(tree, heap, ret);
    case RX_TREE_LIST:
        return build_list(tree, heap, ret);
    default:
        return build_map(tree, heap, ret);
    }
}

int rx_tree_value(const struct rx_tree *tree, struct rx_heap *heap, struct rx_value *ret)
{
    return build(tree, heap, ret);
}

static void release(void *what) { rx_value_unref(*(struct rx_value *)what); }

int value_from_tree(const struct rx_tree *tree, struct rx_plan_arena *arena, struct rx_diagnostics *diagnostics,
                    struct rx_value *ret)
{
    struct rx_value *kept = rx_plan_alloc(arena, sizeof *kept);
    int r = kept ? build(tree, rx_plan_heap(arena), kept) : -ENOMEM;
    if (r == 0 && (r = rx_plan_defer(arena, release, kept)) < 0)
        release(kept);
    if (r < 0) {
        rx_diagnose_starved(diagnostics, tree);
        return r;
    }
    *ret = *kept;
    return 0;
}
