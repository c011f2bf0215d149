// layer: mqtt
/* How much waits for a source that is paused or away, and for how long: past each bound something is given up, and counted. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/mqtt/mqtt_private.h"

static struct rx_broker broker;
static struct rx_broker_options options;
static struct rx_subscriber subscriber;

static void set_up(void)
{
    broker = (struct rx_broker){.sched = rx_sched_create(0), .options = &options};
    subscriber = (struct rx_subscriber){0};
}

static void tear_down(void)
{
    rx_park_finish(&broker);
    ck_assert_uint_eq(broker.parked_count, 0);
    ck_assert_uint_eq(broker.parked_bytes, 0);
    rx_sched_destroy(broker.sched);
}

static void park(uint64_t position, const char *payload, size_t length, struct rx_subscriber *owner)
{
    struct rx_mqtt_message m = {
        .topic = "t", .topic_length = 1, .payload = payload, .length = length, .position = position, .qos = 1};
    rx_park(&broker, &m, owner);
}

START_TEST(so_many_wait_for_a_source_that_is_paused)
{
    enum { MOST = 65535 };
    for (uint64_t n = 1; n <= MOST; n++)
        park(n, "x", 1, &subscriber);
    ck_assert_uint_eq(broker.status.parked_dropped, 0);
    park(MOST + 1, "x", 1, &subscriber);
    ck_assert_uint_eq(broker.status.parked_dropped, 1);
    ck_assert_uint_eq(broker.parked_count, MOST);
    ck_assert_uint_eq(subscriber.parked, MOST);
    ck_assert_uint_eq(rx_park_floor(&broker), 0);
    ck_assert_uint_eq(broker.status.unclaimed, 0);
}
END_TEST

START_TEST(so_many_bytes_wait)
{
    enum { MEBIBYTE = 1 << 20 };
    char *payload = calloc(1, MEBIBYTE);
    for (uint64_t n = 1; n <= 64;
         n++) /* a little more each, with what holds them: the last stays below only as it begins */
        park(n, payload, MEBIBYTE, &subscriber);
    ck_assert_uint_eq(broker.status.parked_dropped, 0);
    ck_assert_uint_ge(broker.parked_bytes, 64u * MEBIBYTE);
    park(65, "x", 1, &subscriber);
    ck_assert_uint_eq(broker.status.parked_dropped, 1);
    ck_assert_uint_eq(broker.parked_count, 64);
    free(payload);
}
END_TEST

/* While another source runs, whose answers wait for these. */
START_TEST(so_many_wait_for_a_source_that_may_come_back)
{
    enum { MOST = 1000 };
    broker.subscribers = &subscriber;
    for (uint64_t n = 1; n <= MOST; n++)
        park(n, "x", 1, NULL);
    ck_assert_uint_eq(rx_park_floor(&broker), 0);
    ck_assert_uint_eq(broker.status.unclaimed, 0);
    park(MOST + 1, "x", 1, NULL);
    ck_assert_uint_eq(rx_park_floor(&broker), 1);
    ck_assert_uint_eq(broker.status.unclaimed, 1);
    ck_assert_str_eq(broker.unclaimed_topic, "t");
    rx_sched_run_until(broker.sched, 30 * RX_SEC, true);
    ck_assert_uint_eq(rx_park_floor(&broker), UINT64_MAX); /* their patience is over */
    ck_assert_uint_eq(broker.status.unclaimed, MOST + 1);
}
END_TEST

START_TEST(without_another_source_they_wait_for_as_long_as_it_takes)
{
    for (uint64_t n = 1; n <= 1001; n++)
        park(n, "x", 1, NULL);
    rx_sched_run_until(broker.sched, 3600 * RX_SEC, true);
    ck_assert_uint_eq(rx_park_floor(&broker), 0);
    ck_assert_uint_eq(broker.parked_count, 1001);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_park");
    TCase *t = tcase_create("mqtt_park");
    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, so_many_wait_for_a_source_that_is_paused);
    tcase_add_test(t, so_many_bytes_wait);
    tcase_add_test(t, so_many_wait_for_a_source_that_may_come_back);
    tcase_add_test(t, without_another_source_they_wait_for_as_long_as_it_takes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
