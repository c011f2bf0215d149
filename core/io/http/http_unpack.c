/* Bodies that come packed (Content-Encoding: gzip; RFC 9110, 8.4.1.3): unpacked as they come, within the same bounds. */
#include "core/io/gzip/gzip.h"
#include "core/io/http/http_private.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { STEP = 16 * 1024 };

int http_unpack_begin(struct rx_http_request *request, const char **ret_reason)
{
    const char *encoding = rx_http_header(request, "Content-Encoding");
    if (!encoding || !*encoding || strcasecmp(encoding, "identity") == 0)
        return 0;
    *ret_reason = "a Content-Encoding that is not understood: send gzip, or the body as it is";
    if (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "x-gzip") != 0)
        return 415;
    *ret_reason = "out of memory";
    request->unpack = rx_gunzip_create();
    request->body_expected = 0;
    return request->unpack ? 0 : 503;
}

/* One step into the room that is left, or, where there is none, the proof that nothing is left either. */
static long step(struct rx_http_request *request, struct http_text *piece, size_t room)
{
    char none;
    char *out = room ? request->body + request->body_length : &none;
    long n = rx_gunzip_step(request->unpack, &piece->at, &piece->length, out, room ? room : 1);
    if (n > 0 && !room)
        return -EMSGSIZE;
    request->body_length += n > 0 ? (size_t)n : 0;
    return n;
}

int http_unpack(struct rx_http_request *request, struct http_text piece, const char **ret_reason)
{
    long n;
    size_t room;
    do {
        room = request->server->limits.max_body - request->body_length;
        room = room < STEP ? room : STEP;
        int status = room ? http_request_reserve(request, room, ret_reason) : 0;
        if (status)
            return status;
        n = step(request, &piece, room);
    } while (n >= 0 && (piece.length > 0 || (n > 0 && (size_t)n == room)));
    *ret_reason = n == -EMSGSIZE ? "the body unpacks to more than the limit"
                  : n == -ENOMEM ? "out of memory"
                                 : "the body is no gzip, or damaged";
    return n >= 0 ? 0 : n == -EMSGSIZE ? 413 : n == -ENOMEM ? 503 : 400;
}

bool http_unpack_whole(const struct rx_http_request *request)
{
    return !request->unpack || rx_gunzip_whole(request->unpack);
}
