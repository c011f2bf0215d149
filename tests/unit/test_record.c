/* Records and maps: shapes by transition, the builder's fall-back to a map, access by key. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/value/record.h"

static struct rx_heap *heap;

static void set_up(void) { heap = rx_heap_create(NULL); }

static void tear_down(void)
{
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

static struct rx_value text(const char *s) { return rx_string_static(s, (uint32_t)strlen(s)); }

static void put(struct rx_object_builder *builder, const char *key, struct rx_value value)
{
    rx_object_put_take(builder, text(key), value);
}

START_TEST(the_same_keys_in_the_same_order_share_a_shape)
{
    const struct rx_key *a = rx_key_intern(heap, "a", 1), *b = rx_key_intern(heap, "b", 1);
    ck_assert_ptr_eq(rx_key_intern(heap, "a", 1), a);
    const struct rx_shape *empty = rx_shape_empty(heap);
    const struct rx_shape *ab = rx_shape_with(heap, rx_shape_with(heap, empty, a), b);
    ck_assert_ptr_eq(rx_shape_with(heap, rx_shape_with(heap, empty, a), b), ab);
    ck_assert_ptr_ne(rx_shape_with(heap, rx_shape_with(heap, empty, b), a), ab);
    ck_assert_int_eq(rx_shape_slot(ab, b), 1);
    ck_assert_int_eq(rx_shape_slot(empty, b), -1);
}
END_TEST

START_TEST(a_record_answers_by_cached_slot)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    put(&builder, "a", rx_int(1));
    put(&builder, "b", rx_string(heap, "two", 3));
    put(&builder, "a", rx_int(3));
    struct rx_value object = rx_object_finish(&builder);
    ck_assert_int_eq(object.kind, RX_RECORD);
    struct rx_slot_cache cache = {0};
    const struct rx_key *a = rx_key_intern(heap, "a", 1);
    ck_assert_int_eq(rx_record_get(object.u.record, a, &cache)->u.i, 3);
    ck_assert_uint_eq(cache.id, object.u.record->shape->id);
    ck_assert_int_eq(rx_record_get(object.u.record, a, &cache)->u.i, 3);
    struct rx_slot_cache other = {0};
    ck_assert_ptr_null(rx_record_get(object.u.record, rx_key_intern(heap, "c", 1), &other));
    ck_assert_ptr_null(rx_object_get(object, rx_int(1)));
    rx_value_unref(object);
}
END_TEST

START_TEST(past_64_keys_an_object_is_a_map)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "k%d", i);
        rx_object_put_take(&builder, rx_string(heap, name, strlen(name)), rx_string(heap, name, strlen(name)));
    }
    put(&builder, "k7", rx_int(7));
    struct rx_value object = rx_object_finish(&builder);
    ck_assert_int_eq(object.kind, RX_MAP);
    ck_assert_uint_eq(rx_object_count(object), 200);
    ck_assert(rx_value_equal(*rx_object_get_text(object, "k199"), text("k199")));
    ck_assert_int_eq(rx_object_get_text(object, "k7")->u.i, 7);
    ck_assert_ptr_null(rx_object_get_text(object, "k200"));
    struct rx_value key, value;
    rx_object_entry(object, 7, &key, &value);
    ck_assert(rx_value_equal(key, text("k7")));
    struct rx_value compact = rx_value_compact(heap, object);
    ck_assert(rx_value_equal(compact, object));
    ck_assert_uint_eq(rx_value_hash(compact), rx_value_hash(object));
    rx_value_unref(compact);
    rx_value_unref(object);
}
END_TEST

START_TEST(a_map_takes_any_key_and_equals_a_record)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    rx_object_put_take(&builder, rx_int(1), text("one"));
    put(&builder, "a", rx_int(1));
    rx_object_put_take(&builder, rx_double(1), text("uno"));
    struct rx_value map = rx_object_finish(&builder);
    ck_assert_uint_eq(rx_object_count(map), 2);
    ck_assert(rx_value_equal(*rx_object_get(map, rx_uint(1)), text("uno")));
    rx_object_init(&builder, heap);
    put(&builder, "a", rx_int(1));
    struct rx_value record = rx_object_finish(&builder);
    ck_assert(!rx_value_equal(map, record));
    rx_object_init_from(&builder, heap, map);
    builder.entries[0].key = text("b");
    struct rx_value renamed = rx_object_finish(&builder);
    rx_object_init_from(&builder, heap, record);
    put(&builder, "b", text("uno"));
    struct rx_value longer = rx_object_finish(&builder);
    ck_assert_int_eq(renamed.kind, RX_MAP);
    ck_assert_int_eq(longer.kind, RX_RECORD);
    ck_assert(rx_value_equal(renamed, longer));
    ck_assert_uint_eq(rx_value_hash(renamed), rx_value_hash(longer));
    rx_value_unref(map);
    rx_value_unref(record);
    rx_value_unref(renamed);
    rx_value_unref(longer);
}
END_TEST

START_TEST(caps_make_maps_not_failures)
{
    struct rx_heap *capped = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 2, .max_keys = 4});
    struct rx_object_builder builder;
    rx_object_init(&builder, capped);
    for (const char *const *key = (const char *const[]){"a", "b", "c", NULL}; *key; key++)
        put(&builder, *key, rx_int(1));
    struct rx_value by_shapes = rx_object_finish(&builder);
    ck_assert_int_eq(by_shapes.kind, RX_MAP);
    ck_assert_uint_eq(rx_object_count(by_shapes), 3);
    ck_assert_ptr_nonnull(rx_key_meet(capped, "d", 1));
    ck_assert_ptr_null(rx_key_meet(capped, "e", 1));
    rx_value_unref(by_shapes);
    rx_heap_destroy(capped);
}
END_TEST

START_TEST(what_the_plan_knows_is_never_refused)
{
    struct rx_heap *capped = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 1, .max_keys = 1});
    const struct rx_shape *shape = rx_shape_empty(capped);
    char name[16];
    ck_assert_ptr_nonnull(rx_key_meet(capped, "k0", 2));
    for (int i = 0; i < RX_SHAPE_KEYS_MAX; i++) {
        int length = snprintf(name, sizeof name, "k%d", i);
        const struct rx_key *key = rx_key_intern(capped, name, (size_t)length);
        ck_assert_ptr_nonnull(key);
        shape = rx_shape_with(capped, shape, key);
        ck_assert_ptr_nonnull(shape);
    }
    ck_assert_ptr_null(rx_shape_with(capped, shape, rx_key_known(capped, RX_KEY_VALUE)));
    ck_assert_uint_eq(rx_heap_keys_met(capped), 0);
    ck_assert_ptr_nonnull(rx_key_meet(capped, "other", 5));
    rx_heap_destroy(capped);
}
END_TEST

static struct rx_value object_of(struct rx_heap *h, int number)
{
    struct rx_object_builder builder;
    char name[16];
    rx_object_init(&builder, h);
    int length = snprintf(name, sizeof name, "k%d", number);
    rx_object_put_take(&builder, rx_string(h, name, (size_t)length), rx_int(number));
    put(&builder, "same", rx_int(1));
    return rx_object_finish(&builder);
}

START_TEST(keys_and_shapes_that_nobody_has_are_given_back)
{
    struct rx_heap *capped = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 16, .max_keys = 20});
    int maps = 0;
    for (int i = 0; i < 100000; i++) {
        struct rx_value object = object_of(capped, i);
        maps += object.kind == RX_MAP;
        ck_assert_int_eq(rx_object_get_text(object, "same")->u.i, 1);
        ck_assert_uint_le(rx_heap_keys_met(capped), 20);
        ck_assert_uint_le(rx_heap_shapes_met(capped), 16);
        rx_value_unref(object);
    }
    ck_assert_int_lt(maps, 100000 / 8 + 1); /* the one that finds the table full */
    ck_assert_uint_eq(rx_heap_live_blocks(capped), 0);
    rx_heap_destroy(capped);
}
END_TEST

START_TEST(what_is_in_use_stays_whatever_comes)
{
    struct rx_heap *capped = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 16, .max_keys = 20});
    struct rx_value held[5], name, ignored;
    for (int i = 0; i < 5; i++)
        held[i] = object_of(capped, i);
    struct rx_value gone = object_of(capped, 77), copy = rx_value_compact(capped, held[4]);
    rx_object_entry(gone, 0, &name, &ignored);
    rx_value_ref(name);
    rx_value_unref(gone);
    rx_value_unref(held[4]);
    for (int i = 1000; i < 3000; i++)
        rx_value_unref(object_of(capped, i));
    for (int i = 0; i < 4; i++) {
        struct rx_value again = object_of(capped, i);
        ck_assert_int_eq(held[i].kind, RX_RECORD);
        ck_assert(rx_value_equal(again, held[i]));
        rx_value_unref(again);
    }
    ck_assert_int_eq(rx_object_get_text(copy, "k4")->u.i, 4);
    ck_assert(rx_value_equal(name, text("k77")));
    rx_value_unref(name);
    rx_value_unref(copy);
    for (int i = 0; i < 4; i++)
        rx_value_unref(held[i]);
    ck_assert_uint_eq(rx_heap_live_blocks(capped), 0);
    rx_heap_destroy(capped);
}
END_TEST

START_TEST(a_cached_slot_does_not_outlive_its_shape)
{
    struct rx_heap *capped = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 2, .max_keys = 20});
    const struct rx_key *b = rx_key_intern(capped, "b", 1);
    struct rx_slot_cache cache = {0};
    for (int i = 0; i < 1000; i++) {
        struct rx_object_builder builder;
        rx_object_init(&builder, capped);
        put(&builder, i % 3 ? "a" : "b", rx_int(i % 3 ? 1 : 2));
        put(&builder, i % 3 ? "b" : "a", rx_int(i % 3 ? 2 : 1));
        struct rx_value object = rx_object_finish(&builder);
        if (object.kind == RX_RECORD)
            ck_assert_int_eq(rx_record_get(object.u.record, b, &cache)->u.i, 2);
        rx_value_unref(object);
    }
    rx_heap_destroy(capped);
}
END_TEST

START_TEST(a_kept_key_stays_until_it_is_dropped_as_often)
{
    struct rx_heap *capped = rx_heap_create(&(struct rx_heap_limits){.max_shapes = 4, .max_keys = 4});
    const struct rx_key *kept = rx_key_keep(capped, "kept", 4);
    ck_assert_ptr_eq(rx_key_keep(capped, "kept", 4), kept);
    rx_key_drop(capped, kept);
    for (int i = 0; i < 100; i++)
        rx_value_unref(object_of(capped, i));
    ck_assert_ptr_eq(rx_key_meet(capped, "kept", 4), kept);
    rx_key_drop(capped, kept);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "once%d", i);
        rx_key_drop(capped, rx_key_keep(capped, name, (size_t)length));
        rx_value_unref(object_of(capped, 1));
        ck_assert_uint_le(rx_heap_keys_met(capped), 5);
    }
    rx_heap_destroy(capped);
}
END_TEST

START_TEST(a_long_name_makes_a_map)
{
    static char name[RX_KEY_MET_MAX + 1];
    memset(name, 'n', sizeof name);
    for (uint32_t length = RX_KEY_MET_MAX; length <= RX_KEY_MET_MAX + 1; length++) {
        struct rx_object_builder builder;
        rx_object_init(&builder, heap);
        rx_object_put_take(&builder, rx_string_static(name, length), rx_int(1));
        struct rx_value object = rx_object_finish(&builder);
        ck_assert_int_eq(object.kind, length > RX_KEY_MET_MAX ? RX_MAP : RX_RECORD);
        rx_value_unref(object);
    }
}
END_TEST

START_TEST(removing_a_key_finds_the_smaller_shape)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    put(&builder, "a", rx_string(heap, "gone", 4));
    put(&builder, "b", rx_int(2));
    rx_object_remove(&builder, rx_key_intern(heap, "a", 1));
    rx_object_remove(&builder, rx_key_intern(heap, "absent", 6));
    struct rx_value object = rx_object_finish(&builder);
    const struct rx_shape *shape = rx_shape_with(heap, rx_shape_empty(heap), rx_key_intern(heap, "b", 1));
    ck_assert_int_eq(object.kind, RX_RECORD);
    ck_assert_ptr_eq(object.u.record->shape, shape);
    rx_value_unref(object);
}
END_TEST

START_TEST(a_builder_that_is_aborted_releases_all)
{
    struct rx_object_builder builder;
    rx_object_init(&builder, heap);
    for (int i = 0; i < 40; i++)
        rx_object_put_take(&builder, rx_int(i), rx_string(heap, "value", 5));
    rx_object_abort(&builder);
}
END_TEST

/* Each level holds the one before twice: little memory, but whoever writes it out would never end. */
START_TEST(what_is_shared_counts_each_time_and_is_bounded)
{
    struct rx_value value = rx_int(1);
    struct rx_error error = {0};
    unsigned levels = 0;
    for (; rx_value_fits(heap, value); levels++) {
        struct rx_object_builder builder;
        rx_object_init(&builder, heap);
        put(&builder, "a", rx_value_ref(value));
        rx_object_put_take(&builder, levels % 5 ? text("b") : rx_int(2), value); /* now and then a map */
        value = rx_object_finish(&builder);
    }
    ck_assert_uint_ge(levels, 18);
    ck_assert_uint_le(levels, 20);
    ck_assert_uint_gt(rx_value_parts(value), RX_VALUE_PARTS_MAX);
    ck_assert_int_eq(rx_heap_why(heap, &error), -E2BIG);
    ck_assert_ptr_nonnull(strstr(error.message, "1000000 parts"));
    ck_assert_int_eq(rx_heap_why(heap, &error), -ENOMEM);
    rx_value_unref(value);
}
END_TEST

START_TEST(depth_is_bounded)
{
    struct rx_value value = rx_int(1);
    unsigned levels = 0;
    for (; rx_value_fits(heap, value) && levels < 10000; levels++)
        value = levels % 2 ? rx_list_take(heap, &value, 1) : rx_optional_take(heap, value);
    ck_assert_uint_eq(levels, RX_VALUE_DEPTH_MAX + 1);
    rx_value_unref(value);
}
END_TEST

START_TEST(parts_are_values_and_pieces_of_text)
{
    char long_text[640];
    memset(long_text, 'x', sizeof long_text);
    struct rx_value items[] = {rx_string(heap, long_text, sizeof long_text), rx_int(1), text("short")};
    struct rx_value list = rx_list_take(heap, items, 3), copy = rx_value_compact(heap, list);
    ck_assert_uint_eq(rx_value_parts(list), 1 + 11 + 1 + 1);
    ck_assert_uint_eq(rx_value_parts(copy), rx_value_parts(list));
    rx_value_unref(list);
    rx_value_unref(copy);
}
END_TEST

START_TEST(no_memory_is_an_answer)
{
    struct rx_heap *tiny = rx_heap_create(&(struct rx_heap_limits){.max_bytes = 64});
    struct rx_object_builder builder;
    rx_object_init(&builder, tiny);
    put(&builder, "a", rx_string(tiny, "abc", 3));
    put(&builder, "b", rx_int(1));
    put(&builder, "c", rx_int(1));
    ck_assert_int_eq(rx_object_finish(&builder).kind, RX_NULL);
    ck_assert(rx_heap_failed(tiny));
    struct rx_value items[9] = {rx_string(tiny, "abc", 3)};
    ck_assert_int_eq(rx_list_take(tiny, items, 9).kind, RX_NULL);
    ck_assert_uint_eq(rx_heap_live_blocks(tiny), 0);
    rx_heap_destroy(tiny);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tests = tcase_create("record");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_same_keys_in_the_same_order_share_a_shape);
    tcase_add_test(tests, a_record_answers_by_cached_slot);
    tcase_add_test(tests, past_64_keys_an_object_is_a_map);
    tcase_add_test(tests, a_map_takes_any_key_and_equals_a_record);
    tcase_add_test(tests, caps_make_maps_not_failures);
    tcase_add_test(tests, what_the_plan_knows_is_never_refused);
    tcase_add_test(tests, keys_and_shapes_that_nobody_has_are_given_back);
    tcase_add_test(tests, what_is_in_use_stays_whatever_comes);
    tcase_add_test(tests, a_cached_slot_does_not_outlive_its_shape);
    tcase_add_test(tests, a_kept_key_stays_until_it_is_dropped_as_often);
    tcase_add_test(tests, a_long_name_makes_a_map);
    tcase_add_test(tests, removing_a_key_finds_the_smaller_shape);
    tcase_add_test(tests, a_builder_that_is_aborted_releases_all);
    tcase_add_test(tests, what_is_shared_counts_each_time_and_is_bounded);
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, parts_are_values_and_pieces_of_text);
    tcase_add_test(tests, no_memory_is_an_answer);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
