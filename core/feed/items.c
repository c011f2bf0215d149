/* Values that come as a stream of items. */
#include "core/feed/items.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/utf8.h"

#define FIRST_SECOND INT64_C(-62135596800) /* of the year 1 */
#define LAST_SECOND  INT64_C(253402300799) /* of the year 9999 */

static void drop(struct rx_items *items)
{
    for (size_t i = 0; i < items->top; i++)
        rx_value_unref(items->stack[i]);
    rx_value_unref(items->whole);
    items->whole = rx_null();
    items->top = 0;
    items->depth = 0;
}

void rx_items_finish(struct rx_items *items)
{
    drop(items);
    free(items->stack);
    free(items->frames);
    rx_buffer_finish(&items->text);
    *items = (struct rx_items){.heap = items->heap};
}

void rx_items_begin(struct rx_items *items, const struct rx_fields *fields)
{
    drop(items);
    items->fields = fields && !rx_fields_all(fields) ? fields : NULL;
    items->check = items->past_end = false;
}

void rx_items_begin_check(struct rx_items *items)
{
    rx_items_begin(items, NULL);
    items->check = true;
}

bool rx_items_opens_list(const struct rx_items *items, uint64_t *ret_count)
{
    if (items->depth != 1 || items->frames[0].map || items->frames[0].count > 0)
        return false;
    *ret_count = items->frames[0].left;
    return true;
}

struct rx_value rx_items_take(struct rx_items *items)
{
    struct rx_value whole = items->whole;
    items->whole = rx_null();
    return whole;
}

static struct rx_items_frame *frame_of(struct rx_items *items)
{
    return items->depth ? &items->frames[items->depth - 1] : NULL;
}

static bool awaits_key(const struct rx_items_frame *frame) { return frame && frame->map && frame->count % 2 == 0; }

/* Whether what comes next is needed at all; keys are. */
static bool is_skipped(const struct rx_items *items, const struct rx_items_frame *frame)
{
    return frame ? frame->skip || (frame->skip_value && frame->count % 2 == 1) : items->check;
}

static bool push_take(struct rx_items *items, struct rx_value value)
{
    if (items->top == items->capacity) {
        size_t capacity = items->capacity ? items->capacity * 2 : 32;
        struct rx_value *bigger = realloc(items->stack, capacity * sizeof *bigger);
        if (!bigger) {
            rx_value_unref(value);
            return false;
        }
        items->stack = bigger;
        items->capacity = capacity;
    }
    items->stack[items->top++] = value;
    return true;
}

/* --- Containers that are whole --- */

static struct rx_value object_of(struct rx_items *items, size_t base)
{
    struct rx_object_builder b;
    rx_object_init(&b, items->heap);
    for (size_t i = base; i < items->top; i += 2)
        rx_object_put_take(&b, items->stack[i], items->stack[i + 1]);
    return rx_object_finish(&b);
}

/* Takes the innermost container, which is whole, off the stack. What is skipped leaves a null in its place. */
static int close_top(struct rx_items *items, struct rx_value *ret)
{
    const struct rx_items_frame closed = items->frames[--items->depth];
    *ret = rx_null();
    if (closed.skip)
        return 0;
    *ret = closed.map ? object_of(items, closed.base)
                      : rx_list_take(items->heap, closed.base ? items->stack + closed.base : items->stack,
                                     (uint32_t)(items->top - closed.base));
    items->top = closed.base;
    return ret->kind == RX_NULL ? -ENOMEM : 0;
}

/* An item is there, and with it perhaps what it is the last of, outwards. */
static int put_take(struct rx_items *items, struct rx_value value)
{
    for (struct rx_items_frame *frame; (frame = frame_of(items));) {
        if (is_skipped(items, frame))
            rx_value_unref(value);
        else if (!push_take(items, value))
            return -ENOMEM;
        frame->count++;
        frame->left -= frame->left != RX_ITEMS_UNTIL_END;
        if (frame->left > 0)
            return 0;
        int r = close_top(items, &value);
        if (r < 0)
            return r;
    }
    items->whole = value;
    return 1;
}

static int close_and_put(struct rx_items *items)
{
    struct rx_value value;
    int r = close_top(items, &value);
    return r < 0 ? r : put_take(items, value);
}

/* --- Keys --- */

/* A name that is known already costs no text of its own. */
static struct rx_value name_of(struct rx_heap *heap, const char *text, size_t length)
{
    const struct rx_key *key = length <= RX_KEY_MET_MAX ? rx_key_meet(heap, text, length) : NULL;
    return key ? rx_value_ref(rx_key_text(key)) : rx_string(heap, text, length);
}

static int put_key(struct rx_items *items, const char *text, size_t length)
{
    struct rx_items_frame *frame = frame_of(items);
    if (frame->count / 2 >= RX_ITEMS_KEYS_MAX)
        return -E2BIG;
    frame->skip_value = items->depth == 1 && items->fields && !rx_fields_has(items->fields, text, length);
    if (!frame->skip && !frame->skip_value) {
        struct rx_value key = name_of(items->heap, text, length);
        if (key.kind == RX_NULL || !push_take(items, key))
            return -ENOMEM;
    }
    frame->count++;
    frame->left -= frame->left != RX_ITEMS_UNTIL_END;
    return 0;
}

/* A key that is no text becomes the text that JSON has for it. */
static int put_key_take(struct rx_items *items, struct rx_value value)
{
    rx_buffer_clear(&items->text);
    rx_json_write(&items->text, value);
    bool quoted = items->text.length >= 2 && items->text.data[0] == '"';
    rx_value_unref(value);
    if (items->text.failed)
        return -ENOMEM;
    return put_key(items, items->text.data + quoted, items->text.length - 2 * quoted);
}

/* --- Items --- */

struct rx_value rx_items_uint(uint64_t n)
{
    return n <= INT64_MAX ? rx_json_int((int64_t)n)
                          : (struct rx_value){.kind = RX_UINT, .flags = RX_FLAG_JSON, .u.u = n};
}

int rx_items_put_take(struct rx_items *items, struct rx_value value)
{
    return awaits_key(frame_of(items)) ? put_key_take(items, value) : put_take(items, value);
}

int rx_items_text(struct rx_items *items, const char *text, size_t length)
{
    struct rx_items_frame *frame = frame_of(items);
    if (!rx_utf8_valid(text, length))
        return -EILSEQ;
    if (awaits_key(frame))
        return put_key(items, text, length);
    if (is_skipped(items, frame))
        return put_take(items, rx_null());
    struct rx_value value = rx_string(items->heap, text, length);
    return value.kind == RX_NULL ? -ENOMEM : put_take(items, value);
}

int rx_items_bytes(struct rx_items *items, const void *data, size_t length)
{
    if (is_skipped(items, frame_of(items)))
        return put_take(items, rx_null());
    struct rx_value value = rx_bytes(items->heap, data, length);
    return value.kind == RX_NULL ? -ENOMEM : rx_items_put_take(items, value);
}

int rx_items_time(struct rx_items *items, int64_t seconds, uint64_t nanos)
{
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND || nanos > 999999999)
        return -ERANGE;
    return rx_items_put_take(items, (struct rx_value){.kind = RX_TIMESTAMP, .aux = (uint32_t)nanos, .u.i = seconds});
}

int rx_items_open(struct rx_items *items, bool map, uint64_t count)
{
    const struct rx_items_frame *outer = frame_of(items);
    if (items->depth == RX_ITEMS_DEPTH_MAX || (map && count != RX_ITEMS_UNTIL_END && count > RX_ITEMS_KEYS_MAX))
        return -E2BIG;
    if (awaits_key(outer))
        return -EBADMSG;
    if (!items->frames && !(items->frames = calloc(RX_ITEMS_DEPTH_MAX, sizeof *items->frames)))
        return -ENOMEM;
    outer = frame_of(items);
    items->frames[items->depth++] =
        (struct rx_items_frame){.left = map && count != RX_ITEMS_UNTIL_END ? 2 * count : count,
                                .base = (uint32_t)items->top,
                                .map = map,
                                .skip = is_skipped(items, outer)};
    return count == 0 ? close_and_put(items) : 0;
}

int rx_items_close(struct rx_items *items)
{
    struct rx_items_frame *frame = frame_of(items);
    items->past_end = !frame;
    if (!frame || frame->left != RX_ITEMS_UNTIL_END || (frame->map && frame->count % 2))
        return -EBADMSG;
    return close_and_put(items);
}
