/* The heap: accounting, limits, release of anything in constant stack. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/value/record.h"

static struct rx_heap *heap;

static void set_up(void) { heap = rx_heap_create(NULL); }

static void tear_down(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    ck_assert_uint_eq(rx_heap_live_bytes(heap), 0);
    rx_heap_destroy(heap);
}

START_TEST(blocks_are_aligned_and_counted)
{
    struct rx_block *blocks[300];
    for (size_t i = 0; i < 300; i++) {
        blocks[i] = rx_block_alloc(heap, i * 17, RX_CONTENT_LEAF);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)rx_block_data(blocks[i]) % 16, 0);
        memset(rx_block_data(blocks[i]), (int)i, i * 17);
    }
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 300);
    for (size_t i = 0; i < 300; i++) {
        const unsigned char *data = rx_block_data(blocks[i]);
        for (size_t j = 0; j < i * 17; j++)
            ck_assert_uint_eq(data[j], (unsigned char)i);
        rx_block_unref(blocks[i]);
    }
}
END_TEST

START_TEST(random_churn_keeps_every_block_whole)
{
    enum { SLOTS = 2000, ROUNDS = 20000 };
    static struct rx_value held[SLOTS];
    uint64_t seed = 42;
    for (size_t i = 0; i < ROUNDS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct rx_value *slot = &held[(seed >> 33) % SLOTS];
        char text[300];
        size_t length = 1 + (seed >> 20) % sizeof text;
        memset(text, (int)('a' + slot - held), length);
        for (uint32_t j = 0; slot->kind == RX_STRING && j < slot->aux; j++)
            ck_assert_int_eq(slot->u.text[j], (char)('a' + slot - held));
        rx_value_unref(*slot);
        *slot = i % 3 ? rx_string(heap, text, length) : rx_null();
    }
    for (size_t i = 0; i < SLOTS; i++)
        rx_value_unref(held[i]);
}
END_TEST

START_TEST(the_limit_fails_allocations_and_says_so)
{
    struct rx_heap *small = rx_heap_create(&(struct rx_heap_limits){.max_bytes = 1000});
    ck_assert(!rx_heap_failed(small));
    struct rx_block *block = rx_block_alloc(small, 500, RX_CONTENT_LEAF);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(rx_block_alloc(small, 600, RX_CONTENT_LEAF));
    ck_assert(rx_heap_failed(small));
    ck_assert(!rx_heap_failed(small));
    rx_block_unref(block);
    block = rx_block_alloc(small, 600, RX_CONTENT_LEAF);
    ck_assert_ptr_nonnull(block);
    rx_block_unref(block);
    rx_heap_destroy(small);
}
END_TEST

START_TEST(a_million_levels_are_released_in_constant_stack)
{
    struct rx_value value = rx_int(1);
    for (size_t i = 0; i < 1000000; i++)
        value = i % 2 ? rx_list_take(heap, &value, 1) : rx_optional_take(heap, value);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 1000000);
    rx_value_unref(value);
}
END_TEST

START_TEST(a_shared_child_outlives_its_parents)
{
    struct rx_value text = rx_string(heap, "shared", 6);
    struct rx_value items[2] = {rx_value_ref(text), rx_value_ref(text)};
    struct rx_value list = rx_list_take(heap, items, 2);
    rx_value_unref(list);
    ck_assert_uint_eq(rx_value_block(text)->refs, 1);
    ck_assert_mem_eq(text.u.text, "shared", 6);
    rx_value_unref(text);
}
END_TEST

START_TEST(an_object_out_of_reach_of_its_header_is_refused)
{
    struct rx_block *block = rx_block_alloc(heap, 3 << 20, RX_CONTENT_LEAF);
    char *data = rx_block_data(block);
    ck_assert_int_eq(rx_block_value(block, RX_STRING, data + (1 << 20) - 17, 4).kind, RX_STRING);
    ck_assert_int_eq(rx_block_value(block, RX_STRING, data + (2 << 20), 4).kind, RX_NULL);
    struct rx_value odd = rx_block_value(block, RX_STRING, data + 1237, 4);
    ck_assert_ptr_eq(rx_value_block(odd), block);
    rx_block_unref(block);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tests = tcase_create("heap");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, blocks_are_aligned_and_counted);
    tcase_add_test(tests, random_churn_keeps_every_block_whole);
    tcase_add_test(tests, the_limit_fails_allocations_and_says_so);
    tcase_add_test(tests, a_million_levels_are_released_in_constant_stack);
    tcase_add_test(tests, a_shared_child_outlives_its_parents);
    tcase_add_test(tests, an_object_out_of_reach_of_its_header_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
