/* Users' tests: what the symbols of diagrams stand for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/option/option.h"
#include "pipelines/run/test_private.h"

static int add_row(struct rx_legend_row *row, const struct rx_tree *key, const struct rx_tree *value,
                   struct rx_heap *heap)
{
    memcpy(row->symbol, key->text, key->length);
    return rx_tree_value(value, heap, &row->value);
}

int test_legend_read(struct rx_test *t, struct rx_heap *heap)
{
    const struct rx_tree *maps[] = {t->values, t->common_values};
    size_t most = (maps[0] ? maps[0]->count : 0) + (maps[1] ? maps[1]->count : 0);
    struct rx_legend_row *rows = calloc(most + 1, sizeof *rows);
    int r = rows ? 0 : -ENOMEM;
    struct rx_legend *legend = &t->legend;
    *legend = (struct rx_legend){.rows = rows};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; maps[k] && i < maps[k]->count && r == 0; i++) {
            const struct rx_tree *key = maps[k]->keys[i];
            if (rx_legend_find(legend, key->text, key->length))
                continue;
            r = add_row(&rows[legend->count], key, maps[k]->items[i], heap);
            legend->count += r == 0;
        }
    return r;
}

void test_legend_finish(struct rx_legend *legend)
{
    for (size_t i = 0; i < legend->count; i++)
        rx_value_unref(legend->rows[i].value);
    free((void *)(uintptr_t)legend->rows);
    *legend = (struct rx_legend){0};
}

int test_symbol(const struct rx_legend *legend, struct rx_heap *heap, const struct rx_marble *m, struct rx_value *ret,
                struct rx_error *reterr)
{
    const struct rx_value *known = rx_legend_find(legend, m->text, m->length);
    char c = m->text[0];
    if (known) {
        *ret = rx_value_ref(*known);
        return 0;
    }
    if (c >= '0' && c <= '9') {
        *ret = rx_json_int(c - '0');
        return 0;
    }
    if (m->length == 1 && !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) {
        rx_error_set(reterr, -EINVAL, "`%c` stands for nothing", c);
        rx_error_hint(reterr, "give it a value: values: {\"%c\": ...}", c);
        return -EINVAL;
    }
    *ret = rx_string(heap, m->text, m->length);
    return ret->kind == RX_STRING ? 0 : rx_error_set(reterr, -ENOMEM, "out of memory");
}
