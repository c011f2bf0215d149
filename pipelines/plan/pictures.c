/* Marble pictures of operators, from the .def list. */
#include "pipelines/plan/pictures.h"

#include <stddef.h>
#include <string.h>

static const struct rx_picture pictures[] = {
#define RX_PICTURE(name_, shows_, lines_) {#name_, shows_, lines_},
#include "operators/pictures.def"
#undef RX_PICTURE
};

const struct rx_picture *rx_picture_of(const char *operator_name)
{
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        if (strcmp(pictures[i].name, operator_name) == 0)
            return &pictures[i];
    return NULL;
}
