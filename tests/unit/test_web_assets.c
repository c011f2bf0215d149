// layer: web
/* The embedded page: it is at the root, and every file that it asks for is there. */
#include "web/assets.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool holds(const struct rx_web_asset *asset, const char *text)
{
    return memmem(asset->data, asset->size, text, strlen(text)) != NULL;
}

/* Finds the next reference, opened by `opening` ("from \"." in a module), and copies its path up to the quote. */
static const char *next_path(const char *text, const char *end, const char *opening, char path[static 64])
{
    const char *at = memmem(text, (size_t)(end - text), opening, strlen(opening));
    if (!at)
        return NULL;
    at += strlen(opening);
    snprintf(path, 64, "%.*s", (int)strcspn(at, "\""), at);
    return at;
}

static size_t check_paths(const struct rx_web_asset *asset, const char *opening)
{
    size_t count = 0;
    char path[64];
    const char *text = (const char *)asset->data, *end = text + asset->size;
    for (; (text = next_path(text, end, opening, path)); count++)
        ck_assert_msg(rx_web_find(path), "%s asks for %s", asset->path, path);
    return count;
}

START_TEST(the_page_is_at_the_root)
{
    const struct rx_web_asset *page = rx_web_find("/");
    ck_assert_ptr_nonnull(page);
    ck_assert_str_eq(page->type, "text/html; charset=utf-8");
    ck_assert(holds(page, "<title>rxd</title>"));
}
END_TEST

START_TEST(an_unknown_path_finds_nothing)
{
    ck_assert_ptr_null(rx_web_find("/index"));
    ck_assert_ptr_null(rx_web_find(""));
    ck_assert_ptr_null(rx_web_find("/../etc/passwd"));
}
END_TEST

START_TEST(what_the_page_asks_for_is_embedded)
{
    const struct rx_web_asset *page = rx_web_find("/");
    ck_assert_uint_ge(check_paths(page, "src=\""), 2);
    ck_assert_uint_ge(check_paths(page, "rel=\"stylesheet\" href=\""), 2);
    size_t imports = 0;
    for (size_t i = 0; i < rx_web_asset_count; i++)
        imports += check_paths(&rx_web_assets[i], " from \".");
    ck_assert_uint_ge(imports, 3);
}
END_TEST

START_TEST(each_file_has_a_quoted_tag_of_its_own)
{
    for (size_t i = 0; i < rx_web_asset_count; i++) {
        ck_assert_uint_eq(strlen(rx_web_assets[i].etag), 18);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(rx_web_assets[i].etag, rx_web_assets[j].etag);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web_assets");
    TCase *t = tcase_create("web_assets");
    suite_add_tcase(suite, t);
    tcase_add_test(t, the_page_is_at_the_root);
    tcase_add_test(t, an_unknown_path_finds_nothing);
    tcase_add_test(t, what_the_page_asks_for_is_embedded);
    tcase_add_test(t, each_file_has_a_quoted_tag_of_its_own);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
