/* What `rxd test` tells. TAP: testanything.org, version 14. JUnit: the schema that Ant's reports have. */
#include "daemon/test_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/utf8.h"
#include "core/json/json.h"
#include "daemon/command.h"

/* Each line of a text, behind an indentation. */
static void print_lines(const char *indent, const struct rx_buffer *text)
{
    const char *line = text->data, *end = text->data + text->length;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((newline ? newline : end) - line);
        printf("%s%.*s\n", indent, (int)n, line);
        line += n + 1;
    }
}

static size_t number(const struct test_report *r) { return r->passed + r->failed + r->fresh + r->bad; }

/* ---- TAP ---- */

/* `#` would begin a directive, a line end the next line. */
static void print_tap_name(const char *name)
{
    for (; *name; name++) {
        if (*name == '#' || *name == '\\')
            putchar('\\');
        putchar(*name == '\n' || *name == '\r' ? ' ' : *name);
    }
    putchar('\n');
}

static void tap_line(const struct test_report *r, bool passed, const char *name)
{
    printf("%s %zu - ", passed ? "ok" : "not ok", number(r));
    print_tap_name(name);
}

static void print_tap_place(const char *path, unsigned line)
{
    struct rx_buffer place = {0}, quoted = {0};
    rx_buffer_printf(&place, "%s:%u", path, line);
    rx_json_write_string(&quoted, place.data ? place.data : "", place.length);
    printf("  ---\n  at: %.*s\n  message: |\n", (int)quoted.length, quoted.data ? quoted.data : "");
    rx_buffer_finish(&place);
    rx_buffer_finish(&quoted);
}

static void tap_test(const struct test_report *r, const struct rx_test_file *f, const struct rx_test *t,
                     const struct rx_test_result *result)
{
    bool good = result->passed || r->updating;
    tap_line(r, good, t->name->text);
    if (good)
        return;
    print_tap_place(f->path, t->name->at.line);
    print_lines("    ", &result->report);
    puts("  ...");
}

/* ---- XML ---- */

/* Characters that XML has no way to write become U+FFFD. */
static void write_xml(struct rx_buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t n = rx_utf8_next(text + i, length - i);
        unsigned char c = (unsigned char)text[i];
        bool control = n == 1 && c < ' ' && !strchr("\n\t", c);
        if (n == 0 || control)
            rx_buffer_text(out, "\xEF\xBF\xBD");
        else if (n == 1 && strchr("<>&\"", c))
            rx_buffer_text(out, c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : "&quot;");
        else
            rx_buffer_append(out, text + i, n);
        i += n ? n : 1;
    }
}

static void write_attribute(struct rx_buffer *out, const char *name, const char *value)
{
    rx_buffer_printf(out, " %s=\"", name);
    write_xml(out, value, strlen(value));
    rx_buffer_text(out, "\"");
}

static void begin_case(struct test_report *r, const char *path, const char *name, double seconds)
{
    r->suite_tests++;
    r->suite_seconds += seconds;
    rx_buffer_text(&r->cases, "    <testcase");
    write_attribute(&r->cases, "name", name);
    write_attribute(&r->cases, "classname", path);
    rx_buffer_printf(&r->cases, " time=\"%.6f\"", seconds);
}

static void junit_test(struct test_report *r, const struct rx_test_file *f, const struct rx_test *t,
                       const struct rx_test_result *result, double seconds)
{
    const char *report = result->report.data ? result->report.data : "";
    begin_case(r, f->path, t->name->text, seconds);
    if (result->passed || r->updating) {
        rx_buffer_text(&r->cases, "/>\n");
        return;
    }
    r->suite_failures++;
    rx_buffer_printf(&r->cases, ">\n      <failure type=\"difference\"");
    write_attribute(&r->cases, "message", "what came is not what is expected");
    rx_buffer_text(&r->cases, ">");
    write_xml(&r->cases, f->path, strlen(f->path));
    rx_buffer_printf(&r->cases, ":%u\n", t->name->at.line);
    write_xml(&r->cases, report, result->report.length);
    rx_buffer_text(&r->cases, "</failure>\n    </testcase>\n");
}

static void junit_bad(struct test_report *r, const char *path, const char *name)
{
    r->suite_errors++;
    begin_case(r, path, name ? name : path, 0);
    rx_buffer_text(&r->cases,
                   ">\n      <error type=\"mistake\" message=\"it could not be run\"></error>\n    </testcase>\n");
}

static void end_suite(struct test_report *r, const char *path)
{
    char host[256] = "";
    bool known = gethostname(host, sizeof host - 1) == 0 && host[0];
    rx_buffer_text(&r->suites, "  <testsuite");
    write_attribute(&r->suites, "name", path);
    write_attribute(&r->suites, "package", path);
    write_attribute(&r->suites, "hostname", known ? host : "localhost");
    rx_buffer_printf(
        &r->suites, " id=\"%zu\" timestamp=\"%s\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.6f\">\n",
        r->suite_count++, r->suite_began, r->suite_tests, r->suite_failures, r->suite_errors, r->suite_seconds);
    rx_buffer_text(&r->suites, "    <properties/>\n");
    if (r->cases.length)
        rx_buffer_append(&r->suites, r->cases.data, r->cases.length);
    rx_buffer_text(&r->suites, "    <system-out/>\n    <system-err/>\n  </testsuite>\n");
    rx_buffer_clear(&r->cases);
}

static int write_junit(const struct test_report *r)
{
    FILE *file = fopen(r->junit, "w");
    bool whole = file && !r->suites.failed && !r->cases.failed;
    if (whole) {
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", file);
        fwrite(r->suites.data ? r->suites.data : "", 1, r->suites.length, file);
        fputs("</testsuites>\n", file);
        whole = !ferror(file);
    }
    if (file && fclose(file) != 0)
        whole = false;
    if (!whole)
        fprintf(stderr, "rxd: cannot write %s: %s\n", r->junit, strerror(errno));
    return whole ? 0 : 1;
}

/* ---- all of them ---- */

void test_report_begin(struct test_report *r)
{
    if (r->tap)
        puts("TAP version 14");
}

void test_report_begin_file(struct test_report *r, const char *path)
{
    time_t now = time(NULL);
    struct tm utc;
    r->suite_tests = r->suite_failures = r->suite_errors = 0;
    r->suite_seconds = 0;
    strftime(r->suite_began, sizeof r->suite_began, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &utc));
    if (r->tap) {
        fputs("# ", stdout);
        print_tap_name(path);
    }
}

static void print_test(const struct test_report *r, const struct rx_test_file *f, const struct rx_test *t,
                       const struct rx_test_result *result)
{
    printf("%-4s %s\n", result->passed ? "ok" : r->updating ? "new" : "FAIL", t->name->text);
    if (result->passed || r->updating)
        return;
    printf("     %s:%u:%u\n", f->path, t->name->at.line, t->name->at.column);
    print_lines("     ", &result->report);
}

void test_report_test(struct test_report *r, const struct rx_test_file *f, const struct rx_test *t,
                      const struct rx_test_result *result, double seconds)
{
    r->passed += result->passed;
    r->failed += !result->passed && !r->updating;
    r->fresh += !result->passed && r->updating;
    if (r->tap)
        tap_test(r, f, t, result);
    else
        print_test(r, f, t, result);
    fflush(stdout); /* the next one may take long */
    if (r->junit)
        junit_test(r, f, t, result, seconds);
}

void test_report_bad(struct test_report *r, const char *path, const char *name)
{
    r->bad++;
    if (r->tap)
        tap_line(r, false, name ? name : path);
    if (r->junit)
        junit_bad(r, path, name);
}

void test_report_end_file(struct test_report *r, const char *path)
{
    if (r->junit)
        end_suite(r, path);
}

int test_report_end(struct test_report *r)
{
    size_t n = r->passed + r->failed + r->fresh;
    int status = r->bad ? RX_EXIT_CONFIG : r->failed > 0 || n == 0;
    if (r->tap)
        printf("1..%zu\n", number(r));
    else
        printf("%s%zu %s, %zu passed, %zu %s\n", n ? "\n" : "", n, n == 1 ? "test" : "tests", r->passed,
               r->updating ? r->fresh : r->failed, r->updating ? "new" : "failed");
    if (number(r) == 0)
        fputs("rxd: no test has run\n", stderr);
    if (r->junit && write_junit(r) != 0 && status == 0)
        status = 1;
    rx_buffer_finish(&r->cases);
    rx_buffer_finish(&r->suites);
    if (fflush(stdout) != 0)
        return 1;
    return status;
}
