/* Opening libcbor. */
#include "core/feed/cbor_library.h"
#include "core/base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rx_cbor_library library;

/* By the name of the one whose header was compiled in (RX_LIBCBOR): another has other structs. */
static int open_library(struct rx_error *reterr)
{
    int r;
    void *handle = rx_library_open(RX_LIBCBOR, &r);
    void *symbol = handle ? dlsym(handle, "cbor_stream_decode") : NULL;
    if (symbol) {
        memcpy(&library.decode, &symbol, sizeof symbol); /* dlsym gives an object's pointer for a function's */
        return 0;
    }
    if (handle)
        dlclose(handle);
    if (r == -ENOMEM)
        return rx_error_set(reterr, r, "out of memory");
    rx_error_set(reterr, -ENOENT, "CBOR needs libcbor, and %s cannot be opened", RX_LIBCBOR);
    rx_error_hint(reterr, "apt-get install %s", RX_LIBCBOR_PACKAGE);
    return -ENOENT;
}

const struct rx_cbor_library *rx_cbor_library(struct rx_error *reterr)
{
    pthread_mutex_lock(&lock);
    int r = library.decode ? 0 : open_library(reterr);
    pthread_mutex_unlock(&lock);
    return r == 0 ? &library : NULL;
}
