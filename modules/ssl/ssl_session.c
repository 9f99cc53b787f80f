#include "modules/ssl/ssl_session.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "core/base/clock.h"
#include "core/io/tls.h"
#include "core/process/generation.h"
#include "modules/ssl/ssl_session_cache.h"

enum { KEY_PERIOD_LEAST = 3600 }; /* seconds a ticket key seals */

static const ssl_conf_t *conf_of(const SSL *ssl)
{
    return ssl_conf(LIST_OF(tls_stream(ssl), conn_t, stream)->named);
}

/* --- session ids --- */

static ssl_session_cache_t *cache_of(const ssl_conf_t *c)
{
    return c->session_zone ? c->session_zone->root : NULL;
}

static str_t id_of(const SSL_SESSION *session)
{
    unsigned n;
    const unsigned char *id = SSL_SESSION_get_id(session, &n);
    return str_make((const char *)id, n);
}

static char scratch[SSL_SESSION_SIZE_MAX]; /* nothing suspends here */

/* A client that holds its session in a ticket has no need of a copy here. */
static int on_new(SSL *ssl, SSL_SESSION *session)
{
    const ssl_conf_t *c = conf_of(ssl);
    ssl_session_cache_t *cache = cache_of(c);
    unsigned char *p = (unsigned char *)scratch;
    bool ticket = SSL_version(ssl) >= TLS1_3_VERSION && !(SSL_get_options(ssl) & SSL_OP_NO_TICKET);
    if (!cache || ticket) return 0;
    int n = i2d_SSL_SESSION(session, NULL);
    if (n <= 0 || n > SSL_SESSION_SIZE_MAX) return 0;
    i2d_SSL_SESSION(session, &p);
    uint64_t now = (uint64_t)clock_unix();
    ssl_session_cache_put(cache, id_of(session), str_make(scratch, (size_t)n), now,
                          now + c->session_timeout / 1000);
    OPENSSL_cleanse(scratch, (size_t)n);
    return 0;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int n, int *copy)
{
    ssl_session_cache_t *cache = cache_of(conf_of(ssl));
    const unsigned char *p = (const unsigned char *)scratch;
    *copy = 0;
    if (!cache || n <= 0) return NULL;
    size_t size = ssl_session_cache_get(cache, str_make((const char *)id, (size_t)n),
                                        (uint64_t)clock_unix(), scratch);
    SSL_SESSION *session = size ? d2i_SSL_SESSION(NULL, &p, (long)size) : NULL;
    OPENSSL_cleanse(scratch, size);
    return session;
}

/* Of a session that proved to be bad; the context is the address's default server's. */
static void on_remove(SSL_CTX *ctx, SSL_SESSION *session)
{
    const ssl_conf_t *c = SSL_CTX_get_app_data(ctx);
    ssl_session_cache_t *cache = cache_of(c);
    if (cache) ssl_session_cache_remove(cache, id_of(session));
}

/* --- tickets --- */

static bool key_to_seal(const ssl_conf_t *c, ssl_ticket_key_t *key)
{
    if (!c->made->ticket_keys.n)
        return ssl_ticket_ring_seal(c->store->ring->root, (uint64_t)clock_unix(), key);
    *key = c->made->ticket_keys.v[0];
    return true;
}

static bool key_to_open(const ssl_conf_t *c, const unsigned char *name, ssl_ticket_key_t *key,
                        bool *old)
{
    if (!c->made->ticket_keys.n)
        return ssl_ticket_ring_open(c->store->ring->root, name, (uint64_t)clock_unix(), key, old);
    VEC_EACH(const ssl_ticket_key_t, it, &c->made->ticket_keys) {
        if (memcmp(it->name, name, SSL_TICKET_NAME) != 0) continue;
        *key = *it;
        *old = it != c->made->ticket_keys.v;
        return true;
    }
    return false;
}

/* Looked up once: asking the library for an algorithm costs more than using it. */
static const EVP_CIPHER *cipher_of(const ssl_ticket_key_t *key)
{
    static EVP_CIPHER *wide, *narrow;
    EVP_CIPHER **which = key->size == SSL_TICKET_SECRET ? &wide : &narrow;
    const char *name = which == &wide ? "AES-256-CBC" : "AES-128-CBC";
    if (!*which) *which = EVP_CIPHER_fetch(NULL, name, NULL);
    return *which;
}

static bool use_key(ssl_ticket_key_t *key, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int seal)
{
    OSSL_PARAM how[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, key->size),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, how) == 1 &&
           EVP_CipherInit_ex(cipher, cipher_of(key), NULL, key->cipher, iv, seal) == 1;
}

/* -1: an error; 0: no ticket, or not ours; 1: go on; 2: the same, and give the client a new one. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    const ssl_conf_t *c = conf_of(ssl);
    ssl_ticket_key_t key;
    bool old = false;
    if (seal) {
        if (!key_to_seal(c, &key) || RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher_of(&key))) != 1)
            return -1;
        memcpy(name, key.name, sizeof(key.name));
    } else if (!key_to_open(c, name, &key, &old)) {
        return 0;
    }
    /* Clients use a ticket once (RFC 8446 C.4). */
    old |= !seal && SSL_version(ssl) >= TLS1_3_VERSION;
    int r = use_key(&key, iv, cipher, mac, seal) ? 1 + old : -1;
    OPENSSL_cleanse(&key, sizeof(key));
    return r;
}

/* --- the context --- */

static bool read_keys(conf_t *cf, const ssl_conf_t *c)
{
    VEC_EACH(const ssl_file_t, file, &c->ticket_keys) {
        if (ssl_ticket_key_read(file->path, VEC_PUSH(cf->pool, &c->made->ticket_keys))) continue;
        return conf_error(cf, file->node, 1, "openssl rand 80 > FILE",
                          "cannot read a ticket key of 48 or 80 bytes from \"%s\" (%d: %s)",
                          file->path, errno, strerror(errno));
    }
    return true;
}

static long cache_mode(const ssl_conf_t *c)
{
    if (c->session_off) return SSL_SESS_CACHE_OFF;
    if (c->session_builtin) return SSL_SESS_CACHE_SERVER;
    return SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR;
}

bool ssl_session_prepare(conf_t *cf, const ssl_conf_t *c)
{
    SSL_CTX *ctx = c->made->ctx;
    SSL_CTX_set_num_tickets(ctx, 1); /* the second of two costs 6 in 100 of a handshake */
    SSL_CTX_set_app_data(ctx, c);
    SSL_CTX_set_session_cache_mode(ctx, cache_mode(c));
    if (c->session_builtin) SSL_CTX_sess_set_cache_size(ctx, (long)c->session_builtin);
    SSL_CTX_sess_set_new_cb(ctx, on_new);
    SSL_CTX_sess_set_get_cb(ctx, on_get);
    SSL_CTX_sess_set_remove_cb(ctx, on_remove);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    if (!c->tickets) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    return read_keys(cf, c);
}

void ssl_session_limit(SSL *ssl, const ssl_conf_t *c)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    if (session && !SSL_session_reused(ssl))
        SSL_SESSION_set_timeout(session, (long)(c->session_timeout / 1000));
}

bool ssl_session_share_keys(conf_t *cf, ssl_store_t *store, msec_t timeout)
{
    const char *why;
    uint64_t *period = POOL_NEW(cf->pool, uint64_t);
    *period = timeout / 1000 > KEY_PERIOD_LEAST ? timeout / 1000 : KEY_PERIOD_LEAST;
    str_t kind = pool_printf(cf->pool, "ticket keys for %llu s", (unsigned long long)*period);
    store->ring = zone_want(&generation_of(cf)->zones, STR("ssl ticket keys"), ZONE_SIZE_MIN,
                            kind.p, ssl_ticket_ring_init, period, &why);
    return store->ring || conf_error(cf, NULL, 0, NULL, "%s", why);
}

/* --- ssl_session_cache --- */

static bool wrong_cache(conf_t *cf, const tree_node_t *node, unsigned word)
{
    return conf_error(cf, node, word, "off, none, builtin[:SESSIONS], shared:NAME:SIZE",
                      "invalid session cache \"" STR_FMT "\"", STR_ARG(node->words[word].text));
}

/* shared:NAME:SIZE, or shared:NAME for one that is declared elsewhere */
static bool take_shared(conf_t *cf, ssl_conf_t *c, const tree_node_t *node, unsigned word,
                        str_t rest)
{
    str_t name;
    const char *why;
    size_t *size = POOL_NEW(cf->pool, size_t);
    if (!str_cut(&rest, ':', &name) || !name.n) return wrong_cache(cf, node, word);
    if (rest.n && !conf_size(cf, node, word, rest, ZONE_SIZE_MIN, 1ull << 40, size)) return false;
    c->session_zone = zone_want(&generation_of(cf)->zones, name, *size, "ssl session cache",
                                ssl_session_cache_init, size, &why);
    return c->session_zone || conf_error(cf, node, word, NULL, "%s", why);
}

static bool take_cache(conf_t *cf, ssl_conf_t *c, const tree_node_t *node, unsigned word)
{
    enum { BUILTIN = 20480 };
    str_t text = node->words[word].text;
    if (str_eq(text, STR("off"))) return c->session_off = true;
    if (str_eq(text, STR("none"))) return true;
    if (str_eq(text, STR("builtin"))) return (c->session_builtin = BUILTIN);
    if (str_starts(text, STR("builtin:")))
        return conf_number(cf, node, word, str_sub(text, 8, text.n), 1, INT_MAX,
                           &c->session_builtin);
    if (str_starts(text, STR("shared:")))
        return take_shared(cf, c, node, word, str_sub(text, 7, text.n));
    return wrong_cache(cf, node, word);
}

bool ssl_session_set_cache(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    ssl_conf_t *c = conf;
    (void)row;
    c->session_off = false;
    c->session_builtin = 0;
    c->session_zone = NULL;
    for (unsigned i = 1; i < node->n; i++)
        if (!take_cache(cf, c, node, i)) return false;
    return true;
}
