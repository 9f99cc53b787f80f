#include "modules/ssl/acme_http.h"

#include <errno.h>
#include <openssl/x509.h>

#include "config.h"

#include "core/base/strbuf.h"
#include "core/io/timer.h"
#include "core/io/tls.h"
#include "http/client.h"
#include "http/resolve.h"
#include "http/uri.h"

enum {
    CONNECT_MS = 15 * 1000,
    STEP_MS = 30 * 1000,  /* between two signs of life */
    WHOLE_MS = 90 * 1000, /* of an exchange */
    BUFFER = 16 * 1024,
    HTTP_PORT = 80,
    HTTPS_PORT = 443,
};

/* --- URLs --- */

static bool is_plain(str_t url)
{
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || memchr("\"\\<>#", url.p[i], 5)) return false;
    return url.n > 0 && url.n <= ACME_HTTP_URL_MOST;
}

bool acme_http_is_loopback(const acme_url_t *url)
{
    net_addr_t addr;
    if (url->tls) return false;
    if (str_ieq(url->host, STR("localhost"))) return true;
    if (!net_parse(url->host, HTTP_PORT, &addr)) return false;
    if (addr.sa.sa_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&addr.in6.sin6_addr);
    return addr.sa.sa_family == AF_INET &&
           ntohl(addr.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool acme_http_url(str_t url, bool loopback, acme_url_t *out)
{
    uri_t uri;
    *out = (acme_url_t){.tls = false};
    if (!is_plain(url) || !uri_split(url, &uri) || !uri.scheme.p ||
        !uri_split_host(uri.authority, &out->host, &out->port))
        return false;
    out->tls = str_ieq(uri.scheme, STR("https"));
    if (!out->port) out->port = out->tls ? HTTPS_PORT : HTTP_PORT;
    out->authority = uri.authority;
    out->target = uri.path;
    if (uri.args.p) out->target.n = (size_t)(uri.args.p + uri.args.n - uri.path.p);
    if (out->target.p < url.p || out->target.p >= url.p + url.n) out->target = STR("/");
    return out->tls || (loopback && acme_http_is_loopback(out));
}

/* --- the connection --- */

static const char *say(pool_t *pool, const acme_url_t *url, const char *what, int err)
{
    return pool_printf(pool, "%s " STR_FMT " (%d: %s)", what, STR_ARG(url->authority), -err,
                       strerror(-err)).p;
}

static str_t bare(str_t host)
{
    return host.p[0] == '[' ? str_sub(host, 1, host.n - 1) : host;
}

static const char *find(const acme_issuer_t *issuer, pool_t *pool, const acme_url_t *url,
                        resolver_answer_t *out)
{
    const char *why = "no resolver";
    net_addr_t *literal = POOL_NEW(pool, net_addr_t);
    if (net_parse(url->host, url->port, literal)) {
        *out = (resolver_answer_t){.count = 1, .addrs = literal};
        return NULL;
    }
    resolver_t *r = resolve_for(issuer->http);
    if (r && resolver_lookup(r, pool, url->host, out, &why) == 0) return NULL;
    return pool_printf(pool, STR_FMT " could not be resolved (%s)", STR_ARG(url->host), why).p;
}

static const char *secure(const acme_issuer_t *issuer, pool_t *pool, const acme_url_t *url,
                          origin_t *o)
{
    tls_failure_t *why = POOL_NEW(pool, tls_failure_t);
    tls_client_t how = {.ctx = issuer->ctx,
                        .name = bare(url->host),
                        .peer = url->authority,
                        .send_name = true,
                        .verify = issuer->verify};
    int err = tls_connect(&o->stream, &how, CONNECT_MS, why);
    if (err == 0) return NULL;
    if (err == -EKEYREJECTED)
        return pool_printf(pool, "the certificate of " STR_FMT " is not trusted (%s)",
                           STR_ARG(url->authority), X509_verify_cert_error_string(why->verify)).p;
    if (err == -EPROTO && why->text[0])
        return pool_printf(pool, "no TLS with " STR_FMT " (%s)", STR_ARG(url->authority),
                           why->text).p;
    return say(pool, url, "no TLS with", err);
}

static const char *open_connection(const acme_issuer_t *issuer, pool_t *pool, const acme_url_t *url,
                                   origin_t **out)
{
    int err = -ENOENT;
    resolver_answer_t found;
    const char *wrong = find(issuer, pool, url, &found);
    *out = NULL;
    for (unsigned i = 0; !wrong && !*out && i < found.count; i++) {
        net_addr_t to = found.addrs[i];
        net_set_port(&to, url->port);
        *out = origin_open(&to, NULL, CONNECT_MS, &err);
        if (err == -ECANCELED) break;
    }
    if (wrong) return wrong;
    if (!*out) return say(pool, url, "no connection to", err);
    return url->tls ? secure(issuer, pool, url, *out) : NULL;
}

/* --- the exchange --- */

static str_t request_of(pool_t *pool, const acme_url_t *url, const char *method, str_t body)
{
    str_t more = STR("");
    if (body.p)
        more = pool_printf(pool, "Content-Type: application/jose+json\r\nContent-Length: %zu\r\n",
                           body.n);
    return pool_printf(pool,
                       "%s " STR_FMT " HTTP/1.1\r\nHost: " STR_FMT "\r\nUser-Agent: proxyd/"
                       PROXYD_VERSION " (ACME)\r\nAccept-Language: en\r\nConnection: close\r\n"
                       STR_FMT "\r\n" STR_FMT, method, STR_ARG(url->target),
                       STR_ARG(url->authority), STR_ARG(more), STR_ARG(body));
}

static int read_body(client_t *c, strbuf_t *body)
{
    for (;;) {
        str_t piece;
        ssize_t n = client_next(c, &piece);
        int err = n == -EAGAIN ? client_fill(c) : n < 0 ? (int)n : 0;
        if (err < 0) return err;
        if (n == 0) return 0;
        if (n < 0) continue;
        if (body->n + piece.n > ACME_HTTP_BODY_MOST) return -EFBIG;
        strbuf_add(body, piece);
    }
}

static str_t field(const client_t *c, pool_t *pool, str_t name)
{
    const header_t *h = header_next_named(&c->head.headers, name, NULL);
    return h ? pool_str(pool, h->value) : STR("");
}

static int exchange(client_t *c, pool_t *pool, str_t request, acme_reply_t *out)
{
    struct iovec iov = {(char *)(uintptr_t)request.p, request.n};
    strbuf_t body = {.pool = pool};
    c->buffer_size = c->head_max = BUFFER;
    c->send_timeout = c->read_timeout = STEP_MS;
    int err = client_send(c, &iov, 1);
    c->sent = err == 0;
    if (err >= 0) err = client_head(c);
    if (err < 0) return err;
    out->status = c->head.status;
    out->nonce = field(c, pool, STR("Replay-Nonce"));
    out->location = field(c, pool, STR("Location"));
    out->retry_after = field(c, pool, STR("Retry-After"));
    err = read_body(c, &body);
    out->body = strbuf_text(&body);
    return err;
}

static const char *ask(const acme_issuer_t *issuer, pool_t *pool, const char *method, str_t url,
                       str_t body, acme_reply_t *out)
{
    acme_url_t to;
    origin_t *o;
    if (!acme_http_url(url, issuer->loopback, &to)) return "it gave a URL that is not https";
    const char *wrong = open_connection(issuer, pool, &to, &o);
    if (wrong) {
        origin_close(o);
        return wrong;
    }
    client_t *c = client_new(pool, o);
    c->head_request = strcmp(method, "HEAD") == 0;
    int err = exchange(c, pool, request_of(pool, &to, method, body), out);
    client_close(c);
    return err < 0 ? say(pool, &to, "no answer from", err) : NULL;
}

/* --- in time --- */

typedef struct limit {
    struct timer timer;
    fiber_t *fiber;
} limit_t;

static void on_limit(struct timer *t)
{
    fiber_t *f = LIST_OF(t, limit_t, timer)->fiber;
    if (!fiber_cancelled(f)) fiber_cancel(f, -ETIMEDOUT);
}

const char *acme_http_ask(const acme_issuer_t *issuer, pool_t *pool, const char *method, str_t url,
                          str_t body, acme_reply_t *out)
{
    limit_t limit = {.timer.fire = on_limit, .fiber = fiber_self()};
    *out = (acme_reply_t){.status = 0};
    timer_arm(&limit.timer, WHOLE_MS);
    const char *wrong = ask(issuer, pool, method, url, body, out);
    timer_disarm(&limit.timer);
    if (fiber_cancelled(limit.fiber) == -ETIMEDOUT) fiber_uncancel(limit.fiber);
    return wrong;
}
