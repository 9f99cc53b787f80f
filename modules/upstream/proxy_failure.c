#include "modules/upstream/proxy_failure.h"

#include <errno.h>

#include "modules/upstream/excuse.h"

static const char *const connecting = "connecting to upstream";
static const char *const handshaking = "SSL handshaking to upstream";
static const char *const sending_request = "sending request to upstream";
static const char *const reading = "reading response header from upstream";

verdict_t proxy_failure_client(proxy_t *p)
{
    if (p->hedge) return verdict_refuse(499, LOG_INFO, NULL); /* it was only one too many */
    proxy_log(p, LOG_INFO, 0,
              "epoll_wait() reported that client prematurely closed connection, so upstream "
              "connection is closed too", p->client ? reading : connecting);
    return verdict_refuse(499, LOG_INFO, NULL);
}

static upstream_failure_t kind_of(unsigned failure)
{
    switch (failure) {
    case PROXY_ERROR: return UPSTREAM_ERROR;
    case PROXY_TIMEOUT: return UPSTREAM_TIMEOUT;
    case PROXY_INVALID_HEADER: return UPSTREAM_INVALID_HEADER;
    default: return UPSTREAM_STATUS;
    }
}

verdict_t proxy_failure(proxy_t *p, unsigned failure, int status)
{
    upstream_failure_t kind = kind_of(failure);
    p->failure = failure;
    proxy_attempt(p)->failure = kind;
    proxy_attempt(p)->status = status;
    if (kind == UPSTREAM_STATUS && p->peer)
        peers_note_error(p->peer->place.state, 0, pool_printf(p->r->pool, "status %d", status).p);
    return verdict_refuse(status, LOG_ERR, NULL);
}

/* The fiber was cancelled: the client left, or the worker must stop. */
bool proxy_failure_cancelled(void)
{
    return fiber_cancelled(fiber_self()) != 0;
}

static verdict_t timed_out(proxy_t *p, const char *doing)
{
    proxy_log(p, LOG_ERR, ETIMEDOUT, "upstream timed out", doing);
    return proxy_failure(p, PROXY_TIMEOUT, 504);
}

verdict_t proxy_failure_connect(proxy_t *p, int err)
{
    if (proxy_failure_cancelled()) return proxy_failure_client(p);
    if (err == -ETIMEDOUT) return timed_out(p, p->handshaking ? handshaking : connecting);
    if (!p->handshaking) proxy_log(p, LOG_ERR, -err, "connect() failed", connecting);
    return proxy_failure(p, PROXY_ERROR, err == -EMFILE ? 500 : 502);
}

static verdict_t invalid_head(proxy_t *p)
{
    parse_error_t why = p->client->why;
    if (p->client->stream) {
        proxy_log(p, LOG_ERR, 0, proxy_fault(p), reading);
        return proxy_failure(p, PROXY_INVALID_HEADER, 502);
    }
    bool no_http = why == PARSE_BAD_STATUS || why == PARSE_BAD_VERSION;
    str_t text = pool_printf(p->r->pool, "upstream sent %s",
                             no_http ? "no valid HTTP/1.0 header" : parse_error_text(why));
    proxy_log(p, LOG_ERR, 0, text.p, reading);
    return proxy_failure(p, PROXY_INVALID_HEADER, 502);
}

verdict_t proxy_failure_exchange(proxy_t *p, int err, bool sending)
{
    const char *doing = sending ? sending_request : reading;
    /* -ECONNABORTED: an interim response could not be handed to the client. */
    if (proxy_failure_cancelled() || err == -ECONNABORTED) return proxy_failure_client(p);
    switch (err) {
    case -ETIMEDOUT: return timed_out(p, doing);
    case -EBADMSG: return invalid_head(p);
    case -EMSGSIZE:
        proxy_log(p, LOG_ERR, 0, "upstream sent too big header", reading);
        return proxy_failure(p, PROXY_INVALID_HEADER, 502);
    case -ENODATA:
        proxy_log(p, LOG_ERR, 0, "upstream prematurely closed connection", reading);
        return proxy_failure(p, PROXY_ERROR, 502);
    default:
        proxy_log(p, LOG_ERR, -err, sending ? "writev() failed" : "recv() failed", doing);
        return proxy_failure(p, PROXY_ERROR, 502);
    }
}

verdict_t proxy_failure_no_peer(proxy_t *p, int err)
{
    if (proxy_failure_cancelled()) return proxy_failure_client(p);
    const char *why = err == -EAGAIN      ? "upstream queue is full"
                      : err == -ETIMEDOUT ? "upstream queue timed out"
                                          : "no live upstreams";
    str_t doing = pool_printf(p->r->pool, "%s (" STR_FMT ")", connecting,
                              STR_ARG(excuse_of(&p->choice)));
    proxy_log(p, LOG_ERR, 0, why, doing.p);
    proxy_attempt(p)->status = 502;
    return verdict_refuse(502, LOG_ERR, NULL);
}
