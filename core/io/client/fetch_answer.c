/* What has come of a request: the answer, or in words why there is none. */
#include "core/io/client/client_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_MAX 3600

static long number_of(const struct rx_fetch *fetch, CURLINFO what)
{
    long value = 0;
    fetch->client->curl->easy_getinfo(fetch->easy, what, &value);
    return value;
}

const char *rx_answer_header(const struct rx_answer *answer, const char *name)
{
    const struct rx_fetch *fetch = answer->fetch;
    struct curl_header *header;
    size_t index = 0;
    if (fetch->client->curl->easy_header(fetch->easy, name, index, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    if (header->amount > 1)
        fetch->client->curl->easy_header(fetch->easy, name, header->amount - 1, CURLH_HEADER, -1, &header);
    return header->value;
}

/* RFC 9110, 15: those that are met. */
static const char *reason_of(long status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return status < 300 ? "success" : status < 400 ? "redirect" : status < 500 ? "client error" : "server error";
}

/* ---- why it failed ---- */

/* Words that stay the same from attempt to attempt: libcurl's own count milliseconds. */
static void say_network(const struct rx_fetch *fetch, struct rx_error *error)
{
    long code = number_of(fetch, CURLINFO_OS_ERRNO);
    if (code > 0)
        rx_error_set(error, -(int)code, "%s", strerror((int)code));
    else
        rx_error_set(error, -ECONNABORTED, "%s", fetch->client->curl->easy_strerror(fetch->result));
}

static void say_tls(const struct rx_fetch *fetch, struct rx_error *error)
{
    const char *detail = fetch->detail[0] ? fetch->detail : fetch->client->curl->easy_strerror(fetch->result);
    rx_error_set(error, -EPROTO, "TLS: %s", detail);
}

static void say_too_large(const struct rx_fetch *fetch, struct rx_error *error)
{
    if (fetch->head_too_large)
        rx_error_set(error, -EMSGSIZE, "the head of the answer is larger than %d bytes", RX_ANSWER_HEAD_MAX);
    else
        rx_error_set(error, -EMSGSIZE, "the answer is larger than %llu bytes",
                     (unsigned long long)fetch->options.max_answer);
}

static void say_failure(const struct rx_fetch *fetch, struct rx_error *error)
{
    switch (fetch->result) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        say_network(fetch, error);
        return;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        rx_error_set(error, -EHOSTUNREACH, "the host's name cannot be resolved");
        return;
    case CURLE_OPERATION_TIMEDOUT:
        rx_error_set(error, -ETIMEDOUT, "it did not answer in time");
        return;
    case CURLE_GOT_NOTHING:
        rx_error_set(error, -ECONNRESET, "the connection was closed without an answer");
        return;
    case CURLE_PARTIAL_FILE:
        rx_error_set(error, -ECONNRESET, "the connection was closed in the middle of the answer");
        return;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        say_tls(fetch, error);
        return;
    case CURLE_FILESIZE_EXCEEDED:
        say_too_large(fetch, error);
        return;
    case CURLE_OUT_OF_MEMORY:
        rx_error_set(error, -ENOMEM, "out of memory");
        return;
    default:
        rx_error_set(error, -EPROTO, "%s", fetch->client->curl->easy_strerror(fetch->result));
    }
}

static bool has_failed(const struct rx_fetch *fetch) { return fetch->finished && fetch->result != CURLE_OK; }

struct rx_answer fetch_answer(const struct rx_fetch *fetch, struct rx_error *error)
{
    bool known = fetch->headed || fetch->result == CURLE_FILESIZE_EXCEEDED;
    long status = known ? number_of(fetch, CURLINFO_RESPONSE_CODE) : 0;
    curl_off_t after = 0;
    fetch->client->curl->easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &after);
    struct rx_answer answer = {.status = (int)status,
                               .reason = status ? reason_of(status) : "",
                               .body = fetch->body.data ? fetch->body.data : "",
                               .length = fetch->body.length,
                               .retry_after = (after < RETRY_AFTER_MAX ? after : RETRY_AFTER_MAX) * RX_SEC,
                               .fetch = fetch};
    if (!error || !has_failed(fetch))
        return answer;
    answer.error = error;
    if (fetch->body.failed)
        rx_error_set(error, -ENOMEM, "out of memory");
    else if (fetch->refused_address)
        rx_error_set(error, -EPERM, "the host leads to a private address, and is not in allow");
    else if (fetch->too_large || fetch->head_too_large)
        say_too_large(fetch, error);
    else
        say_failure(fetch, error);
    return answer;
}
