/* Users' tests: answers given in place of those of servers and files. */
#include "pipelines/run/test_mock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph/request.h"
#include "core/option/option.h"
#include "pipelines/run/test_private.h"

struct answer {
    const struct rx_tree *body, *error, *when;
    int status;
    rx_time after, retry_after;
    uint64_t times, given; /* times 0: without end */
};

struct entry {
    const struct rx_tree *key, *value;
    struct answer *answers;
    size_t count;
    char *rows; /* JSON; NULL: it stands in for no table */
    bool any;
};

struct rx_test_mock {
    struct entry *entries; /* the test's, then the file's */
    size_t count;
    struct rx_heap *heap;
    struct rx_diagnostics *diagnostics;
};

/* ---- steps ---- */

static bool asks(const struct rx_step *step) { return step->class->answer != NULL; }

static bool looks_up(const struct rx_step *step)
{
    bool found = false;
    for (const struct rx_option *o = step->class->base.options; o && o->name; o++)
        found = found || (o->flags & RX_TABLE && rx_option_tree(&step->class->base, step->options, o));
    return found;
}

static bool is_named(const struct rx_step *step, const char *name)
{
    return strcmp(step->id, name) == 0 || strcmp(step->id + strlen(step->pipeline) + 1, name) == 0 ||
           strcmp(step->label, name) == 0 || strcmp(step->class->base.name, name) == 0;
}

static struct entry *entry_of(struct rx_test_mock *m, const struct rx_step *step)
{
    for (size_t i = 0; i < m->count; i++)
        if (is_named(step, m->entries[i].key->text))
            return &m->entries[i];
    return NULL;
}

/* ---- reading ---- */

static const char *const described[] = {"status", "body", "after", "error", "retry_after", "when", "times", NULL};

static bool is_among(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static bool number_of(const struct rx_tree *tree, long least, long most, long *ret)
{
    char *end = NULL;
    if (!tree || tree->kind != RX_TREE_SCALAR || tree->quoted || tree->length == 0 || tree->length > 9)
        return false;
    *ret = strtol(tree->text, &end, 10);
    return *end == '\0' && *ret >= least && *ret <= most;
}

static bool is_described(const struct rx_tree *value)
{
    long status;
    bool all = value->kind == RX_TREE_MAP && value->count > 0;
    for (size_t i = 0; all && i < value->count; i++)
        all = is_among(value->keys[i]->text, described);
    const struct rx_tree *given = rx_tree_get(value, "status");
    return all &&
           (given ? number_of(given, 100, 599, &status) : rx_tree_get(value, "body") || rx_tree_get(value, "error"));
}

static void read_time(struct rx_test_mock *m, const struct rx_tree *tree, rx_time *ret)
{
    if (tree && test_time_of(tree, ret) < 0)
        rx_diagnosef(m->diagnostics, tree, NULL, "this takes a duration, as 2s");
}

static void check_condition(struct rx_test_mock *m, const struct rx_tree *when)
{
    struct rx_error error = {0};
    struct rx_expr *expr = NULL;
    if (when && when->kind != RX_TREE_SCALAR)
        rx_diagnosef(m->diagnostics, when, "for example: when: url.endsWith(\"/a1\")", "`when` is a condition");
    else if (when &&
             rx_expr_compile(when->text, when->length, &(struct rx_expr_options){.heap = m->heap}, &expr, &error) < 0)
        rx_diagnose_inside(m->diagnostics, when, &error);
    rx_expr_destroy(expr);
}

static void read_answer(struct rx_test_mock *m, const struct rx_tree *value, struct answer *ret)
{
    long status = 200, times = 0;
    *ret = (struct answer){.body = value, .status = 200};
    if (!is_described(value))
        return;
    const struct rx_tree *given = rx_tree_get(value, "times");
    if (given && !number_of(given, 1, 1000000, &times))
        rx_diagnosef(m->diagnostics, given, NULL, "`times` is a number from 1 on");
    number_of(rx_tree_get(value, "status"), 100, 599, &status);
    ret->body = rx_tree_get(value, "body");
    ret->error = rx_tree_get(value, "error");
    ret->when = rx_tree_get(value, "when");
    ret->status = (int)status;
    ret->times = (uint64_t)times;
    read_time(m, rx_tree_get(value, "after"), &ret->after);
    read_time(m, rx_tree_get(value, "retry_after"), &ret->retry_after);
    check_condition(m, ret->when);
    if (ret->error && (ret->error->kind != RX_TREE_SCALAR || ret->body || rx_tree_get(value, "status")))
        rx_diagnosef(m->diagnostics, ret->error, NULL, "`error` is a text, in place of a `body` and a `status`");
}

static int read_answers(struct rx_test_mock *m, struct entry *e)
{
    const struct rx_tree *list = e->value->count == 1 ? rx_tree_get(e->value, "answers") : NULL;
    bool several = list && list->kind == RX_TREE_LIST;
    e->count = several ? list->count : 1;
    e->answers = calloc(e->count + 1, sizeof *e->answers);
    if (!e->answers)
        return -ENOMEM;
    for (size_t i = 0; i < e->count; i++)
        read_answer(m, several ? list->items[i] : e->value, &e->answers[i]);
    return 0;
}

static int write_rows(struct rx_test_mock *m, struct entry *e, const struct rx_tree *rows)
{
    struct rx_buffer text = {0};
    struct rx_value value;
    if (rx_tree_value(rows, m->heap, &value) < 0)
        return -ENOMEM;
    rx_buffer_text(&text, e->any ? "{\"any\":" : "");
    rx_json_write(&text, value);
    rx_buffer_text(&text, e->any ? "}" : "");
    rx_buffer_append(&text, "", 1);
    rx_value_unref(value);
    e->rows = text.data;
    return text.failed ? -ENOMEM : 0;
}

static int read_rows(struct rx_test_mock *m, struct entry *e)
{
    const struct rx_tree *rows = e->value->count == 1 ? rx_tree_get(e->value, "rows") : NULL;
    if (e->value->count == 1 && rx_tree_get(e->value, "missing")) {
        e->rows = strdup("[]");
        return e->rows ? 0 : -ENOMEM;
    }
    if (!rows && e->value->kind == RX_TREE_LIST)
        rows = e->value;
    e->any = !rows;
    return write_rows(m, e, rows ? rows : e->value);
}

/* By what the steps of its name are. */
static int read_entry(struct rx_test_mock *m, const struct rx_logical *logical, struct entry *e)
{
    bool any_asks = false, any_looks_up = false;
    for (size_t i = 0; i < logical->step_count; i++)
        if (is_named(logical->steps[i], e->key->text)) {
            any_asks = any_asks || asks(logical->steps[i]);
            any_looks_up = any_looks_up || looks_up(logical->steps[i]);
        }
    if (!any_asks && !any_looks_up) {
        rx_diagnosef(m->diagnostics, e->key,
                     "name its `id:`, PIPELINE/ID, its place and operator (2.http), or its operator: http, lookup",
                     "no step \"%.100s\" asks a server or looks up in a file", e->key->text);
        return 0;
    }
    int r = any_asks ? read_answers(m, e) : 0;
    return r == 0 && any_looks_up ? read_rows(m, e) : r;
}

int rx_test_mock_create(const struct rx_test *test, const struct rx_logical *logical, struct rx_heap *heap,
                        struct rx_diagnostics *diagnostics, struct rx_test_mock **ret)
{
    const struct rx_tree *maps[] = {test->mock, test->common_mock};
    size_t most = (maps[0] ? maps[0]->count : 0) + (maps[1] ? maps[1]->count : 0);
    size_t before = rx_diagnostics_count(diagnostics);
    struct rx_test_mock *m = calloc(1, sizeof *m);
    int r = m && (m->entries = calloc(most + 1, sizeof *m->entries)) ? 0 : -ENOMEM;
    if (m)
        *m = (struct rx_test_mock){.entries = m->entries, .heap = heap, .diagnostics = diagnostics};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; r == 0 && maps[k] && i < maps[k]->count; i++) {
            struct entry *e = &m->entries[m->count++];
            *e = (struct entry){.key = maps[k]->keys[i], .value = maps[k]->items[i]};
            r = read_entry(m, logical, e);
        }
    if (r == 0 && rx_diagnostics_count(diagnostics) > before)
        r = -EINVAL;
    if (r < 0)
        rx_test_mock_destroy(m);
    else
        *ret = m;
    return r;
}

void rx_test_mock_destroy(struct rx_test_mock *m)
{
    for (size_t i = 0; m && m->entries && i < m->count; i++) {
        free(m->entries[i].answers);
        free(m->entries[i].rows);
    }
    if (m)
        free(m->entries);
    free(m);
}

/* ---- tables ---- */

const char *rx_test_mock_rows(void *arg, const struct rx_step *step, bool *ret_any)
{
    struct entry *e = entry_of(arg, step);
    *ret_any = e && e->any;
    return e ? e->rows : NULL;
}

static bool names_step(const struct rx_tree *mock, const struct rx_step *step)
{
    bool found = false;
    for (size_t i = 0; mock && i < mock->count; i++)
        found = found || is_named(step, mock->keys[i]->text);
    return found;
}

const char *rx_test_file_rows(void *arg, const struct rx_step *step, bool *ret_any)
{
    const struct rx_test_file *f = arg;
    bool found = false;
    *ret_any = false;
    for (size_t i = 0; i < f->count; i++)
        found = found || names_step(f->tests[i].mock, step) || names_step(f->tests[i].common_mock, step);
    return found ? "[]" : NULL;
}

/* ---- answering ---- */

/* A text that is JSON as what it says. The caller's. */
static struct rx_value body_of(struct rx_heap *heap, struct rx_value body)
{
    struct rx_value decoded;
    bool text = body.kind == RX_STRING || body.kind == RX_BYTES;
    return text && rx_json_decode(heap, NULL, NULL, body.u.text, body.aux, &decoded, NULL) == 0 ? decoded
                                                                                                : rx_value_ref(body);
}

/* What `when` sees. */
static struct rx_value seen(struct rx_heap *heap, const struct rx_request *request)
{
    struct rx_object_builder b;
    rx_object_init(&b, heap);
    rx_object_put_take(&b, rx_string_static("method", 6), rx_string(heap, request->method, strlen(request->method)));
    rx_object_put_take(&b, rx_string_static("url", 3), rx_value_ref(request->url));
    rx_object_put_take(&b, rx_string_static("body", 4), body_of(heap, request->body));
    return rx_object_finish(&b);
}

static bool fits(struct rx_heap *heap, const struct answer *a, const struct rx_request *request)
{
    struct rx_expr *expr = NULL;
    if (a->times && a->given == a->times)
        return false;
    if (!a->when)
        return true;
    struct rx_event event = {.value = seen(heap, request)};
    bool fit =
        rx_expr_compile(a->when->text, a->when->length, &(struct rx_expr_options){.heap = heap}, &expr, NULL) == 0 &&
        rx_expr_test(expr, &(struct rx_expr_env){.event = &event}, NULL) == 1;
    rx_expr_destroy(expr);
    rx_value_unref(event.value);
    return fit;
}

static int give(struct rx_call *call, struct answer *a, struct rx_error *reterr)
{
    struct rx_heap *heap = rx_op_heap(call->op);
    struct rx_reply reply = {.status = a->status, .body = rx_null(), .retry_after = a->retry_after};
    int r = a->body ? rx_tree_value(a->body, heap, &reply.body) : 0;
    struct rx_value answer = r < 0      ? rx_null()
                             : a->error ? rx_string(heap, a->error->text, a->error->length)
                                        : rx_reply_value(heap, &reply);
    r = answer.kind == RX_NULL ? -ENOMEM : rx_call_answer_later(call, a->after, answer);
    rx_value_unref(reply.body);
    rx_value_unref(answer);
    a->given += r == 0;
    return r == 0 ? 0 : rx_error_set(reterr, r, "out of memory");
}

static int begin(void *arg, struct rx_call *call, struct rx_error *reterr)
{
    const struct rx_step *step = call->op->node->step;
    struct entry *e = entry_of(arg, step);
    struct rx_request request;
    if (!e || !e->answers)
        return rx_error_set(reterr, -ENOENT, "the test gives no answers to the step %s (mock: {%s: ...})", step->id,
                            step->id + strlen(step->pipeline) + 1);
    if (!rx_request_read(call->request, &request))
        return rx_error_set(reterr, -EINVAL, "the step %s asks for what a test cannot answer", step->id);
    for (size_t i = 0; i < e->count; i++)
        if (fits(rx_op_heap(call->op), &e->answers[i], &request))
            return give(call, &e->answers[i], reterr);
    return rx_error_set(reterr, -ENOENT, "none of the test's answers to the step %s fits %s %.*s", step->id,
                        request.method, (int)request.url.aux, request.url.u.text);
}

void rx_test_mock_enter(void *arg, struct rx_world *world)
{
    world->engine->caller = (struct rx_caller){.begin = begin, .arg = arg};
}
