/*
 * What an authority says (ACME): whatever it is, URLs that are taken are https and can stand in
 * JSON and in a request, tokens are base64url, names and texts fit where they are kept.
 */
#include <stdlib.h>

#include "modules/ssl/acme_http.h"
#include "modules/ssl/acme_jws.h"
#include "modules/ssl/acme_message.h"

#define REQUIRE(expr) ((expr) ? (void)0 : abort())

static void require_url(str_t url)
{
    acme_url_t to;
    if (!url.n) return;
    REQUIRE(url.n <= ACME_HTTP_URL_MOST && str_istarts(url, STR("https://")));
    for (size_t i = 0; i < url.n; i++)
        REQUIRE(url.p[i] > ' ' && url.p[i] < 0x7f && url.p[i] != '"' && url.p[i] != '\\');
    REQUIRE(acme_http_url(url, false, &to) && to.tls && to.host.n && to.target.p[0] == '/');
    REQUIRE(to.target.n <= url.n);
}

static void check_order(pool_t *pool, str_t json)
{
    acme_order_t *o = POOL_NEW(pool, acme_order_t);
    if (acme_message_order(pool, json, false, o)) return;
    REQUIRE(o->count > 0 && o->count <= ACME_MESSAGE_AUTHORIZATIONS && o->finalize.n);
    for (unsigned i = 0; i < o->count; i++) {
        REQUIRE(o->authorizations[i].n);
        require_url(o->authorizations[i]);
    }
    require_url(o->finalize);
    require_url(o->certificate);
    REQUIRE(o->error.n <= ACME_BOARD_ERROR * 2);
}

static void check_authorization(pool_t *pool, str_t json, acme_challenge_t kind)
{
    acme_authorization_t a;
    if (acme_message_authorization(pool, json, false, kind, &a)) return;
    REQUIRE(a.name.n <= ACME_BOARD_NAME && a.token.n <= ACME_BOARD_TOKEN);
    REQUIRE(!a.url.n || acme_jws_is_base64url(a.token));
    require_url(a.url);
}

static void check_directory(pool_t *pool, str_t json)
{
    acme_directory_t d;
    if (acme_message_directory(pool, json, false, &d)) return;
    REQUIRE(d.new_nonce.n && d.new_account.n && d.new_order.n);
    require_url(d.new_nonce);
    require_url(d.new_account);
    require_url(d.new_order);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    acme_url_t url;
    acme_problem_t problem;
    str_t json = str_make((const char *)data, size);
    pool_t *pool = pool_create();
    check_directory(pool, json);
    check_order(pool, json);
    check_authorization(pool, json, ACME_HTTP_01);
    check_authorization(pool, json, ACME_TLS_ALPN_01);
    acme_message_problem(pool, json, &problem);
    if (acme_http_url(json, false, &url)) require_url(json);
    pool_destroy(pool);
    return 0;
}
