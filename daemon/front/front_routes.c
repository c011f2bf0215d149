/* Every route of the HTTP API: what may be asked, by whom, with which parameters, and who answers. */
#include "daemon/front/front_private.h"

static void answer_streams(void *arg, struct rx_http_request *request)
{
    rx_streams_answer_list(((struct rx_front *)arg)->streams, request);
}

static void answer_stream(void *arg, struct rx_http_request *request)
{
    rx_streams_answer(((struct rx_front *)arg)->streams, request);
}

static const struct rx_http_route routes[] = {
    {RX_HTTP_GET, "/streams", RX_HTTP_READ, NULL, answer_streams},
    {RX_HTTP_GET, "/streams/", RX_HTTP_READ, rx_streams_parameters, answer_stream},
    {RX_HTTP_POST, "/sources/", RX_HTTP_WRITE, NULL, rx_front_answer_ingest},
    {RX_HTTP_GET, "/sources/", RX_HTTP_WRITE, rx_streams_parameters, rx_front_answer_source},
    {RX_HTTP_GET, "/metrics", RX_HTTP_READ, NULL, rx_front_answer_metrics},
    {RX_HTTP_GET, "/readyz", RX_HTTP_READ, NULL, rx_front_answer_ready},
    {RX_HTTP_GET, "/healthz", RX_HTTP_OPEN, NULL, rx_front_answer_health},
    {RX_HTTP_GET, "/", RX_HTTP_OPEN, NULL, rx_front_answer_page},
};

int rx_front_routes(struct rx_front *f) { return rx_http_routes(f->server, routes, sizeof routes / sizeof *routes, f); }
