/* rxd schema: the config's JSON Schema. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/command.h"
#include "daemon/schema.h"

int rx_command_schema(int argc, char **argv)
{
    if (argc > 1)
        return rx_usage("schema", "unexpected argument \"%s\"", argv[1]);
    json_t *schema = rx_schema_create();
    char *text = schema ? json_dumps(schema, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(schema);
    if (!text) {
        fputs("rxd: out of memory\n", stderr);
        return 1;
    }
    int said = puts(text);
    free(text);
    return said < 0;
}
