/* Valid programs: the bytes choose among the productions of the grammar. Each must parse; none may crash, leak, or
 * run over its budget; and folding must not change a result. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/expr/functions.h"

static const char json[] =
    "{\"t\":21.5,\"n\":21,\"s\":\"ok\",\"b\":true,\"nul\":null,\"list\":[1,2,\"x\"],\"o\":{\"a\":{\"b\":7}}}";

struct writer {
    const uint8_t *data;
    size_t size, at;
    struct rx_buffer out;
    unsigned depth, variables;
};

static unsigned choose(struct writer *w, unsigned n) { return w->at < w->size ? w->data[w->at++] % n : 0; }

static void put(struct writer *w, const char *text) { rx_buffer_text(&w->out, text); }

static void expression(struct writer *w);

static void literal(struct writer *w)
{
    static const char *const literals[] = {"1",
                                           "0",
                                           "-1",
                                           "2u",
                                           "1.5",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "1e308",
                                           "true",
                                           "false",
                                           "null",
                                           "''",
                                           "'aé'",
                                           "\"x\\n\\u00e9\"",
                                           "b'\\xff'",
                                           "r'\\d+'",
                                           "'''a'b'''",
                                           "0x1F",
                                           "[]",
                                           "{}",
                                           "duration('90s')",
                                           "timestamp(0)",
                                           "int",
                                           "optional.none()",
                                           "'%s %d'",
                                           "'Europe/Berlin'",
                                           "'a,b'",
                                           "'(a+)+(b?)'",
                                           "r'\\1<\\0>'",
                                           "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac'",
                                           "'%Y-%m-%d %H:%M:%S.%L %z'",
                                           "'{\"a\": [1, {\"b\": null}]}'",
                                           "'[[[[[[[['",
                                           "'Straße İ ǅ'",
                                           "-0.0",
                                           "(0.0 / 0.0)"};
    put(w, literals[choose(w, sizeof literals / sizeof *literals)]);
}

static void name(struct writer *w)
{
    static const char *const names[] = {"t",        "n",          "s",          "b",          "nul",  "list",
                                        "o",        "o.a.b",      "event",      "event_time", "meta", "missing",
                                        "meta.key", "`odd name`", "event['t']", "type"};
    unsigned which = choose(w, 16 + w->variables);
    if (which < 16)
        put(w, names[which]);
    else
        rx_buffer_printf(&w->out, "v%u", which - 16);
}

static void wrapped(struct writer *w)
{
    put(w, "(");
    expression(w);
    put(w, ")");
}

static void binary(struct writer *w)
{
    static const char *const operators[] = {" + ",  " - ", " * ",  " / ",  " % ",  " == ", " != ", " < ",
                                            " <= ", " > ", " >= ", " in ", " && ", " || ", " && ", " || "};
    wrapped(w);
    put(w, operators[choose(w, 16)]);
    wrapped(w);
}

static void list(struct writer *w, const char *open, const char *close, bool pairs)
{
    put(w, open);
    for (unsigned i = 0, n = choose(w, 4); i < n; i++) {
        put(w, i ? ", " : "");
        if (choose(w, 8) == 7)
            put(w, "?");
        if (pairs)
            rx_buffer_printf(&w->out, "'k%u': ", i);
        expression(w);
    }
    put(w, close);
}

static void macro(struct writer *w)
{
    static const char *const macros[] = {
        "all",           "exists",       "exists_one",        "filter", "map",       "sortBy",
        "transformList", "transformMap", "transformMapEntry", "optMap", "optFlatMap"};
    unsigned which = choose(w, 11), names = which >= 6 && which <= 8 ? 2 : 1;
    wrapped(w);
    rx_buffer_printf(&w->out, ".%s(v%u, ", macros[which], w->variables);
    if (names == 2)
        rx_buffer_printf(&w->out, "v%u, ", w->variables + 1);
    w->variables += names;
    expression(w);
    w->variables -= names;
    put(w, ")");
}

/* A call of any function with a legal number of arguments of any kind. */
static void call(struct writer *w)
{
    unsigned tables = 0, rows = 0;
    while (rx_function_tables[tables])
        tables++;
    const struct rx_function *f = rx_function_tables[choose(w, tables)];
    while (f[rows].name)
        rows++;
    f += choose(w, rows);
    unsigned most = f->max_args < 4 ? f->max_args : 4, count = f->min_args + choose(w, most - f->min_args + 1), i = 0;
    if (f->style & RX_F_METHOD) {
        wrapped(w);
        put(w, ".");
        i = 1;
    }
    put(w, f->name);
    put(w, "(");
    for (bool first = true; i < count; i++, first = false) {
        put(w, first ? "" : ", ");
        expression(w);
    }
    put(w, ")");
}

static void selection(struct writer *w)
{
    static const char *const tails[] = {".a", ".?a", "[0]", "['a']", "[?0]", "[?'b']", "[n]", ".`b c`"};
    wrapped(w);
    put(w, tails[choose(w, 8)]);
}

static void special(struct writer *w)
{
    switch (choose(w, 5)) {
    case 0:
        put(w, "has(o.");
        put(w, choose(w, 2) ? "a)" : "q)");
        return;
    case 1:
        put(w, "coalesce(nul, ");
        expression(w);
        put(w, ")");
        return;
    case 2:
        put(w, "if(");
        expression(w);
        put(w, ", ");
        expression(w);
        put(w, ", ");
        expression(w);
        put(w, ")");
        return;
    case 3:
        rx_buffer_printf(&w->out, "cel.bind(v%u, ", w->variables);
        expression(w);
        put(w, ", ");
        w->variables++;
        expression(w);
        w->variables--;
        put(w, ")");
        return;
    default:
        wrapped(w);
        put(w, " ? ");
        wrapped(w);
        put(w, " : ");
        wrapped(w);
    }
}

static void expression(struct writer *w)
{
    if (w->depth > 12 || w->at >= w->size) {
        literal(w);
        return;
    }
    w->depth++;
    switch (choose(w, 12)) {
    case 0:
        literal(w);
        break;
    case 1:
    case 2:
        name(w);
        break;
    case 3:
        put(w, choose(w, 2) ? "!" : "-");
        wrapped(w);
        break;
    case 4:
        list(w, "[", "]", false);
        break;
    case 5:
        list(w, "{", "}", true);
        break;
    case 6:
        macro(w);
        break;
    case 7:
    case 8:
        call(w);
        break;
    case 9:
        selection(w);
        break;
    case 10:
        special(w);
        break;
    default:
        binary(w);
    }
    w->depth--;
}

static void check(struct rx_heap *heap, const char *text, size_t length)
{
    struct rx_expr_options options = {.heap = heap, .budget = 20000};
    struct rx_event event = {.time = 1700000000 * RX_SEC};
    struct rx_expr *expr;
    struct rx_error error = {0};
    if (rx_json_decode(heap, NULL, NULL, json, sizeof json - 1, &event.value, NULL) < 0)
        abort();
    int r = rx_expr_compile(text, length, &options, &expr, &error);
    if (r < 0 && (!error.message[0] || (strstr(error.message, "expected") && !strstr(error.message, "not JSON")))) {
        fprintf(stderr, "%.*s\n%s\n", (int)length, text, error.message);
        abort();
    }
    if (r == 0) {
        struct rx_expr_env env = {.event = &event};
        struct rx_value first, again;
        int code = rx_expr_eval(expr, &env, &first, &error), repeated = rx_expr_eval(expr, &env, &again, NULL);
        if (code != repeated)
            abort();
        if (code == 0) {
            rx_value_unref(first);
            rx_value_unref(again);
        }
        rx_expr_destroy(expr);
    }
    rx_value_unref(event.value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct writer w = {.data = data, .size = size};
    struct rx_heap *heap = rx_heap_create(NULL);
    if (!heap)
        abort();
    expression(&w);
    if (!w.out.failed && w.out.length < 60000)
        check(heap, w.out.data, w.out.length);
    rx_buffer_finish(&w.out);
    if (rx_heap_live_blocks(heap) != 0)
        abort();
    rx_heap_destroy(heap);
    return 0;
}
