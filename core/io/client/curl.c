/* Opening libcurl: not before a config asks for HTTP, so that the others neither wait for it nor hold it in memory. */
#include "core/io/client/curl.h"
#include "core/base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rx_curl library;
static void *handle; /* never closed: OpenSSL, which comes with it, cannot be unloaded */

/* dlsym gives an object pointer where POSIX promises that it holds a function's. */
static int find(const char *name, void *ret, size_t size, struct rx_error *reterr)
{
    void *symbol = dlsym(handle, name);
    if (!symbol)
        return rx_error_set(reterr, -ENOENT, "libcurl has no %s: it must be 7.88 or newer", name);
    memcpy(ret, &symbol, size);
    return 0;
}

static int find_all(struct rx_error *reterr)
{
    struct rx_curl found;
    int r = 0;
#define RX_CURL_FIND(name_) r = r ? r : find("curl_" #name_, &found.name_, sizeof found.name_, reterr)
    RX_CURL_FUNCTIONS(RX_CURL_FIND);
#undef RX_CURL_FIND
    if (r == 0 && found.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        r = rx_error_set(reterr, -EIO, "libcurl does not start");
    if (r == 0)
        library = found;
    return r;
}

static int open_library(struct rx_error *reterr)
{
    int r;
    handle = rx_library_open("libcurl.so.4", &r);
    if (r == -ENOMEM)
        return rx_error_set(reterr, r, "out of memory");
    if (r < 0) {
        rx_error_set(reterr, -ENOENT, "HTTP to the outside needs libcurl, which cannot be opened");
        rx_error_hint(reterr, "apt-get install libcurl4");
        return -ENOENT;
    }
    r = find_all(reterr);
    if (r < 0) {
        dlclose(handle);
        handle = NULL;
    }
    return r;
}

const struct rx_curl *rx_curl_load(struct rx_error *reterr)
{
    pthread_mutex_lock(&lock);
    int r = handle ? 0 : open_library(reterr);
    pthread_mutex_unlock(&lock);
    return r == 0 ? &library : NULL;
}
