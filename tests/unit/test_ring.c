// layer: io
/* The ring: order, bounds, and nothing lost or torn between two threads. */
#include "core/base/ring.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

START_TEST(messages_come_out_in_the_order_they_went_in)
{
    struct rx_ring *ring = rx_ring_create(8);
    struct rx_message m;
    for (uint64_t round = 0; round < 100; round++) {
        for (uint64_t i = 0; i < 5; i++)
            ck_assert(rx_ring_push(ring, &(struct rx_message){.type = 7, .a = round, .b = i}));
        ck_assert_uint_eq(rx_ring_length(ring), 5);
        for (uint64_t i = 0; i < 5; i++) {
            ck_assert(rx_ring_pop(ring, &m));
            ck_assert(m.type == 7 && m.a == round && m.b == i);
        }
        ck_assert(!rx_ring_pop(ring, &m));
    }
    rx_ring_destroy(ring, NULL);
}
END_TEST

START_TEST(a_full_ring_refuses_and_keeps_what_it_has)
{
    struct rx_ring *ring = rx_ring_create(5);
    struct rx_message m = {0};
    for (uint32_t i = 0; i < 8; i++) { /* rounded up to a power of two */
        m.number = i;
        ck_assert(rx_ring_push(ring, &m));
    }
    ck_assert(!rx_ring_push(ring, &m));
    ck_assert_uint_eq(rx_ring_length(ring), 8);
    ck_assert(rx_ring_pop(ring, &m) && m.number == 0);
    ck_assert(rx_ring_push(ring, &(struct rx_message){.number = 8}));
    for (uint32_t i = 1; i <= 8; i++)
        ck_assert(rx_ring_pop(ring, &m) && m.number == i);
    rx_ring_destroy(ring, NULL);
}
END_TEST

static int dropped;
static void drop(struct rx_message *m)
{
    free(m->pointer);
    dropped++;
}

START_TEST(messages_left_are_dropped_once_each)
{
    struct rx_ring *ring = rx_ring_create(4);
    for (int i = 0; i < 3; i++)
        ck_assert(rx_ring_push(ring, &(struct rx_message){.pointer = malloc(16)}));
    rx_ring_destroy(ring, drop);
    ck_assert_int_eq(dropped, 3);
    rx_ring_destroy(NULL, drop);
}
END_TEST

enum { CROSSINGS = 200000 };

static void *produce(void *arg)
{
    for (uint64_t i = 0; i < CROSSINGS; i++) {
        struct rx_message m = {.type = (uint32_t)i, .number = (uint32_t)(i * 3), .a = i, .b = ~i};
        while (!rx_ring_push(arg, &m))
            sched_yield();
    }
    return NULL;
}

START_TEST(nothing_is_lost_or_torn_between_two_threads)
{
    struct rx_ring *ring = rx_ring_create(64);
    pthread_t producer;
    struct rx_message m;
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, ring), 0);
    for (uint64_t i = 0; i < CROSSINGS; i++) {
        while (!rx_ring_pop(ring, &m))
            sched_yield();
        ck_assert(m.a == i && m.b == ~i && m.type == (uint32_t)i && m.number == (uint32_t)(i * 3));
        ck_assert_uint_le(rx_ring_length(ring), 64);
    }
    pthread_join(producer, NULL);
    ck_assert(!rx_ring_pop(ring, &m));
    rx_ring_destroy(ring, NULL);
}
END_TEST

START_TEST(an_impossible_capacity_is_refused) { ck_assert_ptr_null(rx_ring_create(SIZE_MAX)); }
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *t = tcase_create("ring");
    suite_add_tcase(suite, t);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, messages_come_out_in_the_order_they_went_in);
    tcase_add_test(t, a_full_ring_refuses_and_keeps_what_it_has);
    tcase_add_test(t, messages_left_are_dropped_once_each);
    tcase_add_test(t, nothing_is_lost_or_torn_between_two_threads);
    tcase_add_test(t, an_impossible_capacity_is_refused);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
