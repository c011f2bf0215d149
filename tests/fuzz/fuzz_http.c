// layer: io
/* Raw bytes to the HTTP server over a loopback connection: every request is answered or the connection closed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rx_loop *loop;
static struct rx_http_server *server;

static void on_request(void *arg, struct rx_http_request *request)
{
    char accept_value[29];
    size_t length;
    (void)arg;
    free(rx_http_body_take(request, &length));
    rx_http_query(request, "b");
    struct rx_http_taken taken;
    if (rx_http_wants_websocket(request, accept_value) && rx_http_take_over(request, &taken) == 0) {
        rx_conn_close(taken.conn);
        free(taken.ahead);
        rx_http_release(server);
        return;
    }
    rx_http_reply(request, rx_http_accepts(request, "text/event-stream") ? 200 : 404, "text/plain", "ok", 2);
}

static void start(void)
{
    struct rx_error error;
    struct rx_http_limits limits = {.max_header = 2048, .max_body = 4096};
    if (rx_loop_create(&loop) < 0 || rx_http_listen(loop, "127.0.0.1:0", &limits, &server, &error) < 0)
        abort();
    static const char *const parameters[] = {"a", "b", NULL};
    static const struct rx_http_route everything = {0x3F, "/", RX_HTTP_OPEN, parameters, on_request};
    if (rx_http_routes(server, &everything, 1, NULL) < 0)
        abort();
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)rx_http_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        abort();
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!loop)
        start();
    int fd = dial();
    if (size && send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        size = 0;
    for (int i = 0; i < 4; i++)
        rx_loop_once(loop, 0);
    close(fd);
    for (int i = 0; i < 3; i++)
        rx_loop_once(loop, 0);
    return 0;
}
