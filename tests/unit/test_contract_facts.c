// layer: pipelines
/* What a class says of itself (describe), held against what it does: what it reads, passes, reduces, and when it ends. */
#include "tests/unit/contract_harness.h"

START_TEST(what_is_not_decoded_is_not_missed)
{
    static const char *const readers[] = {"", "set: {z: 1}, map: \"coalesce(device, 0)\"",
                                          "set: {z: 1}, filter: \"coalesce(value, 0) != 3\"",
                                          "aggregate: {n: count()}"};
    for (size_t k = 0; k < sizeof readers / sizeof *readers; k++) {
        behind = readers[k];
        char *whole = whole_run(_i, false, false), *pruned = whole_run(_i, false, true);
        ck_assert_msg(!whole || strcmp(pruned, whole) == 0, "case %d with %s:\n%.200s\nand not\n%.200s", _i, readers[k],
                      pruned, whole);
        free(whole);
        free(pruned);
    }
    behind = "";
}
END_TEST

static bool was_pushed(const char *value)
{
    char json[200];
    for (int i = 0; i < EVENTS; i++) {
        event_text(i, json, sizeof json);
        if (strcmp(json, value) == 0)
            return true;
    }
    return false;
}

static void check_passed(const char *out, const char *class)
{
    for (const char *line = out, *end; (end = strchr(line, '\n')); line = end + 1) {
        const char *value = memchr(line, '{', (size_t)(end - line));
        char copy[400];
        if (!value)
            continue;
        snprintf(copy, sizeof copy, "%.*s", (int)(end - value), value);
        ck_assert_msg(was_pushed(copy), "%s passes events as they are, it says, and put out %s", class, copy);
    }
}

START_TEST(a_class_says_the_truth_of_itself)
{
    struct run r;
    if ((size_t)_i >= operator_count() || !run_init(&r, _i, false))
        return;
    const struct rx_logical_graph *graph = r.logical->pipelines[0].graph;
    const struct rx_logical_node *exit = &graph->nodes[graph->count - 1];
    const struct rx_facts *facts = &exit->step->facts;
    begin(&r);
    drive(&r, 0, EVENTS);
    ck_assert_msg(facts->ends_early || r.ends == 0, "%s ended before its input", exit->step->id);
    ck_assert_msg(!facts->spans || !facts->ends_early, "%s takes spans and ends early", exit->step->id);
    complete_all(&r);
    char *text = text_of(&r);
    if (facts->output == RX_OUTPUT_PASSES && exit->input_count == 1)
        check_passed(text, exit->step->id);
    free(text);
    if (facts->reduces)
        ck_assert_uint_le(r.notes, 2);
    run_finish(&r);
}
END_TEST

/* What it keeps after many events: as it would save it, and on the heap. */
START_TEST(what_is_kept_is_within_the_bound)
{
    struct run r;
    struct rx_writer saved = {0};
    if (!run_init(&r, _i, _i % 2))
        return;
    begin(&r);
    size_t empty = rx_heap_live_bytes(r.heap);
    drive(&r, 0, EVENTS);
    size_t grown = rx_heap_live_bytes(r.heap) - empty, frames = r.logical->step_count * 160;
    ck_assert_msg(grown <= r.logical->bytes, "case %d keeps %zu bytes, and says %llu", _i, grown,
                  (unsigned long long)r.logical->bytes);
    if (r.instance)
        ck_assert_int_eq(rx_instance_save(r.instance, &saved), 0);
    ck_assert_msg(saved.buffer.length <= r.logical->bytes + frames, "case %d saves %zu bytes, and says %llu", _i,
                  saved.buffer.length, (unsigned long long)r.logical->bytes);
    rx_buffer_finish(&saved.buffer);
    run_finish(&r);
}
END_TEST

int main(void)
{
    return contract_main("contract_facts",
                         (const TTest *const[]){what_is_not_decoded_is_not_missed, a_class_says_the_truth_of_itself,
                                                what_is_kept_is_within_the_bound, NULL});
}
