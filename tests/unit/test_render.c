// layer: sinks
/* What deliveries write: rows of CSV with their header, lines of InfluxDB's protocol, and that sources read them back. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sinks/render.h"
#include "tests/unit/source_harness.h"

extern const struct rx_sink_class rx_sink_file;

static struct harness h;
static struct rx_buffer out;
static void setup(void) { harness_init(&h); }
static void teardown(void)
{
    rx_buffer_finish(&out);
    harness_finish(&h);
}

static struct rx_render_options csv = {.format = RX_RENDER_CSV}, influx = {.format = RX_RENDER_INFLUX};
static struct rx_error error;

/* The line of an event, or what is wrong. `key` and a window: of its mark; NULL: none. */
static const char *line_of(struct rx_render *r, const char *json, const char *key, bool message)
{
    struct rx_event event = {.time = 1700000000 * RX_SEC + 5};
    struct rx_block *block = key ? rx_block_alloc(h.heap, sizeof(struct rx_mark), RX_CONTENT_MARK) : NULL;
    struct rx_mark *mark = block ? rx_block_data(block) : NULL;
    ck_assert_int_eq(rx_json_decode(h.heap, NULL, NULL, json, strlen(json), &event.value, NULL), 0);
    if (mark) {
        *mark = (struct rx_mark){.start = 0, .end = 10 * RX_SEC};
        ck_assert_int_eq(rx_json_decode(h.heap, NULL, NULL, key, strlen(key), &mark->key, NULL), 0);
        event.mark = mark;
    }
    rx_buffer_clear(&out);
    int result = message ? rx_render_message(r, &out, &event, &error) : rx_render_line(r, &out, &event, &error);
    if (result < 0)
        ck_assert_uint_eq(out.length, 0);
    rx_buffer_append(&out, "", 1);
    rx_event_unref(&event);
    return result < 0 ? error.message : out.data;
}

static struct rx_render render_of(const struct rx_render_options *options)
{
    struct rx_render r;
    ck_assert_int_eq(rx_render_init(&r, options, h.heap, "averages"), 0);
    return r;
}

/* CSV. */

START_TEST(the_columns_are_the_first_events_fields_and_the_header_names_them)
{
    struct rx_render r = render_of(&csv);
    ck_assert_uint_eq(rx_render_header(&r)->length, 0);
    ck_assert_str_eq(line_of(&r, "{\"a\":1,\"b,c\":\"x\",\"d\":true}", NULL, false), "1,x,true");
    ck_assert_str_eq(line_of(&r, "{\"d\":null,\"a\":-2.5}", NULL, false), "-2.5,,");
    ck_assert_str_eq(line_of(&r, "{\"a\":[1,{\"b\":2}],\"d\":\"two\\nlines \\\"q\\\"\"}", NULL, false),
                     "\"[1,{\"\"b\"\":2}]\",,\"two\nlines \"\"q\"\"\"");
    ck_assert_str_eq(line_of(&r, "{\"a\":\"\",\"b,c\":\" x\"}", NULL, false), "\"\",\" x\",");
    ck_assert_str_eq(line_of(&r, "{\"a\":1,\"e\":2}", NULL, false),
                     "the field \"e\" has no column: the columns are the first event's fields");
    ck_assert_str_eq(error.hint, "name the columns: csv: {header: [a, b]}");
    const struct rx_buffer *header = rx_render_header(&r);
    ck_assert_int_eq((int)header->length, 10);
    ck_assert_int_eq(memcmp(header->data, "a,\"b,c\",d\n", 10), 0);
    rx_render_finish(&r);
}
END_TEST

START_TEST(columns_that_the_user_names_are_written_and_nothing_else)
{
    static const char *const names[] = {"b", "a"};
    struct rx_render_options options = {.format = RX_RENDER_CSV, .csv = {.header = {names, 2}, .delimiter = ";"}};
    struct rx_render r = render_of(&options);
    ck_assert_str_eq(line_of(&r, "{\"a\":1,\"b\":\"x;y\",\"c\":3}", NULL, false), "\"x;y\";1");
    ck_assert_str_eq(line_of(&r, "{\"a\":1}", NULL, true), ";1");
    ck_assert_uint_eq(rx_render_header(&r)->length, 0);
    rx_render_finish(&r);
}
END_TEST

START_TEST(a_message_of_csv_has_its_own_header)
{
    struct rx_render r = render_of(&csv);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(line_of(&r, "{\"a\":1,\"b\":2}", NULL, true), "a,b\n1,2");
        ck_assert_str_eq(line_of(&r, "{\"c\":3}", NULL, true), "c\n3");
        ck_assert_str_eq(line_of(&r, "{\"c\":null}", NULL, true), "c\n\"\"");
    }
    r.lines = true;
    ck_assert_str_eq(line_of(&r, "{\"c\":4}", NULL, true), "4");
    rx_render_finish(&r);
}
END_TEST

START_TEST(a_bare_value_is_written_beside_the_key_of_its_group)
{
    struct rx_render r = render_of(&csv), line = render_of(&influx);
    ck_assert_str_eq(line_of(&r, "7", "{\"room\":\"hall\"}", true), "room,value\nhall,7");
    ck_assert_str_eq(line_of(&line, "7.5", "{\"room\":\"hall\"}", false),
                     "averages,room=hall value=7.5 1700000000000000005");
    rx_render_finish(&r);
    rx_render_finish(&line);
}
END_TEST

/* InfluxDB. */

START_TEST(a_line_has_measurement_tags_fields_and_time)
{
    struct rx_render r = render_of(&influx);
    static const char *const cases[][3] = {
        {"{\"v\":21.5,\"ok\":true,\"s\":\"a \\\"b\\\" \\\\\"}", NULL,
         "averages v=21.5,ok=true,s=\"a \\\"b\\\" \\\\\" 1700000000000000005"},
        {"{\"v\":21}", NULL, "averages v=21 1700000000000000005"},
        {"{\"measurement\":\"my m,x\",\"v\":1}", NULL, "my\\ m\\,x v=1 1700000000000000005"},
        {"{\"room\":\"the hall\",\"n\":2.5,\"window\":{\"start\":\"a\"}}", "{\"room\":\"the hall\"}",
         "averages,room=the\\ hall n=2.5 1700000000000000005"},
        {"{\"k=1\":1,\"b\":null,\"l\":[1,2],\"o\":{\"x\":\"y\"}}", NULL,
         "averages k\\=1=1,l=\"[1,2]\",o=\"{\\\"x\\\":\\\"y\\\"}\" 1700000000000000005"},
        {"{\"s\":\"two\\nlines\"}", NULL, "averages s=\"two lines\" 1700000000000000005"},
        {"{\"room\":\"\",\"v\":1}", "{\"room\":\"\"}", "averages v=1 1700000000000000005"},
        {"{\"room\":\"a\\\\\",\"v\":1}", "{\"room\":\"a\"}", "averages,room=a v=1 1700000000000000005"},
        {"{\"room\":\"a\"}", "{\"room\":\"a\"}",
         "a line of influx needs a field that is no tag: a number, true, or a text"},
        {"{\"v\":null}", NULL, "a line of influx needs a field that is no tag: a number, true, or a text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(line_of(&r, cases[i][0], cases[i][1], false), cases[i][2]);
    rx_render_finish(&r);
}
END_TEST

START_TEST(tags_may_be_named)
{
    static const char *const tags[] = {"device", "unit"};
    struct rx_render_options options = {.format = RX_RENDER_INFLUX, .influx = {.tags = {tags, 2}}};
    struct rx_render r = render_of(&options);
    ck_assert_str_eq(line_of(&r, "{\"v\":1,\"unit\":\"C\",\"device\":7}", "{\"v\":1}", false),
                     "averages,unit=C,device=7 v=1 1700000000000000005");
    rx_render_finish(&r);
}
END_TEST

START_TEST(whole_numbers_of_expressions_are_integers_and_those_of_data_are_not)
{
    struct rx_render r = render_of(&influx);
    struct rx_object_builder b;
    rx_object_init(&b, h.heap);
    rx_object_put_take(&b, rx_string(h.heap, "n", 1), rx_int(3));
    rx_object_put_take(&b, rx_string(h.heap, "u", 1), rx_uint(4));
    rx_object_put_take(&b, rx_string(h.heap, "j", 1), rx_json_int(5));
    rx_object_put_take(&b, rx_string(h.heap, "time", 4), rx_timestamp(7));
    struct rx_event event = {.value = rx_object_finish(&b)};
    ck_assert_int_eq(rx_render_line(&r, &out, &event, &error), 0);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, "averages n=3i,u=4u,j=5 7");
    rx_event_unref(&event);
    rx_render_finish(&r);
}
END_TEST

/* A payload. */

START_TEST(a_payload_that_is_text_is_sent_as_it_is_and_an_object_in_the_format)
{
    struct rx_render r = render_of(&influx);
    struct rx_event event = {.value = rx_int(1)};
    struct rx_value object;
    ck_assert_int_eq(rx_json_decode(h.heap, NULL, NULL, "{\"a\":1}", 7, &object, NULL), 0);
    ck_assert_int_eq(rx_render_shaped(&r, &out, rx_string_static("as it is", 8), &event, &error), 0);
    ck_assert_int_eq(rx_render_shaped(&r, &out, object, &event, &error), 0);
    rx_buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, "as it isaverages a=1 0");
    rx_value_unref(object);
    rx_render_finish(&r);
}
END_TEST

/* Files. */

static const char *contents(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static void ignore_log(struct rx_site *site, int level, const char *message, const char *const *pairs)
{
    (void)site, (void)level, (void)message, (void)pairs;
}

START_TEST(each_csv_file_begins_with_its_header_which_is_no_event)
{
    char folder[] = "/tmp/rxd-test-XXXXXX", path[64], old[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.csv", folder);
    snprintf(old, sizeof old, "%s/old.csv", folder);
    h.site.log = ignore_log;
    struct rx_sink *sink = delivery_create(&h, &rx_sink_file, "path", path, "format", "csv", NULL);
    ck_assert_str_eq(contents(path), "");
    delivery_write(&h, sink, "{\"a\":1,\"b\":\"x\\ny\"}");
    delivery_write(&h, sink, "{\"b\":\"z\"}");
    ck_assert_int_eq(delivery_write(&h, sink, "{\"c\":1}"), -EINVAL);
    sink->class->flush(sink);
    ck_assert_str_eq(contents(path), "a,b\n1,\"x y\"\n,z\n");
    ck_assert_uint_eq(sink->out, 2);
    ck_assert_int_eq(rename(path, old), 0);
    delivery_write(&h, sink, "{\"a\":3,\"b\":4}");
    sink->class->flush(sink);
    ck_assert_str_eq(contents(path), "a,b\n3,4\n");
    ck_assert_uint_eq(sink->out, 3);
    delivery_destroy(sink);
    sink = delivery_create(&h, &rx_sink_file, "path", path, "format", "csv", NULL); /* goes on by the file's header */
    delivery_write(&h, sink, "{\"b\":6,\"a\":5}");
    sink->class->flush(sink);
    ck_assert_str_eq(contents(path), "a,b\n3,4\n5,6\n");
    delivery_destroy(sink);
    unlink(path);
    unlink(old);
    rmdir(folder);
}
END_TEST

START_TEST(options_of_another_format_are_refused)
{
    struct rx_render_options wrong = {.csv_given = true};
    ck_assert_int_eq(rx_render_check(&wrong, &error), -EINVAL);
    ck_assert_str_eq(error.message, "`csv` says how to write that format, and the format is another");
    wrong = (struct rx_render_options){.influx_given = true, .format = RX_RENDER_CSV};
    ck_assert_int_eq(rx_render_check(&wrong, &error), -EINVAL);
    ck_assert_str_eq(error.hint, "format: influx");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("render");
    TCase *t = tcase_create("render");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_columns_are_the_first_events_fields_and_the_header_names_them);
    tcase_add_test(t, columns_that_the_user_names_are_written_and_nothing_else);
    tcase_add_test(t, a_message_of_csv_has_its_own_header);
    tcase_add_test(t, a_bare_value_is_written_beside_the_key_of_its_group);
    tcase_add_test(t, a_line_has_measurement_tags_fields_and_time);
    tcase_add_test(t, tags_may_be_named);
    tcase_add_test(t, whole_numbers_of_expressions_are_integers_and_those_of_data_are_not);
    tcase_add_test(t, a_payload_that_is_text_is_sent_as_it_is_and_an_object_in_the_format);
    tcase_add_test(t, each_csv_file_begins_with_its_header_which_is_no_event);
    tcase_add_test(t, options_of_another_format_are_refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
