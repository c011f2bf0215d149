/* Messages like the one before: moulds, how they are taken, and how a message follows one. */
#include "core/json/json_mould.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/scan.h"
#include "core/json/json_number.h"
#include "core/value/heap_private.h"

enum {
    SCALARS_MAX = 64,
    HOLDERS_MAX = 16, /* containers that are kept */
    DEPTH_MAX = 16,
    TEXT_MAX = 2048,  /* of all between the scalars */
    IMAGE_MAX = 2048, /* of the containers that are kept */
    DEBT_MAX = 64,    /* a new mould costs 16, of which each message that follows none pays 1 */
    MOULD_PRICE = 16,
    SKIPPED = UINT16_MAX,
};

/* A scalar, and what is written in front of it. */
struct mould_scalar {
    char text[RX_LANES]; /* its first bytes */
    uint16_t length;     /* of all of it */
    uint16_t more;       /* what is past the first 16 bytes, in `texts` */
    uint16_t target;     /* in the image, in values; or SKIPPED */
};

/* A container in another one. */
struct mould_holder {
    uint16_t target, object; /* in the image, in 16 bytes */
    uint8_t kind;
};

struct rx_mould {
    uint16_t scalar_count, holder_count, shape_count, values;
    uint16_t root; /* in the image, in 16 bytes */
    uint8_t root_kind;
    bool broken;                  /* into lines */
    struct mould_scalar *scalars; /* and one more: what is behind the last */
    struct mould_holder *holders;
    const struct rx_shape **shapes; /* of the records; good while the heap's shapes are of the same age */
    char *texts;
    struct rx_value image[]; /* the containers as they are in a block */
};

void rx_moulds_forget(struct rx_moulds *moulds)
{
    for (size_t i = 0; i < RX_MOULDS; i++)
        free(moulds->of[i]);
    *moulds = (struct rx_moulds){0};
}

/* ---- following ---- */

/* A string that is kept, still in the message. */
struct kept_string {
    const char *text;
    uint32_t length;
    uint16_t target;
    bool escaped;
};

/* Near the end of the text, or of more than 16 bytes. */
static __attribute__((noinline)) bool is_gap_slowly(const char *p, const char *end, const struct mould_scalar *scalar,
                                                    const struct rx_mould *mould)
{
    size_t length = scalar->length;
    if ((size_t)(end - p) < length)
        return false;
    if (length > RX_LANES)
        return rx_same_text(p, scalar->text, RX_LANES) &&
               memcmp(p + RX_LANES, mould->texts + scalar->more, length - RX_LANES) == 0;
    return length > 1 ? rx_same_text(p, scalar->text, length) : *p == *scalar->text;
}

static inline bool is_gap(const char *p, const char *end, const struct mould_scalar *scalar,
                          const struct rx_mould *mould)
{
    if (end - p < RX_LANES || scalar->length > RX_LANES)
        return is_gap_slowly(p, end, scalar, mould);
    return rx_scan_same(p, scalar->text, scalar->length);
}

/* A number that needs more than 16 bytes and a glance; NULL: none, or out of range, or memory is. */
static __attribute__((noinline)) const char *follow_number_slowly(struct rx_heap *heap, const char *p, const char *end,
                                                                  struct rx_value *ret)
{
    struct rx_number n;
    const char *behind = rx_number_scan(p, end, &n);
    struct rx_json_scratch *scratch = heap->scratch;
    struct rx_buffer own = {0};
    if (!behind)
        return NULL;
    *ret = rx_number_is_int(&n) ? rx_json_int((int64_t)(n.negative ? 0 - n.mantissa : n.mantissa))
                                : rx_double(rx_number_double(&n, scratch ? &scratch->text : &own));
    rx_buffer_finish(&own);
    return ret->kind == RX_INT || isfinite(ret->u.d) ? behind : NULL;
}

/* One that nobody asks for: as long as it has no exponent and no more digits than this it is in range. NULL: it may be wrong. */
static inline const char *skip_number(const char *start, const char *p, const char *end)
{
    const char *first = p + (*p == '-'), *behind = rx_scan_digits(start, first, end);
    if (behind == first || (*first == '0' && behind > first + 1))
        return NULL;
    if (*behind == '.') {
        const char *fraction = behind + 1;
        behind = rx_scan_digits(start, fraction, end);
        if (behind == fraction)
            return NULL;
    }
    return behind - first > 19 || (*behind | 0x20) == 'e' ? NULL : behind;
}

static __attribute__((noinline)) const char *follow_name(const char *p, const char *end, struct rx_value *ret)
{
    static const char names[][6] = {"true", "null", "false"};
    const struct rx_value values[] = {rx_bool(true), rx_null(), rx_bool(false)};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(names[i]);
        if ((size_t)(end - p) < length || memcmp(p, names[i], length) != 0)
            continue;
        *ret = values[i];
        return p + length;
    }
    return NULL;
}

/* To the closing quote of a string with escapes or other than ASCII. NULL: it is wrong. */
static __attribute__((noinline)) const char *string_end_slowly(const char *text, const char *end, bool *ret_escaped)
{
    const char *bad;
    return text < end ? rx_json_scan_string(text, end, ret_escaped, NULL, &bad) : NULL;
}

struct follower {
    struct rx_heap *heap;
    const struct rx_mould *mould;
    const char *start, *end, *behind;
    struct kept_string *string; /* behind the last */
    size_t text_bytes;
};

static inline const char *follow_string(struct follower *f, const char *p, uint16_t target)
{
    const char *text = p + 1, *close = rx_scan_string(f->start, text, f->end);
    bool escaped = false;
    if (close == f->end || *close != '"') {
        close = string_end_slowly(text, f->end, &escaped);
        if (!close)
            return NULL;
    }
    if (target != SKIPPED) {
        size_t length = (size_t)(close - text);
        *f->string++ = (struct kept_string){text, (uint32_t)length, target, escaped};
        f->text_bytes += length;
    }
    return close + 1;
}

static inline const char *follow_scalar(struct follower *f, const char *p, uint16_t target, struct rx_value *image)
{
    struct rx_value skipped;
    if (*p == '"')
        return follow_string(f, p, target);
    struct rx_value *value = target == SKIPPED ? &skipped : &image[target];
    if (*p >= 'f')
        return follow_name(p, f->end, value);
    const char *behind =
        target == SKIPPED ? skip_number(f->start, p, f->end) : rx_number_quick(f->start, p, f->end, value);
    return behind ? behind : follow_number_slowly(f->heap, p, f->end, value);
}

/* Fills the mould's image, all but its strings. False: another message. The last byte ends any number, and no gap in front of a
 * scalar ends with it: there is something at `p` whenever one has matched. */
static inline bool follow_text(struct follower *f, struct rx_value *image)
{
    const char *p = f->start;
    const struct mould_scalar *scalar = f->mould->scalars, *last = scalar + f->mould->scalar_count;
    for (; scalar < last; scalar++) {
        if (!is_gap(p, f->end, scalar, f->mould))
            return false;
        p = follow_scalar(f, p + scalar->length, scalar->target, image);
        if (!p)
            return false;
    }
    f->behind = p + scalar->length;
    return is_gap(p, f->end, scalar, f->mould);
}

/* Behind the newline at `p`, or NULL. */
static inline const char *line_end(const char *p, const char *end) { return p < end && *p == '\n' ? p + 1 : NULL; }

static inline void copy_values(struct rx_value *to, const struct rx_value *from, size_t count)
{
    for (const struct rx_value *end = from + count; from < end;)
        *to++ = *from++;
}

/* The records count their shapes, and containers find their members. */
static inline void settle_holders(const struct rx_mould *mould, struct rx_block *block, struct rx_value *values)
{
    for (size_t i = 0; i < mould->shape_count; i++)
        rx_shape_ref(mould->shapes[i]);
    for (size_t i = 0; i < mould->holder_count; i++) {
        const struct mould_holder *holder = &mould->holders[i];
        values[holder->target] = rx_block_value(block, holder->kind, &values[holder->object], 0);
    }
}

static inline void place_strings(struct rx_block *block, struct rx_value *values, char *text,
                                 const struct kept_string *s, const struct kept_string *end)
{
    for (; s < end; s++) {
        uint32_t length = s->length;
        if (length == 0) {
            values[s->target] = rx_string_static("", 0);
            continue;
        }
        if (s->escaped)
            length = (uint32_t)rx_json_unescape(text, s->text, length);
        else
            rx_copy_text(text, s->text, length);
        values[s->target] = rx_block_value(block, RX_STRING, text, length);
        text += length;
    }
}

/* The message's block: the image, then the strings that are kept. */
static inline bool make_block(const struct follower *f, const struct kept_string *strings, struct rx_value *ret)
{
    const struct rx_mould *mould = f->mould;
    size_t size = mould->values * sizeof *mould->image + f->text_bytes;
    struct rx_block *block = size <= RX_JSON_BLOCK_MAX ? rx_block_alloc(f->heap, size, RX_CONTENT_MESSAGE) : NULL;
    if (!block)
        return false;
    struct rx_value *values = rx_block_data(block);
    copy_values(values, mould->image, mould->values);
    settle_holders(mould, block, values);
    place_strings(block, values, (char *)(values + mould->values), strings, f->string);
    *ret = rx_block_value(block, mould->root_kind, &values[mould->root], 0);
    return true;
}

/* Behind the message, or its line. NULL: it is another. */
static const char *follow(struct rx_heap *heap, struct rx_mould *mould, const char *text, const char *end, bool line,
                          struct rx_value *ret)
{
    if (line && mould->broken)
        return NULL;
    struct kept_string strings[SCALARS_MAX];
    struct follower f = {heap, mould, text, end, end, strings, 0};
    if (!follow_text(&f, mould->image))
        return NULL;
    const char *behind = line ? line_end(f.behind, end) : f.behind == end ? end : NULL;
    return behind && make_block(&f, strings, ret) ? behind : NULL;
}

static __attribute__((noinline)) const char *follow_another(struct rx_heap *heap, struct rx_moulds *moulds,
                                                            const char *text, const char *end, bool line,
                                                            struct rx_value *ret)
{
    for (unsigned i = 0; i < RX_MOULDS; i++) {
        bool other = i != moulds->last && moulds->of[i];
        const char *behind = other ? follow(heap, moulds->of[i], text, end, line, ret) : NULL;
        if (!behind)
            continue;
        moulds->last = (uint8_t)i;
        return behind;
    }
    return NULL;
}

const char *rx_moulds_follow(struct rx_heap *heap, struct rx_moulds *moulds, const char *text, const char *end,
                             bool line, struct rx_value *ret)
{
    struct rx_mould *last = moulds->of[moulds->last];
    const char *behind = last ? follow(heap, last, text, end, line, ret) : NULL;
    return behind || !last ? behind : follow_another(heap, moulds, text, end, line, ret);
}

/* ---- learning ---- */

/* A walk over a text that is known to be right, and over the value that was made of it. */
struct learner {
    const char *p, *end;
    const char *gap;        /* behind the last scalar */
    const char *base;       /* of the block's objects */
    size_t extent;          /* behind the last object */
    size_t objects, places; /* bytes of the objects met, values in them */
    unsigned depth;
    size_t scalar_count, holder_count, shape_count, kept, text_length;
    struct mould_scalar scalars[SCALARS_MAX + 1];
    struct mould_holder holders[HOLDERS_MAX];
    const struct rx_shape *shapes[HOLDERS_MAX];
    char texts[TEXT_MAX];
};

static bool learn_value(struct learner *l, const struct rx_value *value);

static void skip_gap(struct learner *l) { l->p = rx_scan_space_scalar(l->p, l->end); }

/* What stands between the last scalar and here. */
static bool take_gap(struct learner *l, struct mould_scalar *scalar)
{
    size_t length = (size_t)(l->p - l->gap), first = length < RX_LANES ? length : RX_LANES;
    if (length > TEXT_MAX || l->text_length + length - first > TEXT_MAX)
        return false;
    memset(scalar->text, 0, sizeof scalar->text);
    memcpy(scalar->text, l->gap, first);
    memcpy(l->texts + l->text_length, l->gap + first, length - first);
    scalar->length = (uint16_t)length;
    scalar->more = (uint16_t)l->text_length;
    l->text_length += length - first;
    return true;
}

static void skip_string(struct learner *l)
{
    for (l->p++; *l->p != '"'; l->p++)
        l->p += *l->p == '\\';
    l->p++;
}

static bool learn_scalar(struct learner *l, const struct rx_value *value)
{
    if (l->scalar_count == SCALARS_MAX)
        return false;
    struct mould_scalar *scalar = &l->scalars[l->scalar_count++];
    scalar->target = SKIPPED;
    if (value) {
        scalar->target = (uint16_t)(((const char *)value - l->base) / 16);
        l->kept++;
    }
    if (!take_gap(l, scalar))
        return false;
    if (*l->p == '"')
        skip_string(l);
    else
        while (l->p < l->end && !strchr(",]} \t\r\n", *l->p))
            l->p++;
    l->gap = l->p;
    return true;
}

/* An object of the block: how much of it that is. False: none that a mould can have. */
static bool learn_holder(struct learner *l, struct rx_value container, size_t count, const struct rx_shape *shape)
{
    const char *object = container.u.pointer;
    size_t size = (1 + count) * sizeof(struct rx_value), end;
    if (object < l->base || l->shape_count == HOLDERS_MAX)
        return false;
    end = (size_t)(object - l->base) + size;
    l->objects += size;
    l->places += count;
    l->extent = end > l->extent ? end : l->extent;
    if (shape)
        l->shapes[l->shape_count++] = shape;
    return l->extent <= IMAGE_MAX;
}

static const struct rx_value *field_of(const struct rx_record *record, const char *name, size_t length)
{
    for (uint32_t i = 0; record && i < record->shape->count; i++) {
        const struct rx_key *key = record->shape->keys[i];
        if (key->length == length && memcmp(key->text, name, length) == 0)
            return &record->values[i];
    }
    return NULL;
}

/* Up to a member's value. False: a name with an escape, of which there is no telling which field it is. */
static bool learn_name(struct learner *l, const struct rx_record *record, const struct rx_value **ret)
{
    const char *name = l->p + 1;
    skip_string(l);
    size_t length = (size_t)(l->p - 1 - name);
    *ret = field_of(record, name, length);
    skip_gap(l);
    l->p++;
    skip_gap(l);
    return !memchr(name, '\\', length);
}

static bool learn_items(struct learner *l, const struct rx_value *value)
{
    bool is_list = *l->p == '[';
    const struct rx_record *record = !is_list && value ? value->u.record : NULL;
    const struct rx_list *list = is_list && value ? value->u.list : NULL;
    l->p++;
    for (uint32_t i = 0;; i++) {
        skip_gap(l);
        if (*l->p == ']' || *l->p == '}')
            break;
        if (list && i == list->count)
            return false;
        const struct rx_value *member = list ? &list->items[i] : NULL;
        if (!is_list && !learn_name(l, record, &member))
            return false;
        if (!learn_value(l, member))
            return false;
        skip_gap(l);
        l->p += *l->p == ',';
    }
    l->p++;
    return true;
}

static bool learn_container(struct learner *l, const struct rx_value *value)
{
    if (value) {
        /* Where a name comes twice, the value is that of its last: what stands here can be of another kind, or longer. */
        bool record = value->kind == RX_RECORD;
        if (value->kind != (*l->p == '{' ? RX_RECORD : RX_LIST))
            return false;
        size_t count = record ? value->u.record->shape->count : value->u.list->count;
        if (!learn_holder(l, *value, count, record ? value->u.record->shape : NULL))
            return false;
    }
    if (l->depth == DEPTH_MAX)
        return false;
    l->depth++;
    bool learned = learn_items(l, value);
    l->depth--;
    return learned;
}

/* What is NULL is skipped. */
static bool learn_value(struct learner *l, const struct rx_value *value)
{
    if (*l->p != '{' && *l->p != '[')
        return learn_scalar(l, value);
    if (value && l->depth > 0) {
        if (l->holder_count == HOLDERS_MAX || (const char *)value->u.pointer < l->base)
            return false;
        l->holders[l->holder_count++] = (struct mould_holder){
            .target = (uint16_t)(((const char *)value - l->base) / 16),
            .object = (uint16_t)(((const char *)value->u.pointer - l->base) / 16),
            .kind = value->kind,
        };
    }
    return learn_container(l, value);
}

/* One allocation for all of it. */
static struct rx_mould *make_mould(const struct learner *l, struct rx_value root)
{
    size_t values = l->extent / sizeof(struct rx_value), image = values * sizeof(struct rx_value);
    size_t shapes = l->shape_count * sizeof *l->shapes, holders = l->holder_count * sizeof *l->holders;
    size_t scalars = (l->scalar_count + 1) * sizeof *l->scalars;
    struct rx_mould *mould = malloc(sizeof *mould + image + shapes + scalars + holders + l->text_length);
    if (!mould)
        return NULL;
    *mould = (struct rx_mould){.scalar_count = (uint16_t)l->scalar_count,
                               .holder_count = (uint16_t)l->holder_count,
                               .shape_count = (uint16_t)l->shape_count,
                               .values = (uint16_t)values,
                               .root = (uint16_t)(((const char *)root.u.pointer - l->base) / 16),
                               .root_kind = root.kind};
    char *at = (char *)mould->image + image;
    mould->shapes = memcpy(at, l->shapes, shapes);
    mould->scalars = memcpy(at += shapes, l->scalars, scalars);
    mould->holders = memcpy(at += scalars, l->holders, holders);
    mould->texts = memcpy(at + holders, l->texts, l->text_length);
    memcpy(mould->image, l->base, l->extent);
    return mould;
}

static struct rx_mould *take_mould(const char *text, size_t length, struct rx_value value)
{
    struct learner l;
    memset(&l, 0, offsetof(struct learner, scalars));
    l.p = l.gap = text;
    l.end = text + length;
    l.base = rx_block_data(rx_value_block(value));
    if (!learn_value(&l, &value))
        return NULL;
    bool whole = l.p == l.end && take_gap(&l, &l.scalars[l.scalar_count]);
    /* Each place once, and nothing in the block that is not reached: no name came twice. */
    if (!whole || l.objects != l.extent || l.places != l.kept + l.holder_count)
        return NULL;
    struct rx_mould *mould = make_mould(&l, value);
    if (mould)
        mould->broken = memchr(text, '\n', length);
    return mould;
}

static bool in_one_block(struct rx_value value)
{
    return (value.kind == RX_RECORD || value.kind == RX_LIST) && rx_is_counted(value) &&
           (rx_value_block(value)->size_content & 15) == RX_CONTENT_MESSAGE;
}

void rx_moulds_learn(struct rx_moulds *moulds, const char *text, size_t length, struct rx_value value)
{
    if (moulds->debt > 0)
        moulds->debt--;
    if (moulds->debt + MOULD_PRICE > DEBT_MAX || !in_one_block(value))
        return;
    moulds->debt = (uint8_t)(moulds->debt + MOULD_PRICE);
    struct rx_mould *mould = take_mould(text, length, value);
    if (!mould)
        return;
    size_t which = moulds->next;
    moulds->next = (uint8_t)((which + 1) % RX_MOULDS);
    free(moulds->of[which]);
    moulds->of[which] = mould;
    moulds->last = (uint8_t)which;
}
