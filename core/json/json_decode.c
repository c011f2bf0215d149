/* The JSON decoder: one pass, not recursive, led by the layout of the message before. */
#include <errno.h>
#include <math.h>

#include "core/json/json_mould.h"
#include "core/json/json_number.h"
#include "core/json/json_private.h"
#include "core/value/heap_private.h"
#include "core/value/map.h"

enum { DEPTH_DEFAULT = 128, KEYS_DEFAULT = 65536 };

/* Invariant of the scan: a byte that ends every number, name and run of space can be read at or before `end`. Either
 * the text's last byte is a bracket, or the text is a terminated copy. */
struct decoder {
    struct rx_heap *heap;
    struct rx_json_scratch *scratch;
    const struct rx_fields *fields; /* NULL: all */
    struct rx_layout *layout;
    const char *end;
    unsigned max_depth, max_keys;

    /* of the value that comes next */
    bool skip;
    size_t target;   /* its place on the stack */
    uint16_t *child; /* where its first key's guess is */
    bool opened;     /* the last value was the opening of a container that is not empty */

    const char *bad;
    struct rx_error error;
};

static const char *fail(struct decoder *d, const char *at, int code, const char *message)
{
    d->bad = at;
    if (code == -EBADMSG && at >= d->end)
        message = "the text ends too early";
    rx_error_set(&d->error, code, "%s", message);
    return NULL;
}

static const char *fail_limit(struct decoder *d, const char *at, const char *format, unsigned limit)
{
    d->bad = at;
    rx_error_set(&d->error, -E2BIG, format, limit);
    return NULL;
}

static const char *fail_memory(struct decoder *d, const char *at) { return fail(d, at, -ENOMEM, "out of memory"); }

/* --- Guesses --- */

static struct rx_guess *no_guess(struct decoder *d) { return &d->layout->guesses[RX_NO_GUESS]; }

static inline void follow(struct decoder *d, struct rx_json_frame *frame, struct rx_guess *guess)
{
    frame->link = &guess->next;
    d->child = &guess->child;
}

/* --- Values --- */

static inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static inline const char *skip_space(const char *p)
{
    while (is_space(*p))
        p++;
    return p;
}

static inline bool put(struct decoder *d, size_t target, struct rx_value v)
{
    struct rx_json_scratch *s = d->scratch;
    if (target == s->top) {
        if (!rx_json_stack_reserve(s, 1))
            return false;
        s->top++;
    }
    s->stack[target] = v;
    return true;
}

static struct rx_value raw_string(struct rx_json_scratch *s, const char *text, size_t length, bool escaped)
{
    s->text_bytes += length;
    return rx_json_raw_string(text, length, escaped);
}

static inline const char *read_string(struct decoder *d, const char *p)
{
    bool escaped;
    const char *close = rx_json_scan_string(p + 1, d->end, &escaped, &d->error, &d->bad);
    if (!close)
        return NULL;
    if (!d->skip && !put(d, d->target, raw_string(d->scratch, p + 1, (size_t)(close - p - 1), escaped)))
        return fail_memory(d, p);
    return close + 1;
}

static inline const char *read_number(struct decoder *d, const char *p)
{
    struct rx_number n;
    p = rx_number_scan(p, d->end, &n);
    if (!p)
        return fail(d, n.end, -EBADMSG, n.error);
    if (rx_number_is_int(&n)) {
        int64_t i = (int64_t)(n.negative ? 0 - n.mantissa : n.mantissa);
        return d->skip || put(d, d->target, rx_json_int(i)) ? p : fail_memory(d, p);
    }
    if (d->skip && n.digits <= 19 && n.exponent < 280) /* cannot be out of range */
        return p;
    double value = rx_number_double(&n, &d->scratch->text);
    if (isinf(value))
        return fail(d, n.start, -ERANGE, "a number is out of range");
    if (isnan(value) || (!d->skip && !put(d, d->target, rx_double(value))))
        return fail_memory(d, p);
    return p;
}

static inline const char *read_name(struct decoder *d, const char *p, const char *name, size_t length,
                                    struct rx_value v)
{
    if ((size_t)(d->end - p) < length || memcmp(p, name, length) != 0)
        return fail(d, p, -EBADMSG, "expected a value");
    if (!d->skip && !put(d, d->target, v))
        return fail_memory(d, p);
    return p + length;
}

/* --- Containers --- */

static size_t object_bytes(const struct rx_raw_object *object)
{
    size_t bytes = object->kind == RX_MAP ? rx_map_bytes(object->count)
                                          : sizeof(struct rx_list) + object->count * sizeof(struct rx_value);
    return (bytes + 15) & ~(size_t)15;
}

/* Moves a closed container's values from the stack to the arena. */
static bool store_container(struct decoder *d, const struct rx_json_frame *frame)
{
    struct rx_json_scratch *s = d->scratch;
    size_t values = s->top - frame->base;
    struct rx_raw_object object = {.offset = s->arena_length, .kind = frame->kind};
    object.count = (uint32_t)(frame->kind == RX_MAP ? values / 2 : values);
    size_t bytes = object_bytes(&object);
    if (!rx_json_arena_reserve(s, bytes) || !rx_json_objects_reserve(s))
        return false;
    char *at = s->arena + s->arena_length;
    memset(at, 0, sizeof(struct rx_list));
    if (frame->kind == RX_RECORD)
        ((struct rx_record *)(void *)at)->shape = frame->shape;
    else if (frame->kind == RX_LIST)
        ((struct rx_list *)(void *)at)->count = object.count;
    memcpy(at + sizeof(struct rx_list), s->stack + frame->base, values * sizeof *s->stack);
    s->arena_length += bytes;
    s->top = frame->base;
    s->objects[s->object_count] = object;
    return put(d, frame->target, (struct rx_value){.kind = frame->kind, .u.u = s->object_count++});
}

static inline const char *close_container(struct decoder *d, const char *p)
{
    const struct rx_json_frame *frame = &d->scratch->frames[--d->scratch->depth];
    if (!frame->skipped && !store_container(d, frame))
        return fail_memory(d, p);
    return p + 1;
}

static inline const char *open_container(struct decoder *d, const char *p)
{
    struct rx_json_scratch *s = d->scratch;
    bool is_list = *p == '[';
    if (s->depth >= d->max_depth)
        return fail_limit(d, p, "nested deeper than %u levels", d->max_depth);
    const struct rx_shape *shape = is_list ? NULL : rx_shape_empty(d->heap);
    if (!rx_json_frames_reserve(s) || (!is_list && !shape))
        return fail_memory(d, p);
    s->frames[s->depth++] = (struct rx_json_frame){.kind = is_list ? RX_LIST : RX_RECORD,
                                                   .skipped = d->skip,
                                                   .base = s->top,
                                                   .target = d->target,
                                                   .shape = shape,
                                                   .link = d->child};
    if (is_list && s->depth == 1)
        s->frames[0].link = &d->layout->list_root;
    p = skip_space(p + 1);
    if (*p == (is_list ? ']' : '}'))
        return close_container(d, p);
    d->opened = true;
    return p;
}

/* --- Keys --- */

/* From record to map: each value gets its key in front. */
static bool become_map(struct rx_json_scratch *s, struct rx_json_frame *frame)
{
    if (frame->kind == RX_MAP)
        return true;
    uint32_t count = frame->shape->count;
    if (!rx_json_stack_reserve(s, count))
        return false;
    struct rx_value *values = s->stack + frame->base;
    for (uint32_t i = count; i-- > 0;) {
        values[2 * i + 1] = values[i];
        values[2 * i] = raw_string(s, frame->shape->keys[i]->text, frame->shape->keys[i]->length, false);
    }
    s->top += count;
    frame->kind = RX_MAP;
    frame->shape = NULL;
    return true;
}

/* Finds the slot of a record's key. False: the record cannot take it. */
static bool take_slot(struct decoder *d, struct rx_json_frame *frame, const struct rx_key *key, struct rx_guess *guess)
{
    const struct rx_shape *before = frame->shape, *after = before;
    int slot = rx_shape_slot(before, key);
    if (slot < 0) {
        after = rx_shape_meet(d->heap, before, key);
        slot = (int)before->count;
    }
    if (!after)
        return false;
    if (guess != no_guess(d)) {
        guess->before = before;
        guess->after = after;
        guess->slot = slot;
    }
    frame->shape = after;
    d->target = frame->base + (size_t)slot;
    return true;
}

/* A map's key waits as text in front of its value. */
static bool put_map_key(struct decoder *d, struct rx_json_frame *frame, struct rx_value key)
{
    if (!become_map(d->scratch, frame) || !put(d, d->scratch->top, key))
        return false;
    d->target = d->scratch->top;
    return true;
}

/* A key that was not foreseen, between `text` and `close`, its quotes. */
static const char *meet_key(struct decoder *d, struct rx_json_frame *frame, const char *text, const char *close,
                            bool escaped)
{
    struct rx_buffer *plain = &d->scratch->text;
    const char *name = text + 1;
    size_t raw_length = (size_t)(close - name), length = raw_length;
    if (escaped) {
        rx_buffer_clear(plain);
        if (rx_buffer_reserve(plain, length) < 0)
            return fail_memory(d, text);
        length = rx_json_unescape(plain->data, name, length);
        name = plain->data;
    }
    bool top = d->scratch->depth == 1 && d->fields;
    const struct rx_key *key = top ? rx_fields_find(d->fields, name, length) : NULL;
    d->skip = top && !key;
    if (!d->skip && !key && frame->kind == RX_RECORD)
        key = rx_key_meet(d->heap, name, length);
    struct rx_guess *guess = no_guess(d);
    if (d->skip || key)
        guess = rx_layout_learn(d->layout, frame->link, text, raw_length + 2, key);
    follow(d, frame, guess);
    if (d->skip || (key && frame->kind == RX_RECORD && take_slot(d, frame, key, guess)))
        return close + 1;
    struct rx_value map_key = raw_string(d->scratch, text + 1, raw_length, escaped);
    return put_map_key(d, frame, map_key) ? close + 1 : fail_memory(d, text);
}

/* The key that the last message had here. False: another. */
static inline bool guess_key(struct decoder *d, struct rx_json_frame *frame, const char **p)
{
    struct rx_guess *guess = &d->layout->guesses[*frame->link];
    if (guess->length == 0 || d->end - *p < guess->length || !rx_same_text(*p, guess->text, guess->length))
        return false;
    if (guess->key) {
        if (!frame->shape)
            return false;
        if (guess->before == frame->shape) {
            d->target = frame->base + (size_t)guess->slot;
            frame->shape = guess->after;
        } else if (!take_slot(d, frame, guess->key, guess)) {
            return false;
        }
    }
    d->skip = !guess->key;
    *p += guess->length;
    follow(d, frame, guess);
    return true;
}

/* A key and its colon, up to the value. */
static inline const char *read_key(struct decoder *d, struct rx_json_frame *frame, const char *p)
{
    if (*p != '"')
        return fail(d, p, -EBADMSG, "expected a key in double quotes");
    if (++frame->members > d->max_keys)
        return fail_limit(d, p, "more than %u keys in an object", d->max_keys);
    if (frame->skipped || !guess_key(d, frame, &p)) {
        bool escaped;
        const char *close = rx_json_scan_string(p + 1, d->end, &escaped, &d->error, &d->bad);
        if (!close)
            return NULL;
        d->skip = frame->skipped;
        p = d->skip ? close + 1 : meet_key(d, frame, p, close, escaped);
        if (!p)
            return NULL;
    }
    p = skip_space(p);
    return *p == ':' ? skip_space(p + 1) : fail(d, p, -EBADMSG, "expected ':' behind a key");
}

/* --- The loop --- */

static inline const char *read_value(struct decoder *d, const char *p)
{
    switch (*p) {
    case '"':
        return read_string(d, p);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(d, p);
    case '{':
    case '[':
        return open_container(d, p);
    case 't':
        return read_name(d, p, "true", 4, rx_bool(true));
    case 'f':
        return read_name(d, p, "false", 5, rx_bool(false));
    case 'n':
        return read_name(d, p, "null", 4, rx_null());
    default:
        return fail(d, p, -EBADMSG, "expected a value");
    }
}

/* Behind a value: up to the next member or item, closing what ends here. */
static inline const char *leave_value(struct decoder *d, const char *p)
{
    struct rx_json_scratch *s = d->scratch;
    while (p && s->depth > 0) {
        if (p >= d->end)
            return fail(d, p, -EBADMSG, "");
        bool is_list = s->frames[s->depth - 1].kind == RX_LIST;
        p = skip_space(p);
        if (*p == ',')
            return skip_space(p + 1);
        if (*p != (is_list ? ']' : '}'))
            return fail(d, p, -EBADMSG, is_list ? "expected ',' or ']'" : "expected ',' or '}'");
        p = close_container(d, p);
    }
    return p;
}

static const char *parse(struct decoder *d, const char *p)
{
    for (;;) {
        d->opened = false;
        p = read_value(d, p);
        if (p && !d->opened)
            p = leave_value(d, p);
        if (!p || d->scratch->depth == 0)
            return p;
        struct rx_json_frame *frame = &d->scratch->frames[d->scratch->depth - 1];
        if (frame->kind == RX_LIST) {
            d->skip = frame->skipped;
            d->target = d->scratch->top;
            d->child = frame->link;
        } else if (!(p = read_key(d, frame, p))) {
            return NULL;
        }
    }
}

static const char *parse_all(struct decoder *d, const char *p)
{
    const char *behind = parse(d, p);
    if (!behind || behind == d->end)
        return behind;
    return fail(d, skip_space(behind), -EBADMSG, "expected nothing behind the value");
}

static struct rx_place find_place(const char *text, size_t offset)
{
    struct rx_place at = {.line = 1, .column = 1, .offset = offset};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            at.line++;
            at.column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            at.column++;
        }
    }
    return at;
}

/* Parses a text without space around it, from a copy where no closing bracket ends it. */
static int decode(struct decoder *d, const char *text, size_t length, size_t *ret_bad)
{
    struct rx_buffer *copy = &d->scratch->copy;
    if (length == 0 || (text[length - 1] != '}' && text[length - 1] != ']')) {
        rx_buffer_clear(copy);
        rx_buffer_append(copy, text, length);
        rx_buffer_append(copy, "", 1);
        if (copy->failed)
            return rx_error_set(&d->error, -ENOMEM, "out of memory");
        text = copy->data;
    }
    d->end = text + length;
    if (parse_all(d, text))
        return 0;
    *ret_bad = (size_t)(d->bad - text);
    return d->error.code;
}

static int report(const struct rx_error *error, const char *text, size_t offset, struct rx_error *reterr)
{
    if (reterr) {
        *reterr = *error;
        reterr->at = find_place(text, offset);
    }
    return error->code;
}

/* By the parser: any text, and every error. */
static int parse_text(struct rx_heap *heap, const struct rx_fields *fields, const struct rx_json_limits *limits,
                      const char *text, size_t length, struct rx_value *ret, struct rx_error *reterr)
{
    size_t start = 0, end = length, bad = 0;
    while (start < end && is_space(text[start]))
        start++;
    while (end > start && is_space(text[end - 1]))
        end--;
    struct rx_json_scratch *scratch = rx_json_scratch_open(heap);
    if (!scratch)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    if (length > UINT32_MAX)
        return rx_error_set(reterr, -E2BIG, "larger than 4 GiB");
    struct decoder d;
    d.heap = heap;
    d.scratch = scratch;
    d.fields = fields && !fields->all ? fields : NULL;
    d.layout = fields ? fields->layout : &scratch->layout;
    d.max_depth = limits && limits->max_depth ? limits->max_depth : DEPTH_DEFAULT;
    d.max_keys = limits && limits->max_keys ? limits->max_keys : KEYS_DEFAULT;
    d.skip = false;
    d.target = 0;
    d.child = &d.layout->root;
    rx_layout_open(d.layout, heap->shapes.age);
    int result = decode(&d, text + start, end - start, &bad);
    if (result < 0)
        report(&d.error, text, start + bad, reterr);
    else if ((result = rx_json_build(heap, scratch, ret)) < 0)
        rx_error_set(reterr, result, "out of memory");
    else if (!limits && start == 0 && end == length)
        rx_moulds_learn(&d.layout->moulds, text, length, *ret);
    rx_json_scratch_close(heap);
    return result;
}

/* What messages of these fields were like, where shapes are as they were then. */
static struct rx_moulds *moulds_for(struct rx_heap *heap, const struct rx_fields *fields)
{
    struct rx_json_scratch *scratch = heap->scratch;
    struct rx_layout *layout = fields ? fields->layout : scratch ? &scratch->layout : NULL;
    return layout && layout->age == heap->shapes.age ? &layout->moulds : NULL;
}

const char *rx_json_decode_line(struct rx_heap *heap, const struct rx_fields *fields, const char *at, const char *end,
                                struct rx_value *ret)
{
    rx_heap_tidy(heap);
    struct rx_moulds *moulds = moulds_for(heap, fields);
    return moulds ? rx_moulds_follow(heap, moulds, at, end, true, ret) : NULL;
}

int rx_json_decode(struct rx_heap *heap, const struct rx_fields *fields, const struct rx_json_limits *limits,
                   const char *text, size_t length, struct rx_value *ret, struct rx_error *reterr)
{
    rx_heap_tidy(heap);
    if (!limits && length >= 2 && (text[length - 1] == '}' || text[length - 1] == ']')) {
        struct rx_moulds *moulds = moulds_for(heap, fields);
        if (moulds && rx_moulds_follow(heap, moulds, text, text + length, false, ret))
            return 0;
    }
    return parse_text(heap, fields, limits, text, length, ret, reterr);
}
