// layer: core
/* Sharing of a hub beyond its last subscriber, and with late ones, over a save and a load: under the same options and others. What it does
 * in one life is drawn in tests/marbles/share.marbles, and held to RxJS by tests/oracle. */
#include <check.h>
#include <stdlib.h>

#include "core/graph/graph.h"

struct world {
    struct rx_heap *heap;
    struct rx_sched *sched;
    struct rx_engine *engine;
    struct rx_hub *hub;
    struct rx_observer reader;
    struct rx_buffer told;
    int running;
};

static void on_note(struct rx_observer *o, const struct rx_note *note)
{
    struct world *w = (struct world *)(void *)((char *)o - offsetof(struct world, reader));
    for (size_t i = 0; note->kind == RX_NEXT && i < note->count; i++)
        rx_buffer_printf(&w->told, "%lld ", (long long)note->span[i].value.u.i);
    if (note->kind == RX_COMPLETE)
        rx_buffer_text(&w->told, "| ");
}

static void start(void *arg, struct rx_hub *hub)
{
    (void)hub;
    ((struct world *)arg)->running++;
}

static void stop(void *arg, struct rx_hub *hub)
{
    (void)hub;
    ((struct world *)arg)->running--;
}

static void begin(struct world *w, rx_time grace, int64_t replay)
{
    *w = (struct world){.heap = rx_heap_create(NULL), .sched = rx_sched_create(0), .reader = {.note = on_note}};
    w->engine = rx_engine_create(w->heap, w->sched);
    w->hub = rx_hub_create(w->engine, "s");
    rx_hub_set_producer(w->hub, &(struct rx_producer){.start = start, .stop = stop, .arg = w});
    rx_hub_set_share(w->hub, &(struct rx_share){.grace = grace, .replay = replay}, false);
}

static void end(struct world *w)
{
    rx_engine_enter(w->engine);
    rx_engine_close(w->engine);
    rx_hub_unsubscribe(&w->reader);
    rx_engine_leave(w->engine);
    ck_assert_int_eq(w->running, 0);
    rx_hub_destroy(w->hub);
    rx_engine_destroy(w->engine);
    rx_sched_destroy(w->sched);
    rx_heap_destroy(w->heap);
    rx_buffer_finish(&w->told);
}

static void push(struct world *w, int64_t value) { rx_hub_next(w->hub, &(struct rx_event){.value = rx_int(value)}, 1); }

static void expect(struct world *w, const char *told)
{
    rx_buffer_append(&w->told, "", 1);
    ck_assert_str_eq(w->told.data, told);
    rx_buffer_clear(&w->told);
}

/* The hub of another life, with its reader if it has one. */
static void move_on(const struct world *from, struct world *to, bool reader)
{
    struct rx_writer writer = {0};
    rx_hub_save(from->hub, &writer);
    rx_observer_save((struct rx_observer *)(uintptr_t)&from->reader, &writer);
    struct rx_reader r = {
        .data = (const unsigned char *)writer.buffer.data, .length = writer.buffer.length, .heap = to->heap};
    rx_sched_run_until(to->sched, rx_sched_now(from->sched), false);
    rx_sched_restore(to->sched, rx_sched_next_sequence(from->sched));
    rx_engine_enter(to->engine);
    rx_hub_load(to->hub, &r);
    rx_hub_resume(to->hub);
    if (reader)
        rx_observer_load(to->hub, &to->reader, &r);
    rx_engine_leave(to->engine);
    ck_assert(!rx_reader_failed(&r));
    rx_buffer_finish(&writer.buffer);
}

static void run_to(struct world *w, rx_time seconds) { rx_sched_run_until(w->sched, seconds * RX_SEC, true); }

static void listen(struct world *w) { rx_hub_subscribe(w->hub, &w->reader); }

START_TEST(one_that_lingers_goes_on_and_stops_when_it_would_have)
{
    struct world w, v;
    begin(&w, 10 * RX_SEC, 2);
    listen(&w);
    push(&w, 1);
    run_to(&w, 1);
    rx_hub_unsubscribe(&w.reader);
    push(&w, 2);
    push(&w, 3);
    begin(&v, 10 * RX_SEC, 2);
    move_on(&w, &v, false);
    ck_assert_int_eq(v.running, 1);
    ck_assert_uint_eq(rx_hub_stats(v.hub).unheard, 2);
    run_to(&v, 10);
    ck_assert_int_eq(v.running, 1);
    run_to(&v, 11);
    ck_assert_int_eq(v.running, 0);
    listen(&v);
    expect(&v, "");
    end(&v);
    end(&w);
}
END_TEST

START_TEST(who_comes_after_a_restart_is_given_what_was_kept)
{
    struct world w, v;
    begin(&w, 10 * RX_SEC, 2);
    listen(&w);
    push(&w, 1);
    push(&w, 2);
    push(&w, 3);
    rx_hub_unsubscribe(&w.reader);
    begin(&v, 10 * RX_SEC, 2);
    move_on(&w, &v, false);
    listen(&v);
    expect(&v, "2 3 ");
    ck_assert_uint_eq(rx_hub_stats(v.hub).replayed, 2);
    run_to(&v, 60); /* it has a reader again: it does not stop */
    ck_assert_int_eq(v.running, 1);
    end(&v);
    end(&w);
}
END_TEST

START_TEST(without_grace_nothing_is_kept_for_whom_the_last_reader_left)
{
    struct world w, v;
    begin(&w, 0, 2);
    listen(&w);
    push(&w, 1);
    begin(&v, 0, 2);
    move_on(&w, &v, false); /* its reader is none of the new config */
    ck_assert_int_eq(v.running, 0);
    listen(&v);
    expect(&v, "");
    end(&v);
    begin(&v, 0, 2);
    move_on(&w, &v, true);
    push(&v, 2);
    expect(&v, "2 ");
    rx_hub_unsubscribe(&v.reader);
    end(&v);
    end(&w);
}
END_TEST

START_TEST(under_other_options_less_is_kept_and_no_grace_is_left)
{
    struct world w, v;
    begin(&w, 10 * RX_SEC, 3);
    listen(&w);
    for (int i = 1; i <= 4; i++)
        push(&w, i);
    rx_hub_unsubscribe(&w.reader);
    begin(&v, 10 * RX_SEC, 1);
    move_on(&w, &v, false);
    listen(&v);
    expect(&v, "4 ");
    end(&v);
    begin(&v, 0, 3);
    move_on(&w, &v, false);
    ck_assert(!rx_hub_lingers(v.hub));
    ck_assert_int_eq(v.running, 0);
    listen(&v);
    expect(&v, "");
    end(&v);
    end(&w);
}
END_TEST

START_TEST(what_has_ended_stays_ended_until_its_producer_is_another)
{
    struct world w, v;
    begin(&w, 0, 2);
    listen(&w);
    push(&w, 1);
    rx_hub_complete(w.hub);
    w.running--; /* it has stopped by itself */
    begin(&v, 0, 2);
    move_on(&w, &v, false);
    listen(&v);
    expect(&v, "1 | ");
    ck_assert_int_eq(v.running, 0);
    rx_hub_forget(v.hub);
    listen(&v);
    expect(&v, "");
    ck_assert_int_eq(v.running, 1);
    end(&v);
    end(&w);
}
END_TEST

START_TEST(a_closing_engine_keeps_nothing_running)
{
    struct world w;
    begin(&w, 10 * RX_SEC, 0);
    listen(&w);
    rx_hub_unsubscribe(&w.reader);
    ck_assert_int_eq(w.running, 1);
    rx_engine_close(w.engine);
    ck_assert_int_eq(w.running, 0);
    ck_assert_uint_eq(rx_sched_armed(w.sched), 0);
    listen(&w);
    rx_hub_unsubscribe(&w.reader);
    ck_assert_int_eq(w.running, 0);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("share");
    TCase *t = tcase_create("share");
    suite_add_tcase(suite, t);
    tcase_add_test(t, one_that_lingers_goes_on_and_stops_when_it_would_have);
    tcase_add_test(t, who_comes_after_a_restart_is_given_what_was_kept);
    tcase_add_test(t, without_grace_nothing_is_kept_for_whom_the_last_reader_left);
    tcase_add_test(t, under_other_options_less_is_kept_and_no_grace_is_left);
    tcase_add_test(t, what_has_ended_stays_ended_until_its_producer_is_another);
    tcase_add_test(t, a_closing_engine_keeps_nothing_running);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
