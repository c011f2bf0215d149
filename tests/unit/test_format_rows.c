/* Rows of CSV that are taken in one pass: what the reader makes of them, to the last flag. An empty line in front of a row is no
 * row, and sends it to the reader. */
#include "tests/unit/format_harness.h"

static uint64_t seed;

static unsigned pick(unsigned count)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % count;
}

static void same_value(struct rx_value a, struct rx_value b)
{
    ck_assert_int_eq(a.kind, b.kind);
    ck_assert_int_eq(a.flags, b.flags);
    if (a.kind == RX_RECORD) {
        ck_assert_ptr_eq(a.u.record->shape, b.u.record->shape);
        for (uint32_t i = 0; i < a.u.record->shape->count; i++)
            same_value(a.u.record->values[i], b.u.record->values[i]);
    } else {
        ck_assert(rx_value_equal(a, b));
        ck_assert(a.kind == RX_STRING || a.u.u == b.u.u);
    }
}

struct outcome {
    int r;
    struct rx_value value;
    struct rx_error error;
    size_t used;
};

static struct outcome read_next(struct rx_format_state *state, const char *text, size_t length, bool stream,
                                uint64_t max_piece)
{
    struct outcome outcome = {.value = rx_null()};
    char *exact = malloc(length);
    memcpy(exact, text, length);
    struct rx_format_cursor c = {
        .start = exact, .at = exact, .end = exact + length, .stream = stream, .max_piece = max_piece};
    outcome.r = state->class->next(state, &c, &outcome.value, &outcome.error);
    outcome.used = (size_t)(c.at - exact);
    free(exact);
    return outcome;
}

/* The first row of the text both ways; how long it is. */
static size_t compare_row(struct rx_format_state *state, const char *text, size_t length, bool stream,
                          unsigned *ret_good)
{
    uint64_t max_piece = pick(10) ? 0 : 12;
    struct outcome quick = read_next(state, text, length, stream, max_piece);
    char *behind_a_break = malloc(length + 1);
    behind_a_break[0] = '\n';
    memcpy(behind_a_break + 1, text, length);
    struct outcome slow = read_next(state, behind_a_break, length + 1, stream, max_piece ? max_piece + 1 : 0);
    free(behind_a_break);
    ck_assert_int_eq(quick.r, slow.r);
    ck_assert_uint_eq(quick.used, slow.used - 1);
    if (quick.r > 0)
        same_value(quick.value, slow.value);
    else if (quick.r < 0)
        ck_assert(max_piece || strcmp(quick.error.message, slow.error.message) == 0);
    rx_value_unref(quick.value);
    rx_value_unref(slow.value);
    *ret_good += quick.r > 0;
    return quick.used;
}

static const char *const cells[] = {
    "",
    "Hamburg",
    "12.0",
    "-3.5",
    "0",
    "-0",
    "007",
    "1e5",
    "true",
    "false",
    "-",
    "1.",
    "St. John's",
    "Zürich",
    "\xFF",
    "x y",
    " ",
    "1 ",
    "\"q\"",
    "\"a;b\"",
    "5\"",
    "+1",
    "2024-05-01",
    "12345678",
    "123456789012345",
    "1234567890123456789012",
    "a",
    "b",
    "c",
    "12:30",
    "\"\"",
    "nan",
    "9.99999999999999999",
    "1e999",
    "\t",
    "a\rb",
};

static size_t make_table(char *out, unsigned columns, char delimiter)
{
    char *at = out;
    for (unsigned row = 0; row < 12; row++) {
        unsigned count = pick(12) ? columns : 1 + pick(4);
        for (unsigned i = 0; i < count; i++) {
            const char *cell = cells[pick(3) ? pick(6) : pick(sizeof cells / sizeof *cells)];
            at += sprintf(at, "%s%.*s", cell, i + 1 < count, &delimiter);
        }
        at += sprintf(at, "%s", pick(6) ? "\n" : pick(3) ? "\r\n" : "\r");
    }
    return (size_t)(at - out);
}

static void compare_tables(const struct reading *how, struct rx_fields *fields, bool stream)
{
    char text[4096];
    struct rx_format_state *state = format_of(how);
    unsigned good = 0;
    state->fields = fields;
    for (unsigned round = 0; round < 2500; round++) {
        char delimiter = how->options.csv.delimiter ? *how->options.csv.delimiter : ',';
        size_t length = make_table(text, (unsigned)how->options.csv.header.count, delimiter), at = 0;
        length -= pick(3); /* the end of a row may be missing */
        while (at < length)
            at += compare_row(state, text + at, length - at, stream, &good);
    }
    ck_assert_uint_gt(good, 10000);
    rx_format_destroy(state);
}

START_TEST(rows_come_out_as_by_the_reader)
{
    static const char *names[] = {"a", "b", "c"};
    const struct reading three = {.format = RX_FORMAT_CSV,
                                  .options = {.csv = {.header = {names, 3}, .delimiter = ";"}}};
    const struct reading one = {.format = RX_FORMAT_CSV, .options = {.csv = {.header = {names, 1}}}};
    struct rx_fields *fields = rx_fields_create(heap);
    rx_fields_add(fields, "c", 1);
    for (unsigned stream = 0; stream < 2; stream++) {
        seed = 11;
        compare_tables(&three, NULL, stream);
        compare_tables(&three, fields, stream);
        compare_tables(&one, NULL, stream);
    }
    rx_fields_destroy(fields);
}
END_TEST

/* More columns than a shape has keys. */
START_TEST(a_wide_row_is_the_readers)
{
    static char storage[70][4];
    static const char *names[70];
    struct rx_buffer row = {0};
    for (int i = 0; i < 70; i++) {
        sprintf(storage[i], "k%d", i);
        names[i] = storage[i];
        rx_buffer_printf(&row, "%d%s", i, i < 69 ? "," : "\n");
    }
    const struct reading wide = {.format = RX_FORMAT_CSV, .options = {.csv = {.header = {names, 70}}}};
    struct rx_format_state *state = format_of(&wide);
    struct rx_value v;
    const char *at = row.data;
    ck_assert_uint_eq(state->class->lines(state, &at, row.data + row.length, 0, 1, &v), 0);
    struct outcome made = read_next(state, row.data, row.length, true, 0);
    ck_assert_int_eq(made.r, 1);
    ck_assert_int_eq(made.value.kind, RX_MAP);
    rx_value_unref(made.value);
    rx_buffer_finish(&row);
    rx_format_destroy(state);
}
END_TEST

static size_t take_lines(struct rx_format_state *state, const char *lines, uint64_t longest, size_t *ret_used)
{
    size_t length = strlen(lines);
    struct rx_value values[4];
    char *exact = malloc(length);
    memcpy(exact, lines, length);
    const char *at = exact;
    size_t taken = state->class->lines(state, &at, exact + length, longest, 4, values);
    *ret_used = (size_t)(at - exact);
    for (size_t i = 0; i < taken; i++)
        rx_value_unref(values[i]);
    free(exact);
    return taken;
}

START_TEST(plain_lines_are_taken_at_a_glance_and_no_others)
{
    static const struct {
        const char *lines;
        size_t taken, used;
    } cases[] = {
        {"Hamburg;12.0\n", 1, 13},
        {"Hamburg;12.0\nx;1\ny", 2, 17},
        {";1\n", 1, 3},
        {"Z\xC3\xBCrich;1\n", 1, 10},
        {"1;\n", 1, 3},
        {" x;1\n", 0, 0},
        {"\n", 0, 0},
        {"x;y\n", 0, 0},
        {"x;1;2\n", 0, 0},
        {"1\n", 0, 0},
        {"\"x\";1\n", 0, 0},
        {"\xFF;1\n", 0, 0},
        {"\xEF\xBB\xBFx;1\n", 0, 0},
        {"x\r;1\n", 0, 0},
        {"1;\"\n", 0, 0},
        {"\r\n", 0, 0},
        {"x;1\r\n", 0, 0},
        {"x;1", 0, 0},
        {"1;1\n1;1\n1;1\n1;1\n1;1\n", 4, 16},
        {"1;12345678901\n", 0, 0},
    };
    static const char *names[] = {"a", "b"};
    const struct reading two = {.format = RX_FORMAT_CSV, .options = {.csv = {.header = {names, 2}, .delimiter = ";"}}};
    struct rx_format_state *state = format_of(&two);
    size_t used;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(take_lines(state, cases[i].lines, 12, &used) == cases[i].taken, "%s", cases[i].lines);
        ck_assert_uint_eq(used, cases[i].used);
    }
    rx_format_destroy(state);
    const struct reading headed = {.format = RX_FORMAT_CSV};
    state = format_of(&headed);
    ck_assert_uint_eq(take_lines(state, "a,1\n", 0, &used), 0); /* the header */
    rx_format_destroy(state);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("format_rows");
    TCase *tests = tcase_create("format_rows");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, rows_come_out_as_by_the_reader);
    tcase_add_test(tests, a_wide_row_is_the_readers);
    tcase_add_test(tests, plain_lines_are_taken_at_a_glance_and_no_others);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
