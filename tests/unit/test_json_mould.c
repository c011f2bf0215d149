/* Messages that follow a mould: the same value, bytes and error as the parser has, whatever the text. The parser alone is what
 * limits that are given ask for. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/json_mould.h"
#include "core/json/json_number.h"

static struct rx_heap *heap;
static const struct rx_json_limits limits = {0};
static uint64_t seed;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    seed = 42;
}

static void tear_down(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static unsigned pick(unsigned count)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % count;
}

/* --- The same to the last flag --- */

static void same_values(const struct rx_value *a, const struct rx_value *b, size_t count);

static void same_value(struct rx_value a, struct rx_value b)
{
    ck_assert_int_eq(a.kind, b.kind);
    ck_assert_int_eq(a.flags, b.flags);
    if (a.kind == RX_STRING) {
        ck_assert_uint_eq(a.aux, b.aux);
        ck_assert(a.aux == 0 || memcmp(a.u.text, b.u.text, a.aux) == 0);
    } else if (a.kind == RX_LIST) {
        ck_assert_uint_eq(a.u.list->count, b.u.list->count);
        same_values(a.u.list->items, b.u.list->items, a.u.list->count);
    } else if (a.kind == RX_RECORD) {
        ck_assert_ptr_eq(a.u.record->shape, b.u.record->shape);
        same_values(a.u.record->values, b.u.record->values, a.u.record->shape->count);
    } else if (a.kind == RX_MAP) {
        ck_assert(rx_value_equal(a, b));
    } else {
        ck_assert_uint_eq(a.aux, b.aux);
        ck_assert_uint_eq(a.u.u, b.u.u);
    }
}

static void same_values(const struct rx_value *a, const struct rx_value *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        same_value(a[i], b[i]);
}

/* Decodes both ways; true where it is JSON. */
static bool compare(const struct rx_fields *fields, const char *text, size_t length)
{
    struct rx_value quick = rx_null(), slow = rx_null();
    struct rx_error quick_error = {0}, slow_error = {0};
    char *exact = malloc(length ? length : 1); /* for the sanitizer */
    memcpy(exact, text, length);
    size_t before = rx_heap_live_bytes(heap);
    int code = rx_json_decode(heap, fields, NULL, exact, length, &quick, &quick_error);
    size_t between = rx_heap_live_bytes(heap);
    ck_assert_int_eq(code, rx_json_decode(heap, fields, &limits, exact, length, &slow, &slow_error));
    free(exact);
    ck_assert_int_eq(quick_error.code, slow_error.code);
    ck_assert_str_eq(quick_error.message, slow_error.message);
    ck_assert_uint_eq(quick_error.at.offset, slow_error.at.offset);
    ck_assert_uint_eq(quick_error.at.line, slow_error.at.line);
    ck_assert_uint_eq(quick_error.at.column, slow_error.at.column);
    ck_assert_uint_eq(between - before, rx_heap_live_bytes(heap) - between);
    same_value(quick, slow);
    rx_value_unref(quick);
    rx_value_unref(slow);
    return code == 0;
}

static bool follows(struct rx_fields *fields, const char *text)
{
    struct rx_value v;
    const char *followed = rx_moulds_follow(heap, &fields->layout->moulds, text, text + strlen(text), false, &v);
    if (followed)
        rx_value_unref(v);
    return followed != NULL;
}

static struct rx_fields *fields_of(const char *const *names)
{
    struct rx_fields *fields = rx_fields_create(heap);
    for (; *names; names++)
        rx_fields_add(fields, *names, strlen(*names));
    return fields;
}

/* --- What follows --- */

START_TEST(a_message_like_the_last_follows_it)
{
    static const struct {
        const char *first, *like[5];
    } cases[] = {
        {"{\"a\":1,\"b\":\"x\",\"c\":2.5,\"d\":true}",
         {"{\"a\":-17000000000123,\"b\":\"\",\"c\":1e3,\"d\":null}",
          "{\"a\":\"1\",\"b\":false,\"c\":0,\"d\":\"\\u00e9\\n\"}",
          "{\"a\":9223372036854775807,\"b\":\"gr\xC3\xBC\xC3\x9F\",\"c\":-0,\"d\":0.30000000000000004}"}},
        {"{ \"a\" : 1 ,\t\"b\" : [ 1 , { \"c\" : \"x\" , \"a\" : [ ] } ] , \"z\" : { \"a\" : \"\\\"\" } }",
         {"{ \"a\" : 22 ,\t\"b\" : [ true , { \"c\" : 3.25 , \"a\" : [ ] } ] , \"z\" : { \"a\" : \"skipped\" } }"}},
        {"[1,2,{\"a\":\"b\"}]", {"[\"x\",1.5,{\"a\":1}]"}},
        {"{\"a name of more than sixteen bytes\":1,\"a\":\"a text that is longer than thirty-two bytes is copied "
         "too\"}",
         {"{\"a name of more than sixteen bytes\":2,\"a\":\"a text that is longer than thirty-two bytes, again and "
          "again\"}"}},
    };
    struct rx_fields *fields = fields_of((const char *const[]){"a", "b", "c", "d", NULL});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(compare(fields, cases[i].first, strlen(cases[i].first)));
        for (size_t k = 0; k < 5 && cases[i].like[k]; k++) {
            ck_assert(follows(fields, cases[i].like[k]));
            ck_assert(compare(fields, cases[i].like[k], strlen(cases[i].like[k])));
        }
    }
    rx_fields_destroy(fields);
}
END_TEST

START_TEST(what_differs_or_is_wrong_does_not)
{
    static const char *const others[] = {
        "{\"a\":1,\"b\":\"x\",\"c\":2.5,\"e\":1}",
        "{\"a\":1,\"b\":\"x\",\"c\":2.5}",
        "{\"a\":1,\"b\":\"x\",\"c\":2.5,\"d\":1,\"e\":1}",
        "{\"a\":01,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":1.,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":1e,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":-,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":1,\"b\":\"\x1F\",\"c\":1,\"d\":1}",
        "{\"a\":1,\"b\":\"\xC3(\",\"c\":1,\"d\":1}",
        "{\"a\":1,\"b\":\"\\x\",\"c\":1,\"d\":1}",
        "{\"a\":1,\"b\":\"\\ud800\",\"c\":1,\"d\":1}",
        "{\"a\":1e999,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":tru,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":nul1,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":1,\"b\":\"x,\"c\":1,\"d\":1}",
        "{\"a\":1,\"b\":\"x\",\"c\":1,\"d\":1}]",
        "{\"a\":1,\"b\":\"x\",\"c\":1,\"d\":}",
        "{\"a\":1,\"b\":\"x\",\"c\":1,\"d\":1}{}",
        "{\"a\":1,\"b\":\"x\",\"c\":{},\"d\":1}",
        "{\"a\":0x1,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":1,\"b\":\"x\",\"c\":1,\"d\":falsee}",
        "{\"a\":1,\"b\":\"x}",
        "{}",
        "{\"a\":}",
        "{\"a\":00,\"b\":\"x\",\"c\":1,\"d\":1}",
        "{\"a\":1234567890123456789012.e1,\"b\":\"x\",\"c\":1,\"d\":1}",
    };
    struct rx_fields *all = fields_of((const char *const[]){"a", "b", "c", "d", NULL}), *none = rx_fields_create(heap);
    static const char first[] = "{\"a\":1,\"b\":\"x\",\"c\":1,\"d\":1}";
    for (size_t i = 0; i < 2 * sizeof others / sizeof *others; i++) {
        struct rx_fields *fields = i % 2 ? all : none;
        rx_layout_forget(fields->layout);
        compare(fields, first, sizeof first - 1);
        ck_assert(follows(fields, first));
        ck_assert_msg(!follows(fields, others[i / 2]), "%s", others[i / 2]);
        compare(fields, others[i / 2], strlen(others[i / 2]));
    }
    rx_fields_destroy(all);
    rx_fields_destroy(none);
}
END_TEST

START_TEST(some_messages_leave_no_mould)
{
    static const char *const texts[] = {
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"x\":[1]},\"a\":[\"y\"],\"a\":\"z\"}",
        "{\"a\":1,\"a\":{\"x\":[1,{\"y\":2}]}}",
        "{\"a\":[1,2,[3],{\"x\":[4]}],\"a\":[1]}",
        "{\"a\":[[1,2,[3]],5],\"a\":[{\"x\":[4]}]}",
        "{\"b\":1,\"a\":{\"x\":2,\"a\":{\"x\":[1,2]},\"a\":[1,2]},\"c\":3}",
        "{\"\\u0061\":1}",
        " {\"a\":1}",
        "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rx_fields *fields = fields_of((const char *const[]){"a", NULL}); /* with a budget of its own */
        for (int round = 0; round < 2; round++) {
            ck_assert(compare(fields, texts[i], strlen(texts[i])));
            ck_assert(!follows(fields, texts[i]));
        }
        rx_fields_destroy(fields);
    }
}
END_TEST

/* An object of `count` fields, the last one `last`. */
static size_t wide_object(char *out, int count, const char *last)
{
    size_t length = (size_t)sprintf(out, "{");
    for (int i = 0; i < count - 1; i++)
        length += (size_t)sprintf(out + length, "\"k%d\":%d,", i, i);
    return length + (size_t)sprintf(out + length, "\"last\":%s}", last);
}

START_TEST(a_mould_has_limits)
{
    static char text[100000];
    struct rx_fields *fields = rx_fields_create(heap);
    rx_fields_add_all(fields);
    wide_object(text, 64, "\"x\"");
    compare(fields, text, strlen(text));
    ck_assert(follows(fields, text));
    wide_object(text, 65, "\"x\""); /* a map */
    compare(fields, text, strlen(text));
    ck_assert(!follows(fields, text));
    size_t length = (size_t)sprintf(text, "[");
    for (int i = 0; i < 65; i++)
        length += (size_t)sprintf(text + length, "%s%d", i ? "," : "", i);
    sprintf(text + length, "]");
    compare(fields, text, strlen(text));
    ck_assert(!follows(fields, text));
    length = (size_t)sprintf(text, "{\"");
    memset(text + length, 'n', 3000);
    sprintf(text + length + 3000, "\":1}"); /* more between scalars than there is room for */
    compare(fields, text, strlen(text));
    ck_assert(!follows(fields, text));
    sprintf(text, "[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},1]"); /* containers */
    compare(fields, text, strlen(text));
    ck_assert(!follows(fields, text));
    rx_fields_destroy(fields);
}
END_TEST

/* Past what one block can hold the parser makes several. */
START_TEST(a_text_that_is_too_large_for_a_block_is_the_parsers)
{
    enum { SIZE = 3 << 20 };
    char *text = malloc(SIZE + 16);
    struct rx_fields *fields = fields_of((const char *const[]){"a", NULL});
    ck_assert(compare(fields, "{\"a\":\"x\"}", 9));
    memcpy(text, "{\"a\":\"", 6);
    memset(text + 6, 'x', SIZE);
    memcpy(text + 6 + SIZE, "\"}", 3);
    ck_assert(!follows(fields, text));
    ck_assert(compare(fields, text, strlen(text)));
    rx_fields_destroy(fields);
    free(text);
}
END_TEST

START_TEST(several_kinds_of_messages_follow_by_turns)
{
    char text[64];
    struct rx_fields *fields = fields_of((const char *const[]){"a", NULL});
    for (int round = 0; round < 40; round++)
        for (int kind = 0; kind < RX_MOULDS; kind++) {
            sprintf(text, "{\"k%d\":%d,\"a\":%d}", kind, round, round);
            ck_assert(round == 0 || follows(fields, text));
            ck_assert(compare(fields, text, strlen(text)));
        }
    rx_fields_destroy(fields);
}
END_TEST

/* Who sends another kind each time does not make every message dearer: one in 16 leaves a mould. */
START_TEST(moulds_are_taken_within_a_budget)
{
    char text[64];
    int left = 0;
    struct rx_fields *fields = fields_of((const char *const[]){"a", NULL});
    for (int i = 0; i < 1600; i++) {
        sprintf(text, "{\"k%d\":%d,\"a\":%d}", i, i, i);
        ck_assert(compare(fields, text, strlen(text)));
        left += follows(fields, text);
    }
    ck_assert_int_ge(left, 90);
    ck_assert_int_le(left, 110);
    rx_fields_destroy(fields);
}
END_TEST

/* Shapes that were given back may be other ones now. */
START_TEST(moulds_go_with_their_shapes)
{
    char text[64];
    struct rx_heap *small = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 8, .max_keys = 30});
    struct rx_fields *fields = rx_fields_create(small);
    struct rx_buffer out = {0};
    rx_fields_add_all(fields);
    for (unsigned i = 0; i < 3000; i++) {
        struct rx_value v;
        sprintf(text, "{\"k%u\":%u,\"a\":\"x\"}", i / 20 % 40, i);
        ck_assert_int_eq(rx_json_decode(small, fields, NULL, text, strlen(text), &v, NULL), 0);
        rx_buffer_clear(&out);
        rx_json_write(&out, v);
        rx_buffer_append(&out, "", 1);
        ck_assert_str_eq(out.data, text);
        rx_value_unref(v);
    }
    ck_assert_uint_gt(fields->layout->age, 3);
    rx_buffer_finish(&out);
    rx_fields_destroy(fields);
    rx_heap_destroy(small);
}
END_TEST

/* --- Random texts --- */

static size_t put_scalar(char *out)
{
    static const char *const odd[] = {
        "true",
        "false",
        "null",
        "\"\"",
        "\"x\"",
        "-0",
        "0",
        "0.5",
        "1e5",
        "-12.75",
        "1E-7",
        "123456789012345678",
        "\"\\u00e9\"",
        "\"tab\\tand \\\"quotes\\\"\"",
        "\"\xE2\x82\xAC 12\"",
        "9223372036854775808",
        "0.1234567890123456789",
        "\"sixteen bytes long\"",
        "1.7976931348623157e308",
        "[]",
        "{}",
        "-9223372036854775808",
        "100000000",
        "12345678",
        "1234567",
        "123456.7",
        "1234567.8",
    };
    switch (pick(3)) {
    case 0:
        return (size_t)sprintf(out, "%s", odd[pick(sizeof odd / sizeof *odd)]);
    case 1:
        return (size_t)sprintf(out, "%.*f", (int)pick(5), (double)pick(100000) / 321 - 50);
    default:
        return (size_t)sprintf(out, "\"%.*s\"", (int)pick(20), "abcdefghijklmnopqrst");
    }
}

/* A text with a scalar in the place of each $. */
static size_t fill(char *out, const char *form)
{
    char *at = out;
    for (; *form; form++)
        if (*form == '$')
            at += put_scalar(at);
        else
            *at++ = *form;
    return (size_t)(at - out);
}

static const char *const forms[] = {
    "{\"device\":$,\"ts\":$,\"metric\":$,\"value\":$,\"status\":$}",
    "{\"value\": $, \"device\": {\"id\": $, \"place\": [$, $]}, \"tags\": [{\"k\": $, \"v\": $}, {\"k\": $}]}",
    "{\"ts\":$}",
    "[$,$,[$]]",
    "{\"a_rather_long_name_of_a_field\":$,\"value\":$,\n\"status\":{\"a\":{\"b\":{\"c\":$}}}}",
    "{\"value\":$,\"value\":$}",
    "{\"value\":[$,[$],{\"value\":$}],\"value\":[$,{\"value\":$,\"value\":[$]}],\"device\":$}",
    "{\"value\":{\"value\":$,\"ts\":[$,{\"ts\":$}]},\"value\":{\"value\":$,\"ts\":[$]}}",
    "$",
};

static void mutate(char *text, size_t *length)
{
    for (unsigned n = pick(3) + 1; n > 0 && *length > 1; n--) {
        size_t at = pick((unsigned)*length);
        switch (pick(3)) {
        case 0:
            text[at] = "\"{}[],:\\ 0129.-eEtfn\x01\x80\xC3\xFF"[pick(25)];
            break;
        case 1:
            memmove(text + at, text + at + 1, *length - at - 1);
            --*length;
            break;
        default:
            memmove(text + at + 1, text + at, *length - at);
            text[at] = ",:\"}"[pick(4)];
            ++*length;
        }
    }
}

START_TEST(random_texts_come_out_alike)
{
    struct rx_fields *some = fields_of((const char *const[]){"device", "value", "tags", NULL});
    struct rx_fields *none = rx_fields_create(heap);
    char text[2048];
    unsigned good = 0, bad = 0;
    for (unsigned i = 0; i < 60000; i++) {
        size_t length = fill(text, forms[i / 16 % (sizeof forms / sizeof *forms)]);
        if (pick(4) == 0)
            mutate(text, &length);
        const struct rx_fields *fields = i % 3 == 0 ? some : i % 3 == 1 ? none : NULL;
        if (compare(fields, text, length))
            good++;
        else
            bad++;
    }
    ck_assert_uint_gt(good, 30000);
    ck_assert_uint_gt(bad, 5000);
    rx_fields_destroy(some);
    rx_fields_destroy(none);
}
END_TEST

/* --- Lines --- */

static size_t put_line(char *out, const char *form)
{
    size_t length = fill(out, form);
    if (pick(5) == 0)
        mutate(out, &length);
    for (size_t i = 0; i < length; i++)
        out[i] = out[i] == '\n' ? ' ' : out[i];
    if (pick(8) == 0)
        out[length++] = '\r';
    out[length++] = '\n';
    return length;
}

/* The value of the line at `at` from a text of several; true where it followed a mould. */
static bool compare_line(const struct rx_fields *fields, const char *at, const char *end)
{
    struct rx_value quick = rx_null(), slow = rx_null();
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *behind = rx_json_decode_line(heap, fields, at, end, &quick);
    int code = rx_json_decode(heap, fields, &limits, at, (size_t)(newline - at), &slow, NULL);
    if (behind) {
        ck_assert_ptr_eq(behind, newline + 1);
        ck_assert_int_eq(code, 0);
        same_value(quick, slow);
    }
    rx_value_unref(quick);
    rx_value_unref(slow);
    if (!behind) /* as who reads lines does, so that there is a mould */
        compare(fields, at, (size_t)(newline - at));
    return behind;
}

START_TEST(lines_follow_as_messages_do)
{
    struct rx_fields *fields = fields_of((const char *const[]){"device", "value", "tags", NULL});
    char *text = malloc(100 * 1024);
    unsigned followed = 0;
    for (unsigned round = 0; round < 300; round++) {
        size_t length = 0;
        for (unsigned i = 0; i < 40; i++)
            length += put_line(text + length, forms[round % 4]);
        char *exact = malloc(length), *end = exact + length;
        memcpy(exact, text, length);
        for (const char *at = exact; at < end; at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1)
            followed += compare_line(round % 2 ? fields : NULL, at, end);
        free(exact);
    }
    ck_assert_uint_gt(followed, 300 * 40 / 2);
    free(text);
    rx_fields_destroy(fields);
}
END_TEST

/* A message over several lines may leave a mould, and one line after the other look like it. */
START_TEST(no_line_follows_a_message_of_several)
{
    static const char text[] = "{\n\"a\":\n1}", lines[] = "{\n\"a\":\n1}\n";
    struct rx_fields *fields = fields_of((const char *const[]){"a", NULL});
    struct rx_value v;
    ck_assert(compare(fields, text, sizeof text - 1));
    ck_assert(follows(fields, text));
    ck_assert_ptr_null(rx_json_decode_line(heap, fields, lines, lines + sizeof lines - 1, &v));
    rx_fields_destroy(fields);
}
END_TEST

/* --- Numbers --- */

static void compare_number(const char *text)
{
    size_t length = strlen(text);
    char *exact = malloc(length + 17);
    for (size_t room = 0; room <= 17; room += 17) { /* with nothing and with enough behind it */
        memset(exact, ']', length + room);
        memcpy(exact, text, length);
        struct rx_number n;
        struct rx_value v = rx_null();
        const char *behind = rx_number_scan(exact, exact + length + room - 1, &n);
        const char *quick = rx_number_quick(exact, exact, exact + length + room, &v);
        if (!quick)
            continue;
        ck_assert_msg(quick == behind, "%s", text);
        struct rx_buffer scratch = {0};
        struct rx_value expected = rx_number_is_int(&n)
                                       ? rx_json_int((int64_t)(n.negative ? 0 - n.mantissa : n.mantissa))
                                       : rx_double(rx_number_double(&n, &scratch));
        rx_buffer_finish(&scratch);
        same_value(v, expected);
    }
    free(exact);
}

START_TEST(quick_numbers_are_what_the_scan_says)
{
    static const char digits[] = "00112345678999..--eE+,]} x";
    char text[32];
    for (int i = 0; i < 300000; i++) {
        unsigned length = 1 + pick(18);
        for (unsigned k = 0; k < length; k++)
            text[k] = digits[pick(i % 2 ? 18 : sizeof digits - 1)];
        text[length] = ']';
        text[length + 1] = '\0';
        compare_number(text);
    }
}
END_TEST

/* What is short must not be left to the slow way. */
START_TEST(most_numbers_are_quick)
{
    static const char *const texts[] = {
        "0,0000000", "-1.5,00000", "21.37,000", "12345.6,00", "1700000000123,00000000", "-0,000000000", "1234567,0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rx_value v;
        ck_assert_ptr_nonnull(rx_number_quick(texts[i], texts[i], texts[i] + strlen(texts[i]), &v));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_mould");
    TCase *tests = tcase_create("json_mould");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_message_like_the_last_follows_it);
    tcase_add_test(tests, what_differs_or_is_wrong_does_not);
    tcase_add_test(tests, some_messages_leave_no_mould);
    tcase_add_test(tests, a_mould_has_limits);
    tcase_add_test(tests, a_text_that_is_too_large_for_a_block_is_the_parsers);
    tcase_add_test(tests, several_kinds_of_messages_follow_by_turns);
    tcase_add_test(tests, moulds_are_taken_within_a_budget);
    tcase_add_test(tests, moulds_go_with_their_shapes);
    tcase_add_test(tests, random_texts_come_out_alike);
    tcase_add_test(tests, lines_follow_as_messages_do);
    tcase_add_test(tests, no_line_follows_a_message_of_several);
    tcase_add_test(tests, quick_numbers_are_what_the_scan_says);
    tcase_add_test(tests, most_numbers_are_quick);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
