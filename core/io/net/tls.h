/* TLS for connections that we make. */
#ifndef RX_IO_NET_TLS_H
#define RX_IO_NET_TLS_H

#include <openssl/ssl.h>

#include "core/option/option.h"

/* The group `tls:` of whatever connects. */
struct rx_tls_options {
    const char *ca, *cert, *key;
    bool insecure;
};
extern const struct rx_class rx_tls_class;
bool rx_tls_given(const struct rx_tls_options *);
/* Whether the files can be read: -ENOENT and the like, with a sentence. */
int rx_tls_check_files(const struct rx_tls_options *, struct rx_error *reterr);
/* Reads the files that the options name. -EINVAL with a sentence, -ENOMEM. SSL_CTX_free. */
int rx_tls_create(const struct rx_tls_options *, SSL_CTX **ret, struct rx_error *reterr);
/* For one connection to this host, whose name or address the certificate must bear (not with `insecure`). NULL: no memory. */
SSL *rx_tls_connection(SSL_CTX *, const char *host, bool insecure);
/* Why a handshake or a connection failed, in words; `error` from bufferevent_get_openssl_error, 0: none. */
void rx_tls_why(const SSL *, unsigned long error, char *why, size_t size);

#endif
