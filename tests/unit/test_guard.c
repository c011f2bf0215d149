// layer: io
/* Which addresses are private. */
#include <check.h>

#include "core/io/client/guard.h"

static const char *const private[] = {
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "3fff:fff::1",
    "2001:0:1::1",
    "64:ff9b:1::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:c0a8:1::1",
    "fec0::1",
    "5f00::1",
    "no address",
    "127.1",
    "",
};
static const char *const public[] = {
    "1.1.1.1",        "8.8.8.8",          "100.63.255.255",  "100.128.0.1",   "172.15.0.1",      "172.32.0.1",
    "192.0.1.1",      "198.17.0.1",       "198.20.0.1",      "223.255.255.1", "2606:4700::1111", "2a00:1450:4001::1",
    "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "3ffe::1",       "3fff:1000::1",
};

START_TEST(these_are_private) { ck_assert_msg(rx_guard_is_private_text(private[_i]), "%s", private[_i]); }
END_TEST

START_TEST(these_are_public) { ck_assert_msg(!rx_guard_is_private_text(public[_i]), "%s", public[_i]); }
END_TEST

int main(void)
{
    Suite *suite = suite_create("guard");
    TCase *t = tcase_create("guard");
    suite_add_tcase(suite, t);
    tcase_add_loop_test(t, these_are_private, 0, (int)(sizeof private / sizeof *private));
    tcase_add_loop_test(t, these_are_public, 0, (int)(sizeof public / sizeof *public));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
