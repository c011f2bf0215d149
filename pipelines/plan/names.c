/* Names: open addressing with linear probing, at most half full; nothing is ever removed. */
#include "pipelines/plan/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct entry {
    const char *name; /* NULL: free */
    void *what;
};

struct rx_names {
    struct entry *slots;
    size_t mask, count;
};

static struct entry *slot_of(struct entry *slots, size_t mask, const char *name)
{
    size_t i = (size_t)XXH3_64bits(name, strlen(name)) & mask;
    while (slots[i].name && strcmp(slots[i].name, name) != 0)
        i = (i + 1) & mask;
    return &slots[i];
}

struct rx_names *rx_names_create(void)
{
    struct rx_names *names = calloc(1, sizeof *names);
    struct entry *slots = calloc(16, sizeof *slots);
    if (!names || !slots) {
        free(names);
        free(slots);
        return NULL;
    }
    *names = (struct rx_names){.slots = slots, .mask = 15};
    return names;
}

void rx_names_destroy(struct rx_names *names)
{
    if (!names)
        return;
    free(names->slots);
    free(names);
}

void *rx_names_get(const struct rx_names *names, const char *name)
{
    return slot_of(names->slots, names->mask, name)->what;
}

static int grow(struct rx_names *names)
{
    size_t mask = names->mask * 2 + 1;
    struct entry *slots = calloc(mask + 1, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i <= names->mask; i++)
        if (names->slots[i].name)
            *slot_of(slots, mask, names->slots[i].name) = names->slots[i];
    free(names->slots);
    names->slots = slots;
    names->mask = mask;
    return 0;
}

int rx_names_put(struct rx_names *names, const char *name, void *what)
{
    if (names->count * 2 > names->mask && grow(names) < 0)
        return -ENOMEM;
    struct entry *slot = slot_of(names->slots, names->mask, name);
    names->count += !slot->name;
    *slot = (struct entry){.name = name, .what = what};
    return 0;
}
