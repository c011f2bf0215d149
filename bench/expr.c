/* Expressions against the same work written in C by hand, on a decoded event: nanoseconds of each, and the budget.
 *   bench_expr [SECONDS] [NAME ROUNDS]        NAME runs one expression so many times and nothing else (for callgrind) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/expr/expr.h"

static const char json[] =
    "{\"deviceId\":\"sensor-0042\",\"temperature\":31.37,\"humidity\":48.2,\"status\":\"ok\",\"t\":21.5,"
    "\"values\":[1,2,3,4,5,6,7,8]}";

struct setting {
    struct rx_heap *heap;
    struct rx_event event;
    const struct rx_key *keys[5];
    struct rx_slot_cache caches[5];
    const struct rx_shape *pair;
};

enum { TEMPERATURE, HUMIDITY, STATUS, T, DEVICE };

static const struct rx_value *field(struct setting *s, unsigned i)
{
    return rx_record_get(s->event.value.u.record, s->keys[i], &s->caches[i]);
}

/* ---- by hand, with the checks that the engine makes ---- */

static struct rx_value hand_linear(struct setting *s)
{
    const struct rx_value *t = field(s, T);
    return t && t->kind == RX_DOUBLE ? rx_double(t->u.d * 1.8 + 32) : rx_null();
}

static struct rx_value hand_filter(struct setting *s)
{
    const struct rx_value *t = field(s, TEMPERATURE), *h = field(s, HUMIDITY), *status = field(s, STATUS);
    if (!t || !h || !status || t->kind != RX_DOUBLE || h->kind != RX_DOUBLE || status->kind != RX_STRING)
        return rx_null();
    return rx_bool(t->u.d > 30.0 && h->u.d < 60.0 && status->aux == 2 && memcmp(status->u.text, "ok", 2) == 0);
}

static struct rx_value hand_map(struct setting *s)
{
    const struct rx_value *device = field(s, DEVICE);
    struct rx_value values[2] = {device ? rx_value_ref(*device) : rx_null(), hand_linear(s)};
    return rx_record_take(s->heap, s->pair, values);
}

static const struct test {
    const char *name, *text;
    double budget;
    struct rx_value (*hand)(struct setting *);
} tests[] = {
    {"linear", "t * 1.8 + 32", 10, hand_linear},
    {"filter", "temperature > 30.0 && humidity < 60.0 && status == \"ok\"", 25, hand_filter},
    {"map", "{\"device\": deviceId, \"f\": t * 1.8 + 32}", 60, hand_map},
    {"macro", "values.exists(x, x > 6)", 0, NULL},
    {"text", "deviceId.startsWith(\"sensor-\") && deviceId.size() == 11", 0, NULL},
};
enum { TESTS = sizeof tests / sizeof *tests };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void prepare(struct setting *s)
{
    static const char *const names[] = {"temperature", "humidity", "status", "t", "deviceId"};
    s->heap = rx_heap_create(NULL);
    if (rx_json_decode(s->heap, NULL, NULL, json, sizeof json - 1, &s->event.value, NULL) < 0)
        exit(1);
    for (unsigned i = 0; i < 5; i++)
        s->keys[i] = rx_key_intern(s->heap, names[i], strlen(names[i]));
    s->pair = rx_shape_empty(s->heap);
    s->pair = rx_shape_with(s->heap, s->pair, rx_key_intern(s->heap, "device", 6));
    s->pair = rx_shape_with(s->heap, s->pair, rx_key_intern(s->heap, "f", 1));
}

static struct rx_expr *compile(struct setting *s, const char *text)
{
    struct rx_expr_options options = {.heap = s->heap};
    struct rx_expr *expr;
    struct rx_error error;
    if (rx_expr_compile(text, strlen(text), &options, &expr, &error) == 0)
        return expr;
    fprintf(stderr, "%s: %s\n", text, error.message);
    exit(1);
}

static void run_expr(struct setting *s, struct rx_expr *expr, unsigned rounds)
{
    struct rx_expr_env env = {.event = &s->event};
    struct rx_value value;
    for (unsigned i = 0; i < rounds; i++) {
        if (rx_expr_eval(expr, &env, &value, NULL) < 0)
            exit(1);
        rx_value_unref(value);
    }
}

static void run_hand(struct setting *s, struct rx_value (*volatile hand)(struct setting *), unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        rx_value_unref(hand(s));
}

/* The least nanoseconds per round of batches over `seconds`. */
static double measure(struct setting *s, struct rx_expr *expr, struct rx_value (*hand)(struct setting *),
                      double seconds)
{
    enum { BATCH = 100000 };
    double best = 1e9;
    for (double end = now() + seconds; now() < end;) {
        double start = now();
        if (expr)
            run_expr(s, expr, BATCH);
        else
            run_hand(s, hand, BATCH);
        double each = (now() - start) / BATCH * 1e9;
        if (each < best)
            best = each;
    }
    return best;
}

static int run_one(struct setting *s, const char *name, unsigned rounds)
{
    for (unsigned i = 0; i < TESTS; i++)
        if (strcmp(tests[i].name, name) == 0) {
            struct rx_expr *expr = compile(s, tests[i].text);
            run_expr(s, expr, rounds);
            rx_expr_destroy(expr);
            return 0;
        }
    return 2;
}

static void finish(struct setting *s)
{
    rx_value_unref(s->event.value);
    rx_heap_destroy(s->heap);
}

int main(int argc, char **argv)
{
    struct setting s = {0};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.5;
    int over = 0;
    prepare(&s);
    if (argc > 3) {
        int r = run_one(&s, argv[2], (unsigned)strtoul(argv[3], NULL, 10));
        finish(&s);
        return r;
    }
    printf("%-58s %8s %8s %8s\n", "expression", "ns", "by hand", "budget");
    for (unsigned i = 0; i < TESTS; i++) {
        struct rx_expr *expr = compile(&s, tests[i].text);
        double ns = measure(&s, expr, NULL, seconds);
        printf("%-58s %8.1f", tests[i].text, ns);
        if (tests[i].hand)
            printf(" %8.1f %8.0f%s", measure(&s, NULL, tests[i].hand, seconds), tests[i].budget,
                   ns > tests[i].budget ? "  over" : "");
        printf("\n");
        over += tests[i].hand && ns > tests[i].budget;
        rx_expr_destroy(expr);
    }
    finish(&s);
    return over ? 1 : 0;
}
