#include "modules/ssl/ssl_context.h"

#include "core/io/tls.h"
#include "core/io/tls_ctx.h"
#include "modules/ssl/acme_stopgap.h"
#include "modules/ssl/ssl_dynamic.h"
#include "modules/ssl/ssl_early.h"
#include "modules/ssl/ssl_hello.h"
#include "modules/ssl/ssl_session.h"
#include "modules/ssl/ssl_stapling.h"
#include "modules/ssl/ssl_verify.h"

static bool wrong(conf_t *cf, const tree_node_t *node, const char *what, const char *value)
{
    char reason[256];
    tls_reason(reason, sizeof(reason));
    return conf_error(cf, node, node ? 1 : 0, NULL, "%s \"%s\" (%s)", what, value, reason);
}

/* --- parts --- */

/* One of each kind is shown: RSA, ECDSA, EdDSA. */
static void check_kind(conf_t *cf, const ssl_conf_t *c, const ssl_certificate_t *it)
{
    int kind = EVP_PKEY_get_base_id(it->identity.key);
    VEC_EACH(ssl_certificate_t *const, other, &c->made->shown)
        if (*other != it && EVP_PKEY_get_base_id((*other)->identity.key) == kind)
            conf_warn(cf, it->file.node, 1, "one of each kind of key",
                      "certificate \"%s\" is shown in place of \"%s\", whose key is of the same "
                      "kind", it->file.path, (*other)->file.path);
}

/* The certificates and keys of a struct go together in their order. */
static bool show_certificates(conf_t *cf, const ssl_conf_t *c)
{
    bool ok = true;
    for (unsigned i = 0; i < c->certificates.n; i++) {
        const ssl_file_t *file = &c->certificates.v[i];
        if (i >= c->keys.n)
            return conf_error(cf, file->node, 1, "add ssl_certificate_key",
                              "no \"ssl_certificate_key\" is defined for certificate \"" STR_FMT
                              "\"", STR_ARG(file->node->words[1].text));
        if (ssl_dynamic_is(c, i)) {
            c->made->dynamic = true;
            continue;
        }
        ssl_certificate_t *it = ssl_certificate_want(cf, c->store, file, &c->keys.v[i],
                                                     &c->passwords);
        if (it) check_kind(cf, c, it);
        if (it) *VEC_PUSH(cf->pool, &c->made->shown) = it;
        if (it) it->watched |= c->watch;
        if (it && !ssl_certificate_show(it, cf->pool, c->made->ctx))
            ok = wrong(cf, file->node, "cannot use certificate", file->path);
        ok = it && ok;
    }
    return ok;
}

static bool show_asked_for(conf_t *cf, const ssl_conf_t *c)
{
    if (!c->acme) return true;
    ssl_certificate_t *it = acme_stopgap_want(c->acme, c->store);
    return (it && ssl_certificate_show(it, cf->pool, c->made->ctx)) ||
           wrong(cf, c->acme->node, "cannot make a certificate for", c->acme->name.p);
}

static bool set_groups(conf_t *cf, const ssl_conf_t *c)
{
    ssl_made_t *made = c->made;
    made->groups = c->groups.p;
    if (!str_eq(c->groups, STR("auto")))
        return tls_ctx_groups(made->ctx, made->groups) ||
               wrong(cf, ssl_node(c, "ssl_ecdh_curve"), "ssl_ecdh_curve: no groups in",
                     made->groups);
    made->groups = SSL_CONTEXT_GROUPS_HYBRID;
    if (tls_ctx_groups(made->ctx, made->groups)) return true;
    made->groups = SSL_CONTEXT_GROUPS;
    return tls_ctx_groups(made->ctx, made->groups) || wrong(cf, NULL, "no groups in", made->groups);
}

static bool set_algorithms(conf_t *cf, const ssl_conf_t *c)
{
    static const uint64_t server_order =
        SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
    SSL_CTX *ctx = c->made->ctx;
    if (!tls_ctx_ciphers(ctx, c->ciphers.p))
        return wrong(cf, ssl_node(c, "ssl_ciphers"), "ssl_ciphers: no ciphers in", c->ciphers.p);
    if (c->dh.path && !tls_ctx_dh(ctx, c->dh.path))
        return wrong(cf, c->dh.node, "cannot load parameters", c->dh.path);
    if (c->server_order) SSL_CTX_set_options(ctx, server_order);
    else SSL_CTX_clear_options(ctx, server_order);
    return SSL_CTX_set_ciphersuites(ctx, SSL_CONTEXT_SUITES) && set_groups(cf, c);
}

static bool names_groups(const ssl_command_t *command)
{
    return strcasecmp(command->name, "Groups") == 0 || strcasecmp(command->name, "Curves") == 0;
}

static bool run_commands(conf_t *cf, const ssl_conf_t *c)
{
    VEC_EACH(const ssl_command_t, command, &c->commands) {
        if (!tls_ctx_command(c->made->ctx, command->name, command->value))
            return wrong(cf, command->node, "ssl_conf_command failed for", command->name);
        if (names_groups(command)) c->made->groups = command->value;
    }
    return true;
}

/* Certificates by their names, so that sessions outlive their renewal. */
static bool digest_rules(const ssl_conf_t *c, EVP_MD_CTX *digest)
{
    VEC_EACH(const ssl_file_t, file, &c->certificates)
        if (!EVP_DigestUpdate(digest, file->text.source.p, file->text.source.n) ||
            !EVP_DigestUpdate(digest, "", 1))
            return false;
    if (c->acme && !EVP_DigestUpdate(digest, c->acme->id.p, c->acme->id.n)) return false;
    return ssl_verify_digest(c, digest);
}

static bool tell_sessions_apart(conf_t *cf, const ssl_conf_t *c)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool ok = digest && EVP_DigestInit(digest, EVP_sha256()) && digest_rules(c, digest) &&
              EVP_DigestFinal(digest, c->made->rules, NULL) &&
              SSL_CTX_set_session_id_context(c->made->ctx, c->made->rules, sizeof(c->made->rules));
    EVP_MD_CTX_free(digest);
    return ok || wrong(cf, NULL, "cannot use", "SHA-256");
}

static void set_record_size(const ssl_conf_t *c)
{
    size_t most = SSL3_RT_MAX_PLAIN_LENGTH, least = 512, size = c->buffer_size;
    c->made->record = size > most ? most : size < least ? least : size;
    SSL_CTX_set_max_send_fragment(c->made->ctx, (long)c->made->record);
}

/* --- the whole --- */

static void free_ctx(void *arg)
{
    SSL_CTX_free(arg);
}

static bool make(conf_t *cf, const ssl_conf_t *c)
{
    SSL_CTX *ctx = tls_ctx_new(true, c->protocols);
    if (!ctx) return wrong(cf, NULL, "cannot speak TLS to", "clients");
    pool_defer(cf->pool, free_ctx, ctx);
    c->made->ctx = ctx;
    set_record_size(c);
    ssl_hello_watch(ctx);
    return show_certificates(cf, c) && show_asked_for(cf, c) && set_algorithms(cf, c) &&
           ssl_verify_prepare(cf, c) && ssl_stapling_prepare(cf, c) && ssl_early_prepare(cf, c) &&
           tell_sessions_apart(cf, c) && ssl_session_prepare(cf, c) && run_commands(cf, c);
}

bool ssl_context_make(conf_t *cf, const ssl_conf_t *c)
{
    if (c->made->done) return !c->made->failed;
    c->made->done = true;
    if (ssl_has_certificate(c) || c->reject) c->made->failed = !make(cf, c);
    return !c->made->failed;
}
