#include "modules/ssl/ssl_dynamic.h"

#include "core/base/clock.h"
#include "core/io/tls.h"

/* --- reading --- */

bool ssl_dynamic_is_harmless(str_t name)
{
    if (name.n && name.p[0] == '.') return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '.' || c == '_';
        if (!ok) return false;
    }
    return str_search(name, STR("..")) == name.n;
}

bool ssl_dynamic_is(const ssl_conf_t *c, unsigned i)
{
    return !text_is_constant(&c->certificates.v[i].text) || !text_is_constant(&c->keys.v[i].text);
}

static const char *path_of(const ssl_conf_t *c, const ssl_file_t *file, request_t *r)
{
    if (text_is_constant(&file->text)) return file->path;
    str_t value = text_eval(&file->text, r);
    if (str_starts(value, STR("data:")) || str_starts(value, STR("/")))
        return pool_cstr(r->pool, value);
    return pool_printf(r->pool, STR_FMT STR_FMT, STR_ARG(c->store->directory), STR_ARG(value)).p;
}

static bool read_files(const ssl_conf_t *c, const char *file, const char *key, tls_identity_t *id,
                       request_t *r)
{
    tls_passwords_t passwords = {.n = 0};
    char reason[256];
    if (c->passwords.path) tls_identity_read_passwords(r->pool, c->passwords.path, &passwords);
    bool ok = tls_identity_read_certificate(id, file) &&
              tls_identity_read_key(id, key, &passwords) && tls_identity_fits(id);
    tls_reason(reason, sizeof(reason));
    tls_identity_forget_passwords(&passwords);
    if (ok) return true;
    LOG(&r->log, LOG_ERR, 0, "cannot load certificate \"%s\" with key \"%s\" (%s)", file, key,
        reason);
    tls_identity_clear(id);
    return false;
}

static bool use(SSL *ssl, const tls_identity_t *id)
{
    return SSL_use_cert_and_key(ssl, id->cert, id->key, id->chain, 1) == 1;
}

static bool show(SSL *ssl, const ssl_conf_t *c, unsigned i, request_t *r)
{
    tls_identity_t id = {.cert = NULL};
    const char *file = path_of(c, &c->certificates.v[i], r), *key = path_of(c, &c->keys.v[i], r);
    str_t name = pool_printf(r->pool, "%s\n%s", file, key);
    const tls_identity_t *kept = c->loaded ? ssl_loaded_find(c->loaded, name, clock_ms()) : NULL;
    if (kept) return use(ssl, kept);
    if (!read_files(c, file, key, &id, r)) return false;
    bool ok = use(ssl, &id);
    if (ok && c->loaded) ssl_loaded_keep(c->loaded, name, &id, clock_ms());
    else tls_identity_clear(&id);
    return ok;
}

/* --- in a handshake --- */

/* The request is nobody's: what variables are asked of. */
bool ssl_dynamic_show(SSL *ssl, conn_t *conn, const ssl_conf_t *c)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool ok = !name || ssl_dynamic_is_harmless(str_of(name));
    request_t *r = request_new(conn, NULL);
    request_set_server(r, conn->named);
    for (unsigned i = 0; ok && i < c->certificates.n; i++)
        ok = !ssl_dynamic_is(c, i) || show(ssl, c, i, r);
    request_end(r);
    return ok;
}

/* --- ssl_certificate_cache --- */

static bool set_limit(conf_t *cf, const tree_node_t *node, unsigned word,
                      ssl_loaded_limits_t *limits)
{
    str_t text = node->words[word].text, rest;
    if (value_keyed(text, "max", &rest))
        return conf_number(cf, node, word, rest, 1, 100000, &limits->most);
    if (value_keyed(text, "valid", &rest)) return conf_msec(cf, node, word, rest, &limits->valid);
    if (value_keyed(text, "inactive", &rest))
        return conf_msec(cf, node, word, rest, &limits->inactive);
    return conf_error(cf, node, word, "off, or max=N, inactive=TIME and valid=TIME",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

bool ssl_dynamic_set_cache(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    enum { VALID = 60 * 1000, INACTIVE = 10 * 1000 };
    ssl_loaded_limits_t limits = {0, VALID, INACTIVE};
    ssl_loaded_t **loaded = CONF_AT(row, conf, ssl_loaded_t *);
    *loaded = NULL;
    if (node->n == 2 && str_eq(node->words[1].text, STR("off"))) return true;
    for (unsigned i = 1; i < node->n; i++)
        if (!set_limit(cf, node, i, &limits)) return false;
    if (!limits.most)
        return conf_error(cf, node, 0, "ssl_certificate_cache max=1000 inactive=20s valid=1m;",
                          "ssl_certificate_cache without max=");
    *loaded = ssl_loaded_new(cf->pool, limits);
    return true;
}
