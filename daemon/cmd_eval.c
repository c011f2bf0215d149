/* rxd eval: one expression on one event, as the daemon would see it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/expr.h"
#include "daemon/command.h"

struct arguments {
    const char *expression, *event;
    bool explain;
};

static int parse(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0 && !a->expression && i + 1 < argc)
            a->expression = argv[++i];
        else if (strcmp(argv[i], "--event") == 0 && i + 1 < argc)
            a->event = argv[++i];
        else if (strcmp(argv[i], "--explain") == 0)
            a->explain = true;
        else if (strcmp(argv[i], "-") == 0 && a->expression)
            a->event = argv[i];
        else if (!a->expression)
            a->expression = argv[i];
        else
            return rx_usage("eval", "unexpected argument \"%s\"; an expression is one argument, in quotes", argv[i]);
    }
    return a->expression ? 0 : rx_usage("eval", "what should be evaluated?");
}

/* The expression with a caret under the mistake. */
static void show_error(const char *text, const struct rx_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    if (error->at.line && !strchr(text, '\n'))
        fprintf(stderr, "  %s\n  %*s^\n", text, (int)error->at.column - 1, "");
    if (error->hint[0])
        fprintf(stderr, "hint: %s\n", error->hint);
}

static int read_stdin(struct rx_buffer *out)
{
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, stdin)) > 0;)
        rx_buffer_append(out, piece, n);
    return out->failed ? -ENOMEM : 0;
}

static int decode(struct rx_heap *heap, const struct arguments *a, struct rx_event *ret)
{
    struct rx_buffer text = {0};
    struct rx_error error = {0};
    if (!a->event)
        rx_buffer_text(&text, "{}");
    else if (strcmp(a->event, "-") == 0)
        read_stdin(&text);
    else
        rx_buffer_text(&text, a->event);
    int r = text.failed
                ? rx_error_set(&error, -ENOMEM, "out of memory")
                : rx_json_decode(heap, NULL, NULL, text.data ? text.data : "", text.length, &ret->value, &error);
    if (r < 0)
        fprintf(stderr, "the event is not JSON: %u:%u: %s\n", error.at.line, error.at.column, error.message);
    rx_buffer_finish(&text);
    return r;
}

static int evaluate(struct rx_heap *heap, struct rx_expr *expr, const struct rx_event *event, const char *text)
{
    struct rx_expr_env env = {.event = event};
    struct rx_error error = {0};
    struct rx_value value;
    (void)heap;
    if (rx_expr_eval(expr, &env, &value, &error) < 0) {
        show_error(text, &error);
        return 1;
    }
    struct rx_buffer out = {0};
    rx_json_write(&out, value);
    rx_value_unref(value);
    printf("%.*s\n", (int)out.length, out.data);
    rx_buffer_finish(&out);
    return 0;
}

static int explain(struct rx_expr *expr)
{
    struct rx_buffer out = {0};
    rx_expr_disassemble(expr, &out);
    printf("%.*s", (int)out.length, out.data ? out.data : "");
    rx_buffer_finish(&out);
    return 0;
}

static int with_heap(struct rx_heap *heap, const struct arguments *a)
{
    struct rx_expr *expr = NULL;
    struct rx_error error = {0};
    struct rx_event event = {0};
    struct rx_expr_options options = {.heap = heap};
    if (rx_expr_compile(a->expression, strlen(a->expression), &options, &expr, &error) < 0) {
        show_error(a->expression, &error);
        return 1;
    }
    int status = a->explain                    ? explain(expr)
                 : decode(heap, a, &event) < 0 ? 1
                                               : evaluate(heap, expr, &event, a->expression);
    rx_event_unref(&event);
    rx_expr_destroy(expr);
    return status;
}

int rx_command_eval(int argc, char **argv)
{
    struct arguments a = {0};
    int status = parse(argc, argv, &a);
    if (status)
        return status;
    struct rx_heap *heap = rx_heap_create(NULL);
    if (!heap)
        return 1;
    status = with_heap(heap, &a);
    rx_heap_destroy(heap);
    return status;
}
