/* The JSON decoder: one pass, not recursive, led by the layout of the message before. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/heap_private.h"
#include "core/json_private.h"
#include "core/map.h"
#include "core/number.h"

enum { DEPTH_DEFAULT = 128, KEYS_DEFAULT = 65536, KEEP_BYTES = 64 * 1024 };

/* Where no guess is known and none can be learned. */
enum { NO_GUESS = 0 };

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

/* --- Scratch --- */

bool rx_json_grow(void **array, size_t *capacity, size_t count, size_t item_size)
{
    size_t wanted = *capacity * 2 > count ? *capacity * 2 : count;
    void *grown = wanted > PTRDIFF_MAX / item_size ? NULL : realloc(*array, wanted * item_size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

static bool stack_reserve(struct rx_json_scratch *s, size_t more)
{
    return s->top + more <= s->stack_capacity ||
           rx_json_grow((void **)&s->stack, &s->stack_capacity, s->top + more + 32, sizeof *s->stack);
}

static bool frames_reserve(struct rx_json_scratch *s)
{
    return s->depth < s->frame_capacity ||
           rx_json_grow((void **)&s->frames, &s->frame_capacity, s->depth + 8, sizeof *s->frames);
}

static bool objects_reserve(struct rx_json_scratch *s)
{
    return s->object_count < s->object_capacity ||
           rx_json_grow((void **)&s->objects, &s->object_capacity, s->object_count + 8, sizeof *s->objects);
}

static bool arena_reserve(struct rx_json_scratch *s, size_t more)
{
    return s->arena_length + more <= s->arena_capacity ||
           rx_json_grow((void **)&s->arena, &s->arena_capacity, s->arena_length + more + 512, 1);
}

void rx_json_scratch_destroy(struct rx_json_scratch *s)
{
    if (!s)
        return;
    free(s->stack);
    free(s->frames);
    free(s->objects);
    free(s->arena);
    rx_buffer_finish(&s->text);
    rx_buffer_finish(&s->copy);
    free(s);
}

/* Ready for a message. */
static struct rx_json_scratch *scratch_open(struct rx_heap *heap)
{
    if (!heap->json)
        heap->json = calloc(1, sizeof *heap->json);
    struct rx_json_scratch *s = heap->json;
    if (!s || !stack_reserve(s, 1))
        return NULL;
    s->top = s->depth = s->object_count = s->arena_length = s->text_bytes = 0;
    return s;
}

/* After a large message nothing large is kept. */
static void scratch_close(struct rx_heap *heap)
{
    struct rx_json_scratch *s = heap->json;
    if (s->stack_capacity * sizeof *s->stack + s->arena_capacity + s->text.capacity + s->copy.capacity +
            s->object_capacity * sizeof *s->objects <=
        KEEP_BYTES)
        return;
    rx_json_scratch_destroy(s);
    heap->json = NULL;
}

/* --- Guesses --- */

static struct rx_guess *guess_at(struct decoder *d, uint16_t i) { return &d->layout->guesses[i]; }

static void layout_open(struct rx_layout *layout)
{
    if (layout->count && !layout->full)
        return;
    layout->root = layout->list_root = NO_GUESS;
    layout->count = 1;
    layout->full = false;
    layout->guesses[NO_GUESS] = (struct rx_guess){.length = 0};
}

/* The guess that `link` leads to, a new one where there is none yet. */
static struct rx_guess *guess_open(struct decoder *d, uint16_t *link)
{
    struct rx_guess *none = guess_at(d, NO_GUESS);
    if (link == &none->next || link == &none->child)
        return none;
    if (*link == NO_GUESS) {
        if (d->layout->count == RX_GUESSES) {
            d->layout->full = true;
            return none;
        }
        *link = d->layout->count++;
        *guess_at(d, *link) = (struct rx_guess){.length = 0};
    }
    return guess_at(d, *link);
}

/* Remembers a key, `text` with its quotes, as the next one in this frame. */
static struct rx_guess *learn(struct decoder *d, struct rx_json_frame *frame, const char *text, size_t length,
                              const struct rx_key *key)
{
    struct rx_guess *guess = guess_open(d, frame->link);
    if (guess != guess_at(d, NO_GUESS)) {
        guess->length = length <= RX_GUESS_TEXT_MAX ? (uint8_t)length : 0;
        memcpy(guess->text, text, guess->length);
        guess->key = key;
        guess->before = guess->after = NULL;
    }
    return guess;
}

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
        if (!stack_reserve(s, 1))
            return false;
        s->top++;
    }
    s->stack[target] = v;
    return true;
}

static struct rx_value raw_string(struct rx_json_scratch *s, const char *text, size_t length, bool escaped)
{
    s->text_bytes += length;
    uint8_t flags = length == 0 ? RX_FLAG_STATIC : escaped ? RX_RAW_ESCAPED : 0;
    return (struct rx_value){.kind = RX_STRING, .flags = flags, .aux = (uint32_t)length, .u.text = length ? text : ""};
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

static inline bool are_eight_digits(uint64_t word)
{
    return (((word + 0x4646464646464646u) | (word - 0x3030303030303030u)) & 0x8080808080808080u) == 0;
}

/* Eight digits at once (D. Lemire, "Quickly parsing eight digits", 2018). */
static inline uint64_t parse_eight_digits(uint64_t word)
{
    word -= 0x3030303030303030u;
    word = word * 10 + (word >> 8);
    uint64_t high = (word & 0x000000FF000000FFu) * 0x000F424000000064u;
    uint64_t low = ((word >> 16) & 0x000000FF000000FFu) * 0x0000271000000001u;
    return (high + low) >> 32;
}

/* Takes digits into `*mantissa`, modulo 2^64; answers what is behind them. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *mantissa)
{
    uint64_t m = *mantissa;
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        while (end - p >= 8 && are_eight_digits(rx_load64(p))) {
            m = m * 100000000 + parse_eight_digits(rx_load64(p));
            p += 8;
        }
    for (unsigned digit; (digit = (unsigned)(unsigned char)*p - '0') < 10; p++)
        m = m * 10 + digit;
    *mantissa = m;
    return p;
}

/* The exponent behind an `e`, saturated. NULL: no digits. */
static const char *take_exponent(const char *p, int *exponent)
{
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    const char *first = p;
    int value = 0;
    for (unsigned digit; (digit = (unsigned)(unsigned char)*p - '0') < 10; p++)
        value = value < 100000 ? value * 10 + (int)digit : value;
    *exponent += negative ? -value : value;
    return p == first ? NULL : p;
}

/* A number as scanned: digits (both sides of the point), of which `mantissa` holds all when there are 19 or less. */
struct number {
    const char *start, *end;
    bool negative, whole;
    ptrdiff_t digits;
    uint64_t mantissa;
    int exponent;
};

static inline const char *scan_number(struct decoder *d, const char *p, struct number *n)
{
    *n = (struct number){.start = p, .negative = *p == '-', .whole = true};
    p += n->negative;
    const char *first = p;
    p = *p == '0' ? p + 1 : take_digits(p, d->end, &n->mantissa);
    n->digits = p - first;
    if (n->digits == 0)
        return fail(d, p, -EBADMSG, "a number needs a digit here");
    if (*p == '.') {
        const char *fraction = ++p;
        p = take_digits(p, d->end, &n->mantissa);
        if (p == fraction)
            return fail(d, p, -EBADMSG, "a number needs a digit behind its point");
        n->whole = false;
        n->digits += p - fraction;
        n->exponent = (int)-(p - fraction);
    }
    if (*p == 'e' || *p == 'E') {
        const char *behind = take_exponent(p + 1, &n->exponent);
        if (!behind)
            return fail(d, p + 1, -EBADMSG, "a number needs digits in its exponent");
        n->whole = false;
        p = behind;
    }
    n->end = p;
    return p;
}

/* Exact where mantissa and power of ten are (Clinger, PLDI 1990), else by strtod. */
static inline double number_double(struct decoder *d, const struct number *n)
{
    if (n->digits <= 19 && n->mantissa <= (1ull << 53) && n->exponent >= -22 && n->exponent <= 22) {
        double value = (double)n->mantissa;
        value = n->exponent < 0 ? value / rx_powers_of_ten[-n->exponent] : value * rx_powers_of_ten[n->exponent];
        return n->negative ? -value : value;
    }
    return rx_json_slow_double(n->start, (size_t)(n->end - n->start), &d->scratch->text);
}

static inline bool fits_int(const struct number *n)
{
    return n->whole && n->digits <= 19 && n->mantissa <= (uint64_t)INT64_MAX + n->negative &&
           !(n->negative && n->mantissa == 0);
}

static inline const char *read_number(struct decoder *d, const char *p)
{
    struct number n;
    p = scan_number(d, p, &n);
    if (!p)
        return NULL;
    if (fits_int(&n)) {
        int64_t i = (int64_t)(n.negative ? 0 - n.mantissa : n.mantissa);
        return d->skip || put(d, d->target, rx_json_int(i)) ? p : fail_memory(d, p);
    }
    if (d->skip && n.digits <= 19 && n.exponent < 280) /* cannot be out of range */
        return p;
    double value = number_double(d, &n);
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
    if (!arena_reserve(s, bytes) || !objects_reserve(s))
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
    if (!frames_reserve(s) || (!is_list && !shape))
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
    if (!stack_reserve(s, count))
        return false;
    struct rx_value *values = s->stack + frame->base;
    for (uint32_t i = count; i-- > 0;) {
        values[2 * i + 1] = values[i];
        values[2 * i] = rx_string_static(frame->shape->keys[i]->text, frame->shape->keys[i]->length);
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
        after = rx_shape_with(d->heap, before, key);
        slot = (int)before->count;
    }
    if (!after)
        return false;
    if (guess != guess_at(d, NO_GUESS)) {
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
        key = rx_key_intern(d->heap, name, length);
    struct rx_guess *guess = guess_at(d, NO_GUESS);
    if (d->skip || key)
        guess = learn(d, frame, text, raw_length + 2, key);
    follow(d, frame, guess);
    if (d->skip || (key && frame->kind == RX_RECORD && take_slot(d, frame, key, guess)))
        return close + 1;
    struct rx_value map_key = raw_string(d->scratch, text + 1, raw_length, escaped);
    return put_map_key(d, frame, map_key) ? close + 1 : fail_memory(d, text);
}

/* The key that the last message had here. False: another. */
static inline bool guess_key(struct decoder *d, struct rx_json_frame *frame, const char **p)
{
    struct rx_guess *guess = guess_at(d, *frame->link);
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

int rx_json_decode(struct rx_heap *heap, const struct rx_fields *fields, const struct rx_json_limits *limits,
                   const char *text, size_t length, struct rx_value *ret, struct rx_error *reterr)
{
    size_t start = 0, end = length, bad = 0;
    while (start < end && is_space(text[start]))
        start++;
    while (end > start && is_space(text[end - 1]))
        end--;
    struct rx_json_scratch *scratch = scratch_open(heap);
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
    layout_open(d.layout);
    int result = decode(&d, text + start, end - start, &bad);
    if (result < 0)
        report(&d.error, text, start + bad, reterr);
    else if ((result = rx_json_build(heap, scratch, ret)) < 0)
        rx_error_set(reterr, result, "out of memory");
    scratch_close(heap);
    return result;
}
