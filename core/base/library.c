/* Opening a library: the loader says only in words why it could not. */
#include "core/base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* glibc's words: "cannot allocate memory", "cannot create shared object descriptor"; what is not there it "cannot open". */
static bool is_starved(const char *why) { return !why || strstr(why, "memory") || strstr(why, "cannot create"); }

void *rx_library_open(const char *name, int *ret_r)
{
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    *ret_r = handle ? 0 : is_starved(dlerror()) ? -ENOMEM : -ENOENT;
    return handle;
}
