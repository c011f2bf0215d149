/* Tables of expressions: text, event as JSON, and the value as JSON or the error that is expected. */
#ifndef TESTS_UNIT_EXPR_TABLE_H
#define TESTS_UNIT_EXPR_TABLE_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/expr.h"

struct expr_case {
    const char *text;
    const char *want;  /* JSON; NULL: a failure */
    const char *event; /* JSON; NULL: {} */
    int code;          /* of the failure; 0: any. -ENOEXEC: it must not even compile */
};

struct expr_outcome {
    int compiled, code;     /* 0 or the errno */
    struct rx_buffer value; /* JSON, NUL-terminated */
    struct rx_error error;
};

/* Compiles and evaluates on an event that came through the decoder. */
static inline void expr_run(struct rx_heap *heap, const char *text, const char *json,
                            const struct rx_expr_options *given, struct expr_outcome *out)
{
    struct rx_expr_options options = given ? *given : (struct rx_expr_options){0};
    struct rx_expr *expr;
    struct rx_event event = {.time = 1700000000123 * RX_MSEC};
    struct rx_value value;
    *out = (struct expr_outcome){0};
    options.heap = heap;
    if (!json)
        json = "{}";
    ck_assert_int_eq(rx_json_decode(heap, NULL, NULL, json, strlen(json), &event.value, &out->error), 0);
    out->compiled = rx_expr_compile(text, strlen(text), &options, &expr, &out->error);
    if (out->compiled == 0) {
        struct rx_expr_env env = {.event = &event};
        out->code = rx_expr_eval(expr, &env, &value, &out->error);
        if (out->code == 0) {
            rx_json_write(&out->value, value);
            rx_buffer_append(&out->value, "", 1);
            rx_value_unref(value);
        }
        rx_expr_destroy(expr);
    }
    rx_value_unref(event.value);
}

static inline void expr_check(struct rx_heap *heap, const struct expr_case *c)
{
    struct expr_outcome out;
    expr_run(heap, c->text, c->event, NULL, &out);
    const char *got = out.value.data ? out.value.data : "";
    if (c->want) {
        ck_assert_msg(!out.compiled, "%s: does not compile: %s", c->text, out.error.message);
        ck_assert_msg(!out.code, "%s: failed: %s", c->text, out.error.message);
        ck_assert_msg(strcmp(got, c->want) == 0, "%s: got %s, want %s", c->text, got, c->want);
    } else {
        int code = out.compiled ? -ENOEXEC : out.code;
        bool constant = out.compiled && c->code != -ENOEXEC; /* a constant's failure shows at load */
        ck_assert_msg(code, "%s: got %s, want a failure", c->text, got);
        ck_assert_msg(!c->code || constant || code == c->code, "%s: got failure %d (%s), want %d", c->text, code,
                      out.error.message, c->code);
        ck_assert_msg(out.error.message[0] && out.error.at.line, "%s: a failure without words or place", c->text);
    }
    rx_buffer_finish(&out.value);
}

/* Runs a table in a heap of its own and looks for leaks. */
static inline void expr_check_all(const struct expr_case *cases, size_t count)
{
    struct rx_heap *heap = rx_heap_create(NULL);
    for (size_t i = 0; i < count; i++) {
        expr_check(heap, &cases[i]);
        ck_assert_msg(rx_heap_live_blocks(heap) == 0, "%s: leaks", cases[i].text);
    }
    rx_heap_destroy(heap);
}
#define EXPR_CHECK(cases) expr_check_all(cases, sizeof(cases) / sizeof *(cases))

static inline int expr_main(const char *name, void (*add)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 60);
    add(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#endif
