/* Formats that are not text: CBOR and MessagePack, by the examples of their specifications, and by what is wrong. */
#include "tests/unit/format_harness.h"

#include <errno.h>
#include <math.h>

struct example {
    const char *hex, *value;
};

static void expect_each(enum rx_format format, const struct example *examples, size_t count)
{
    char bytes[4096];
    for (size_t i = 0; i < count; i++) {
        const char *value = read_one(format, bytes, from_hex(examples[i].hex, bytes));
        ck_assert_msg(strcmp(value, examples[i].value) == 0, "%s became %s, and not %s", examples[i].hex, value,
                      examples[i].value);
    }
}

#define EXPECT_EACH(format, examples) expect_each(format, examples, sizeof examples / sizeof *examples)

/* RFC 8949, appendix A, in its order; what JSON has no word for is written as rxd writes it. */
static const struct example cbor[] = {
    {"00", "0"},
    {"01", "1"},
    {"0a", "10"},
    {"17", "23"},
    {"1818", "24"},
    {"1819", "25"},
    {"1864", "100"},
    {"1903e8", "1000"},
    {"1a000f4240", "1000000"},
    {"1b000000e8d4a51000", "1000000000000"},
    {"1bffffffffffffffff", "18446744073709551615"},
    {"c249010000000000000000", "18446744073709552000"},
    {"3bffffffffffffffff", "-18446744073709552000"},
    {"c349010000000000000000", "-18446744073709552000"},
    {"20", "-1"},
    {"29", "-10"},
    {"3863", "-100"},
    {"3903e7", "-1000"},
    {"f90000", "0"},
    {"f98000", "-0"},
    {"f93c00", "1"},
    {"fb3ff199999999999a", "1.1"},
    {"f93e00", "1.5"},
    {"f97bff", "65504"},
    {"fa47c35000", "100000"},
    {"fa7f7fffff", "3.4028234663852886e+38"},
    {"fb7e37e43c8800759c", "1e+300"},
    {"f90001", "5.960464477539063e-8"},
    {"f90400", "0.00006103515625"},
    {"f9c400", "-4"},
    {"fbc010666666666666", "-4.1"},
    {"f97c00", "null"},
    {"f97e00", "null"},
    {"f9fc00", "null"},
    {"fa7f800000", "null"},
    {"fb7ff0000000000000", "null"},
    {"f4", "false"},
    {"f5", "true"},
    {"f6", "null"},
    {"f7", "null"},
    {"f0", "!byte 0: this is not cbor"},
    {"f8ff", "!byte 0: this is not cbor"},
    {"c074323031332d30332d32315432303a30343a30305a", "\"2013-03-21T20:04:00Z\""},
    {"c11a514b67b0", "\"2013-03-21T20:04:00Z\""},
    {"c1fb41d452d9ec200000", "\"2013-03-21T20:04:00.500Z\""},
    {"d74401020304", "\"AQIDBA==\""},
    {"d818456449455446", "\"ZElFVEY=\""},
    {"d82076687474703a2f2f7777772e6578616d706c652e636f6d", "\"http://www.example.com\""},
    {"40", "\"\""},
    {"4401020304", "\"AQIDBA==\""},
    {"60", "\"\""},
    {"6161", "\"a\""},
    {"6449455446", "\"IETF\""},
    {"62225c", "\"\\\"\\\\\""},
    {"62c3bc", "\"\xC3\xBC\""},
    {"63e6b0b4", "\"\xE6\xB0\xB4\""},
    {"64f0908591", "\"\xF0\x90\x85\x91\""},
    {"80", "[]"},
    {"83010203", "[1,2,3]"},
    {"8301820203820405", "[1,[2,3],[4,5]]"},
    {"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
     "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
    {"a0", "{}"},
    {"a201020304", "{\"1\":2,\"3\":4}"},
    {"a26161016162820203", "{\"a\":1,\"b\":[2,3]}"},
    {"826161a161626163", "[\"a\",{\"b\":\"c\"}]"},
    {"a56161614161626142616361436164614461656145", "{\"a\":\"A\",\"b\":\"B\",\"c\":\"C\",\"d\":\"D\",\"e\":\"E\"}"},
    {"5f42010243030405ff", "\"AQIDBAU=\""},
    {"7f657374726561646d696e67ff", "\"streaming\""},
    {"9fff", "[]"},
    {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
    {"9f01820203820405ff", "[1,[2,3],[4,5]]"},
    {"83018202039f0405ff", "[1,[2,3],[4,5]]"},
    {"83019f0203ff820405", "[1,[2,3],[4,5]]"},
    {"9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff",
     "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
    {"bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}"},
    {"826161bf61626163ff", "[\"a\",{\"b\":\"c\"}]"},
    {"bf6346756ef563416d7421ff", "{\"Fun\":true,\"Amt\":-2}"},
};

/* What the appendix leaves out, and what is wrong. */
static const struct example cbor_more[] = {
    {"d9d9f7a0", "{}"},
    {"c1c11a514b67b0", "\"2013-03-21T20:04:00Z\""},
    {"c2420100", "256"},
    {"c34101", "-2"},
    {"c25f41014100ff", "256"},
    {"a4f501f60220033b7fffffffffffffff04", "{\"true\":1,\"null\":2,\"-1\":3,\"-9223372036854775808\":4}"},
    {"a3410101f93e0002c1000401", "!byte 11: expected nothing behind the value"},
    {"a3410101f93e0002c10004", "{\"AQ==\":1,\"1.5\":2,\"1970-01-01T00:00:00Z\":4}"},
    {"a2616101616102", "{\"a\":2}"},
    {"", "!byte 0: the message ends too early"},
    {"0101", "!byte 1: expected nothing behind the value"},
    {"8301", "!byte 2: the message ends too early"},
    {"9f01", "!byte 2: the message ends too early"},
    {"6261", "!byte 0: the message ends too early"},
    {"7f6161", "!byte 0: the message ends too early"},
    {"1b00", "!byte 0: the message ends too early"},
    {"1c", "!byte 0: this is not cbor"},
    {"ff", "!byte 0: this is not cbor"},
    {"81ff", "!byte 1: this is not cbor"},
    {"bf01ff", "!byte 2: this is not cbor"},
    {"c1ff", "!byte 0: this is not cbor"},
    {"9fc1ffff", "!byte 1: this is not cbor"},
    {"7f4101ff", "!byte 0: this is not cbor"},
    {"7f01ff", "!byte 0: this is not cbor"},
    {"7f7f6161ffff", "!byte 0: this is not cbor"},
    {"a18000", "!byte 1: this is not cbor"},
    {"61ff", "!byte 0: a text is not UTF-8"},
    {"8162c328", "!byte 1: a text is not UTF-8"},
    {"c06161", "!byte 0: a time out of the years 1 to 9999"},
    {"c11b7fffffffffffffff", "!byte 0: a time out of the years 1 to 9999"},
    {"c1f97e00", "!byte 0: a time out of the years 1 to 9999"},
    {"9bffffffffffffffff", "!byte 9: the message ends too early"},
    {"bbffffffffffffffff", "!byte 0: nested deeper than 128 levels, or a map of more than 65536 keys"},
    {"5bffffffffffffffff", "!byte 0: the message ends too early"},
};

/* Every format of the specification (spec.md), each at its smallest and largest where that is short. */
static const struct example msgpack[] = {
    {"c0", "null"},
    {"c2", "false"},
    {"c3", "true"},
    {"00", "0"},
    {"7f", "127"},
    {"ff", "-1"},
    {"e0", "-32"},
    {"cc80", "128"},
    {"ccff", "255"},
    {"cd0100", "256"},
    {"cdffff", "65535"},
    {"ce00010000", "65536"},
    {"ceffffffff", "4294967295"},
    {"cf0000000100000000", "4294967296"},
    {"cfffffffffffffffff", "18446744073709551615"},
    {"d080", "-128"},
    {"d18000", "-32768"},
    {"d1ff7f", "-129"},
    {"d280000000", "-2147483648"},
    {"d38000000000000000", "-9223372036854775808"},
    {"d37fffffffffffffff", "9223372036854775807"},
    {"ca3fc00000", "1.5"},
    {"cb3ff199999999999a", "1.1"},
    {"cb7ff0000000000000", "null"},
    {"a0", "\"\""},
    {"a161", "\"a\""},
    {"d90161", "\"a\""},
    {"da000161", "\"a\""},
    {"db0000000161", "\"a\""},
    {"c40401020304", "\"AQIDBA==\""},
    {"c5000101", "\"AQ==\""},
    {"c60000000101", "\"AQ==\""},
    {"90", "[]"},
    {"93010203", "[1,2,3]"},
    {"dc0002c0c3", "[null,true]"},
    {"dd0000000101", "[1]"},
    {"80", "{}"},
    {"82a7636f6d70616374c3a6736368656d6100", "{\"compact\":true,\"schema\":0}"},
    {"de0001a16101", "{\"a\":1}"},
    {"df00000001a1619190", "{\"a\":[[]]}"},
    {"8201a162c0a163", "{\"1\":\"b\",\"null\":\"c\"}"},
    {"d40501", "\"AQ==\""},
    {"d5050102", "\"AQI=\""},
    {"d8050102030405060708090a0b0c0d0e0f10", "\"AQIDBAUGBwgJCgsMDQ4PEA==\""},
    {"c7030509080a", "\"CQgK\""},
    {"c800010509", "\"CQ==\""},
    {"c9000000010509", "\"CQ==\""},
    {"d6ff514b67b0", "\"2013-03-21T20:04:00Z\""},
    {"d7ff77359400514b67b0", "\"2013-03-21T20:04:00.500Z\""},
    {"c70cff1dcd650000000000514b67b0", "\"2013-03-21T20:04:00.500Z\""},
    {"c70cff00000000ffffffffffffffff", "\"1969-12-31T23:59:59Z\""},
    {"c700ff", "\"\""},
    {"", "!byte 0: the message ends too early"},
    {"c1", "!byte 0: this is not msgpack"},
    {"0101", "!byte 1: expected nothing behind the value"},
    {"9201", "!byte 2: the message ends too early"},
    {"a261", "!byte 0: the message ends too early"},
    {"cd01", "!byte 0: the message ends too early"},
    {"d405", "!byte 0: the message ends too early"},
    {"dd0fffffff", "!byte 5: the message ends too early"},
    {"dbffffffff61", "!byte 0: the message ends too early"},
    {"dfffffffff", "!byte 0: nested deeper than 128 levels, or a map of more than 65536 keys"},
    {"a1ff", "!byte 0: a text is not UTF-8"},
    {"819001", "!byte 1: this is not msgpack"},
    {"d7ffffffffffffffffff", "!byte 0: a time out of the years 1 to 9999"},
};

START_TEST(cbor_is_read_as_rfc_8949_says)
{
    EXPECT_EACH(RX_FORMAT_CBOR, cbor);
    EXPECT_EACH(RX_FORMAT_CBOR, cbor_more);
}
END_TEST

START_TEST(msgpack_is_read_as_its_specification_says) { EXPECT_EACH(RX_FORMAT_MSGPACK, msgpack); }
END_TEST

START_TEST(depth_is_limited_and_costs_no_stack)
{
    static const struct {
        enum rx_format format;
        int open, leaf;
    } formats[] = {{RX_FORMAT_CBOR, 0x81, 0x01}, {RX_FORMAT_CBOR, 0x9F, 0x01}, {RX_FORMAT_MSGPACK, 0x91, 0x01}};
    char *bytes = malloc(1000001);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        memset(bytes, formats[i].open, 1000000);
        bytes[128] = (char)formats[i].leaf;
        if (formats[i].open != 0x9F)
            ck_assert_ptr_nonnull(strstr(read_one(formats[i].format, bytes, 129), "[[1]]"));
        bytes[128] = bytes[0];
        bytes[1000000] = (char)formats[i].leaf;
        ck_assert_str_eq(read_one(formats[i].format, bytes, 1000001),
                         "!byte 128: nested deeper than 128 levels, or a map of more than 65536 keys");
    }
    free(bytes);
}
END_TEST

START_TEST(keys_of_a_map_are_limited)
{
    struct rx_buffer bytes = {0};
    rx_buffer_append(&bytes, "\xBF", 1);
    for (unsigned i = 0; i <= RX_ITEMS_KEYS_MAX; i++) {
        char key[] = {0x1A, (char)(i >> 24), (char)(i >> 16), (char)(i >> 8), (char)i, 0x01};
        rx_buffer_append(&bytes, key, sizeof key);
    }
    ck_assert_str_eq(read_one(RX_FORMAT_CBOR, bytes.data, bytes.length),
                     "!byte 393217: nested deeper than 128 levels, or a map of more than 65536 keys");
    rx_buffer_finish(&bytes);
}
END_TEST

/* {"a": [1, {"b": "x"}], "b": {"c": h'01'}, 5: 6} */
START_TEST(only_what_is_asked_for_is_made_and_the_rest_is_checked_all_the_same)
{
    static const char *const messages[][3] = {
        {"a361618201a161626178 6162a161634101 0506", "a161628361ff0102", "cbor"},
        {"83a1619201 81a162a178 a16281a163c40101 0506", "81a16293a1ff0102", "msgpack"},
    };
    static const char *const fields[][2] = {
        {"a", "{\"a\":[1,{\"b\":\"x\"}]}\n"},
        {"b", "{\"b\":{\"c\":\"AQ==\"}}\n"},
        {"5x", "{\"5\":6}\n"},
        {"x", "{}\n"},
    };
    char bytes[256];
    for (size_t m = 0; m < 2; m++) {
        struct reading how = {.format = m ? RX_FORMAT_MSGPACK : RX_FORMAT_CBOR, .body = true};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            how.fields = fields[i][0];
            ck_assert_str_eq(read_all(&how, bytes, from_hex(messages[m][0], bytes)), fields[i][1]);
        }
        how.fields = "x";
        ck_assert_str_eq(read_all(&how, bytes, from_hex(messages[m][1], bytes)),
                         m ? "!byte 4: a text is not UTF-8\n" : "!byte 4: a text is not UTF-8\n");
    }
}
END_TEST

START_TEST(an_array_is_its_elements_where_it_is_to_be_taken_apart)
{
    static const struct {
        bool body, split;
        const char *cbor, *msgpack, *lines;
    } cases[] = {
        {false, true, "83 01 a1616102 8103", "93 01 81a16102 9103", "1\n{\"a\":2}\n[3]\n"},
        {false, false, "820102", "920102", "[1,2]\n"},
        {false, true, "a1616102", "81a16102", "{\"a\":2}\n"},
        {false, true, "80", "90", ""},
        {false, true, "8201", "9201", "1\n!byte 2: the message ends too early\n"},
        {false, true, "8161ff", "91a1ff", "!byte 1: a text is not UTF-8\n"},
        {false, true, "810102", "910102", "1\n!byte 2: expected nothing behind the value\n"},
        {false, true, "", "", "!byte 0: the message ends too early\n"},
        {true, false, "01 820203 a0 6178", "01 920203 80 a178", "1\n2\n3\n{}\n\"x\"\n"},
        {false, true, "9f0102ff", "920102", "1\n2\n"},
        {true, false, "9fff 9f01ff 02", "90 9101 02", "1\n2\n"},
        {true, false, "9f01", "9201", "1\n!byte 2: the message ends too early\n"},
        {true, false, "d9d9f7820102", "920102", "1\n2\n"},
    };
    char bytes[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading how = {.options = {.split = cases[i].split}, .body = cases[i].body, .format = RX_FORMAT_CBOR};
        ck_assert_str_eq(read_all(&how, bytes, from_hex(cases[i].cbor, bytes)), cases[i].lines);
        how.format = RX_FORMAT_MSGPACK;
        ck_assert_str_eq(read_all(&how, bytes, from_hex(cases[i].msgpack, bytes)), cases[i].lines);
    }
    struct reading small = {.format = RX_FORMAT_CBOR, .body = true, .max_piece = 4};
    ck_assert_str_eq(read_all(&small, bytes, from_hex("01 6461626364 02", bytes)),
                     "1\n!byte 1: a message of 5 bytes; max_message is 4\n2\n");
}
END_TEST

START_TEST(the_end_of_an_item_is_found_in_a_stream)
{
    char bytes[256];
    for (int m = 0; m < 2; m++) {
        struct rx_format_state *state = format_of(&(struct reading){.format = m ? RX_FORMAT_MSGPACK : RX_FORMAT_CBOR});
        size_t length = from_hex(m ? "93 01 a161 81a16202 07" : "83 01 6161 a1616202 07", bytes);
        for (size_t have = 0; have < length - 1; have++)
            ck_assert_ptr_null(state->class->message_end(state, bytes, bytes + have));
        ck_assert_ptr_eq(state->class->message_end(state, bytes, bytes + length), bytes + length - 1);
        bytes[1] = m ? (char)0xC1 : (char)0x1C; /* what is wrong is all that there is: the decoder says why */
        ck_assert_ptr_eq(state->class->message_end(state, bytes, bytes + length), bytes + length);
        rx_format_destroy(state);
    }
}
END_TEST

START_TEST(whole_numbers_are_exact_and_marked_as_those_of_json)
{
    static const char max[] = "\x1B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE";
    struct rx_format_state *state = format_of(&(struct reading){.format = RX_FORMAT_CBOR});
    struct rx_value value;
    ck_assert_int_eq(state->class->value(state, max, 9, &value, NULL), 0);
    ck_assert(value.kind == RX_UINT && value.flags == RX_FLAG_JSON && value.u.u == UINT64_MAX - 1);
    ck_assert_int_eq(state->class->value(state, "\x20", 1, &value, NULL), 0);
    ck_assert(value.kind == RX_INT && value.flags == RX_FLAG_JSON && value.u.i == -1);
    ck_assert_int_eq(state->class->value(state, "\xF9\x7E\x00", 3, &value, NULL), 0);
    ck_assert(value.kind == RX_DOUBLE && isnan(value.u.d));
    rx_format_destroy(state);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("binary");
    tcase_add_test(t, cbor_is_read_as_rfc_8949_says);
    tcase_add_test(t, msgpack_is_read_as_its_specification_says);
    tcase_add_test(t, depth_is_limited_and_costs_no_stack);
    tcase_add_test(t, keys_of_a_map_are_limited);
    tcase_add_test(t, only_what_is_asked_for_is_made_and_the_rest_is_checked_all_the_same);
    tcase_add_test(t, an_array_is_its_elements_where_it_is_to_be_taken_apart);
    tcase_add_test(t, the_end_of_an_item_is_found_in_a_stream);
    tcase_add_test(t, whole_numbers_are_exact_and_marked_as_those_of_json);
    return run_cases("format_binary", t);
}
