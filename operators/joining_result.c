/* The rows that a join puts out: pairs as soon as they are there, and what found no partner. */
#include "core/graph/combine.h"
#include "operators/joining.h"

/* A row of each side; NULL: none. */
struct combination {
    struct join_row *rows[RX_PORTS_MAX];
};

static unsigned sides_of(const struct join *j) { return rx_op_inputs(&j->op); }

static struct join_row *first_of(const struct join *j, const struct combination *c)
{
    unsigned i = 0;
    while (i + 1 < sides_of(j) && !c->rows[i])
        i++;
    return c->rows[i];
}

/* ---- one result ---- */

static struct rx_value value_on_top(struct join *j, const struct combination *c)
{
    struct rx_value values[RX_PORTS_MAX];
    uint32_t present = 0;
    for (unsigned i = 0; i < sides_of(j); i++) {
        values[i] = c->rows[i] ? c->rows[i]->event.value : rx_null();
        present |= c->rows[i] ? 1u << i : 0;
    }
    return rx_combine(&j->op, values, present);
}

static struct rx_value value_by_name(struct join *j, const struct combination *c)
{
    struct rx_object_builder b;
    rx_object_init(&b, rx_op_heap(&j->op));
    join_key_put(j, first_of(j, c), &b);
    for (unsigned i = 0; i < sides_of(j); i++)
        if (c->rows[i])
            rx_object_put_key_take(&b, rx_op_input_name(&j->op, i), rx_value_ref(c->rows[i]->event.value));
    return rx_object_finish(&b);
}

static bool ends_through(const struct rx_mark *mark) { return mark && mark->flags & RX_WINDOW_THROUGH; }

static rx_time time_of(const struct join *j, const struct combination *c)
{
    rx_time latest = INT64_MIN;
    const struct join_row *first = first_of(j, c);
    if (j->mode == JOIN_WINDOWS && first->key)
        return join_key_end(j, first->key->keys) - !ends_through(first->event.mark);
    for (unsigned i = 0; i < sides_of(j); i++)
        if (c->rows[i] && c->rows[i]->event.time > latest)
            latest = c->rows[i]->event.time;
    return latest;
}

/* As results of a group that was ended to make room. */
static struct rx_value partial_take(struct join *j, struct rx_value value)
{
    struct rx_object_builder b;
    rx_object_init_from(&b, rx_op_heap(&j->op), value);
    rx_object_put_key_take(&b, rx_key_known(b.heap, RX_KEY_PARTIAL), rx_bool(true));
    rx_value_unref(value);
    return rx_object_finish(&b);
}

static void emit(struct join *j, const struct combination *c, uint32_t flags)
{
    const struct join_row *first = first_of(j, c);
    struct rx_event out = {.time = time_of(j, c), .mark = join_key_mark(j, first, flags), .meta = first->event.meta};
    rx_value_ref(out.meta);
    if (!out.mark && (j->by || flags)) {
        rx_fail_memory(&j->op);
        rx_value_unref(out.meta);
        return;
    }
    out.value = j->main_on_top ? value_on_top(j, c) : value_by_name(j, c);
    if (flags)
        out.value = partial_take(j, out.value);
    if (rx_op_made(&j->op, NULL, &out.value))
        rx_emit(&j->op, &out, 1);
    rx_event_unref(&out);
}

/* ---- combinations: of all sides but those that are fixed already, the last side turning fastest ---- */

struct walk {
    struct join *j;
    struct combination now;
    uint32_t fixed;    /* bit p: now.rows[p] stays */
    bool unpaired;     /* only rows that are in no result */
    bool sides_absent; /* a side without rows is left out; else there is no combination */
    uint32_t flags;
};

static void walk_side(struct walk *w, struct rx_keyed *key, unsigned side);

static void take_rows(struct walk *w, struct rx_keyed *key, unsigned side)
{
    const struct join_rows *rows = join_table_rows(&w->j->table, key, side);
    bool any = false;
    for (uint32_t i = 0; i < rows->count && rx_op_live(&w->j->op); i++) {
        struct join_row *row = join_rows_at(rows, i);
        if (w->unpaired && row->paired)
            continue;
        any = true;
        w->now.rows[side] = row;
        walk_side(w, key, side + 1);
    }
    w->now.rows[side] = NULL;
    if (!any && w->sides_absent)
        walk_side(w, key, side + 1);
}

static void walk_side(struct walk *w, struct rx_keyed *key, unsigned side)
{
    if (side == sides_of(w->j))
        emit(w->j, &w->now, w->flags);
    else if (w->fixed & 1u << side)
        walk_side(w, key, side + 1);
    else
        take_rows(w, key, side);
}

/* ---- at arrival ---- */

static rx_time later(rx_time t, rx_time by)
{
    rx_time sum;
    return __builtin_add_overflow(t, by, &sum) ? INT64_MAX : sum;
}

/* The others are over between this row's time and the whole distance after it: each counts from its own side. */
static void pair_within(struct join *j, struct join_row *row)
{
    unsigned other = 1u - row->side;
    const struct join_rows *rows = join_table_rows(&j->table, row->key, other);
    rx_time last = later(later(row->event.time, j->before), j->after);
    for (uint32_t i = join_rows_from(rows, row->event.time); i < rows->count && rx_op_live(&j->op); i++) {
        struct combination c = {.rows = {NULL}};
        c.rows[row->side] = row;
        c.rows[other] = join_rows_at(rows, i);
        if (c.rows[other]->until > last)
            break;
        row->paired = c.rows[other]->paired = true;
        emit(j, &c, 0);
    }
}

static void mark_paired(struct join *j, struct rx_keyed *key)
{
    for (unsigned side = 0; side < sides_of(j); side++)
        for (uint32_t i = 0; i < join_table_rows(&j->table, key, side)->count; i++)
            join_rows_at(join_table_rows(&j->table, key, side), i)->paired = true;
}

static void pair_all(struct join *j, struct join_row *row)
{
    struct walk w = {.j = j, .fixed = 1u << row->side};
    w.now.rows[row->side] = row;
    for (unsigned i = 0; i < sides_of(j); i++)
        if (join_table_rows(&j->table, row->key, i)->count == 0)
            return;
    walk_side(&w, row->key, 0);
    mark_paired(j, row->key);
}

void join_pair(struct join *j, struct join_row *row)
{
    if (!row->key)
        return;
    if (j->mode == JOIN_WITHIN)
        pair_within(j, row);
    else
        pair_all(j, row);
}

/* ---- at the end ---- */

/* Whether the main side takes part in what the row leaves unpaired: itself, or a row that waits for a third. */
static bool has_main(const struct join *j, const struct join_row *row)
{
    if (row->side == 0 || !row->key || sides_of(j) == 2)
        return row->side == 0;
    const struct join_rows *rows = join_table_rows(&j->table, row->key, 0);
    for (uint32_t i = 0; i < rows->count; i++)
        if (!join_rows_at(rows, i)->paired)
            return true;
    return false;
}

/* Of three sides or more the rows of a key go together; but one that makes room goes alone, and the others wait on. */
bool join_give_up(struct join *j, struct join_row *row, bool early)
{
    if (row->paired || j->kind == JOIN_INNER || (j->kind == JOIN_LEFT && !has_main(j, row)))
        return row->paired;
    struct walk w = {.j = j, .unpaired = true, .sides_absent = true, .flags = early ? RX_WINDOW_PARTIAL : 0};
    bool alone = !row->key || sides_of(j) == 2;
    if (alone || early) {
        w.now.rows[row->side] = row;
        w.fixed = 1u << row->side;
    }
    if (alone)
        emit(j, &w.now, w.flags);
    else
        walk_side(&w, row->key, 0);
    if (!alone && !early)
        mark_paired(j, row->key);
    return row->paired = true;
}
