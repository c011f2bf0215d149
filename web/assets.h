/* The live page, embedded at build time: constant data, any thread. */
#ifndef RX_WEB_ASSETS_H
#define RX_WEB_ASSETS_H

#include <stddef.h>

struct rx_web_asset {
    const char *path; /* of the URL, "/" for the page itself */
    const char *type; /* for Content-Type */
    const unsigned char *data;
    size_t size;
    const char *etag; /* quoted, a digest of the data */
};

extern const struct rx_web_asset rx_web_assets[];
extern const size_t rx_web_asset_count;

/* The asset at this path of a URL (without query), NULL if there is none. */
const struct rx_web_asset *rx_web_find(const char *path);

#endif
