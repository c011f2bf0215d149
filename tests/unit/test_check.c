// layer: daemon
/* What `rxd check` says: typical mistakes, each with its place and a hint that says what to type. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/command.h"

const struct rx_command rx_commands[] = {{0}};

/* A copy of the text up to `stop` (or the end), which is passed too. */
static char *take(const char **rest, const char *stop)
{
    const char *end = strstr(*rest, stop);
    size_t length = end ? (size_t)(end - *rest) : strlen(*rest);
    char *taken = strndup(*rest, length);
    ck_assert_ptr_nonnull(taken);
    *rest += length + (end ? strlen(stop) : 0);
    return taken;
}

static char *read_golden(void)
{
    FILE *file = fopen("tests/unit/config_mistakes.txt", "r");
    ck_assert_ptr_nonnull(file);
    char *text = calloc(1, 1 << 18);
    ck_assert_uint_gt(fread(text, 1, (1 << 18) - 1, file), 0);
    fclose(file);
    return text;
}

/* A config with nothing but notes is accepted. */
static bool check_golden(const char *title, const char *text, const char *expected)
{
    struct rx_diagnostics *diagnostics = rx_diagnostics_create();
    struct rx_loaded loaded;
    struct rx_buffer said = {0};
    int r = rx_load_text(text, "rxd.yaml", &(struct rx_load_options){.outside = true}, diagnostics, &loaded);
    rx_diagnostics_render(diagnostics, &said);
    rx_buffer_append(&said, "", 1);
    bool right = strcmp(said.data, expected) == 0 && (r < 0) == (rx_diagnostics_count(diagnostics) > 0);
    if (getenv("RXD_GOLDEN_PRINT"))
        printf("=== %s\n%s>>>\n%s", title, text, said.data);
    else if (!right)
        printf("%s: %d\n%s\nexpected:\n%s", title, r, said.data, expected);
    rx_unload(&loaded);
    rx_buffer_finish(&said);
    rx_diagnostics_destroy(diagnostics);
    return right;
}

/* config_mistakes.txt holds blocks of "=== title", a config, ">>>", what rxd says. To look at new messages:
 * RXD_GOLDEN_PRINT=1 prints the file as it would be. */
START_TEST(typical_mistakes_are_explained)
{
    unsetenv("RXD_TEST_UNSET");
    char *all = read_golden();
    const char *rest = all + strlen("=== ");
    int wrong = 0;
    while (*rest) {
        char *title = take(&rest, "\n"), *text = take(&rest, ">>>\n"), *expected = take(&rest, "=== ");
        wrong += !check_golden(title, text, expected);
        free(title);
        free(text);
        free(expected);
    }
    free(all);
    ck_assert(wrong == 0 || getenv("RXD_GOLDEN_PRINT"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check");
    TCase *tests = tcase_create("check");
    tcase_add_test(tests, typical_mistakes_are_explained);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
