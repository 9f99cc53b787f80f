#include "modules/ssl/ssl_adopt.h"

#include "modules/ssl/ssl_early.h"

bool ssl_adopt(SSL *ssl, const ssl_conf_t *c)
{
    SSL_CTX *ctx = c->made->ctx;
    if (SSL_get_SSL_CTX(ssl) == ctx) return true;
    if (SSL_set_SSL_CTX(ssl, ctx) != ctx) return false;
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(ctx));
    SSL_set_options(ssl, SSL_CTX_get_options(ctx));
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(ctx), SSL_CTX_get_verify_callback(ctx));
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(ctx));
    SSL_set_max_send_fragment(ssl, (long)c->made->record);
    ssl_early_adopt(ssl, c);
    return SSL_set_session_id_context(ssl, c->made->rules, sizeof(c->made->rules)) &&
           SSL_set_min_proto_version(ssl, (int)SSL_CTX_get_min_proto_version(ctx)) &&
           SSL_set_max_proto_version(ssl, (int)SSL_CTX_get_max_proto_version(ctx)) &&
           SSL_set1_groups_list(ssl, c->made->groups);
}
