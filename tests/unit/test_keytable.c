// layer: value
/* The table of groups against a plain list: what is found, in which order it was made, and who is the least recently used. */
#include "core/value/keytable.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 300, STEPS = 30000 };

static struct rx_heap *heap;
static struct rx_keytable table;

/* By key: when it was made and used last; made 0: it is not there. */
static struct {
    uint64_t made, used;
} model[KEYS];
static uint64_t clock_;

static void set_up(void)
{
    heap = rx_heap_create(NULL);
    memset(model, 0, sizeof model);
    clock_ = 0;
    rx_keytable_init(&table, heap, 1, sizeof(int));
}

static void tear_down(void)
{
    rx_keytable_finish(&table);
    ck_assert_uint_eq(rx_heap_live_blocks(heap), 0);
    rx_heap_destroy(heap);
}

/* Texts of all lengths, whole numbers and others. */
static struct rx_value key_of(unsigned i, char room[64])
{
    if (i % 3 == 0)
        return rx_int((int64_t)i - 40);
    if (i % 3 == 1 && i % 2)
        return rx_double(i + 0.5);
    int n = snprintf(room, 64, "%.*s%u", (int)(i % 23), "abcdefghijklmnopqrstuvw", i);
    return rx_string_static(room, (uint32_t)n);
}

static int *data_of(struct rx_keyed *e) { return rx_keyed_data(&table, e); }

static void use(unsigned i)
{
    char room[64];
    struct rx_value key = key_of(i, room);
    uint64_t hash = rx_keytable_hash(&key, 1);
    struct rx_keyed *e = rx_keytable_find(&table, &key, hash);
    ck_assert_int_eq(e != NULL, model[i].made != 0);
    if (!e) {
        e = rx_keytable_add(&table, &key, hash);
        ck_assert_ptr_nonnull(e);
        ck_assert_int_eq(*data_of(e), 0);
        *data_of(e) = (int)i;
        model[i].made = ++clock_;
    }
    ck_assert_int_eq(*data_of(e), (int)i);
    model[i].used = ++clock_;
}

static unsigned least(bool by_use)
{
    unsigned found = KEYS;
    for (unsigned i = 0; i < KEYS; i++)
        if (model[i].made &&
            (found == KEYS || (by_use ? model[i].used < model[found].used : model[i].made < model[found].made)))
            found = i;
    return found;
}

static void evict(void)
{
    struct rx_keyed *e = rx_keytable_oldest(&table);
    ck_assert_int_eq(e != NULL, table.count > 0);
    if (!e)
        return;
    ck_assert_int_eq(*data_of(e), (int)least(true));
    model[*data_of(e)].made = 0;
    rx_keytable_remove(&table, e);
}

static void check_orders(void)
{
    uint32_t n = 0;
    uint64_t made = 0, used = 0;
    for (struct rx_keyed *e = rx_keytable_first(&table); e; e = rx_keytable_next(&table, e), n++) {
        ck_assert_uint_gt(model[*data_of(e)].made, made);
        made = model[*data_of(e)].made;
    }
    ck_assert_uint_eq(n, table.count);
    ck_assert_int_eq(rx_keytable_rank(&table), 0);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t next = model[*data_of(rx_keytable_ranked(&table, i))].used;
        ck_assert_uint_gt(next, used);
        used = next;
    }
}

/* Now few keys, now many; now mostly hits, now mostly evictions. */
static void run(unsigned seed)
{
    srand(seed);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned width = 1 + (step / 5000 % 4) * (KEYS / 4 + 20) % KEYS;
        if (rand() % (step / 3000 % 2 ? 3 : 20) == 0)
            evict();
        else
            use((unsigned)rand() % width);
        if (step % 5000 == 4999)
            check_orders();
    }
    while (table.count)
        evict();
    evict();
}

START_TEST(the_least_recently_used_is_found_among_hits_and_removals)
{
    for (unsigned seed = 1; seed < 3; seed++)
        run(seed);
}
END_TEST

START_TEST(stamps_that_run_out_begin_anew_in_the_same_order)
{
    for (unsigned i = 0; i < 100; i++)
        use(i * 7 % KEYS);
    table.uses = UINT32_MAX - 20;
    run(9);
    ck_assert_uint_lt(table.uses, UINT32_MAX / 2);
}
END_TEST

START_TEST(keys_that_are_equal_are_one)
{
    struct rx_value same[][2] = {{rx_int(7), rx_double(7)},
                                 {rx_uint(1u << 31), rx_int(1u << 31)},
                                 {rx_uint(UINT64_C(1) << 63), rx_double(0x1p63)},
                                 {rx_double(-0.0), rx_int(0)},
                                 {rx_int(INT64_MIN), rx_double(-0x1p63)}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct rx_keyed *e = rx_keytable_add(&table, &same[i][0], rx_keytable_hash(&same[i][0], 1));
        ck_assert_ptr_eq(rx_keytable_find(&table, &same[i][1], rx_keytable_hash(&same[i][1], 1)), e);
    }
}
END_TEST

/* Short texts that differ in one byte, and in length, differ in the hash: 32 bits of it are kept, 1e5 keys have one pair or two by chance. */
START_TEST(hashes_are_apart)
{
    enum { MANY = 100000 };
    static uint32_t seen[1 << 18];
    unsigned twice = 0;
    for (unsigned i = 0; i < MANY; i++) {
        char text[32];
        int n = snprintf(text, sizeof text, i % 2 ? "key-%u" : "%u", i / 2);
        struct rx_value key = i % 4 == 0 ? rx_int(i) : rx_string_static(text, (uint32_t)n);
        uint32_t hash = (uint32_t)rx_keytable_hash(&key, 1) | 1u, at = hash & ((1 << 18) - 1);
        for (; seen[at] && seen[at] != hash; at = (at + 1) & ((1 << 18) - 1))
            ;
        twice += seen[at] == hash;
        seen[at] = hash;
    }
    ck_assert_uint_lt(twice, 12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keytable");
    TCase *tcase = tcase_create("core");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_least_recently_used_is_found_among_hits_and_removals);
    tcase_add_test(tcase, stamps_that_run_out_begin_anew_in_the_same_order);
    tcase_add_test(tcase, keys_that_are_equal_are_one);
    tcase_add_test(tcase, hashes_are_apart);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
