/* Column programs: fields. A column is loaded as the kind that it had in the last span, and looked at value by value where it has another. */
#include <string.h>

#include "core/expr/columns_private.h"

/* `cache` is the access's, in a variable of the loop. */
static inline const struct rx_value *field(const struct rx_event *event, const struct column_access *access,
                                           struct rx_slot_cache *cache)
{
    if (event->value.kind == RX_RECORD && access->key)
        return rx_record_get(event->value.u.record, access->key, cache);
    if (!access->key)
        return &event->value;
    if (event->value.kind == RX_MAP)
        return rx_object_get(event->value, rx_string_static(access->key->text, access->key->length));
    return access->is_value ? &event->value : NULL;
}

/* The kind that the last span had: false where this one has another in some lane. */
static bool load_as_before(struct lanes *l, struct column_access *access, struct column *c)
{
    struct rx_slot_cache cache = access->cache;
    uint8_t kind = access->kind, flags = access->flags, odd = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct rx_value *v = field(&l->events[l->at[i]], access, &cache);
        if (!v)
            return false;
        c->i[i] = kind == RX_BOOL ? v->u.i & 1 : v->u.i; /* of another kind it is odd, whatever it says */
        odd |= (uint8_t)((v->kind ^ kind) | (v->flags ^ flags));
    }
    access->cache = cache;
    c->kind = kind;
    c->flags = flags;
    return !odd;
}

void rx_column_narrow(struct column *c, size_t n)
{
    uint8_t kind = c->kinds == RX_K_DOUBLE                         ? RX_DOUBLE
                   : c->kinds == RX_K_BOOL                         ? RX_BOOL
                   : c->kinds == RX_K_INT || c->kinds == RX_K_JSON ? RX_INT
                                                                   : RX_KINDS;
    if (kind == RX_KINDS || n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (c->v[i].kind != kind) /* a JSON number past int64 */
            return;
    c->flags = c->v[0].flags;
    c->kind = kind;
    for (size_t i = 0; i < n; i++) {
        int64_t payload = kind == RX_BOOL
                              ? c->v[i].u.b
                              : c->v[i].u.i; /* read before its place is written: forward, and half as wide */
        memcpy((char *)c->v + i * sizeof payload, &payload, sizeof payload);
    }
}

void rx_lanes_load(struct lanes *l, const struct column_ins *ins)
{
    struct column_access *access = &l->program->accesses[ins->access];
    struct column *c = &l->columns[ins->dst];
    uint8_t fates[RX_LANES_MAX];
    bool all = true;
    if (access->kind != RX_KINDS && load_as_before(l, access, c))
        return;
    c->kind = RX_KINDS;
    c->kinds = 0;
    for (size_t i = 0; i < l->n; i++) {
        const struct rx_value *v = field(&l->events[l->at[i]], access, &access->cache);
        if (!v && access->otherwise != NO_OPERAND)
            v = &l->program->constants[-1 - access->otherwise];
        fates[i] = v ? LANE_STAYS : ins->drops ? LANE_ABSENT : LANE_LEFT;
        all = all && v;
        c->v[i] = v ? *v : rx_null();
        c->kinds |= v ? rx_kinds_of(*v) : 0;
    }
    if (!all)
        rx_lanes_settle(l, fates, ins->after | UINT32_C(1) << ins->dst, ins->step);
    rx_column_narrow(c, l->n);
    access->kind = c->kind;
    access->flags = c->flags;
}

static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t first[2], last[2];
    if (n < sizeof *first || n > 2 * sizeof *first)
        return memcmp(a, b, n) == 0;
    memcpy(&first[0], a, sizeof *first);
    memcpy(&first[1], b, sizeof *first);
    memcpy(&last[0], a + n - sizeof *last, sizeof *last);
    memcpy(&last[1], b + n - sizeof *last, sizeof *last);
    return first[0] == first[1] && last[0] == last[1];
}

/* Is the field this text? LANE_STAYS: it is, or where `negated` it is not; LANE_FILTERED: the other way. What is neither text nor scalar
 * may take steps to compare. */
static inline uint8_t compare_text(const struct rx_value *v, struct rx_value text, const struct column_ins *ins)
{
    if (!v || v->kind > RX_STRING || text.aux >= COLUMN_TEXT_MAX)
        return !v && ins->drops ? LANE_ABSENT : LANE_LEFT;
    bool same = v->kind == RX_STRING && v->aux == text.aux && same_bytes(v->u.text, text.u.text, text.aux);
    return same != ins->negated ? LANE_STAYS : LANE_FILTERED;
}

void rx_lanes_compare_text(struct lanes *l, const struct column_ins *ins)
{
    struct column_access *access = &l->program->accesses[ins->access];
    struct rx_value text = l->program->constants[-1 - ins->b];
    struct column *c = &l->columns[ins->dst];
    uint8_t fates[RX_LANES_MAX];
    bool all = true;
    c->kind = RX_BOOL;
    c->flags = 0;
    for (size_t i = 0; i < l->n; i++) {
        uint8_t fate = compare_text(field(&l->events[l->at[i]], access, &access->cache), text, ins);
        bool usual = fate == LANE_STAYS || fate == LANE_FILTERED;
        c->i[i] = fate == LANE_STAYS;
        fates[i] = usual ? LANE_STAYS : fate;
        all = all && usual;
    }
    if (!all)
        rx_lanes_settle(l, fates, ins->after | UINT32_C(1) << ins->dst, ins->step);
}

void rx_lanes_keep_text(struct lanes *l, const struct column_ins *ins)
{
    struct column_access *access = &l->program->accesses[ins->access];
    struct rx_slot_cache cache = access->cache;
    struct rx_value text = l->program->constants[-1 - ins->b];
    size_t n = l->n, kept = 0, left = 0, absent = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t at = l->at[i];
        const struct rx_value *v = field(&l->events[at], access, &cache);
        l->at[kept] = at;
        if (__builtin_expect(v && v->kind == RX_STRING && text.aux < COLUMN_TEXT_MAX, 1)) {
            bool same = v->aux == text.aux && same_bytes(v->u.text, text.u.text, text.aux);
            kept += same != ins->negated;
            continue;
        }
        uint8_t fate = compare_text(v, text, ins);
        kept += fate == LANE_STAYS;
        absent += fate == LANE_ABSENT;
        left += fate == LANE_LEFT;
        if (fate == LANE_LEFT)
            l->left[at] = l->any_left = true;
    }
    access->cache = cache;
    l->n = kept;
    l->out->filtered[ins->step] = (uint16_t)(l->out->filtered[ins->step] + n - kept - left);
    l->out->absent[ins->step] = (uint16_t)(l->out->absent[ins->step] + absent);
}
