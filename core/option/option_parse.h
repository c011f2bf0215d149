/* One options table being read: the state that the setters of all types share. */
#ifndef RX_CORE_OPTION_PARSE_H
#define RX_CORE_OPTION_PARSE_H

#include "core/option/option_private.h"

struct option_parse {
    const struct rx_class *class;
    struct rx_plan_arena *arena;
    struct rx_diagnostics *diagnostics;
    void *image;
    const struct rx_option *option; /* the one at hand */
    const char *name;               /* as the user knows it: a bare value has the class's name */
};

/* Reads `value` as the option's type into `field`. Mistakes go to the diagnostics. */
int option_set(struct option_parse *, const struct rx_tree *value, void *field);
/* "a duration such as 5s": what an option of this type expects. */
const char *option_article(const struct rx_option *);
/* The file that defaults are blamed on when there is no other. */
const struct rx_file *option_no_file(void);

#endif
