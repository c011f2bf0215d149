/* Shapers at run time: expressions arranged in an object, or text with {EXPR} in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/shaper_private.h"

size_t rx_shaper_expr_count(const struct rx_shaper *shaper) { return shaper->expr_count; }

struct rx_expr *rx_shaper_expr(const struct rx_shaper *shaper, size_t i) { return shaper->exprs[i].expr; }

size_t rx_shaper_slot_count(const struct rx_shaper *shaper) { return shaper->slot_count; }

size_t rx_shaper_slot_first(const struct rx_shaper *shaper, size_t i) { return shaper->exprs[i].slot_first; }

static int eval_node(struct rx_shaper *, const struct shape_node *, const struct rx_expr_env *, struct rx_heap *,
                     struct rx_value *ret, struct rx_error *reterr);

/* An aggregate call alone, as most are. */
static inline bool eval_slot(const struct shape_expr *one, const struct rx_expr_env *env, struct rx_value *ret)
{
    if (!one->is_slot || !env->slots || env->slots[one->slot_first].kind >= RX_LIST)
        return false;
    *ret = rx_value_ref(env->slots[one->slot_first]);
    return true;
}

static int eval_expr(struct rx_shaper *shaper, size_t i, const struct rx_expr_env *env, struct rx_value *ret,
                     struct rx_error *reterr)
{
    const struct shape_expr *one = &shaper->exprs[i];
    struct rx_expr_env shifted;
    if (eval_slot(one, env, ret))
        return 0;
    if (one->slot_first > 0 && env->slots) {
        shifted = *env;
        shifted.slots += one->slot_first;
        env = &shifted;
    }
    int r = rx_expr_eval(one->expr, env, ret, reterr);
    if (r == -ENODATA && shaper->absent_is_null) {
        *ret = rx_null();
        return 0;
    }
    return r;
}

/* What an expression yields, as text: strings as they are, the rest as JSON without quotes around times. */
static void append_value(struct rx_buffer *out, struct rx_value value)
{
    if (value.kind == RX_OPTIONAL && value.u.optional->present) {
        append_value(out, value.u.optional->value);
    } else if (value.kind == RX_STRING || value.kind == RX_BYTES) {
        rx_buffer_append(out, value.u.text, value.aux);
    } else {
        size_t start = out->length;
        rx_json_write(out, value);
        bool text = value.kind == RX_TIMESTAMP || value.kind == RX_DURATION || value.kind == RX_TYPE;
        if (text && !out->failed && out->length >= start + 2 && out->data[start] == '"') {
            memmove(out->data + start, out->data + start + 1, out->length - start - 2);
            out->length -= 2;
        }
    }
}

static void append_percent_encoded(struct rx_buffer *out, const char *text, size_t length)
{
    static const char unreserved[] = "-._~", hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(unreserved, c));
        char encoded[3] = {'%', hex[c >> 4], hex[c & 15]};
        rx_buffer_append(out, plain ? text + i : encoded, plain ? 1 : 3);
    }
}

static int append_encoded(struct rx_buffer *out, struct rx_value value)
{
    struct rx_buffer raw = {0};
    append_value(&raw, value);
    append_percent_encoded(out, raw.data, raw.length);
    int r = raw.failed ? -ENOMEM : 0;
    rx_buffer_finish(&raw);
    return r;
}

enum encoding { AS_TEXT, ENCODED, AS_URL };

/* Where the path of a URL begins; what has been written so far may end before it. */
static size_t path_of(const struct rx_buffer *out)
{
    size_t at = 0;
    while (at + 3 <= out->length && memcmp(out->data + at, "://", 3) != 0)
        at++;
    for (at += 3; at < out->length; at++)
        if (memchr("/?#", out->data[at], 3))
            return at;
    return out->length;
}

static bool is_behind_host(const struct rx_buffer *out) { return path_of(out) < out->length; }

/* Servers take "." and ".." in a path for steps, however they are encoded: none may come of a value. */
static int refuse_steps(const struct rx_buffer *out, size_t first_value, struct rx_error *reterr)
{
    size_t at = path_of(out);
    while (at < out->length && out->data[at] == '/') {
        const char *segment = out->data + ++at;
        size_t length = 0;
        while (at < out->length && !memchr("/?#", out->data[at], 3))
            at++, length++;
        bool dots = (length == 1 || length == 2) && memcmp(segment, "..", length) == 0;
        if (dots && at > first_value)
            return rx_error_set(reterr, -EINVAL, "a value would make a step to another path of the URL: %.*s",
                                (int)length, segment);
    }
    return 0;
}

static int append_host(struct rx_buffer *out, struct rx_value value, struct rx_error *reterr)
{
    size_t start = out->length;
    append_value(out, value);
    for (size_t i = start; start > 0 && i < out->length; i++) {
        char c = out->data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && !memchr(".-_:[]", c, 6))
            return rx_error_set(reterr, -EINVAL, "the value in the place of the URL's host is no host");
    }
    return 0;
}

static int append_one(struct rx_buffer *out, struct rx_value value, enum encoding encoding, struct rx_error *reterr)
{
    if (encoding == AS_URL && !is_behind_host(out))
        return append_host(out, value, reterr);
    if (encoding != AS_TEXT)
        return append_encoded(out, value) < 0 ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
    append_value(out, value);
    return 0;
}

static int append_parts(struct rx_shaper *shaper, const struct shape_node *node, const struct rx_expr_env *env,
                        enum encoding encoding, struct rx_buffer *out, struct rx_error *reterr)
{
    size_t first_value = SIZE_MAX;
    for (size_t i = 0; i < node->count; i++) {
        const struct shape_node *part = &node->children[i];
        if (part->kind == SHAPE_CONST) {
            rx_buffer_append(out, part->constant.u.text, part->constant.aux);
            continue;
        }
        struct rx_value value;
        int r = eval_expr(shaper, part->expr, env, &value, reterr);
        if (r < 0)
            return r;
        first_value = first_value < out->length ? first_value : out->length;
        r = append_one(out, value, encoding, reterr);
        rx_value_unref(value);
        if (r < 0)
            return r;
    }
    if (out->failed)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    return encoding == AS_TEXT ? 0 : refuse_steps(out, first_value, reterr);
}

static int eval_text(struct rx_shaper *shaper, const struct shape_node *node, const struct rx_expr_env *env,
                     struct rx_heap *heap, struct rx_value *ret, struct rx_error *reterr)
{
    rx_buffer_clear(&shaper->scratch);
    int r = append_parts(shaper, node, env, AS_TEXT, &shaper->scratch, reterr);
    if (r < 0)
        return r;
    struct rx_value text = rx_string(heap, shaper->scratch.data, shaper->scratch.length);
    if (text.kind != RX_STRING)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    *ret = text;
    return 0;
}

static void unref_all(struct rx_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rx_value_unref(values[i]);
}

static int eval_children(struct rx_shaper *shaper, const struct shape_node *node, const struct rx_expr_env *env,
                         struct rx_heap *heap, struct rx_value *values, struct rx_error *reterr)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct shape_node *child = &node->children[i];
        if (child->kind == SHAPE_EXPR && eval_slot(&shaper->exprs[child->expr], env, &values[i]))
            continue;
        int r = eval_node(shaper, child, env, heap, &values[i], reterr);
        if (r < 0) {
            unref_all(values, i);
            return r;
        }
    }
    return 0;
}

static int made(struct rx_heap *heap, struct rx_value value, struct rx_value *ret, struct rx_error *reterr)
{
    if (value.kind == RX_NULL || !rx_value_fits(heap, value)) {
        rx_value_unref(value);
        return rx_heap_why(heap, reterr);
    }
    *ret = value;
    return 0;
}

static struct rx_value object_of(struct rx_heap *heap, struct rx_value base, const struct shape_node *node,
                                 struct rx_value *values)
{
    struct rx_object_builder builder;
    rx_object_init_from(&builder, heap, base);
    for (size_t i = 0; i < node->count; i++)
        rx_object_put_key_take(&builder, node->keys[i], values[i]);
    return rx_object_finish(&builder);
}

static int eval_list_or_object(struct rx_shaper *shaper, const struct shape_node *node, const struct rx_expr_env *env,
                               struct rx_heap *heap, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_value few[RX_SHAPE_KEYS_MAX];
    struct rx_value *values = node->count <= RX_SHAPE_KEYS_MAX ? few : malloc(node->count * sizeof *values);
    if (!values)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int r = eval_children(shaper, node, env, heap, values, reterr);
    if (r == 0 && node->kind == SHAPE_LIST)
        r = made(heap, rx_list_take(heap, values, (uint32_t)node->count), ret, reterr);
    else if (r == 0 && node->shape)
        r = made(heap, rx_record_take(heap, node->shape, values), ret, reterr);
    else if (r == 0)
        r = made(heap, object_of(heap, rx_null(), node, values), ret, reterr);
    if (values != few)
        free(values);
    return r;
}

static int eval_node(struct rx_shaper *shaper, const struct shape_node *node, const struct rx_expr_env *env,
                     struct rx_heap *heap, struct rx_value *ret, struct rx_error *reterr)
{
    switch (node->kind) {
    case SHAPE_CONST:
        *ret = rx_value_ref(node->constant);
        return 0;
    case SHAPE_EXPR:
        return eval_expr(shaper, node->expr, env, ret, reterr);
    case SHAPE_TEXT:
        return eval_text(shaper, node, env, heap, ret, reterr);
    default:
        return eval_list_or_object(shaper, node, env, heap, ret, reterr);
    }
}

int rx_shaper_eval(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_heap *heap, struct rx_value *ret,
                   struct rx_error *reterr)
{
    return eval_node(shaper, shaper->root, env, heap, ret, reterr);
}

int rx_shaper_values(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_heap *heap,
                     struct rx_value *values, const struct rx_shape **ret_shape, struct rx_error *reterr)
{
    const struct shape_node *root = shaper->root;
    if (root->kind != SHAPE_OBJECT || !root->shape)
        return 0;
    *ret_shape = root->shape;
    int r = eval_children(shaper, root, env, heap, values, reterr);
    return r < 0 ? r : 1;
}

/* Resolves the overlay for a base shape once; it then serves every record of that shape. */
static void find_overlay(struct overlay *overlay, struct rx_heap *heap, const struct rx_shape *base,
                         const struct shape_node *node)
{
    const struct rx_shape *shape = base;
    rx_shape_unref(overlay->result);
    *overlay = (struct overlay){.base = base};
    for (size_t i = 0; i < node->count; i++) {
        if (rx_shape_slot(shape, node->keys[i]) < 0)
            shape = rx_shape_meet(heap, shape, node->keys[i]);
        if (!shape)
            return;
        overlay->slots[i] = (unsigned char)rx_shape_slot(shape, node->keys[i]);
    }
    overlay->result = rx_shape_ref(shape);
}

static int overlay_record(const struct overlay *overlay, struct rx_heap *heap, const struct rx_record *base,
                          struct rx_value *added, size_t count, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_value values[RX_SHAPE_KEYS_MAX];
    for (uint32_t i = 0; i < base->shape->count; i++)
        values[i] = rx_value_ref(base->values[i]);
    for (uint32_t i = base->shape->count; i < overlay->result->count; i++)
        values[i] = rx_null();
    for (size_t i = 0; i < count; i++) {
        struct rx_value *slot = &values[overlay->slots[i]];
        rx_value_unref(*slot);
        *slot = added[i];
    }
    return made(heap, rx_record_take(heap, overlay->result, values), ret, reterr);
}

static int apply_object(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_heap *heap,
                        struct rx_value base, struct rx_value *ret, struct rx_error *reterr)
{
    const struct shape_node *node = shaper->root;
    struct overlay *overlay = &shaper->overlay;
    struct rx_value few[RX_SHAPE_KEYS_MAX];
    struct rx_value *values = node->count <= RX_SHAPE_KEYS_MAX ? few : malloc(node->count * sizeof *values);
    if (!values)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    int r = eval_children(shaper, node, env, heap, values, reterr);
    if (r < 0)
        goto out;
    bool record = base.kind == RX_RECORD && values == few;
    if (record && overlay->base != base.u.record->shape)
        find_overlay(overlay, heap, base.u.record->shape, node);
    if (record && overlay->result)
        r = overlay_record(overlay, heap, base.u.record, values, node->count, ret, reterr);
    else
        r = made(heap, object_of(heap, base, node, values), ret, reterr);
out:
    if (values != few)
        free(values);
    return r;
}

/* `set: EXPR`: the entries of the object that the expression yields. */
static int apply_value(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_heap *heap,
                       struct rx_value base, struct rx_value *ret, struct rx_error *reterr)
{
    struct rx_value added;
    int r = rx_shaper_eval(shaper, env, heap, &added, reterr);
    if (r < 0)
        return r;
    if (added.kind != RX_RECORD && added.kind != RX_MAP) {
        r = rx_error_set(reterr, -EINVAL, "expected an object to take the fields from, found %s",
                         rx_kind_name((enum rx_kind)added.kind));
        rx_value_unref(added);
        return r;
    }
    struct rx_object_builder builder;
    rx_object_init_from(&builder, heap, base);
    for (uint32_t i = 0; i < rx_object_count(added); i++) {
        struct rx_value key, value;
        rx_object_entry(added, i, &key, &value);
        rx_object_put_take(&builder, rx_value_ref(key), rx_value_ref(value));
    }
    rx_value_unref(added);
    return made(heap, rx_object_finish(&builder), ret, reterr);
}

int rx_shaper_apply(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_heap *heap, struct rx_value base,
                    struct rx_value *ret, struct rx_error *reterr)
{
    int r = made(heap, rx_object_of(heap, base), &base, reterr);
    if (r < 0)
        return r;
    r = shaper->root->kind == SHAPE_OBJECT ? apply_object(shaper, env, heap, base, ret, reterr)
                                           : apply_value(shaper, env, heap, base, ret, reterr);
    rx_value_unref(base);
    return r;
}

static int append_whole(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_buffer *out,
                        struct rx_heap *heap, struct rx_error *reterr)
{
    struct rx_value value;
    int r = eval_node(shaper, shaper->root, env, heap, &value, reterr);
    if (r < 0)
        return r;
    append_value(out, value);
    rx_value_unref(value);
    return out->failed ? rx_error_set(reterr, -ENOMEM, "out of memory") : 0;
}

int rx_shaper_text(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_buffer *out,
                   struct rx_error *reterr)
{
    if (shaper->root->kind == SHAPE_TEXT)
        return append_parts(shaper, shaper->root, env, AS_TEXT, out, reterr);
    return append_whole(shaper, env, out, shaper->heap, reterr);
}

int rx_shaper_url(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_buffer *out,
                  struct rx_error *reterr)
{
    if (shaper->root->kind == SHAPE_TEXT)
        return append_parts(shaper, shaper->root, env, ENCODED, out, reterr);
    return append_whole(shaper, env, out, shaper->heap, reterr);
}

int rx_shaper_whole_url(struct rx_shaper *shaper, const struct rx_expr_env *env, struct rx_buffer *out,
                        struct rx_error *reterr)
{
    if (shaper->root->kind == SHAPE_TEXT)
        return append_parts(shaper, shaper->root, env, AS_URL, out, reterr);
    return append_whole(shaper, env, out, shaper->heap, reterr);
}

bool rx_shaper_names_host(const struct rx_shaper *shaper)
{
    const struct shape_node *first = shaper->root;
    if (first->kind == SHAPE_TEXT && first->count > 0)
        first = &first->children[0];
    else if (first->kind == SHAPE_CONST)
        return true;
    if (first->kind != SHAPE_CONST)
        return false;
    struct rx_buffer literal = {.data = (char *)(uintptr_t)first->constant.u.text, .length = first->constant.aux};
    return is_behind_host(&literal);
}
