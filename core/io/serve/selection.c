/* Selections by key and filter: interned, compiled once, and each verdict remembered for the subscribers who follow. */
#include "core/io/serve/selection.h"

#include "core/io/serve/selection_private.h"
#include "core/json/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* What is assumed of lists, maps and strings in frames when a filter's cost is bounded before it runs. */
#define ELEMENTS 100.0
/* For a frame's decoding: a flat part, and a part by its bytes. */
#define FLAT_STEPS     20
#define BYTES_PER_STEP 8

struct rx_selections *rx_selections_create(struct rx_heap *heap, struct rx_filter_budget *budget)
{
    struct rx_selections *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->heap = heap;
    set->budget = budget;
    return set;
}

void rx_selections_destroy(struct rx_selections *set)
{
    if (set)
        selection_index_finish(&set->index);
    free(set);
}

static void destroy(struct rx_selection *s)
{
    for (unsigned i = 0; i < 2; i++)
        rx_buffer_finish(&s->forms[i].text);
    rx_expr_destroy(s->expr);
    rx_fields_destroy(s->fields);
    free(s->memo);
    free(s->key);
    free(s->filter);
    free(s);
}

static void count_gate(struct rx_selection *s, int change)
{
    if (!s->gate)
        return;
    s->set->gated += (unsigned)change;
    s->set->index.stale = true;
}

struct rx_selection *rx_selection_ref(struct rx_selection *s)
{
    if (s)
        s->refs++;
    return s;
}

void rx_selection_unref(struct rx_selection *s)
{
    if (!s || --s->refs)
        return;
    struct rx_selection **link = &s->set->first;
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    s->set->count--;
    count_gate(s, -1);
    destroy(s);
}

static bool same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static int set_key(struct rx_selection *s, const char *key)
{
    struct rx_value value;
    if (rx_json_decode(s->set->heap, NULL, NULL, key, strlen(key), &value, NULL) == 0) {
        rx_json_write(&s->forms[0].text, value);
        rx_value_unref(value);
    } else {
        rx_buffer_text(&s->forms[0].text, key);
    }
    rx_json_write_string(&s->forms[1].text, key, strlen(key));
    for (unsigned i = 0; i < 2; i++)
        s->forms[i].hash = XXH3_64bits(s->forms[i].text.data, s->forms[i].text.length);
    s->key = strdup(key);
    return s->key && !s->forms[0].text.failed && !s->forms[1].text.failed ? 0 : -ENOMEM;
}

static int check_filter(const struct rx_expr *expr, struct rx_error *reterr)
{
    if (!(rx_expr_kinds(expr) & RX_EXPR_KIND(RX_BOOL)))
        return rx_error_set(reterr, -EINVAL, "not a condition: its result is never true or false");
    if (rx_expr_cost(expr, ELEMENTS) >= (double)RX_FILTER_EVALUATION)
        return rx_error_set(reterr, -EINVAL,
                            "it may take more than %llu steps for one frame; a pipeline can do that once for all",
                            (unsigned long long)RX_FILTER_EVALUATION);
    return 0;
}

static int set_filter(struct rx_selection *s, const char *filter, struct rx_error *reterr)
{
    struct rx_expr_options options = {.heap = s->set->heap, .budget = RX_FILTER_EVALUATION};
    size_t length = strlen(filter);
    if (length > RX_FILTER_LENGTH_MAX)
        return rx_error_set(reterr, -EINVAL, "it has %zu bytes; at most %d are taken", length, RX_FILTER_LENGTH_MAX);
    if (!rx_filter_may_begin(s->set->budget))
        return rx_error_set(reterr, -EBUSY, "filters take all the time that there is for them; try again");
    int r = rx_expr_compile(filter, length, &options, &s->expr, reterr);
    if (r == 0)
        r = check_filter(s->expr, reterr);
    if (r < 0)
        return r;
    const struct rx_expr_gate *gate = rx_expr_gate(s->expr);
    if (gate && gate->kind == RX_GATE_EQUAL)
        s->gate = gate;
    s->memo_mask = (s->gate ? MEMO_GATED : MEMO) - 1;
    s->filter = strdup(filter);
    s->memo = calloc(s->memo_mask + 1, sizeof *s->memo);
    s->fields = rx_fields_create(s->set->heap);
    return s->filter && s->memo && s->fields ? rx_expr_reach(s->expr, s->fields, &s->reaches) : -ENOMEM;
}

static int create(struct rx_selections *set, const char *key, const char *filter, struct rx_selection **ret,
                  struct rx_error *reterr)
{
    struct rx_selection *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->set = set;
    s->refs = 1;
    int r = key ? set_key(s, key) : 0;
    if (r == 0 && filter)
        r = set_filter(s, filter, reterr);
    if (r < 0) {
        destroy(s);
        return r;
    }
    s->next = set->first;
    set->first = s;
    set->count++;
    count_gate(s, 1);
    *ret = s;
    return 0;
}

int rx_selection_get(struct rx_selections *set, const char *key, const char *filter, struct rx_selection **ret,
                     struct rx_error *reterr)
{
    if (!key && !filter) {
        *ret = NULL;
        return 0;
    }
    for (struct rx_selection *s = set->first; s; s = s->next)
        if (!s->exhausted && same(s->key, key) && same(s->filter, filter)) {
            *ret = rx_selection_ref(s);
            return 0;
        }
    if (set->count >= RX_SELECTIONS_MAX)
        return rx_error_set(reterr, -ENOSPC, "this stream is followed under %d different selections already",
                            RX_SELECTIONS_MAX);
    int r = create(set, key, filter, ret, reterr);
    return r == -ENOMEM ? rx_error_set(reterr, r, "out of memory") : r;
}

static bool has_key(const struct rx_selection *s, const struct rx_frame_view *f)
{
    if (!f->key)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        const struct key_form *form = &s->forms[i];
        if (form->hash == f->key_hash && form->text.length == f->key_length && f->key_length &&
            memcmp(form->text.data, f->key, f->key_length) == 0)
            return true;
    }
    return false;
}

/* A mark under which `meta.key` is the frame's key. NULL: it has none, or no memory. */
static const struct rx_mark *mark_of(struct rx_heap *heap, const struct rx_frame_view *f)
{
    struct rx_value key;
    if (!f->key || rx_json_decode(heap, NULL, NULL, f->key, f->key_length, &key, NULL) < 0)
        return NULL;
    struct rx_object_builder record;
    rx_object_init(&record, heap);
    rx_object_put_take(&record, rx_string_static("key", 3), key);
    struct rx_value named = rx_object_finish(&record);
    const struct rx_mark *mark = rx_mark_with_key(heap, NULL, named);
    rx_value_unref(named);
    return mark;
}

static bool evaluate(struct rx_selection *s, const struct rx_frame_view *f)
{
    struct rx_event event = {.time = f->time};
    if (rx_json_decode(s->set->heap, s->fields, NULL, f->json, f->json_length, &event.value, NULL) < 0)
        return false;
    if (s->reaches & (RX_REACHES_META | RX_REACHES_MARK))
        event.mark = mark_of(s->set->heap, f);
    bool wanted = rx_expr_test(s->expr, &(struct rx_expr_env){.event = &event}, NULL) == 1;
    rx_event_unref(&event);
    return wanted;
}

static uint64_t decoding(const struct rx_frame_view *f) { return FLAT_STEPS + f->json_length / BYTES_PER_STEP; }

static void charge(struct rx_selection *s, uint64_t steps)
{
    s->steps += steps;
    s->exhausted = !rx_filter_charge(s->set->budget, &s->account, steps);
}

/* The frame is not among those that the index knows it may want: a share of one decoding. A memo that has moved on says
 * nothing. */
static bool is_left_out(struct rx_selection *s, const struct rx_frame_view *f)
{
    return s->gate && *selection_memo(s, f->sequence) >> 2 < f->sequence && selection_index_look_up(s->set, f) &&
           *selection_memo(s, f->sequence) >> 2 != f->sequence;
}

static bool test_filter(struct rx_selection *s, const struct rx_frame_view *f)
{
    uint64_t *memo = selection_memo(s, f->sequence);
    bool newest = *memo >> 2 <= f->sequence;
    if (*memo >> 2 == f->sequence && (*memo & 3) != MAYBE)
        return (*memo & 3) == WANTED;
    if (s->exhausted)
        return false;
    if (is_left_out(s, f)) {
        *memo = f->sequence << 2 | UNWANTED;
        charge(s, 1 + decoding(f) / s->set->gated);
        return false;
    }
    bool wanted = evaluate(s, f);
    if (newest || !s->gate)
        *memo = f->sequence << 2 | (wanted ? WANTED : UNWANTED);
    charge(s, decoding(f) + rx_expr_steps(s->expr));
    return wanted;
}

bool rx_selection_test(struct rx_selection *s, const struct rx_frame_view *f)
{
    if (!s || f->terminal)
        return true;
    if (s->key && !has_key(s, f))
        return false;
    return !s->expr || test_filter(s, f);
}

bool rx_selection_exhausted(const struct rx_selection *s) { return s && s->exhausted; }
uint64_t rx_selection_steps(const struct rx_selection *s) { return s ? s->steps : 0; }
