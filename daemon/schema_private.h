/* What the files of the schema share. */
#ifndef RX_DAEMON_SCHEMA_PRIVATE_H
#define RX_DAEMON_SCHEMA_PRIVATE_H

#include "core/option/option.h"
#include "daemon/schema.h"

/* A schema while it is made: once something found no memory the whole is given up. */
struct schema {
    bool failed;
};

/* Sets a member; takes the value, and tolerates NULL for one that could not be made. */
void schema_put(struct schema *, json_t *object, const char *name, json_t *value);
void schema_append(struct schema *, json_t *array, json_t *value);
json_t *schema_ref(const char *definition);                   /* {"$ref": "#/$defs/NAME"} */
json_t *schema_either(struct schema *, json_t *a, json_t *b); /* anyOf, of both taken */

/* schema_option.c: what may stand behind a class's name: the positional option's bare value, or a mapping of options. */
json_t *schema_class(struct schema *, const struct rx_class *);
/* True where the name alone will do. */
bool schema_stands_alone(const struct rx_class *);
/* Adds an option's schema with its description to `properties`. */
void schema_option(struct schema *, json_t *properties, const struct rx_option *);
/* The definitions of scalars: duration, size, template and what options refer to besides. */
void schema_scalars(struct schema *, json_t *definitions);

#endif
