/* Libraries that only some configs need, opened while the process runs. Any thread. */
#ifndef RX_CORE_LIBRARY_H
#define RX_CORE_LIBRARY_H

/* NULL: *ret_r is -ENOENT (it is not there, or is none), or -ENOMEM: then nothing is wrong with it. */
void *rx_library_open(const char *name, int *ret_r);

#endif
