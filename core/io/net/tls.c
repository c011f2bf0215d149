/* TLS for connections that we make: OpenSSL, as they should be checked. */
#include "core/io/net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(field_, type_) .offset = RX_AT(struct rx_tls_options, field_, type_)

static const struct rx_option options_table[] = {
    {.name = "ca",
     .help = "file of the certificates to trust; default: the system's",
     .type = RX_OPTION_STRING,
     AT(ca, const char *)},
    {.name = "cert", .help = "file of our certificate", .type = RX_OPTION_STRING, AT(cert, const char *)},
    {.name = "key", .help = "file of its private key, not encrypted", .type = RX_OPTION_STRING, AT(key, const char *)},
    {.name = "insecure",
     .help = "true: takes a certificate that was made for another host (tests)",
     .type = RX_OPTION_BOOL,
     AT(insecure, bool),
     .fallback = "false"},
    {0},
};

static int check(const void *image, struct rx_error *reterr)
{
    const struct rx_tls_options *o = image;
    return !o->cert == !o->key ? 0 : rx_error_set(reterr, -EINVAL, "cert and key come together");
}

const struct rx_class rx_tls_class = {.name = "tls",
                                      .summary = "Certificates of a connection",
                                      .options = options_table,
                                      .state_size = sizeof(struct rx_tls_options),
                                      .check = check};

bool rx_tls_given(const struct rx_tls_options *o) { return o->ca || o->cert || o->key || o->insecure; }

static int check_file(const char *name, const char *path, struct rx_error *reterr)
{
    if (path && access(path, R_OK) < 0) {
        int code = -errno;
        return rx_error_set(reterr, code, "%s: cannot read %s: %s", name, path, strerror(-code));
    }
    return 0;
}

int rx_tls_check_files(const struct rx_tls_options *o, struct rx_error *reterr)
{
    int r = check_file("ca", o->ca, reterr);
    if (r == 0)
        r = check_file("cert", o->cert, reterr);
    return r == 0 ? check_file("key", o->key, reterr) : r;
}

/* Never asks on the terminal: an encrypted key is an error. */
static int no_password(char *buffer, int size, int writing, void *userdata)
{
    (void)buffer, (void)size, (void)writing, (void)userdata;
    return 0;
}

static const char *newest_error(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : "it cannot be used";
}

static int load_files(SSL_CTX *context, const struct rx_tls_options *o, struct rx_error *reterr)
{
    int trusted = o->ca ? SSL_CTX_load_verify_file(context, o->ca) : SSL_CTX_set_default_verify_paths(context);
    if (trusted != 1)
        return rx_error_set(reterr, -EINVAL, "ca: %s", newest_error());
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (!o->cert)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(context, o->cert) != 1)
        return rx_error_set(reterr, -EINVAL, "cert: %s", newest_error());
    if (SSL_CTX_use_PrivateKey_file(context, o->key, SSL_FILETYPE_PEM) != 1)
        return rx_error_set(reterr, -EINVAL, "key: %s", newest_error());
    return 0;
}

int rx_tls_create(const struct rx_tls_options *options, SSL_CTX **ret, struct rx_error *reterr)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return rx_error_set(reterr, -ENOMEM, "out of memory");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    int r = load_files(context, options, reterr);
    if (r < 0)
        SSL_CTX_free(context);
    else
        *ret = context;
    return r;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

SSL *rx_tls_connection(SSL_CTX *context, const char *host, bool insecure)
{
    SSL *ssl = SSL_new(context);
    if (!ssl)
        return NULL;
    bool address = is_address(host);
    int set = 1;
    if (!address)
        set = (int)SSL_set_tlsext_host_name(ssl, host);
    if (set == 1 && !insecure)
        set = address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) : SSL_set1_host(ssl, host);
    if (set != 1) {
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}

void rx_tls_why(const SSL *ssl, unsigned long error, char *why, size_t size)
{
    long verified = SSL_get_verify_result(ssl);
    const char *text = error ? ERR_reason_error_string(error) : NULL;
    if (verified != X509_V_OK)
        snprintf(why, size, "TLS: the server's certificate: %s", X509_verify_cert_error_string(verified));
    else
        snprintf(why, size, "TLS: %s", text ? text : "the server ended the handshake");
}
