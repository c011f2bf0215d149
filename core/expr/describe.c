/* Run-time failures in words: the sub-expression, the values that it saw, and what to write instead. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/expr/compiler.h"

enum { VALUE_MAX = 60, SOURCE_MAX = 90 };

/* A value as JSON, cut. */
static void show(struct rx_value value, char *out, size_t size)
{
    struct rx_buffer buffer = {0};
    if (value.kind < RX_KINDS)
        rx_json_write_cut(&buffer, value, VALUE_MAX + 8);
    size_t length = buffer.failed || !buffer.data ? 0 : buffer.length;
    if (length <= VALUE_MAX) {
        snprintf(out, size, "%.*s", (int)length, length ? buffer.data : "");
    } else {
        length = VALUE_MAX - 3;
        while (length && ((unsigned char)buffer.data[length] & 0xC0) == 0x80)
            length--;
        snprintf(out, size, "%.*s...", (int)length, buffer.data);
    }
    rx_buffer_finish(&buffer);
}

static const char *kind_word(struct rx_value v)
{
    if (v.flags & RX_FLAG_JSON)
        return "number";
    switch (v.kind) {
    case RX_TIMESTAMP:
        return "timestamp";
    case RX_DURATION:
        return "duration";
    case RX_OPTIONAL:
        return "optional";
    case RX_RECORD:
        return "map";
    default:
        return v.kind < RX_KINDS ? rx_kind_name((enum rx_kind)v.kind) : "failure";
    }
}

/* "21.5 (double)" */
static void show_typed(struct rx_value v, char *out, size_t size)
{
    char text[VALUE_MAX + 8];
    if (v.kind == RX_NULL) {
        snprintf(out, size, "null");
        return;
    }
    show(v, text, sizeof text);
    snprintf(out, size, "%s (%s)", text, kind_word(v));
}

struct scene {
    const struct rx_expr *e;
    const struct rx_failure *failure;
    const struct rx_ins *ins;
    char source[SOURCE_MAX + 8], a[VALUE_MAX + 40], b[VALUE_MAX + 40];
};

static void set_scene(struct scene *s)
{
    const struct rx_range *place = &s->e->places[s->failure->at];
    size_t length = place->end - place->start;
    const char *text = s->e->text + place->start;
    bool cut = length > SOURCE_MAX;
    if (cut) {
        length = SOURCE_MAX - 3;
        while (length && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    snprintf(s->source, sizeof s->source, "%.*s%s", (int)length, text, cut ? "..." : "");
    if (s->failure->count > 0)
        show_typed(s->failure->values[0], s->a, sizeof s->a);
    if (s->failure->count > 1)
        show_typed(s->failure->values[1], s->b, sizeof s->b);
}

static bool is_access(enum rx_opcode op)
{
    return op == OP_SELECT || op == OP_INDEX || op == OP_OPT_SELECT || op == OP_OPT_INDEX || op == OP_HAS_SELECT ||
           op == OP_HAS_INDEX;
}

/* The hint of the compiler whose word the field stands in. */
static void hint_slip(const struct scene *s, struct rx_error *out)
{
    size_t start = s->e->places[s->failure->at].start;
    for (uint32_t i = 0; i < s->e->hint_count; i++) {
        size_t from = s->e->hints[i].at.offset;
        if (start >= from && start <= from + strcspn(s->e->text + from, " "))
            rx_error_hint(out, "%s", s->e->hints[i].hint);
    }
}

/* A message may go to a terminal or a log: what it quotes holds no control characters. */
static bool is_printable(struct rx_value text)
{
    for (uint32_t i = 0; i < text.aux; i++)
        if ((unsigned char)text.u.text[i] < ' ' || text.u.text[i] == 0x7F)
            return false;
    return true;
}

/* The key of an object that is spelled most like `name`; NULL: none is. */
static const char *nearest_key(struct rx_value object, const char *name, char *out, size_t size)
{
    enum { NAMES = 32, LENGTH = 48 };
    char texts[NAMES][LENGTH];
    const char *names[NAMES + 1];
    size_t count = 0;
    for (uint32_t i = 0; i < rx_object_count(object) && count < NAMES; i++) {
        struct rx_value key, value;
        rx_object_entry(object, i, &key, &value);
        if (key.kind != RX_STRING || key.aux >= LENGTH || !is_printable(key))
            continue;
        snprintf(texts[count], LENGTH, "%.*s", (int)key.aux, key.u.text);
        names[count] = texts[count];
        count++;
    }
    names[count] = NULL;
    const char *near = rx_nearest(name, names);
    if (near)
        snprintf(out, size, "%s", near);
    return near ? out : NULL;
}

static bool is_object(struct rx_value v) { return v.kind == RX_RECORD || v.kind == RX_MAP; }

static void hint_absent_field(const struct scene *s, struct rx_error *out)
{
    const struct rx_event *event = s->e->env ? s->e->env->event : NULL;
    const char *near = NULL;
    char name[48];
    if (event && is_object(event->value))
        near = nearest_key(event->value, s->e->accesses[s->ins->x].key->text, name, sizeof name);
    if (near)
        rx_error_hint(out, "did you mean %s? has(%s) asks whether a field is there", near, s->source);
    else
        rx_error_hint(out, "coalesce(%s, 0) gives a value instead, has(%s) asks whether it is there", s->source,
                      s->source);
}

static void hint_absent_key(const struct scene *s, struct rx_error *out)
{
    const struct rx_failure *f = s->failure;
    char key[48], name[48];
    if (!is_object(f->values[0]) || f->values[1].kind != RX_STRING || f->values[1].aux >= sizeof key)
        return;
    snprintf(key, sizeof key, "%.*s", (int)f->values[1].aux, f->values[1].u.text);
    if (nearest_key(f->values[0], key, name, sizeof name))
        rx_error_hint(out, "did you mean %s?", name);
}

static void describe_nodata(const struct scene *s, struct rx_error *out)
{
    enum rx_opcode op = s->ins->op;
    const struct rx_failure *f = s->failure;
    if (op == OP_FIELD || op == OP_NAME) {
        rx_error_set(out, -ENODATA, "the field %s is absent", s->source);
        hint_slip(s, out);
        if (!out->hint[0])
            hint_absent_field(s, out);
    } else if (is_access(op) && f->count == 2 && f->values[0].kind != RX_NULL && f->values[1].kind != RX_NULL) {
        rx_error_set(out, -ENODATA, "%s: no such key %s in the map", s->source, s->b);
        hint_absent_key(s, out);
    } else if (is_access(op))
        rx_error_set(out, -ENODATA, "%s: null has no fields", s->source);
    else if (f->count == 2)
        rx_error_set(out, -ENODATA, "%s: an operand is null, the values are %s and %s", s->source, s->a, s->b);
    else if (f->count == 1)
        rx_error_set(out, -ENODATA, "%s: the value is null", s->source);
    else
        rx_error_set(out, -ENODATA, "%s is absent", s->source);
}

static const char *binary_verb(enum rx_opcode op)
{
    switch (op) {
    case OP_ADD:
        return "add";
    case OP_SUB:
        return "subtract";
    case OP_MUL:
        return "multiply";
    case OP_DIV:
        return "divide";
    case OP_MOD:
        return "take the remainder of";
    default:
        return "compare";
    }
}

static void describe_no_fields(const struct scene *s, struct rx_error *out)
{
    rx_error_set(out, -EINVAL, "%s: %s has no fields", s->source, s->a);
    if (s->ins->op != OP_SELECT)
        return;
    const char *name = s->e->accesses[s->ins->x].key->text;
    const struct rx_function *method = rx_function_find(name, strlen(name), RX_F_METHOD);
    if (strcmp(name, "length") == 0 || strcmp(name, "count") == 0)
        rx_error_hint(out, "the number of its elements is size(x)");
    else if (method)
        rx_error_hint(out, "write %s", method->signature);
}

/* An argument of a kind that the function does not take; or something in it, where no argument is blamed. */
static void describe_argument(const struct scene *s, struct rx_error *out)
{
    const struct rx_function *f = s->failure->function, *row = s->e->functions[s->ins->x];
    if (!f) {
        rx_error_set(out, -EINVAL, "%s: %s does not take %s: no such overload", s->source, row->name, s->a);
        return;
    }
    rx_kinds takes = rx_function_takes(f, s->failure->argument);
    for (; row && s->failure->argument == 0; row = rx_function_overload(row))
        takes |= rx_function_takes(row, 0);
    char wanted[120];
    rx_error_set(out, -EINVAL, "%s: %s works on %s, here is %s: no such overload", s->source, f->name,
                 rx_kinds_text(takes, wanted, sizeof wanted), s->a);
    if (takes == RX_K_LIST && rx_expr_is_aggregate(f->name))
        rx_error_hint(out,
                      "over events %s stands in an aggregate step; in an expression it works on a list: %s([a, b])",
                      f->name, f->name);
    else if (takes == RX_K_STRING && s->failure->values[0].kind <= RX_DURATION)
        rx_error_hint(out, "write %s; what is no text becomes one by string(x)", f->signature);
    else
        rx_error_hint(out, "write %s", f->signature);
}

static void describe_type(const struct scene *s, struct rx_error *out)
{
    enum rx_opcode op = s->ins->op;
    if (op == OP_IN)
        rx_error_set(out, -EINVAL, "%s: cannot look for %s in %s: no such overload", s->source, s->a, s->b);
    else if (op >= OP_ADD && op <= OP_GE)
        rx_error_set(out, -EINVAL, "%s: cannot %s %s and %s: no such overload", s->source, binary_verb(op), s->a, s->b);
    else if (op == OP_NEG)
        rx_error_set(out, -EINVAL, "%s: cannot negate %s: no such overload", s->source, s->a);
    else if (is_access(op) && s->failure->count == 2 &&
             (s->failure->values[0].kind == RX_MAP || s->failure->values[0].kind == RX_RECORD))
        rx_error_set(out, -EINVAL, "%s: no such key %s in the map", s->source, s->b);
    else if (is_access(op) && s->failure->count == 2 && op != OP_SELECT)
        rx_error_set(out, -EINVAL, "%s: %s cannot be indexed by %s", s->source, s->a, s->b);
    else if (is_access(op))
        describe_no_fields(s, out);
    else if (op == OP_LOOP)
        rx_error_set(out, -EINVAL, "%s: a macro goes through a list or a map, here is %s", s->source, s->a);
    else if (op == OP_CALL)
        describe_argument(s, out);
    else if (op == OP_MAP || op == OP_MAP_OPT || op == OP_PUT || op == OP_PUT_ALL)
        rx_error_set(out, -EINVAL, "%s: %s is a repeated key, or no key at all", s->source, s->a);
    else if (op == OP_END_SORTED)
        rx_error_set(out, -EINVAL, "%s: the keys cannot be put in order", s->source);
    else if (op == OP_UNWRAP || op == OP_NEED_OPT)
        rx_error_set(out, -EINVAL, "%s: an optional is needed, here is %s", s->source, s->a);
    else
        rx_error_set(out, -EINVAL, "%s: true or false is needed, here is %s: no such overload", s->source, s->a);
}

static void describe_range(const struct scene *s, struct rx_error *out)
{
    if (is_access(s->ins->op))
        rx_error_set(out, -ERANGE, "%s: the index %s is out of range, the list has %u elements", s->source, s->b,
                     s->failure->values[0].kind == RX_LIST ? s->failure->values[0].u.list->count : 0);
    else if (s->failure->count == 2)
        rx_error_set(out, -ERANGE, "%s: the result is out of range with %s and %s: overflow", s->source, s->a, s->b);
    else
        rx_error_set(out, -ERANGE, "%s: out of range with %s", s->source, s->failure->count ? s->a : "these values");
}

void rx_failure_describe(const struct rx_expr *e, const struct rx_failure *failure, struct rx_error *out)
{
    if (!out || !failure->code)
        return;
    struct scene s = {.e = e, .failure = failure, .ins = &e->code[failure->at]};
    set_scene(&s);
    if (failure->detail[0])
        rx_error_set(out, failure->code, "%s: %s", s.source, failure->detail);
    else if (failure->code == -ENODATA)
        describe_nodata(&s, out);
    else if (failure->code == -EINVAL)
        describe_type(&s, out);
    else if (failure->code == -ERANGE)
        describe_range(&s, out);
    else if (failure->code == -EDOM)
        rx_error_set(out, -EDOM, "%s: division by zero: %s %s %s", s.source, s.a, s.ins->op == OP_MOD ? "%" : "/", s.b);
    else if (failure->code == -ETIME)
        rx_error_set(out, -ETIME, "%s: the expression took more than %llu steps and was stopped", s.source,
                     (unsigned long long)e->budget);
    else
        rx_error_set(out, failure->code, "%s: out of memory", s.source);
    rx_place_set(&out->at, e->text, e->length, e->places[failure->at].start);
}
