// layer: pipelines
/* Marble diagrams are read as RxJS's TestScheduler reads them; what is ours beyond them, and what is refused. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "pipelines/run/marble.h"

static int write_marble(void *arg, const struct rx_marble *m)
{
    struct rx_buffer *out = arg;
    static const char kinds[] = {[RX_MARBLE_VALUE] = 'N', [RX_MARBLE_COMPLETE] = 'C', [RX_MARBLE_ERROR] = 'E',
                                 [RX_MARBLE_WORD] = 'W',  [RX_MARBLE_ZERO] = '^',     [RX_MARBLE_LEAVE] = '!'};
    bool named = m->kind == RX_MARBLE_VALUE || m->kind == RX_MARBLE_WORD;
    if (m->kind != RX_MARBLE_ZERO)
        rx_buffer_printf(out, "%s%lld%c%.*s", out->length ? " " : "", (long long)(m->at / RX_MSEC), kinds[m->kind],
                         named ? (int)m->length : 0, m->text);
    return 0;
}

/* With a frame of 1 ms, as in RxJS's run mode. */
static void reads(const char *diagram, const char *want)
{
    struct rx_buffer out = {0};
    struct rx_error error = {0};
    int r = rx_marble_parse(diagram, strlen(diagram), RX_MSEC, write_marble, &out, &error);
    ck_assert_msg(r == 0, "%s: %s", diagram, error.message);
    rx_buffer_append(&out, "", 1);
    ck_assert_msg(strcmp(out.length > 1 ? out.data : "nothing", want) == 0, "\"%s\" gives %s, not %s", diagram,
                  out.data, want);
    rx_buffer_finish(&out);
}

/* marbles_of_rxjs.txt: random diagrams, a tab, and what TestScheduler.parseMarbles of RxJS 7.8.2 makes of them in run mode. */
START_TEST(test_as_rxjs)
{
    char line[1024];
    size_t n = 0;
    FILE *file = fopen("tests/unit/marbles_of_rxjs.txt", "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file)) {
        char *tab = strchr(line, '\t'), *end = strchr(line, '\n');
        ck_assert(tab && end);
        *tab = *end = '\0';
        reads(line, tab + 1);
        n++;
    }
    fclose(file);
    ck_assert_uint_eq(n, 400);
}
END_TEST

START_TEST(test_ours)
{
    reads("-[restart]-a", "1Wrestart 3Na");
    reads("a 1h b 2d c", "0Na 3600001Nb 176400002Nc");
    reads("a 1m30s b", "0Na 90001Nb");
    reads("a\n  -b", "0Na 2Nb");
    reads("a 1m", "0Na");
    reads("äb€", "0Nä 1Nb 2N€");
    reads("1m", "nothing");
    reads("x1m", "0Nx 1N1 2Nm");
    reads("--!", "2!");
    reads("ab--^-(cd)-|", "-4Na -3Nb 2Nc 2Nd 7C");
}
END_TEST

static void refuses(const char *diagram, size_t offset, const char *says)
{
    struct rx_buffer out = {0};
    struct rx_error error = {0};
    ck_assert_msg(rx_marble_parse(diagram, strlen(diagram), RX_MSEC, write_marble, &out, &error) == -EINVAL, "%s",
                  diagram);
    ck_assert_msg(strstr(error.message, says), "%s: %s", diagram, error.message);
    ck_assert_uint_eq(error.at.offset, offset);
    rx_buffer_finish(&out);
}

START_TEST(test_refused)
{
    refuses("-(ab", 1, "not closed");
    refuses("-a)", 2, "closes no group");
    refuses("(a(b))", 2, "a group inside a group");
    refuses("(a 1m b)", 3, "no time passes in a group");
    refuses("a[restart", 1, "`[` is not closed");
    refuses("-a\x80", 2, "this is no character");
    refuses("-a\x01", 2, "this is no character");
    refuses("-^-^", 0, "once");
    refuses("a 101000d", 2, "100 years");
    refuses("a 99999999999999999999d", 2, "100 years");
    refuses("20000d 20000d", 7, "100 years");
}
END_TEST

static int stop(void *arg, const struct rx_marble *m)
{
    (void)m;
    ++*(int *)arg;
    return -ENOMEM;
}

START_TEST(test_an_answer_ends_it)
{
    int calls = 0;
    ck_assert_int_eq(rx_marble_parse("-abc", 4, RX_MSEC, stop, &calls, NULL), -ENOMEM);
    ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(test_limit)
{
    char *text = malloc(RX_MARBLE_BYTES_MAX + 1);
    struct rx_error error = {0};
    int calls = 0;
    ck_assert_ptr_nonnull(text);
    memset(text, '-', RX_MARBLE_BYTES_MAX + 1);
    ck_assert_int_eq(rx_marble_parse(text, RX_MARBLE_BYTES_MAX, RX_MSEC, stop, &calls, &error), 0);
    ck_assert_int_eq(rx_marble_parse(text, RX_MARBLE_BYTES_MAX + 1, RX_MSEC, stop, &calls, &error), -EINVAL);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marble");
    TCase *all = tcase_create("all");
    tcase_add_test(all, test_as_rxjs);
    tcase_add_test(all, test_ours);
    tcase_add_test(all, test_refused);
    tcase_add_test(all, test_an_answer_ends_it);
    tcase_add_test(all, test_limit);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
