/* The index of a stream's filters: one look-up tells which of those that ask for a field's value a frame may concern. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/serve/selection_private.h"
#include "core/json/json.h"

/* ---- making it ---- */

static void clear(struct selection_index *index)
{
    for (size_t i = 0; i < index->count; i++)
        rx_gate_table_finish(&index->fields[i].table);
    rx_fields_destroy(index->reached);
    free(index->fields);
    index->fields = NULL;
    index->reached = NULL;
    index->count = 0;
}

void selection_index_finish(struct selection_index *index)
{
    clear(index);
    free(index->seen);
    index->seen = NULL;
}

static bool is_indexed(const struct selection_index *index, const struct rx_key *key)
{
    for (size_t i = 0; i < index->count; i++)
        if (index->fields[i].gate->key == key)
            return true;
    return false;
}

/* All values that are asked of one field. */
static bool add_field(struct rx_selections *set, const struct rx_expr_gate *gate)
{
    struct selection_index *index = &set->index;
    size_t count = 0;
    for (const struct rx_selection *s = set->first; s; s = s->next)
        count += s->gate && s->gate->key == gate->key ? s->gate->count : 0;
    struct gate_field *fields = realloc(index->fields, (index->count + 1) * sizeof *fields);
    struct rx_gate_member *members = malloc(count * sizeof *members);
    index->fields = fields ? fields : index->fields;
    if (!fields || !members || rx_fields_add(index->reached, gate->key->text, gate->key->length) < 0) {
        free(members);
        return false;
    }
    count = 0;
    for (struct rx_selection *s = set->first; s; s = s->next)
        for (uint32_t i = 0; s->gate && s->gate->key == gate->key && i < s->gate->count; i++)
            members[count++] = (struct rx_gate_member){.value = s->gate->values[i], .owner = s};
    fields[index->count] = (struct gate_field){.gate = gate};
    return rx_gate_table_build(&fields[index->count++].table, members, count) == 0;
}

/* What was looked up before says nothing of selections that came since. */
static bool make(struct rx_selections *set)
{
    struct selection_index *index = &set->index;
    clear(index);
    if (!index->seen)
        index->seen = malloc(MEMO * sizeof *index->seen);
    index->reached = rx_fields_create(set->heap);
    bool done = index->seen && index->reached;
    if (done)
        memset(index->seen, 0, MEMO * sizeof *index->seen);
    for (struct rx_selection *s = set->first; done && s; s = s->next)
        if (s->gate && !is_indexed(index, s->gate->key))
            done = add_field(set, s->gate);
    if (!done)
        clear(index);
    index->stale = !done;
    return done;
}

/* ---- looking up ---- */

static void may_want(void *selection, const struct rx_frame_view *f)
{
    uint64_t *memo = selection_memo(selection, f->sequence);
    if (*memo >> 2 < f->sequence)
        *memo = f->sequence << 2 | MAYBE;
}

/* Of what is no scalar a gate says nothing; what is absent equals nothing. */
static void look_at(struct gate_field *field, const struct rx_event *event, const struct rx_frame_view *f)
{
    const struct rx_value *v = rx_expr_gate_field(field->gate, &field->cache, event);
    size_t count = field->table.count;
    bool scalar = v && v->kind < RX_LIST;
    const struct rx_gate_member *first = scalar ? rx_gate_table_find(&field->table, *v, &count) : field->table.members;
    for (size_t i = 0; v && first && i < count; i++)
        if (!scalar || rx_value_equal(*v, first[i].value))
            may_want(first[i].owner, f);
}

bool selection_index_look_up(struct rx_selections *set, const struct rx_frame_view *f)
{
    struct selection_index *index = &set->index;
    if (index->stale && !make(set))
        return false;
    uint64_t *seen = &index->seen[f->sequence % MEMO];
    if (*seen == f->sequence)
        return true;
    struct rx_event event = {.time = f->time};
    int r = rx_json_decode(set->heap, index->reached, NULL, f->json, f->json_length, &event.value, NULL);
    if (r == -ENOMEM)
        return false;
    for (size_t i = 0; r == 0 && i < index->count; i++)
        look_at(&index->fields[i], &event, f);
    rx_event_unref(&event);
    *seen = f->sequence;
    return true;
}
