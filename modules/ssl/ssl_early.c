#include "modules/ssl/ssl_early.h"

#include "core/base/clock.h"
#include "core/io/tls.h"
#include "core/process/generation.h"
#include "modules/ssl/ssl_strikes.h"

enum { EARLY_MOST = 16 * 1024 };

static int may_take(SSL *ssl, void *arg)
{
    unsigned char random[SSL3_RANDOM_SIZE];
    const conn_t *conn = LIST_OF(tls_stream(ssl), conn_t, stream);
    const ssl_conf_t *c = ssl_conf(conn->named);
    (void)arg;
    if (!c->early) return 0;
    size_t n = SSL_get_client_random(ssl, random, sizeof(random));
    uint64_t keys_ms = c->made->ticket_keys.n ? 0 : ssl_ticket_ring_made(c->store->ring->root);
    return ssl_strikes_first(c->store->strikes->root, str_make((const char *)random, n), keys_ms,
                             clock_ms());
}

static bool want_strikes(conf_t *cf, ssl_store_t *store)
{
    const char *why;
    store->strikes = zone_want(&generation_of(cf)->zones, STR("ssl early data"), SSL_STRIKES_ZONE,
                               "ssl early data", ssl_strikes_init, NULL, &why);
    return store->strikes || conf_error(cf, NULL, 0, NULL, "%s", why);
}

bool ssl_early_prepare(conf_t *cf, const ssl_conf_t *c)
{
    if (!c->early) return true;
    SSL_CTX_set_max_early_data(c->made->ctx, EARLY_MOST);
    SSL_CTX_set_options(c->made->ctx, SSL_OP_NO_ANTI_REPLAY); /* its own knows one process */
    SSL_CTX_set_allow_early_data_cb(c->made->ctx, may_take, NULL);
    return c->store->strikes || want_strikes(cf, c->store);
}

void ssl_early_adopt(SSL *ssl, const ssl_conf_t *c)
{
    SSL_set_max_early_data(ssl, c->early ? EARLY_MOST : 0);
}

static bool is_safe(const request_t *r)
{
    return r->method_id == METHOD_GET || r->method_id == METHOD_HEAD ||
           r->method_id == METHOD_OPTIONS;
}

verdict_t ssl_early_check(request_t *r, const SSL *ssl)
{
    if (SSL_is_init_finished(ssl)) return VERDICT(NEXT);
    if (!is_safe(r))
        return verdict_refuse(425, LOG_INFO,
                              "client sent a request that is not safe as early data");
    header_add(&r->head.headers, STR("Early-Data"), STR("1"));
    return VERDICT(NEXT);
}
