#include "modules/ssl/ssl_handshake.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/io/tls.h"
#include "modules/ssl/acme_answer.h"
#include "modules/ssl/ssl_early.h"
#include "modules/ssl/ssl_gate.h"
#include "modules/ssl/ssl_hello.h"
#include "modules/ssl/ssl_verify.h"

enum { STATUS_PLAIN_HTTP = 497 };

static void log_failure(const conn_t *c, int err, const tls_failure_t *why)
{
    static const char *const doing = "while SSL handshaking";
    log_t log = conn_log(c);
    if (err == -ECANCELED) return;
    if (err == -EPROTO || err == -EKEYREJECTED)
        LOG(&log, LOG_INFO, 0, "SSL_do_handshake() failed (%s) %s", why->text, doing);
    else if (err == -ETIMEDOUT)
        LOG(&log, LOG_INFO, 0, "client timed out (110: Connection timed out) %s", doing);
    else
        LOG(&log, LOG_INFO, err == -ENODATA ? 0 : -err,
            "peer closed connection in SSL handshake %s", doing);
}

static bool agreed_on_h2(const SSL *ssl)
{
    const unsigned char *p;
    unsigned n;
    SSL_get0_alpn_selected(ssl, &p, &n);
    return str_eq(str_make((const char *)p, n), STR("h2"));
}

/* Within the limits of the address's default server; what has been read goes to the stream. */
static int shake(conn_t *c, tls_failure_t *why)
{
    const ssl_conf_t *conf = ssl_conf(conn_site(c)->fallback);
    uint64_t until = clock_ms() + conf->handshake_timeout;
    ssl_gate_place_t place;
    int err = ssl_gate_enter(&place, conf->handshake_limit, conf->handshake_timeout);
    if (err < 0) return err;
    uint64_t left = until > clock_ms() ? until - clock_ms() : 0;
    buf_t *read = c->in;
    c->in = NULL;
    err = tls_accept(&c->stream, conf->made->ctx, read, left, why);
    ssl_gate_leave(&place);
    return err;
}

bool ssl_handshake(conn_t *c)
{
    tls_failure_t why;
    if (!ssl_hello_begins(buf_str(c->in))) return true;
    int err = shake(c, &why);
    if (err < 0) {
        log_failure(c, err, &why);
        return false;
    }
    if (acme_answer_is_all(tls_ssl(&c->stream))) return false;
    c->secure = true;
    c->http2 = agreed_on_h2(tls_ssl(&c->stream));
    return true;
}

verdict_t ssl_handshake_check(request_t *r)
{
    if (!conn_site(r->conn)->ssl) return VERDICT(NEXT);
    if (r->conn->secure) {
        verdict_t v = ssl_verify_check(r);
        return v.kind == VERDICT_NEXT ? ssl_early_check(r, tls_ssl(&r->conn->stream)) : v;
    }
    r->reply.close = true;
    return verdict_refuse(STATUS_PLAIN_HTTP, LOG_INFO,
                          "client sent plain HTTP request to HTTPS port");
}
