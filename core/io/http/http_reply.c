/* Answers: their head, JSON, and what went wrong. */
#include "core/io/http/http_private.h"

#include "core/base/utf8.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *http_status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {422, "Unprocessable Content"},
                   {426, "Upgrade Required"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Status";
}

void rx_http_set_header(struct rx_http_request *request, const char *name, const char *value)
{
    if (strpbrk(value, "\r\n"))
        return;
    rx_buffer_text(&request->headers, name);
    rx_buffer_text(&request->headers, ": ");
    rx_buffer_text(&request->headers, value);
    rx_buffer_append(&request->headers, "\r\n", 3); /* terminated */
    if (!request->headers.failed)
        request->headers.length--;
}

const char *rx_http_header_lines(const struct rx_http_request *request)
{
    return request->headers.length ? request->headers.data : "";
}

/* "Date: ...", made once a second. RFC 9110, 5.6.7: in English, whatever the locale. */
static const char *date_line(struct rx_http_server *server)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(rx_loop_clock(server->loop) / RX_SEC);
    struct tm t;
    if (now == server->date || !gmtime_r(&now, &t))
        return server->date_line;
    server->date = now;
    snprintf(server->date_line, sizeof server->date_line, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
             days + 3 * t.tm_wday, t.tm_mday % 100, months + 3 * t.tm_mon, (t.tm_year + 1900) % 10000, t.tm_hour % 100,
             t.tm_min % 100, t.tm_sec % 100);
    return server->date_line;
}

static const char *connection_line(const struct rx_http_request *request)
{
    if (!request->keep || request->server->draining)
        return "Connection: close\r\n";
    return request->old ? "Connection: keep-alive\r\n" : "";
}

/* For HEAD the length that GET would have. */
static void write_head(struct rx_http_request *request, int status, const char *type, size_t length)
{
    struct rx_buffer *out = &request->connection->out;
    bool headers = request->headers.length > 0;
    rx_buffer_printf(out, "HTTP/1.1 %d %s\r\n%s", status, http_status_phrase(status), date_line(request->server));
    if (type)
        rx_buffer_printf(out, "Content-Type: %s\r\n", type);
    if (status != 204 && status != 304)
        rx_buffer_printf(out, "Content-Length: %zu\r\n", length);
    if (headers)
        rx_buffer_append(out, request->headers.data, request->headers.length);
    rx_buffer_text(out, connection_line(request));
    rx_buffer_text(out, "\r\n");
    out->failed = out->failed || request->headers.failed;
}

void rx_http_reply(struct rx_http_request *request, int status, const char *type, const void *body, size_t length)
{
    struct http_connection *c = request->connection;
    if (c) {
        write_head(request, status, type, length);
        if (request->method != RX_HTTP_HEAD && status != 204 && status != 304 && length > 0)
            rx_buffer_append(&c->out, body, length);
        http_connection_answered(c);
    }
    http_request_destroy(request);
}

void rx_http_reply_json_take(struct rx_http_request *request, int status, const char *type, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    size_t length = text ? strlen(text) : 0;
    json_decref(json);
    if (text) {
        text[length] = '\n'; /* in the place of the terminating NUL */
        rx_http_reply(request, status, type, text, length + 1);
    } else {
        rx_http_reply(request, 503, NULL, NULL, 0);
    }
    free(text);
}

json_t *rx_http_problem(int status, json_t *members, const char *message)
{
    char detail[3 * 512];
    size_t length =
        rx_utf8_mend(message, strnlen(message, 512), detail, sizeof detail); /* jansson takes nothing else */
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s%}", "type", "about:blank", "title", http_status_phrase(status),
                                "status", status, "detail", detail, length);
    if (problem && members)
        json_object_update(problem, members);
    json_decref(members);
    return problem;
}

static void reply_problem(struct rx_http_request *request, int status, json_t *members, const char *format,
                          va_list args)
{
    char message[512];
    vsnprintf(message, sizeof message, format, args);
    rx_http_reply_json_take(request, status, "application/problem+json", rx_http_problem(status, members, message));
}

void rx_http_reply_error(struct rx_http_request *request, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_problem(request, status, NULL, format, args);
    va_end(args);
}

void rx_http_reply_problem_take(struct rx_http_request *request, int status, json_t *members, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_problem(request, status, members, format, args);
    va_end(args);
}

/* The reason is ours and needs no escaping. */
void http_write_refusal(struct http_connection *c, int status, const char *reason)
{
    char body[300];
    const char *title = http_status_phrase(status);
    int length =
        snprintf(body, sizeof body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}\n",
                 title, status, reason);
    rx_buffer_printf(&c->out,
                     "HTTP/1.1 %d %s\r\n%sContent-Type: application/problem+json\r\nContent-Length: %d\r\n%s"
                     "Connection: close\r\n\r\n%s",
                     status, title, date_line(c->server), length,
                     status == 503 || status == 429 ? "Retry-After: 1\r\n" : "", body);
}
