/* The rows that a join holds. */
#include "operators/join_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_ROWS = 64, FIRST_ROWS = 4 };

struct join_chunk {
    struct join_chunk *next;
    struct join_row rows[CHUNK_ROWS];
};

/* What a key has. */
struct entry {
    const struct rx_mark *mark;
    struct join_rows sides[];
};

static struct entry *entry_of(const struct join_table *t, struct rx_keyed *key) { return rx_keyed_data(&t->keys, key); }

void join_table_init(struct join_table *t, struct rx_heap *heap, unsigned width, unsigned sides)
{
    *t = (struct join_table){.sides = sides};
    rx_keytable_init(&t->keys, heap, width, sizeof(struct entry) + sides * sizeof(struct join_rows));
}

static void finish_key(struct join_table *t, struct rx_keyed *key)
{
    struct entry *entry = entry_of(t, key);
    rx_mark_unref(entry->mark);
    for (unsigned i = 0; i < t->sides; i++)
        free(entry->sides[i].rows);
}

void join_table_finish(struct join_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        rx_event_unref(&t->heap[i]->event);
    for (struct rx_keyed *key = rx_keytable_first(&t->keys); key; key = rx_keytable_next(&t->keys, key))
        finish_key(t, key);
    rx_keytable_finish(&t->keys);
    for (struct join_chunk *c = t->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(t->heap);
    *t = (struct join_table){0};
}

/* ---- keys ---- */

struct rx_keyed *join_table_find_or_add(struct join_table *t, const struct rx_value *keys)
{
    uint64_t hash = rx_keytable_hash(keys, t->keys.width);
    struct rx_keyed *key = rx_keytable_find(&t->keys, keys, hash);
    return key ? key : rx_keytable_add(&t->keys, keys, hash);
}

void join_table_tidy(struct join_table *t, struct rx_keyed *key)
{
    for (unsigned i = 0; i < t->sides; i++)
        if (entry_of(t, key)->sides[i].count > 0)
            return;
    finish_key(t, key);
    rx_keytable_remove(&t->keys, key);
}

const struct join_rows *join_table_rows(const struct join_table *t, struct rx_keyed *key, unsigned side)
{
    return &entry_of(t, key)->sides[side];
}

const struct rx_mark **join_table_mark(struct join_table *t, struct rx_keyed *key) { return &entry_of(t, key)->mark; }

/* ---- order ---- */

static bool is_over_before(const struct join_row *a, const struct join_row *b)
{
    return a->until != b->until ? a->until < b->until : a->arrival < b->arrival;
}

uint32_t join_rows_from(const struct join_rows *rows, rx_time until)
{
    uint32_t low = 0, high = rows->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (join_rows_at(rows, middle)->until < until)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- the rows of a key and side ---- */

/* Room for one more behind the last: moved to the front while at most half is used, so that each move pays for itself. */
static bool make_room(struct join_rows *rows)
{
    if (rows->head + rows->count < rows->capacity)
        return true;
    if (rows->head > rows->capacity / 2) {
        memmove(rows->rows, rows->rows + rows->head, rows->count * sizeof(struct join_row *));
        rows->head = 0;
        return true;
    }
    uint32_t capacity = rows->capacity ? rows->capacity * 2 : FIRST_ROWS;
    struct join_row **more = realloc(rows->rows, capacity * sizeof(struct join_row *));
    if (!more)
        return false;
    rows->rows = more;
    rows->capacity = capacity;
    return true;
}

/* Where a row stands, or would stand, among those of its key and side: mostly the last, or the first. */
static uint32_t place_of(const struct join_rows *rows, const struct join_row *row)
{
    uint32_t low = 0, high = rows->count;
    if (high > 0 && is_over_before(join_rows_at(rows, high - 1), row))
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (is_over_before(join_rows_at(rows, middle), row))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void place_row(struct join_rows *rows, struct join_row *row)
{
    uint32_t i = place_of(rows, row);
    struct join_row **place = rows->rows + rows->head + i;
    memmove(place + 1, place, (rows->count - i) * sizeof *place);
    *place = row;
    rows->count++;
}

/* The first, but where state that was damaged said that two had come at once. */
static void drop_row(struct join_rows *rows, const struct join_row *row)
{
    uint32_t i = 0;
    while (join_rows_at(rows, i) != row)
        i++;
    memmove(rows->rows + rows->head + 1, rows->rows + rows->head, i * sizeof(struct join_row *));
    rows->head++;
    rows->count--;
}

/* ---- the heap over all rows ---- */

static bool grow(struct join_table *t)
{
    size_t capacity = t->capacity ? t->capacity * 2 : 16;
    struct join_row **heap = realloc(t->heap, capacity * sizeof(struct join_row *));
    if (!heap)
        return false;
    t->heap = heap;
    t->capacity = capacity;
    return true;
}

static void heap_push(struct join_table *t, struct join_row *row)
{
    size_t i = t->count++;
    for (; i > 0 && is_over_before(row, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = row;
}

static void heap_pop(struct join_table *t)
{
    struct join_row *last = t->heap[--t->count];
    size_t i = 0;
    for (size_t child = 1; child < t->count; child = 2 * i + 1) {
        if (child + 1 < t->count && is_over_before(t->heap[child + 1], t->heap[child]))
            child++;
        if (!is_over_before(t->heap[child], last))
            break;
        t->heap[i] = t->heap[child];
        i = child;
    }
    t->heap[i] = last;
}

/* ---- rows ---- */

/* Spare rows are chained where a row has its event's value. */
static struct join_row *take_row(struct join_table *t)
{
    struct join_row *row = t->spare;
    if (row) {
        t->spare = (struct join_row *)(uintptr_t)row->event.value.u.pointer;
        return row;
    }
    struct join_chunk *chunk = malloc(sizeof *chunk);
    if (!chunk)
        return NULL;
    chunk->next = t->chunks;
    t->chunks = chunk;
    for (unsigned i = CHUNK_ROWS; i-- > 1;) {
        chunk->rows[i].event.value.u.pointer = t->spare;
        t->spare = &chunk->rows[i];
    }
    return &chunk->rows[0];
}

static struct join_row *add_arrived(struct join_table *t, struct rx_keyed *key, unsigned side, rx_time until,
                                    uint64_t arrival)
{
    struct join_rows *rows = key ? &entry_of(t, key)->sides[side] : NULL;
    if ((t->count == t->capacity && !grow(t)) || (rows && !make_room(rows)))
        return NULL;
    struct join_row *row = take_row(t);
    if (!row)
        return NULL;
    *row = (struct join_row){.until = until, .arrival = arrival, .key = key, .side = (uint8_t)side};
    heap_push(t, row);
    if (rows)
        place_row(rows, row);
    return row;
}

struct join_row *join_table_add(struct join_table *t, struct rx_keyed *key, unsigned side, const struct rx_event *event,
                                rx_time until)
{
    struct join_row *row = add_arrived(t, key, side, until, t->arrivals);
    if (!row)
        return NULL;
    t->arrivals++;
    row->event = rx_event_ref(event);
    return row;
}

struct join_row *join_table_first(const struct join_table *t) { return t->count ? t->heap[0] : NULL; }

void join_table_drop_first(struct join_table *t)
{
    struct join_row *row = t->heap[0];
    heap_pop(t);
    rx_event_unref(&row->event);
    if (row->key) {
        drop_row(&entry_of(t, row->key)->sides[row->side], row);
        join_table_tidy(t, row->key);
    }
    row->event.value.u.pointer = t->spare;
    t->spare = row;
}

/* ---- state: the rows in any order, since (until, arrival) says it; keys once each ---- */

static void save_row(const struct join_row *row, struct rx_writer *w)
{
    rx_write_uint(w, row->side);
    rx_write_int(w, row->until);
    rx_write_uint(w, row->arrival);
    rx_write_bool(w, row->paired);
    rx_write_event(w, &row->event);
}

static uint64_t count_rows(const struct join_table *t, struct rx_keyed *key)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < t->sides; i++)
        n += join_table_rows(t, key, i)->count;
    return n;
}

static void save_key(const struct join_table *t, struct rx_keyed *key, struct rx_writer *w)
{
    for (unsigned i = 0; i < t->keys.width; i++)
        rx_write_value(w, key->keys[i]);
    rx_write_uint(w, count_rows(t, key));
    for (unsigned i = 0; i < t->sides; i++)
        for (uint32_t k = 0; k < join_table_rows(t, key, i)->count; k++)
            save_row(join_rows_at(join_table_rows(t, key, i), k), w);
}

void join_table_save(const struct join_table *t, struct rx_writer *w)
{
    uint64_t keyless = t->count;
    rx_write_uint(w, t->arrivals);
    rx_write_uint(w, t->keys.count);
    for (struct rx_keyed *key = rx_keytable_first(&t->keys); key; key = rx_keytable_next(&t->keys, key)) {
        save_key(t, key, w);
        keyless -= count_rows(t, key);
    }
    rx_write_uint(w, keyless);
    for (size_t i = 0; i < t->count; i++)
        if (!t->heap[i]->key)
            save_row(t->heap[i], w);
}

static void load_rows(struct join_table *t, struct rx_keyed *key, struct rx_reader *r)
{
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--) {
        uint64_t side = rx_read_uint(r);
        rx_time until = rx_read_int(r);
        uint64_t arrival = rx_read_uint(r);
        struct join_row *row = side < t->sides ? add_arrived(t, key, (unsigned)side, until, arrival) : NULL;
        if (!row) {
            rx_reader_fail(r, side < t->sides ? -ENOMEM : -EBADMSG);
            return;
        }
        row->paired = rx_read_bool(r);
        row->event = rx_read_event(r);
    }
}

static void load_key(struct join_table *t, struct rx_reader *r)
{
    struct rx_value keys[JOIN_WIDTH_MAX];
    for (unsigned i = 0; i < t->keys.width; i++)
        keys[i] = rx_read_value(r);
    struct rx_keyed *key = rx_reader_failed(r) ? NULL : join_table_find_or_add(t, keys);
    for (unsigned i = 0; i < t->keys.width; i++)
        rx_value_unref(keys[i]);
    if (key)
        load_rows(t, key, r);
    else
        rx_reader_fail(r, -ENOMEM);
}

int join_table_load(struct join_table *t, struct rx_reader *r)
{
    t->arrivals = rx_read_uint(r);
    for (uint64_t n = rx_read_uint(r); n > 0 && !rx_reader_failed(r); n--)
        load_key(t, r);
    if (!rx_reader_failed(r))
        load_rows(t, NULL, r);
    return r->failed;
}
