// layer: core/base
/* SHA-1 against the examples of FIPS 180 and RFC 6455, and lengths around the ends of blocks. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "core/base/sha1.h"

static void expect(const char *text, size_t length, const char *hex)
{
    unsigned char digest[RX_SHA1_LENGTH];
    char got[2 * RX_SHA1_LENGTH + 1];
    rx_sha1(text, length, digest);
    for (size_t i = 0; i < RX_SHA1_LENGTH; i++)
        snprintf(got + 2 * i, 3, "%02x", digest[i]);
    ck_assert_str_eq(got, hex);
}

START_TEST(the_examples_of_the_standards)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    expect("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect(two, strlen(two), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    expect(key, strlen(key), "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
}
END_TEST

START_TEST(lengths_around_the_ends_of_blocks)
{
    char text[RX_SHA1_MAX];
    memset(text, 'a', sizeof text);
    expect(text, 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    expect(text, 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    expect(text, 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    expect(text, RX_SHA1_MAX, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha1");
    TCase *c = tcase_create("sha1");
    tcase_add_test(c, the_examples_of_the_standards);
    tcase_add_test(c, lengths_around_the_ends_of_blocks);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
