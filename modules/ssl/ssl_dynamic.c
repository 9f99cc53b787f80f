#include "modules/ssl/ssl_dynamic.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/io/tls.h"

typedef struct entry {
    list_t link; /* in `used`, the longest unused first */
    str_t name;  /* both paths; behind this struct */
    tls_identity_t id;
    uint64_t read_ms;
} entry_t;

static list_t used = {&used, &used};
static unsigned count;

/* --- what is kept --- */

/* A few hundred are looked through in less time than a signature takes. */
static entry_t *find(str_t name)
{
    for (list_t *l = used.prev; l != &used; l = l->prev)
        if (str_eq(LIST_OF(l, entry_t, link)->name, name)) return LIST_OF(l, entry_t, link);
    return NULL;
}

static void drop(entry_t *e)
{
    list_remove(&e->link);
    tls_identity_clear(&e->id);
    free(e);
    count--;
}

static void keep(str_t name, const tls_identity_t *id, unsigned most)
{
    while (count && count >= most) drop(LIST_OF(used.next, entry_t, link));
    entry_t *e = calloc(1, sizeof(*e) + name.n);
    if (!e) panic("out of memory: certificate");
    memcpy(e + 1, name.p, name.n);
    e->name = str_make((const char *)(e + 1), name.n);
    e->id = *id;
    e->read_ms = clock_ms();
    list_push(&used, &e->link);
    count++;
}

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
    entry_t *e = find(name);
    if (e && clock_ms() - e->read_ms < c->cache_valid) {
        list_remove(&e->link);
        list_push(&used, &e->link);
        return use(ssl, &e->id);
    }
    if (e) drop(e);
    if (!read_files(c, file, key, &id, r)) return false;
    bool ok = use(ssl, &id);
    if (ok && c->cache_most) keep(name, &id, c->cache_most);
    else tls_identity_clear(&id);
    return ok;
}

/* --- in a handshake --- */

/* 1: go on; 0: the handshake fails. The request is nobody's: what variables are asked of. */
static int on_certificate(SSL *ssl, void *arg)
{
    conn_t *conn = LIST_OF(tls_stream(ssl), conn_t, stream);
    const ssl_conf_t *c = ssl_conf(conn->named);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool ok = !name || ssl_dynamic_is_harmless(str_of(name));
    (void)arg;
    if (!c->made->ctx) c = ssl_conf(conn_site(conn)->fallback);
    if (!c->made->dynamic) return 1;
    request_t *r = request_new(conn, NULL);
    request_set_server(r, conn->named);
    for (unsigned i = 0; ok && i < c->certificates.n; i++)
        ok = !ssl_dynamic_is(c, i) || show(ssl, c, i, r);
    request_end(r);
    return ok;
}

void ssl_dynamic_watch(SSL_CTX *ctx)
{
    SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
}

/* --- ssl_certificate_cache --- */

bool ssl_dynamic_set_cache(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    ssl_conf_t *c = conf;
    str_t rest;
    (void)row;
    c->cache_most = 0;
    c->cache_valid = 60 * 1000;
    for (unsigned i = 1; i < node->n; i++) {
        str_t text = node->words[i].text;
        bool ok = str_eq(text, STR("off")) && node->n == 2;
        if (value_keyed(text, "max", &rest))
            ok = conf_number(cf, node, i, rest, 1, 100000, &c->cache_most);
        else if (value_keyed(text, "valid", &rest))
            ok = conf_msec(cf, node, i, rest, &c->cache_valid);
        else if (!ok)
            conf_error(cf, node, i, "off, or max=N and valid=TIME",
                       "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
        if (!ok) return false;
    }
    return true;
}
