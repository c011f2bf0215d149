/* The event decoder: what it accepts, what it makes of it, and that asking for less changes nothing else. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json.h"

static struct rx_heap *heap;

static void set_up(void) { heap = rx_heap_create(NULL); }

static void tear_down(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static struct rx_value decode_fields(const struct rx_fields *fields, const char *text)
{
    struct rx_value v = rx_null();
    struct rx_error error = {0};
    char *exact = malloc(strlen(text) + 1); /* exactly as long as the text, for the sanitizer */
    memcpy(exact, text, strlen(text) + 1);
    exact = realloc(exact, strlen(text) ? strlen(text) : 1);
    int code = rx_json_decode(heap, fields, NULL, exact, strlen(text), &v, &error);
    free(exact);
    ck_assert_msg(code == 0, "%s: %s at %zu", text, error.message, error.at.offset);
    return v;
}

static struct rx_value decode(const char *text) { return decode_fields(NULL, text); }

static void expect(struct rx_value v, const char *text)
{
    struct rx_buffer out = {0};
    rx_json_write(&out, v);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, text);
    rx_buffer_finish(&out);
    rx_value_unref(v);
}

START_TEST(values_come_out_as_they_went_in)
{
    static const char *const texts[] = {
        "{\"deviceId\":\"sensor-0042\",\"ts\":1700000000123,\"temperature\":21.37,\"status\":\"ok\"}",
        "[1,[2,[3,{\"a\":[]}]],{},\"\",null,true,false]",
        "{\"a\":{\"b\":{\"c\":[{\"d\":1},{\"d\":2,\"e\":3}]}},\"\":\"\"}",
        "\"\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80 a longer run of plain text\"",
        "-12.5",
        "null",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int round = 0; round < 2; round++)
            expect(decode(texts[i]), texts[i]);
}
END_TEST

START_TEST(a_cell_is_a_number_or_a_truth_where_json_has_it_and_else_text)
{
    static const char *const cells[][2] = {
        {"0", "0"},
        {"-12", "-12"},
        {"9223372036854775807", "9223372036854775807"},
        {"21.50", "21.5"},
        {"1e3", "1000"},
        {"-0", "-0"},
        {"true", "true"},
        {"false", "false"},
        {"True", "\"True\""},
        {"", "\"\""},
        {"007", "\"007\""},
        {"1.", "\"1.\""},
        {".5", "\".5\""},
        {"+1", "\"+1\""},
        {"-", "\"-\""},
        {"1 ", "\"1 \""},
        {"1e999", "\"1e999\""},
        {"null", "\"null\""},
        {"12 km", "\"12 km\""},
        {"2026-01-01", "\"2026-01-01\""},
        {"0x10", "\"0x10\""},
        {"12345678901234567890123", "1.2345678901234568e+22"},
    };
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        expect(rx_json_scalar(heap, cells[i][0], strlen(cells[i][0])), cells[i][1]);
    char digits[500];
    memset(digits, '1', sizeof digits);
    struct rx_value v = rx_json_scalar(heap, digits, sizeof digits);
    ck_assert(v.kind == RX_STRING && v.aux == sizeof digits);
    rx_value_unref(v);
    v = rx_json_scalar(heap, "7\0", 2);
    ck_assert(v.kind == RX_STRING && v.aux == 2);
    rx_value_unref(v);
}
END_TEST

START_TEST(numbers_are_exact)
{
    static const struct {
        const char *text;
        enum rx_kind kind;
        double d;
        int64_t i;
    } rows[] = {
        {"0", RX_INT, 0, 0},
        {"-7", RX_INT, 0, -7},
        {"12345678", RX_INT, 0, 12345678},
        {"9223372036854775807", RX_INT, 0, INT64_MAX},
        {"-9223372036854775808", RX_INT, 0, INT64_MIN},
        {"9223372036854775808", RX_DOUBLE, 9223372036854775808.0, 0},
        {"-9223372036854775809", RX_DOUBLE, -9223372036854775808.0, 0},
        {"18446744073709551616", RX_DOUBLE, 18446744073709551616.0, 0},
        {"99999999999999999999999", RX_DOUBLE, 1e23, 0},
        {"-0", RX_DOUBLE, -0.0, 0},
        {"1e3", RX_DOUBLE, 1000, 0},
        {"5.0", RX_DOUBLE, 5, 0},
        {"21.37", RX_DOUBLE, 21.37, 0},
        {"0.1e-6", RX_DOUBLE, 1e-7, 0},
        {"8.5E+7", RX_DOUBLE, 8.5e7, 0},
        {"9007199254740993.0", RX_DOUBLE, 9007199254740992.0, 0},
        {"2.2250738585072011e-308", RX_DOUBLE, 2.2250738585072011e-308, 0},
        {"17976931348623157e292", RX_DOUBLE, 1.7976931348623157e308, 0},
        {"1e-999", RX_DOUBLE, 0, 0},
        {"0e999999999999", RX_DOUBLE, 0, 0},
        {"0.000000000000000000000000000001", RX_DOUBLE, 1e-30, 0},
        {"1.00000000000000000000000000000000000000001", RX_DOUBLE, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rx_value v = decode(rows[i].text);
        ck_assert_msg(v.kind == rows[i].kind, "%s", rows[i].text);
        if (v.kind == RX_INT) {
            ck_assert_int_eq(v.u.i, rows[i].i);
            ck_assert_int_eq(v.flags, RX_FLAG_JSON);
        } else {
            ck_assert_msg(v.u.d == rows[i].d && signbit(v.u.d) == signbit(rows[i].d), "%s", rows[i].text);
        }
    }
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
}
END_TEST

START_TEST(random_doubles_read_as_strtod_does)
{
    uint64_t seed = 7;
    for (int i = 0; i < 100000; i++) {
        char text[64];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)(seed >> 20) % 100000,
                 (unsigned long long)(seed >> (seed & 63)), (int)(seed >> 40) % 40 - 20);
        struct rx_value v = decode(text);
        ck_assert_msg(v.u.d == strtod(text, NULL), "%s", text);
    }
}
END_TEST

START_TEST(what_is_not_json_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        int code;
        unsigned line, column;
    } rows[] = {
        {"", -EBADMSG, 1, 1},
        {" \n ", -EBADMSG, 2, 2},
        {"{", -EBADMSG, 1, 2},
        {"}", -EBADMSG, 1, 1},
        {"[1,2", -EBADMSG, 1, 5},
        {"{\"a\":[1]", -EBADMSG, 1, 9},
        {"[1,]", -EBADMSG, 1, 4},
        {"[,1]", -EBADMSG, 1, 2},
        {"[1 2]", -EBADMSG, 1, 4},
        {"{\"a\":1,}", -EBADMSG, 1, 8},
        {"{\"a\" 1}", -EBADMSG, 1, 6},
        {"{\"a\":}", -EBADMSG, 1, 6},
        {"{a:1}", -EBADMSG, 1, 2},
        {"{1:2}", -EBADMSG, 1, 2},
        {"[}", -EBADMSG, 1, 2},
        {"{\"a\":1]", -EBADMSG, 1, 7},
        {"{} {}", -EBADMSG, 1, 4},
        {"[]]", -EBADMSG, 1, 3},
        {"01", -EBADMSG, 1, 2},
        {"[-]", -EBADMSG, 1, 3},
        {"[1.]", -EBADMSG, 1, 4},
        {"[.5]", -EBADMSG, 1, 2},
        {"[1e]", -EBADMSG, 1, 4},
        {"[1e+]", -EBADMSG, 1, 4},
        {"[+1]", -EBADMSG, 1, 2},
        {"[0x10]", -EBADMSG, 1, 3},
        {"[tru]", -EBADMSG, 1, 2},
        {"nul", -EBADMSG, 1, 1},
        {"[NaN]", -EBADMSG, 1, 2},
        {"'a'", -EBADMSG, 1, 1},
        {"[\"a\nb\"]", -EBADMSG, 1, 4},
        {"[\"abc]", -EBADMSG, 1, 7},
        {"\"abc", -EBADMSG, 1, 5},
        {"[\"\\x\"]", -EBADMSG, 1, 3},
        {"[\"\\u12g4\"]", -EBADMSG, 1, 3},
        {"[\"\\", -EBADMSG, 1, 3},
        {"[\n \"\xC3\xA9\", \"\\ud800\"]", -EILSEQ, 2, 8},
        {"[\"\\ud800\\u0041\"]", -EILSEQ, 1, 3},
        {"[\"\\udc00\"]", -EILSEQ, 1, 3},
        {"[\"\xFF\"]", -EILSEQ, 1, 3},
        {"[\"\xC0\x80\"]", -EILSEQ, 1, 3},
        {"[\"\xED\xA0\x80\"]", -EILSEQ, 1, 3},
        {"[\"\xF4\x90\x80\x80\"]", -EILSEQ, 1, 3},
        {"\xEF\xBB\xBF{}", -EBADMSG, 1, 1},
        {"[1e999]", -ERANGE, 1, 2},
        {"[1,-1e400]", -ERANGE, 1, 4},
        {"[/**/]", -EBADMSG, 1, 2},
    };
    struct rx_fields *none = rx_fields_create(heap);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rx_value untouched = rx_int(7);
        struct rx_error error = {0};
        size_t length = strlen(rows[i].text);
        char *exact = malloc(length ? length : 1);
        memcpy(exact, rows[i].text, length);
        int code = rx_json_decode(heap, NULL, NULL, exact, length, &untouched, &error);
        ck_assert_msg(code == rows[i].code, "%s: %d %s", rows[i].text, code, error.message);
        ck_assert_int_eq(error.code, code);
        ck_assert_msg(error.at.line == rows[i].line && error.at.column == rows[i].column, "%s: %u:%u %s", rows[i].text,
                      error.at.line, error.at.column, error.message);
        ck_assert_int_eq(untouched.u.i, 7);
        ck_assert_int_eq(rx_json_decode(heap, none, NULL, exact, length, &untouched, NULL), code);
        free(exact);
    }
    rx_fields_destroy(none);
}
END_TEST

START_TEST(nul_bytes_are_kept_in_strings_and_refused_elsewhere)
{
    struct rx_value v = decode("{\"a\\u0000b\":\"\\u0000\"}");
    const struct rx_value *found = rx_object_get(v, rx_string_static("a\0b", 3));
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(found->aux, 1);
    rx_value_unref(v);
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, "1\0", 2, &v, NULL), -EBADMSG);
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, "[1\0]", 4, &v, NULL), -EBADMSG);
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, "[\"\0\"]", 5, &v, NULL), -EBADMSG);
}
END_TEST

START_TEST(the_last_of_equal_keys_wins)
{
    expect(decode("{\"a\":1,\"b\":2,\"\\u0061\":3}"), "{\"a\":3,\"b\":2}");
    expect(decode("{\"a\":{\"x\":[1]},\"a\":[\"y\"],\"a\":\"z\"}"), "{\"a\":\"z\"}");
    expect(decode("{\"a\":1,\"a\":{\"x\":[1,{\"y\":2}]}}"), "{\"a\":{\"x\":[1,{\"y\":2}]}}");
    struct rx_fields *fields = rx_fields_create(heap);
    rx_fields_add(fields, "a", 1);
    for (int round = 0; round < 2; round++)
        expect(decode_fields(fields, "{\"a\":1,\"b\":2,\"a\":3}"), "{\"a\":3}");
    rx_fields_destroy(fields);
}
END_TEST

START_TEST(escapes_are_replaced)
{
    struct rx_value v = decode("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\\u20AC.\"");
    static const char plain[] = "\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80\xE2\x82\xAC.";
    ck_assert_uint_eq(v.aux, sizeof plain - 1);
    ck_assert_mem_eq(v.u.text, plain, sizeof plain - 1);
    rx_value_unref(v);
}
END_TEST

START_TEST(a_message_is_one_block)
{
    struct rx_value v = decode("{\"a\":\"text\",\"b\":{\"c\":[\"x\",{\"d\":\"y\"}]}}");
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 1);
    struct rx_value inner = rx_value_ref(*rx_object_get_text(v, "b"));
    rx_value_unref(v);
    expect(inner, "{\"c\":[\"x\",{\"d\":\"y\"}]}");
}
END_TEST

START_TEST(only_the_needed_fields_are_kept)
{
    struct rx_fields *fields = rx_fields_create(heap);
    static const char text[] = "{\"x\":{\"deep\":[1,{}]},\"b\":\"two\",\"a\":[{\"a\":1,\"x\":2}],\"c\":1.5}";
    expect(decode_fields(fields, text), "{}");
    ck_assert_int_eq(rx_fields_add(fields, "a", 1), 0);
    ck_assert_int_eq(rx_fields_add(fields, "b", 1), 0);
    ck_assert_int_eq(rx_fields_add(fields, "a", 1), 0);
    ck_assert_uint_eq(rx_fields_count(fields), 2);
    ck_assert_str_eq(rx_fields_at(fields, 1)->text, "b");
    for (int round = 0; round < 3; round++) {
        expect(decode_fields(fields, text), "{\"b\":\"two\",\"a\":[{\"a\":1,\"x\":2}]}");
        expect(decode_fields(fields, "[{\"x\":1}]"), "[{\"x\":1}]");
    }
    for (int i = 0; i < 30; i++)
        rx_fields_add(fields, (const char[]){(char)('A' + i)}, 1);
    expect(decode_fields(fields, "{\"C\":1,\"c\":2,\"a\":3,\"D\":4}"), "{\"C\":1,\"a\":3,\"D\":4}");
    rx_fields_add_all(fields);
    ck_assert(rx_fields_all(fields));
    expect(decode_fields(fields, "{\"C\":1,\"c\":2}"), "{\"C\":1,\"c\":2}");
    rx_fields_destroy(fields);
}
END_TEST

START_TEST(a_changing_layout_misleads_nobody)
{
    static const char *const texts[] = {
        "{\"a\":1,\"b\":2,\"c\":3}",
        "{\"b\":2,\"a\":1}",
        "{\"a\":1,\"c\":{\"a\":1,\"b\":{\"a\":5}}}",
        "[{\"a\":1,\"b\":2},{\"b\":3},{\"a\":[{\"a\":4}],\"c\":5}]",
        "{\"c\":{\"b\":1},\"a\":[{\"b\":1,\"c\":2},{\"b\":2,\"c\":3}]}",
        "{\"a\":1,\"b\":2,\"c\":3,\"long key that no guess has the room to remember\":4,\"d\":5}",
    };
    enum { TEXTS = sizeof texts / sizeof *texts };
    struct rx_fields *fields = rx_fields_create(heap);
    rx_fields_add(fields, "a", 1);
    rx_fields_add(fields, "c", 1);
    uint64_t seed = 3;
    for (int i = 0; i < 2000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const char *text = texts[(seed >> 33) % TEXTS];
        struct rx_value full = decode(text), part = decode_fields(fields, text);
        const struct rx_value *a = rx_object_get_text(full, "a"), *part_a = rx_object_get_text(part, "a");
        ck_assert_int_eq(a != NULL, part_a != NULL);
        ck_assert(!a || rx_value_equal(*a, *part_a));
        ck_assert(part.kind == RX_LIST || !rx_object_get_text(part, "b"));
        rx_value_unref(part);
        expect(full, text);
    }
    rx_fields_destroy(fields);
}
END_TEST

static char *object_of(int keys, int *ret_length)
{
    char *text = malloc((size_t)keys * 24 + 3);
    int length = sprintf(text, "{");
    for (int i = 0; i < keys; i++)
        length += sprintf(text + length, "%s\"k%d\":%d", i ? "," : "", i, i);
    length += sprintf(text + length, "}");
    *ret_length = length;
    return text;
}

START_TEST(many_keys_make_a_map)
{
    int length;
    char *text = object_of(1000, &length);
    memcpy(strstr(text, "\"k999\""), "\"k007\"", 6); /* another key */
    for (int round = 0; round < 3; round++) {
        struct rx_value v = decode(text);
        ck_assert_int_eq(v.kind, RX_MAP);
        ck_assert_int_eq(rx_object_get_text(v, "k63")->u.i, 63);
        ck_assert_int_eq(rx_object_get_text(v, "k64")->u.i, 64);
        ck_assert_int_eq(rx_object_get_text(v, "k007")->u.i, 999);
        ck_assert_uint_eq(rx_heap_live_blocks(heap), 1);
        expect(v, text);
    }
    free(text);
    expect(decode("{\"a\":{\"b\":1}}"), "{\"a\":{\"b\":1}}");
}
END_TEST

START_TEST(past_the_caps_objects_are_maps)
{
    struct rx_heap *capped = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 3, .max_keys = 4});
    static const char text[] = "{\"a\":1,\"b\":{\"c\":2},\"d\":{\"e\":\"x\",\"\\u0065\":\"y\"},\"f\":4}";
    for (int round = 0; round < 3; round++) {
        struct rx_value v = rx_null();
        ck_assert_int_eq(rx_json_decode(capped, NULL, NULL, text, sizeof text - 1, &v, NULL), 0);
        expect(v, "{\"a\":1,\"b\":{\"c\":2},\"d\":{\"e\":\"y\"},\"f\":4}");
    }
    ck_assert_uint_eq(rx_heap_live_blocks(capped), 0);
    rx_heap_destroy(capped);
}
END_TEST

START_TEST(depth_and_keys_are_limited)
{
    char text[600];
    for (unsigned depth = 126; depth < 132; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct rx_value v = rx_null();
        struct rx_error error;
        int code = rx_json_decode(heap, NULL, NULL, text, 2 * (size_t)depth, &v, &error);
        ck_assert_int_eq(code, depth > 128 ? -E2BIG : 0);
        ck_assert(code == 0 || strstr(error.message, "128"));
        rx_value_unref(v);
    }
    struct rx_json_limits limits = {.max_depth = 2, .max_keys = 3};
    struct rx_fields *none = rx_fields_create(heap);
    struct rx_value v = rx_null();
    static const char four[] = "{\"x\":{\"a\":1,\"b\":2,\"c\":3,\"d\":4}}", deep[] = "{\"x\":[[]]}";
    ck_assert_int_eq(rx_json_decode(heap, none, &limits, four, sizeof four - 1, &v, NULL), -E2BIG);
    ck_assert_int_eq(rx_json_decode(heap, NULL, &limits, four, sizeof four - 1, &v, NULL), -E2BIG);
    ck_assert_int_eq(rx_json_decode(heap, none, &limits, deep, sizeof deep - 1, &v, NULL), -E2BIG);
    ck_assert_int_eq(rx_json_decode(heap, NULL, &limits, deep, sizeof deep - 1, &v, NULL), -E2BIG);
    rx_fields_destroy(none);
}
END_TEST

START_TEST(a_great_depth_can_be_allowed)
{
    enum { DEPTH = 1000000 };
    char *text = malloc(2 * DEPTH);
    memset(text, '[', DEPTH);
    memset(text + DEPTH, ']', DEPTH);
    struct rx_json_limits limits = {.max_depth = DEPTH};
    struct rx_value v = rx_null();
    ck_assert_int_eq(rx_json_decode(heap, NULL, &limits, text, 2 * DEPTH, &v, NULL), 0);
    ck_assert_int_eq(v.kind, RX_LIST);
    rx_value_unref(v);
    free(text);
}
END_TEST

/* Two strings of which the second is out of reach of a header in front of the first, and an object behind them. */
static char *large_message(size_t *ret_length)
{
    enum { LONG = 900000 };
    char *text = malloc(2 * LONG + 200), *p = text;
    p += sprintf(p, "{\"a\":\"");
    memset(p, 'x', LONG);
    p += LONG;
    p += sprintf(p, "\",\"b\":[\"\\u00e9");
    memset(p, 'y', LONG);
    p += LONG;
    p += sprintf(p, "\",{\"c\":\"z\"}],\"f\":[{\"g\":\"gone\"}],\"f\":{\"d\":\"last\",\"e\":[]}}");
    *ret_length = (size_t)(p - text);
    return text;
}

START_TEST(what_is_out_of_reach_has_its_own_block)
{
    size_t length;
    char *text = large_message(&length);
    struct rx_value v = rx_null();
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, text, length, &v, NULL), 0);
    ck_assert_uint_gt(rx_heap_live_blocks(heap), 1);
    const struct rx_list *b = rx_object_get_text(v, "b")->u.list;
    ck_assert_uint_eq(b->items[0].aux, 900002);
    ck_assert_mem_eq(b->items[0].u.text, "\xC3\xA9yyyy", 6);
    expect(rx_value_ref(b->items[1]), "{\"c\":\"z\"}");
    expect(rx_value_ref(*rx_object_get_text(v, "f")), "{\"d\":\"last\",\"e\":[]}");
    rx_value_unref(v);
    free(text);
    text = object_of(60000, &(int){0});
    v = decode(text);
    ck_assert_int_eq(rx_object_get_text(v, "k59999")->u.i, 59999);
    expect(v, text);
    free(text);
}
END_TEST

static void exhaust(const char *text, size_t length, size_t least, size_t most, size_t step)
{
    bool failed = false, worked = false;
    for (size_t limit = least; limit <= most; limit += step) {
        struct rx_heap *small = rx_heap_create(&(struct rx_heap_limits){.max_bytes = limit});
        struct rx_value v = rx_null();
        struct rx_error error = {0};
        int code = rx_json_decode(small, NULL, NULL, text, length, &v, &error);
        ck_assert_int_eq(code, rx_heap_failed(small) ? -ENOMEM : 0);
        ck_assert_int_eq(error.code, code);
        failed = failed || code < 0;
        worked = worked || code == 0;
        rx_value_unref(v);
        ck_assert_uint_eq(rx_heap_live_blocks(small), 0);
        rx_heap_destroy(small);
    }
    ck_assert(failed && worked);
}

START_TEST(no_memory_is_an_error_and_leaks_nothing)
{
    static const char text[] = "{\"a\":\"text\",\"b\":{\"c\":[\"x\",{\"d\":\"y\"}]}}";
    exhaust(text, sizeof text - 1, 16, 512, 16);
    size_t length;
    char *large = large_message(&length);
    exhaust(large, length, 16, 2000000, 99999);
    exhaust(large, length, 1800000, 1801600, 16);
    free(large);
}
END_TEST

/* Names that no message had before, in every place where a message can have them, on a heap that has room for a few. */
START_TEST(names_that_come_with_payloads_are_given_back)
{
    static const char *const forms[] = {
        "{\"known\":1,\"n%d\":{\"m%d\":[{\"o%d\":\"x\"}]}}",
        "[[1],{\"n%d\":{\"m%d\":2}},{\"o%d\":3}]",
        "{\"m\":{\"n%d\":1,\"n%d\":2,\"known\":\"a\\n\"},\"o\\u0041%d\":null}",
    };
    struct rx_heap *small = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 24, .max_keys = 40});
    struct rx_fields *fields = rx_fields_create(small);
    ck_assert_int_eq(rx_fields_add(fields, "known", 5), 0);
    struct rx_value held[10] = {{0}};
    for (int i = 0; i < 30000; i++) {
        char text[200];
        struct rx_value v, *slot = &held[i % 10];
        int length = snprintf(text, sizeof text, forms[i % 3], i, i, i);
        ck_assert_int_eq(rx_json_decode(small, i % 7 ? NULL : fields, NULL, text, (size_t)length, &v, NULL), 0);
        ck_assert_uint_le(rx_heap_keys_met(small), 40);
        ck_assert_uint_le(rx_heap_shapes_met(small), 24);
        if (i % 7 && i % 3 < 2)
            expect(rx_value_ref(v), text);
        rx_value_unref(*slot);
        *slot = i % 10 < 3 ? rx_value_compact(small, v) : rx_value_ref(i % 2 ? v : rx_null());
        rx_value_unref(v);
    }
    for (int i = 0; i < 10; i++)
        rx_value_unref(held[i]);
    ck_assert_uint_eq(rx_heap_live_blocks(small), 0);
    rx_fields_destroy(fields);
    rx_heap_destroy(small);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, values_come_out_as_they_went_in);
    tcase_add_test(tests, a_cell_is_a_number_or_a_truth_where_json_has_it_and_else_text);
    tcase_add_test(tests, numbers_are_exact);
    tcase_add_test(tests, random_doubles_read_as_strtod_does);
    tcase_add_test(tests, what_is_not_json_is_refused_with_its_place);
    tcase_add_test(tests, nul_bytes_are_kept_in_strings_and_refused_elsewhere);
    tcase_add_test(tests, the_last_of_equal_keys_wins);
    tcase_add_test(tests, escapes_are_replaced);
    tcase_add_test(tests, a_message_is_one_block);
    tcase_add_test(tests, only_the_needed_fields_are_kept);
    tcase_add_test(tests, a_changing_layout_misleads_nobody);
    tcase_add_test(tests, many_keys_make_a_map);
    tcase_add_test(tests, past_the_caps_objects_are_maps);
    tcase_add_test(tests, depth_and_keys_are_limited);
    tcase_add_test(tests, a_great_depth_can_be_allowed);
    tcase_add_test(tests, what_is_out_of_reach_has_its_own_block);
    tcase_add_test(tests, no_memory_is_an_error_and_leaks_nothing);
    tcase_add_test(tests, names_that_come_with_payloads_are_given_back);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
