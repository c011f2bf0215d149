/* Finds an embedded file of the live page by its path. */
#include "web/assets.h"

#include <string.h>

const struct rx_web_asset *rx_web_find(const char *path)
{
    for (size_t i = 0; i < rx_web_asset_count; i++)
        if (strcmp(rx_web_assets[i].path, path) == 0)
            return &rx_web_assets[i];
    return NULL;
}
