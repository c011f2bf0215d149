/* Private to the HTTP client: libcurl, opened when it is first needed, as a table of its functions. */
#ifndef RX_IO_CURL_H
#define RX_IO_CURL_H

#include <curl/curl.h>

#include "core/base/error.h"

#define RX_CURL_FUNCTIONS(each)                                                                                        \
    each(global_init);                                                                                                 \
    each(easy_init);                                                                                                   \
    each(easy_cleanup);                                                                                                \
    each(easy_setopt);                                                                                                 \
    each(easy_getinfo);                                                                                                \
    each(easy_pause);                                                                                                  \
    each(easy_strerror);                                                                                               \
    each(easy_header);                                                                                                 \
    each(multi_init);                                                                                                  \
    each(multi_cleanup);                                                                                               \
    each(multi_setopt);                                                                                                \
    each(multi_add_handle);                                                                                            \
    each(multi_remove_handle);                                                                                         \
    each(multi_socket_action);                                                                                         \
    each(multi_assign);                                                                                                \
    each(multi_info_read);                                                                                             \
    each(slist_append);                                                                                                \
    each(slist_free_all);                                                                                              \
    each(url);                                                                                                         \
    each(url_cleanup);                                                                                                 \
    each(url_set);                                                                                                     \
    each(url_get);                                                                                                     \
    each(free)

/* The header's macros that check the arguments of variadic functions stand in the way of their types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

struct rx_curl {
#define RX_CURL_MEMBER(name_) __typeof__(curl_##name_) *name_
    RX_CURL_FUNCTIONS(RX_CURL_MEMBER);
#undef RX_CURL_MEMBER
};

/* The library, for good once it is there; any thread. NULL: it is not installed, or is too old; see the error. */
const struct rx_curl *rx_curl_load(struct rx_error *reterr);

#endif
