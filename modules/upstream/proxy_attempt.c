#include "modules/upstream/proxy_attempt.h"

#include <errno.h>

#include "core/base/clock.h"
#include "modules/upstream/proxy_connect.h"
#include "modules/upstream/proxy_failure.h"
#include "modules/upstream/proxy_next.h"
#include "modules/upstream/proxy_request.h"
#include "modules/upstream/proxy_response.h"
#include "modules/upstream/proxy_upload.h"

static const char *const connecting = "connecting to upstream";
static const char *const reading = "reading response header from upstream";

/* --- the connection --- */

void proxy_attempt_begin(proxy_t *p)
{
    upstream_attempt_t *a = VEC_PUSH(p->r->pool, &p->r->attempts);
    p->attempt = p->r->attempts.n - 1;
    a->address = p->peer ? p->peer->name : p->target.group->name;
    a->started_us = clock_ms() * 1000;
    a->connect_us = a->header_us = a->response_us = -1;
    p->client = NULL;
    p->http_version = p->conf->http_version;
    p->failure = 0;
    p->again = false;
    p->tries++;
}

static int64_t elapsed_us(const proxy_t *p)
{
    return (int64_t)(clock_ms() * 1000 - proxy_attempt(p)->started_us);
}

static bool begin_exchange(proxy_t *p, bool fresh, int *err)
{
    const proxy_conf_t *c = p->conf;
    if (!proxy_connect(p, fresh, err)) return false;
    proxy_attempt(p)->connect_us = elapsed_us(p);
    client_t *client = p->client;
    size_t all = c->buffers_count * c->buffers_size;
    client->buffer_size = p->buffering && all > c->buffer_size ? all : c->buffer_size;
    client->read_most = request_window(p->r);
    client->head_max = c->max_header_size;
    client->send_timeout = c->send_timeout;
    client->read_timeout = c->read_timeout;
    client->head_request = p->method_id == METHOD_HEAD;
    client->interim = p->interim;
    client->arg = p;
    return true;
}

/* --- what a status means --- */

static unsigned failure_of(int status)
{
    switch (status) {
    case 403: return PROXY_HTTP_403;
    case 404: return PROXY_HTTP_404;
    case 429: return PROXY_HTTP_429;
    case 500: return PROXY_HTTP_500;
    case 502: return PROXY_HTTP_502;
    case 503: return PROXY_HTTP_503;
    case 504: return PROXY_HTTP_504;
    default: return 0;
    }
}

static verdict_t judge(proxy_t *p)
{
    int status = p->client->head.status;
    bool upgraded = p->upgrade && header_get(&p->client->head.headers, HEADER_UPGRADE);
    if (status == 101 && !upgraded) {
        proxy_log(p, LOG_ERR, 0, "upstream sent invalid header: 101 to a request that asked for no "
                                 "upgrade", reading);
        return proxy_failure(p, PROXY_INVALID_HEADER, 502);
    }
    unsigned failure = failure_of(status);
    if (!failure || !proxy_next_wants(p, failure)) return VERDICT(NEXT);
    if (!p->raced && !(p->again = proxy_next_may(p, failure))) return VERDICT(NEXT);
    return proxy_failure(p, failure, status);
}

/* --- the exchange --- */

/* An idle connection that the origin closed just when we took it: nothing was served yet. */
static bool was_stale(const proxy_t *p, int err)
{
    const client_t *c = p->client;
    bool closed = err == -ENODATA || err == -EPIPE || err == -ECONNRESET;
    bool again = client_refused(c) || proxy_next_idempotent(p);
    bool safe = client_sent(c) == 0 || (again && !p->body_begun);
    return p->reused && closed && safe && client_received(c) == 0 && !proxy_failure_cancelled();
}

/* The head has come. */
static verdict_t take_head(proxy_t *p)
{
    upstream_attempt_t *a = proxy_attempt(p);
    a->header_us = elapsed_us(p);
    a->status = p->client->head.status;
    p->r->upstream_headers = &p->client->head.headers;
    return judge(p);
}

static int wait_for_head(proxy_t *p)
{
    proxy_watch_client(p, true);
    int err = client_head(p->client);
    proxy_watch_client(p, false);
    return err;
}

static verdict_t exchange(proxy_t *p, bool *stale)
{
    int err = 0;
    bool sent_before = p->request_sent;
    proxy_sent_t sent = p->client->stream ? proxy_upload(p, p->uri, &err)
                                          : proxy_request_send(p, p->uri, &err);
    if (sent == PROXY_SENT_CLIENT) return body_verdict(p->r, err);
    p->client->sent = sent == PROXY_SENT;
    if (sent != PROXY_SENT_ERROR) err = wait_for_head(p);
    if (err == 0) return take_head(p);
    if (p->upload_error) return body_verdict(p->r, p->upload_error);
    if (client_refused(p->client)) p->request_sent = sent_before;
    *stale = was_stale(p, err);
    return *stale ? VERDICT(REROUTE) : proxy_failure_exchange(p, err, sent == PROXY_SENT_ERROR);
}

/* On an idle connection if there is one, and once more on a fresh one should it prove dead. */
verdict_t proxy_attempt_ask(proxy_t *p)
{
    bool stale = false;
    if (!proxy_ssl_describe(p)) return proxy_failure(p, 0, 500);
    for (;;) {
        int err = 0;
        if (!begin_exchange(p, stale, &err)) return proxy_failure_connect(p, err);
        stale = false;
        verdict_t v = exchange(p, &stale);
        if (!stale) return v;
        proxy_upload_end(p);
        client_close(p->client);
    }
}

/* --- the end --- */

static balance_result_t result_of(const proxy_t *p, verdict_t v)
{
    if (p->failure & (PROXY_HTTP_403 | PROXY_HTTP_404)) return BALANCE_ABANDONED;
    if (p->failure) return BALANCE_FAILED;
    bool left = v.kind == VERDICT_REFUSE && v.status == 499;
    return p->client && p->client->answered && !left ? BALANCE_SERVED : BALANCE_ABANDONED;
}

/* Connection and peer go back; of a failed exchange nothing is kept. */
void proxy_attempt_end(proxy_t *p, verdict_t v)
{
    proxy_upload_end(p);
    if (p->client && client_is_open(p->client)) {
        proxy_response_release(p);
        client_close(p->client);
    }
    if (proxy_attempt(p)->response_us < 0 && !p->r->detached)
        proxy_attempt(p)->response_us = elapsed_us(p);
    if (balance_done(&p->choice, p->peer, result_of(p, v), proxy_attempt(p)))
        proxy_log(p, LOG_WARNING, 0, "upstream server temporarily disabled",
                  p->client ? reading : connecting);
    p->peer = NULL;
}
