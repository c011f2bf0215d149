/* The event decoder against jansson: the same texts accepted, the same values, whichever fields are asked for.
 *
 * Known and legitimate differences: NUL in keys (jansson refuses), integers beyond int64 (jansson refuses, rxd makes
 * doubles), a NUL byte behind a number (jansson swallows it), the decoder's limits of depth and keys. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static bool same(struct rx_value ours, const json_t *theirs);

static bool same_number(struct rx_value ours, const json_t *theirs)
{
    if (json_is_integer(theirs))
        return rx_value_equal(ours, rx_int(json_integer_value(theirs)));
    return ours.kind == RX_DOUBLE && ours.u.d == json_real_value(theirs) &&
           signbit(ours.u.d) == signbit(json_real_value(theirs));
}

static bool same_list(const struct rx_list *ours, const json_t *theirs)
{
    if (ours->count != json_array_size(theirs))
        return false;
    for (uint32_t i = 0; i < ours->count; i++)
        if (!same(ours->items[i], json_array_get(theirs, i)))
            return false;
    return true;
}

static bool same_object(struct rx_value ours, json_t *theirs)
{
    if (rx_object_count(ours) != json_object_size(theirs))
        return false;
    const char *key;
    size_t length;
    json_t *value;
    json_object_keylen_foreach(theirs, key, length, value)
    {
        const struct rx_value *found = rx_object_get(ours, rx_string_static(key, (uint32_t)length));
        if (!found || !same(*found, value))
            return false;
    }
    return true;
}

static bool same(struct rx_value ours, const json_t *theirs)
{
    switch (json_typeof(theirs)) {
    case JSON_NULL:
        return ours.kind == RX_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return ours.kind == RX_BOOL && ours.u.b == json_is_true(theirs);
    case JSON_INTEGER:
    case JSON_REAL:
        return same_number(ours, theirs);
    case JSON_STRING:
        return ours.kind == RX_STRING && ours.aux == json_string_length(theirs) &&
               memcmp(ours.u.text, json_string_value(theirs), ours.aux) == 0;
    case JSON_ARRAY:
        return ours.kind == RX_LIST && same_list(ours.u.list, theirs);
    case JSON_OBJECT:
        return (ours.kind == RX_RECORD || ours.kind == RX_MAP) && same_object(ours, (json_t *)(uintptr_t)theirs);
    }
    return false;
}

static void compare_with_jansson(const char *text, size_t size, int code, struct rx_value ours)
{
    json_error_t error;
    json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (theirs && code == 0)
        REQUIRE(same(ours, theirs));
    else if (theirs)
        REQUIRE(code == -E2BIG || (code == -EBADMSG && memchr(text, '\0', size)));
    else if (code == 0)
        REQUIRE(json_error_code(&error) == json_error_numeric_overflow ||
                json_error_code(&error) == json_error_null_byte_in_key);
    json_decref(theirs);
}

/* Every second field, and one that is not there. */
static struct rx_fields *choose_fields(struct rx_heap *heap, struct rx_value full)
{
    struct rx_fields *fields = rx_fields_create(heap);
    REQUIRE(fields && rx_fields_add(fields, "absent", 6) == 0);
    for (uint32_t i = 0; i < rx_object_count(full); i += 2) {
        struct rx_value key, value;
        rx_object_entry(full, i, &key, &value);
        REQUIRE(rx_fields_add(fields, key.u.text, key.aux) == 0);
    }
    return fields;
}

static void compare_subset(struct rx_value full, struct rx_value part)
{
    uint32_t expected = 0;
    for (uint32_t i = 0; i < rx_object_count(full); i++) {
        struct rx_value key, value;
        rx_object_entry(full, i, &key, &value);
        const struct rx_value *found = rx_object_get(part, key);
        bool wanted = i % 2 == 0 || rx_value_equal(key, rx_string_static("absent", 6));
        REQUIRE(wanted == (found != NULL));
        REQUIRE(!found || rx_value_equal(*found, value));
        expected += wanted;
    }
    REQUIRE(rx_object_count(part) == expected);
}

static void check_subset(struct rx_heap *heap, const char *text, size_t size, int code, struct rx_value full)
{
    struct rx_fields *fields = choose_fields(heap, full);
    for (int round = 0; round < 2; round++) {
        struct rx_value part = rx_null();
        REQUIRE(rx_json_decode(heap, fields, NULL, text, size, &part, NULL) == code);
        if (full.kind == RX_RECORD || full.kind == RX_MAP)
            compare_subset(full, part);
        else
            REQUIRE(code < 0 || rx_value_equal(part, full));
        rx_value_unref(part);
    }
    rx_fields_destroy(fields);
}

static void check_rewrite(struct rx_heap *heap, struct rx_value value)
{
    struct rx_buffer out = {0};
    struct rx_value again = rx_null();
    rx_json_write(&out, value);
    REQUIRE(rx_json_decode(heap, NULL, NULL, out.data, out.length, &again, NULL) == 0);
    REQUIRE(rx_value_equal(value, again));
    REQUIRE(rx_value_hash(value) == rx_value_hash(again));
    rx_value_unref(again);
    rx_buffer_finish(&out);
}

/* One heap sees all inputs, so that what was learned from one is wrong for the next. */
static struct rx_heap *shared_heap(void)
{
    static struct rx_heap *heap;
    static unsigned uses;
    if (heap && ++uses % 512 == 0) {
        rx_heap_destroy(heap);
        heap = NULL;
    }
    if (!heap)
        heap = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 500, .max_keys = 60000});
    REQUIRE(heap);
    return heap;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rx_heap *heap = shared_heap();
    const char *text = (const char *)data;
    struct rx_value value = rx_null();
    struct rx_error error = {0};
    int code = rx_json_decode(heap, NULL, NULL, text, size, &value, &error);
    REQUIRE(code == error.code);
    REQUIRE(code == 0 || (error.at.offset <= size && error.at.line > 0));
    compare_with_jansson(text, size, code, value);
    check_subset(heap, text, size, code, value);
    if (code == 0)
        check_rewrite(heap, value);
    rx_value_unref(value);
    REQUIRE(rx_heap_live_blocks(heap) == 0);
    return 0;
}
