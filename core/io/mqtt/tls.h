/* TLS for connections to brokers. */
#ifndef RX_IO_MQTT_TLS_H
#define RX_IO_MQTT_TLS_H

#include <openssl/ssl.h>

#include "core/io/mqtt/mqtt.h"

/* Reads the files that the options name. -EINVAL with a sentence, -ENOMEM. SSL_CTX_free. */
int rx_tls_create(const struct rx_broker_options *, SSL_CTX **ret, struct rx_error *reterr);
/* For one connection to this host, whose name or address the certificate must bear (not with `insecure`). NULL: no memory. */
SSL *rx_tls_connection(SSL_CTX *, const char *host, bool insecure);
/* Why a handshake or a connection failed, in words; `error` from bufferevent_get_openssl_error, 0: none. */
void rx_tls_why(const SSL *, unsigned long error, char *why, size_t size);

#endif
