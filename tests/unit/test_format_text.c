/* Formats that are text: JSON, CSV, InfluxDB's line protocol. */
#include "tests/unit/format_harness.h"

#include <errno.h>

struct example {
    struct reading how;
    const char *message, *lines;
};

static void expect_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *lines = read_all(&examples[i].how, examples[i].message, strlen(examples[i].message));
        ck_assert_msg(strcmp(lines, examples[i].lines) == 0, "%s\nbecame\n%swhere this was expected\n%s",
                      examples[i].message, lines, examples[i].lines);
    }
}

#define EXPECT_ALL(examples) expect_all(examples, sizeof examples / sizeof *examples)

START_TEST(a_message_of_json_is_a_value_and_split_its_elements)
{
    static const struct reading one = {.format = RX_FORMAT_JSON};
    static const struct reading split = {.format = RX_FORMAT_JSON, .options = {.split = true}};
    static const struct reading pruned = {.format = RX_FORMAT_JSON, .options = {.split = true}, .fields = "a"};
    static const struct reading small = {.format = RX_FORMAT_JSON, .options = {.split = true}, .max_piece = 8};
    const struct example examples[] = {
        {one, "[1,2]", "[1,2]\n"},
        {one, "1 2", "!1:3 expected nothing behind the value\n"},
        {one, "", "!1:1 the text ends too early\n"},
        {split, "{\"a\":1}", "{\"a\":1}\n"},
        {split, " [1, {\"a\":[2]} ,[3]]\n", "1\n{\"a\":[2]}\n[3]\n"},
        {split, "[]", ""},
        {split, "[1,\n {\"a\":x},3]", "1\n!2:7 expected a value\n3\n"},
        {split, "[1,2", "1\n2\n!1:5 expected , or ] behind an element of the array\n"},
        {split, "[1,,2]", "1\n!1:4 expected a value\n"},
        {split, "[1,]", "1\n!1:4 expected a value\n"},
        {split, "[1]x", "1\n!1:4 expected nothing behind the array\n"},
        {split, "[", "!1:2 expected a value\n"},
        {pruned, "[{\"a\":1,\"b\":2},{\"b\":3}]", "{\"a\":1}\n{}\n"},
        {small, "[1,\"0123456789\",2]", "1\n!1:4 a message of 12 bytes; max_message is 8\n2\n"},
    };
    EXPECT_ALL(examples);
}
END_TEST

START_TEST(a_body_of_json_is_a_value_an_array_or_lines)
{
    static const struct reading body = {.format = RX_FORMAT_JSON, .body = true};
    static const struct reading lines = {.format = RX_FORMAT_JSON, .body = true, .lines = true};
    static const struct reading apart = {
        .format = RX_FORMAT_JSON, .options = {.split = true}, .body = true, .lines = true};
    const struct example examples[] = {
        {body, "{\"a\":1}", "{\"a\":1}\n"},
        {body, "[1,2]", "1\n2\n"},
        {body, "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":2}\n"},
        {body, "{\n\"a\":1}\n", "{\"a\":1}\n"},
        {body, ",1\n2\n", "!1:1 expected a value\n"},
        {body, "]\n2\n", "!1:1 expected a value\n"},
        {lines, "[1]\n\n[2]\r\n", "[1]\n[2]\n"},
        {lines, "1\nx\n2", "1\n!2:1 expected a value\n2\n"},
        {apart, "[1,2]\n3\n[4\n5\n", "1\n2\n3\n4\n!3:3 expected , or ] behind an element of the array\n5\n"},
    };
    EXPECT_ALL(examples);
}
END_TEST

START_TEST(auto_takes_what_cannot_be_json_as_text)
{
    static const struct reading any = {.format = RX_FORMAT_AUTO, .options = {.split = true}};
    const struct example examples[] = {
        {any, "off", "\"off\"\n"}, {any, "[1,2]", "1\n2\n"},
        {any, "true", "true\n"},   {any, "nominal", "\"nominal\"\n"},
        {any, "", "\"\"\n"},       {any, "caf\xE9", "!the payload is not UTF-8 text\n"},
    };
    EXPECT_ALL(examples);
}
END_TEST

static const char *const device_and_value[] = {"device", "value"};

START_TEST(a_row_of_csv_is_an_object_by_its_header)
{
    static const struct reading csv = {.format = RX_FORMAT_CSV};
    static const struct reading pruned = {.format = RX_FORMAT_CSV, .fields = "bx"};
    static const struct reading semicolon = {.format = RX_FORMAT_CSV, .options = {.csv = {.delimiter = ";"}}};
    static const struct reading named = {.format = RX_FORMAT_CSV,
                                         .options = {.csv = {.header = {device_and_value, 2}}}};
    static const struct reading small = {.format = RX_FORMAT_CSV, .max_piece = 8};
    const struct example examples[] = {
        {csv, "a,b,c\n1,x,true\n-2.50,\"y, \"\"z\"\"\",false\n",
         "{\"a\":1,\"b\":\"x\",\"c\":true}\n{\"a\":-2.5,\"b\":\"y, \\\"z\\\"\",\"c\":false}\n"},
        {csv, "a,b\r\n1,\r\n,2\r\n,\"\"\r\n", "{\"a\":1}\n{\"b\":2}\n{\"b\":\"\"}\n"},
        {csv, "a,b\n007,+1\n\"5\",1e2\n", "{\"a\":\"007\",\"b\":\"+1\"}\n{\"a\":5,\"b\":100}\n"},
        {csv, "a,,a\n1,2,3\n", "{\"a\":3}\n"},
        {csv, "a\n", ""},
        {csv, "", ""},
        {csv, "a,b\n1\n\n1,2,3\n4,5\n",
         "!2:1 1 cells, and there are 2 columns\n!4:1 3 cells, and there are 2 columns\n{\"a\":4,\"b\":5}\n"},
        {csv, "a,b\n1,5\" pipe\n2,3\n", "!2:4 a quote in a cell that does not begin with one\n{\"a\":2,\"b\":3}\n"},
        {csv, "a,b\n1,\xFF\n2,3\n", "!2:3 not UTF-8\n{\"a\":2,\"b\":3}\n"},
        {csv, "a,\"b\n1,2\n",
         "!1:3 a quote that is never closed\n!2:1 a row without a header: the one before it could not be read\n"},
        {pruned, "a,b,c\n1,2,3\n1,,3\n", "{\"b\":2}\n{}\n"},
        {semicolon, "a;b\n1,5;2\n", "{\"a\":\"1,5\",\"b\":2}\n"},
        {named, "x-1,20\nx-2,21\n", "{\"device\":\"x-1\",\"value\":20}\n{\"device\":\"x-2\",\"value\":21}\n"},
        {named, "device,value\nx-1,20\n", "{\"device\":\"x-1\",\"value\":20}\n"},
        {small, "a,b\n1,2\n1,23456789\n3,4\n",
         "{\"a\":1,\"b\":2}\n!3:1 a message of 11 bytes; max_message is 8\n{\"a\":3,\"b\":4}\n"},
    };
    EXPECT_ALL(examples);
}
END_TEST

START_TEST(a_header_among_the_rows_is_none_of_them_and_may_change_the_columns)
{
    static const struct reading csv = {.format = RX_FORMAT_CSV};
    const struct example examples[] = {
        {csv, "a,b\n1,2\na,b\n3,4\n", "{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n"},
        {csv, "a,b\n1,2\nb,c,a\n3,4,5\n", "{\"a\":1,\"b\":2}\n{\"b\":3,\"c\":4,\"a\":5}\n"},
        {csv, "name,city,zip\nrose,ulm,x\nname,ort,zip\nivy,ulm,y\n",
         "{\"name\":\"rose\",\"city\":\"ulm\",\"zip\":\"x\"}\n{\"name\":\"ivy\",\"ort\":\"ulm\",\"zip\":\"y\"}\n"},
        {csv, "name,status\nstatus,ok\n", "{\"name\":\"status\",\"status\":\"ok\"}\n"},
        {csv, "name,city,zip\nname,ulm,x\n", "{\"name\":\"name\",\"city\":\"ulm\",\"zip\":\"x\"}\n"},
    };
    EXPECT_ALL(examples);
}
END_TEST

START_TEST(a_stream_of_csv_keeps_its_header_from_row_to_row_and_over_a_save)
{
    static const struct reading csv = {.format = RX_FORMAT_CSV};
    struct rx_format_state *state = format_of(&csv), *again = format_of(&csv);
    struct rx_buffer out = {0};
    struct rx_writer w = {0};
    read_into(&out, state, &csv, "a,b\n", 4, true);
    read_into(&out, state, &csv, "1,2\n", 4, true);
    read_into(&out, state, &csv, "b,a\n", 4, true);
    ck_assert_uint_eq(state->headers, 1);
    state->class->save(state, &w);
    struct rx_reader r = {.data = (const unsigned char *)w.buffer.data, .length = w.buffer.length, .heap = heap};
    ck_assert_int_eq(again->class->load(again, &r), 0);
    ck_assert_uint_eq(r.position, r.length);
    read_into(&out, again, &csv, "3,4\n", 4, true);
    again->class->restart(again);
    read_into(&out, again, &csv, "c,d\n", 4, true);
    read_into(&out, again, &csv, "5,6\n", 4, true);
    ck_assert_uint_eq(again->headers, 1);
    again->class->restart(again);
    read_into(&out, again, &csv, "c,d\n", 4, true);
    ck_assert_uint_eq(again->headers, 1);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, "{\"a\":1,\"b\":2}\n{\"b\":3,\"a\":4}\n{\"c\":5,\"d\":6}\n");
    for (size_t length = 0; length < w.buffer.length; length++) {
        struct rx_format_state *torn = format_of(&csv);
        r = (struct rx_reader){.data = (const unsigned char *)w.buffer.data, .length = length, .heap = heap};
        ck_assert_int_eq(torn->class->load(torn, &r), -EBADMSG);
        rx_format_destroy(torn);
    }
    rx_buffer_finish(&out);
    rx_buffer_finish(&w.buffer);
    rx_format_destroy(state);
    rx_format_destroy(again);
}
END_TEST

START_TEST(a_table_too_wide_for_a_shape_makes_maps)
{
    struct rx_buffer text = {0};
    static const struct reading csv = {.format = RX_FORMAT_CSV};
    for (int row = 0; row < 2; row++) {
        for (int i = 0; i < 100; i++)
            rx_buffer_printf(&text, row ? "%s%d" : "%sc%d", i ? "," : "", i);
        rx_buffer_append(&text, "\n", 1);
    }
    const char *lines = read_all(&csv, text.data, text.length);
    ck_assert_msg(strncmp(lines, "{\"c0\":0,\"c1\":1,", 15) == 0 && strstr(lines, ",\"c99\":99}\n"), "%s", lines);
    rx_buffer_finish(&text);
}
END_TEST

START_TEST(options_of_csv_that_make_no_sense_are_refused)
{
    static const char *const twice[] = {"a", "b", "a"}, *const empty[] = {"a", ""}, *const no[] = {"false"};
    static const struct {
        struct rx_csv_options options;
        const char *message;
    } wrong[] = {
        {{.delimiter = "::"}, "the delimiter is one of , ; | : and a tab (\"\\t\")"},
        {{.delimiter = "1"}, "the delimiter is one of , ; | : and a tab (\"\\t\")"},
        {{.header = {twice, 3}}, "two columns are named \"a\""},
        {{.header = {empty, 2}}, "a column needs a name of 1 to 1024 bytes"},
        {{.header = {no, 1}}, "without a header the columns need names"},
    };
    struct rx_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(rx_csv_options.check(&wrong[i].options, &error), -EINVAL);
        ck_assert_str_eq(error.message, wrong[i].message);
    }
    ck_assert_int_eq(rx_csv_options.check(&(struct rx_csv_options){.delimiter = "\t"}, &error), 0);
}
END_TEST

/* From the reference of the line protocol: its examples of each element, and of each escape. */
START_TEST(a_line_of_influx_is_its_measurement_tags_fields_and_time)
{
    static const struct reading influx = {.format = RX_FORMAT_INFLUX};
    static const struct reading pruned = {.format = RX_FORMAT_INFLUX, .fields = "ax"};
    static const struct reading small = {.format = RX_FORMAT_INFLUX, .max_piece = 8};
    const struct example examples[] = {
        {influx, "myMeasurement,tag1=value1,tag2=value2 fieldKey=\"fieldValue\" 1556813561098000000",
         "{\"tag1\":\"value1\",\"tag2\":\"value2\",\"fieldKey\":\"fieldValue\",\"measurement\":\"myMeasurement\","
         "\"time\":\"2019-05-02T16:12:41.098Z\"}\n"},
        {influx, "m f=1.0\nm f=1\nm f=-1.234456e+78\n",
         "{\"f\":1,\"measurement\":\"m\"}\n{\"f\":1,\"measurement\":\"m\"}\n"
         "{\"f\":-1.234456e+78,\"measurement\":\"m\"}\n"},
        {influx, "m f=1i,g=12485903i,h=-12485903i", "{\"f\":1,\"g\":12485903,\"h\":-12485903,\"measurement\":\"m\"}\n"},
        {influx, "m f=9223372036854775807i,g=-9223372036854775808i,h=18446744073709551615u",
         "{\"f\":9223372036854775807,\"g\":-9223372036854775808,\"h\":18446744073709551615,\"measurement\":\"m\"}\n"},
        {influx, "m a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE",
         "{\"a\":true,\"b\":true,\"c\":true,\"d\":true,\"e\":true,\"f\":false,\"g\":false,\"h\":false,\"i\":false,"
         "\"j\":false,\"measurement\":\"m\"}\n"},
        {influx, "my\\ Measurement,tagKey1=tag\\ Value1,tag\\ Key2=tagValue2 fieldKey=100",
         "{\"tagKey1\":\"tag Value1\",\"tag Key2\":\"tagValue2\",\"fieldKey\":100,\"measurement\":\"my "
         "Measurement\"}\n"},
        {influx, "myMeasurement fieldKey=\"\\\"string\\\" within a string\"",
         "{\"fieldKey\":\"\\\"string\\\" within a string\",\"measurement\":\"myMeasurement\"}\n"},
        {influx, "m\\,x,k\\=1=a\\,b\\=c f\\,g=\"path \\\\ and \\n, x=1\"",
         "{\"k=1\":\"a,b=c\",\"f,g\":\"path \\\\ and \\\\n, x=1\",\"measurement\":\"m,x\"}\n"},
        {influx, "# a comment\n\n  m f=1\r\n", "{\"f\":1,\"measurement\":\"m\"}\n"},
        {influx, "m,time=a,measurement=b time=1,f=2 1000000000",
         "{\"time\":\"1970-01-01T00:00:01Z\",\"measurement\":\"m\",\"f\":2}\n"},
        {influx, "m f=1 -1", "{\"f\":1,\"measurement\":\"m\",\"time\":\"1969-12-31T23:59:59.999999999Z\"}\n"},
        {influx, "", ""},
        {pruned, "m,a=1,b=2 x=3,y=\"z\" 5", "{\"a\":\"1\",\"x\":3}\n"},
        {influx, "m f=1\n,t=a f=1\nm\nm f\nm f=\nm f=x\n",
         "{\"f\":1,\"measurement\":\"m\"}\n!2:1 expected a measurement's name\n"
         "!3:2 expected a space and the fields behind measurement and tags\n!4:4 expected a field: NAME=VALUE\n"
         "!5:5 expected a value: a number, 1i, 1u, true, or a text in double quotes\n"
         "!6:5 expected a value: a number, 1i, 1u, true, or a text in double quotes\n"},
        {influx, "m,t f=1\nm,t= f=1\nm f=\"x\nm f=1 x\nm f=1 1 2\nm f=1,\n",
         "!1:4 expected a tag: NAME=TEXT\n!2:5 expected a tag's text\n!3:5 a text that is never closed\n"
         "!4:7 expected the time here: whole nanoseconds since 1970\n"
         "!5:7 expected the time here: whole nanoseconds since 1970\n!6:7 expected a field: NAME=VALUE\n"},
        {influx, "m f=1.5i\nm f=-1u\nm f=9223372036854775808i\nm f=18446744073709551616u\nm f=i",
         "!1:5 expected a whole number of 64 bits before `i`\n"
         "!2:5 expected a whole number of 64 bits, without a sign, before `u`\n"
         "!3:5 expected a whole number of 64 bits before `i`\n"
         "!4:5 expected a whole number of 64 bits, without a sign, before `u`\n"
         "!5:5 expected a whole number of 64 bits before `i`\n"},
        {influx, "m f=1\nm,t=\xC3\xA4\xFF f=1\nm f=2",
         "{\"f\":1,\"measurement\":\"m\"}\n!2:6 not UTF-8\n"
         "{\"f\":2,\"measurement\":\"m\"}\n"},
        {small, "m f=1\nm f=123456789\n",
         "{\"f\":1,\"measurement\":\"m\"}\n!2:1 a message of 13 bytes; max_message is 8\n"},
    };
    EXPECT_ALL(examples);
}
END_TEST

START_TEST(a_content_type_names_a_format)
{
    static const struct {
        const char *type;
        enum rx_format format;
        bool lines;
    } types[] = {
        {"text/csv; charset=utf-8", RX_FORMAT_CSV, false},
        {"Application/CBOR", RX_FORMAT_CBOR, false},
        {"application/x-msgpack", RX_FORMAT_MSGPACK, false},
        {"application/x-ndjson", RX_FORMAT_JSON, true},
        {"application/json", RX_FORMAT_JSON, false},
        {"text/csvx", RX_FORMAT_TEXT, false},
        {"", RX_FORMAT_TEXT, false},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        bool lines = true;
        ck_assert_int_eq(rx_format_of_type(types[i].type, RX_FORMAT_TEXT, &lines), types[i].format);
        ck_assert(lines == types[i].lines);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("text");
    tcase_add_test(t, a_message_of_json_is_a_value_and_split_its_elements);
    tcase_add_test(t, a_body_of_json_is_a_value_an_array_or_lines);
    tcase_add_test(t, auto_takes_what_cannot_be_json_as_text);
    tcase_add_test(t, a_row_of_csv_is_an_object_by_its_header);
    tcase_add_test(t, a_header_among_the_rows_is_none_of_them_and_may_change_the_columns);
    tcase_add_test(t, a_stream_of_csv_keeps_its_header_from_row_to_row_and_over_a_save);
    tcase_add_test(t, a_table_too_wide_for_a_shape_makes_maps);
    tcase_add_test(t, options_of_csv_that_make_no_sense_are_refused);
    tcase_add_test(t, a_line_of_influx_is_its_measurement_tags_fields_and_time);
    tcase_add_test(t, a_content_type_names_a_format);
    return run_cases("format_text", t);
}
