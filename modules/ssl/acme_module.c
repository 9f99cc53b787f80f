/* acme_module: the directives of certificate authorities, and what becomes of them. */
#include <stdio.h>

#include "core/io/tls.h"
#include "core/io/tls_ctx.h"
#include "core/process/generation.h"
#include "modules/ssl/acme.h"
#include "modules/ssl/acme_agent.h"
#include "modules/ssl/acme_answer.h"
#include "modules/ssl/acme_http.h"
#include "modules/ssl/acme_jws.h"
#include "modules/ssl/acme_status.h"
#include "modules/ssl/acme_worker.h"

enum { ZONE_LEAST = 256 * 1024 };

static unsigned index_;

/* --- an issuer --- */

static void free_ctx(void *arg)
{
    SSL_CTX_free(arg);
}

static void free_key(void *arg)
{
    EVP_PKEY_free(arg);
}

/* What speaks TLS to the authority; without ssl_trusted_certificate it trusts whom the system
   trusts. */
static bool make_ctx(conf_t *cf, const acme_conf_t *c, acme_issuer_t *issuer)
{
    enum { DEPTH = 9 };
    char reason[256];
    issuer->ctx = tls_ctx_new(false, TLS_1_2 | TLS_1_3);
    if (issuer->ctx) pool_defer(cf->pool, free_ctx, issuer->ctx);
    bool ok = issuer->ctx && (c->trusted.n ? tls_ctx_trust(issuer->ctx, c->trusted.p, DEPTH)
                                           : SSL_CTX_set_default_verify_paths(issuer->ctx) == 1);
    if (ok) return true;
    tls_reason(reason, sizeof(reason));
    const tree_node_t *node = issuer->node;
    return conf_error(cf, node, 1, NULL, "cannot load trusted certificates \"" STR_FMT "\" (%s)",
                      STR_ARG(c->trusted), reason);
}

static bool read_account(conf_t *cf, const acme_conf_t *c, acme_issuer_t *issuer)
{
    acme_key_type_t type;
    tls_identity_t id = {.cert = NULL};
    issuer->key_type = c->account_type;
    if (!c->account_file.n) return true;
    if (tls_identity_read_key(&id, c->account_file.p, NULL)) pool_defer(cf->pool, free_key, id.key);
    issuer->key = id.key;
    return (id.key && acme_key_type_of(id.key, &type)) ||
           conf_error(cf, issuer->node, 1, "a key of " ACME_KEY_TYPES,
                      "account_key \"" STR_FMT "\" cannot be used", STR_ARG(c->account_file));
}

static bool read_uri(conf_t *cf, const acme_conf_t *c, acme_issuer_t *issuer)
{
    acme_url_t url;
    issuer->uri = c->uri;
    if (!c->uri.n)
        return conf_error(cf, issuer->node, 0, "uri https://ca.example/directory;",
                          "acme_issuer without uri");
    if (!acme_http_url(c->uri, true, &url))
        return conf_error(cf, issuer->node, 0, "uri https://ca.example/directory;",
                          "\"" STR_FMT "\" is no https URL", STR_ARG(c->uri));
    issuer->loopback = acme_http_is_loopback(&url);
    return true;
}

static str_t state_path(conf_t *cf, const acme_conf_t *c, str_t name)
{
    str_t path = c->state_path;
    if (!path.n)
        path = conf_full_path(cf, pool_concat(cf->pool, STR("acme_"), name), false);
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    return pool_str(cf->pool, path);
}

static bool set_issuer(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    acme_all_t *all = acme_all(conf);
    conf_scope_t *scope = conf_block(cf, node, CONF_ACME_ISSUER, false);
    (void)row;
    if (!scope) return false;
    const acme_conf_t *c = conf_get(scope, &acme_module);
    acme_issuer_t *issuer = POOL_NEW(all->pool, acme_issuer_t);
    issuer->node = node;
    issuer->name = node->words[1].text;
    issuer->contacts = c->contacts;
    issuer->terms = c->terms;
    issuer->binding_id = c->binding_id;
    issuer->binding_secret = c->binding_secret;
    issuer->challenge = (acme_challenge_t)c->challenge;
    issuer->verify = c->verify;
    issuer->retry_least = c->retry_least;
    issuer->retry_most = c->retry_most;
    issuer->http = http_conf(scope->structs);
    issuer->number = all->issuers.n;
    issuer->state_path = state_path(cf, c, issuer->name);
    VEC_EACH(acme_issuer_t *const, it, &all->issuers)
        if (str_eq((*it)->name, issuer->name))
            return conf_error(cf, node, 1, NULL, "duplicate acme_issuer \"" STR_FMT "\"",
                              STR_ARG(issuer->name));
    *VEC_PUSH(all->pool, &all->issuers) = issuer;
    return read_uri(cf, c, issuer) && read_account(cf, c, issuer) && make_ctx(cf, c, issuer);
}

/* --- its directives --- */

static bool set_account_key(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    acme_conf_t *c = conf;
    str_t text = node->words[1].text;
    (void)row;
    if (!acme_key_type_read(text, &c->account_type))
        c->account_file = pool_str(cf->pool, conf_full_path(cf, text, true));
    return true;
}

static bool set_contact(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t text = node->words[1].text;
    if (str_find(text, 0, ':') == text.n) text = pool_concat(cf->pool, STR("mailto:"), text);
    *VEC_PUSH(cf->pool, CONF_AT(row, conf, conf_strs_t)) = text;
    return true;
}

/* The text of a file, or of "data:...", without what surrounds it. */
static bool read_secret(conf_t *cf, str_t source, str_t *out)
{
    enum { SECRET_MOST = 4096 };
    char *text = pool_bytes(cf->pool, SECRET_MOST);
    static const str_t inside = STR_INIT("data:");
    if (str_starts(source, inside)) {
        *out = str_sub(source, inside.n, source.n);
        return true;
    }
    FILE *file = fopen(pool_cstr(cf->pool, conf_full_path(cf, source, true)), "re");
    if (!file) return false;
    *out = str_make(text, fread(text, 1, SECRET_MOST, file));
    fclose(file);
    while (out->n && out->p[out->n - 1] <= ' ') out->n--;
    return true;
}

static bool set_binding(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    acme_conf_t *c = conf;
    str_t text;
    (void)row;
    c->binding_id = node->words[1].text;
    for (size_t i = 0; i < c->binding_id.n; i++)
        if (c->binding_id.p[i] <= ' ' || c->binding_id.p[i] > '~' ||
            memchr("\"\\", c->binding_id.p[i], 2))
            return conf_error(cf, node, 1, NULL, "the name of a key has no such character");
    return (read_secret(cf, node->words[2].text, &text) &&
            acme_jws_bytes(cf->pool, text, &c->binding_secret)) ||
           conf_error(cf, node, 2, "a file with what the authority has given, or data:...",
                      "external_account_key: there is no key in base64url");
}

static bool set_state_path(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    if (!str_eq(node->words[1].text, STR("off"))) return conf_set_path(cf, row, conf, node);
    return conf_error(cf, node, 1, "state_path DIRECTORY;",
                      "certificates cannot be had without a state_path");
}

static bool set_terms(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)cf, (void)node;
    *CONF_AT(row, conf, bool) = true;
    return true;
}

static bool set_trusted(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t path = conf_full_path(cf, node->words[1].text, true);
    *CONF_AT(row, conf, str_t) = pool_str(cf->pool, path);
    return true;
}

static bool set_retry(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    acme_conf_t *c = conf;
    (void)row;
    if (!conf_msec(cf, node, 1, node->words[1].text, &c->retry_least)) return false;
    c->retry_most = 24 * 3600 * 1000;
    if (node->n > 2 && !conf_msec(cf, node, 2, node->words[2].text, &c->retry_most)) return false;
    if (c->retry_least && c->retry_least <= c->retry_most) return true;
    return conf_error(cf, node, 1, "retry 2m 1d", "retry: the first pause is none, or the longest");
}

static bool set_zone(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    acme_all_t *all = acme_all(conf);
    str_t value, name;
    (void)row;
    if (value_keyed(node->words[1].text, "zone", &value) && str_cut(&value, ':', &name) && name.n) {
        all->zone_name = pool_str(cf->pool, name);
        return conf_size(cf, node, 1, value, ZONE_SIZE_MIN, 0, &all->zone_size);
    }
    return conf_error(cf, node, 1, "zone=acme:256k", "invalid parameter \"" STR_FMT "\"",
                      STR_ARG(node->words[1].text));
}

/* --- the whole --- */

static acme_issuer_t *find_issuer(const acme_all_t *all, str_t name)
{
    VEC_EACH(acme_issuer_t *const, it, &all->issuers) if (str_eq((*it)->name, name)) return *it;
    return NULL;
}

/* The file's name tells first name and kind of key, so that what lies there serves on when names
   are added; two certificates that agree in both would write over each other. */
static bool give_path(conf_t *cf, const acme_all_t *all, acme_certificate_t *c)
{
    c->path = pool_printf(cf->pool, STR_FMT "/" STR_FMT ".%s.pem", STR_ARG(c->issuer->state_path),
                          STR_ARG(c->name), c->key_type.rsa ? "rsa" : "ecdsa");
    VEC_EACH(acme_certificate_t *const, it, &all->certificates)
        if (*it != c && str_eq((*it)->path, c->path))
            return conf_error(cf, c->node, 0, "the same names everywhere, or another one first",
                              "another acme_certificate has other names that begin with \"" STR_FMT
                              "\", too", STR_ARG(c->name));
    return true;
}

static bool find_issuers(conf_t *cf, acme_all_t *all)
{
    bool ok = true;
    for (uint32_t i = 0; i < all->certificates.n; i++) {
        acme_certificate_t *c = all->certificates.v[i];
        acme_issuer_t *issuer = find_issuer(all, c->issuer_name);
        c->number = i;
        c->issuer = issuer;
        if (issuer) {
            issuer->used = true;
            ok = give_path(cf, all, c) && ok;
        } else {
            ok = conf_error(cf, c->node, 1, "add acme_issuer NAME { uri ...; } in http",
                            "acme_issuer \"" STR_FMT "\" is unknown", STR_ARG(c->issuer_name));
        }
    }
    return ok;
}

/* Rows are told by their numbers: another list of certificates has another board. */
static const char *kind_of(const acme_all_t *all)
{
    uint64_t digest[2];
    strbuf_t text = {.pool = all->pool};
    VEC_EACH(acme_issuer_t *const, it, &all->issuers)
        strbuf_printf(&text, STR_FMT "\n", STR_ARG((*it)->uri));
    VEC_EACH(acme_certificate_t *const, it, &all->certificates)
        strbuf_printf(&text, STR_FMT "\n", STR_ARG((*it)->id));
    hash_wide(strbuf_text(&text), digest);
    return pool_printf(all->pool, "acme %016llx%016llx", (unsigned long long)digest[0],
                       (unsigned long long)digest[1]).p;
}

static bool want_zone(conf_t *cf, acme_all_t *all)
{
    const char *why;
    acme_board_size_t *size = POOL_NEW(all->pool, acme_board_size_t);
    *size = (acme_board_size_t){all->issuers.n, all->certificates.n};
    size_t bytes = acme_board_bytes(*size);
    if (bytes < ZONE_LEAST) bytes = ZONE_LEAST;
    if (all->zone_size) bytes = all->zone_size;
    all->zone = zone_want(&generation_of(cf)->zones, all->zone_name, bytes, kind_of(all),
                          acme_board_init, size, &why);
    VEC_EACH(acme_issuer_t *const, it, &all->issuers) (*it)->zone = all->zone;
    return all->zone || conf_error(cf, NULL, 0, NULL, "acme_shared_zone: %s", why);
}

static bool finish(conf_t *cf)
{
    acme_all_t *all = acme_all(conf_get(cf->scope, &acme_module));
    helper_t helper = {.name = "acme process",
                       .start = acme_agent_start,
                       .stop = acme_agent_stop,
                       .arg = all};
    if (!all->certificates.n) return true;
    if (!find_issuers(cf, all) || !want_zone(cf, all)) return false;
    VEC_EACH(acme_issuer_t *const, it, &all->issuers)
        if ((*it)->used) tempdir_want(&generation_of(cf)->tempdirs, (*it)->state_path);
    helper_want(&generation_of(cf)->helpers, &helper);
    return true;
}

static bool begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    acme_conf_t *c = conf_own(cf, &acme_module);
    c->all = POOL_NEW(cf->pool, acme_all_t);
    c->all->pool = cf->pool;
    c->all->zone_name = STR("acme");
    hash_map_init(&c->all->by_id, cf->pool);
    return true;
}

static int worker_start(const void *main_struct)
{
    return acme_worker_start(acme_all(main_struct));
}

static void worker_stop(const void *main_struct)
{
    (void)main_struct;
    acme_worker_stop();
}

/* --- the module --- */

static const conf_name_t challenges[] = {{"http-01", ACME_HTTP_01},
                                         {"http", ACME_HTTP_01},
                                         {"tls-alpn-01", ACME_TLS_ALPN_01},
                                         {"tls-alpn", ACME_TLS_ALPN_01},
                                         {NULL, 0}};

#define CONF acme_conf_t

static const conf_row_t rows[] = {
    CONF_CUSTOM("acme_issuer", CONF_HTTP, CONF_BLOCK | CONF_MANY, 1, 1, set_issuer, CONF_NO_FIELD,
                NULL, "a certificate authority that speaks ACME (RFC 8555)"),
    CONF_CUSTOM("acme_shared_zone", CONF_HTTP, 0, 1, 1, set_zone, CONF_NO_FIELD, NULL,
                "zone=NAME:SIZE of what all workers know of challenges and certificates; as large "
                "as it must be unless given"),
    CONF_STR("uri", CONF_ACME_ISSUER, CONF, uri, NULL, "the URL of the authority's directory"),
    CONF_CUSTOM("account_key", CONF_ACME_ISSUER, 0, 1, 1, set_account_key,
                CONF_FIELD(CONF, account_type, acme_key_type_t), "ecdsa:256",
                "the account's key: a kind, of which one is made, or a file"),
    CONF_ENUM("challenge", CONF_ACME_ISSUER, CONF, challenge, "http-01", challenges,
              "how names are proved to be ours: http-01 on port 80, tls-alpn-01 on port 443"),
    CONF_CUSTOM("contact", CONF_ACME_ISSUER, CONF_MANY, 1, 1, set_contact,
                CONF_FIELD(CONF, contacts, conf_strs_t), NULL,
                "whom the authority may write to; mailto: unless it is another URL"),
    CONF_CUSTOM("external_account_key", CONF_ACME_ISSUER, 0, 2, 2, set_binding,
                CONF_FIELD(CONF, binding_id, str_t), NULL,
                "name and key (base64url; a file, or data:...) of an account that the authority "
                "knows already"),
    CONF_CUSTOM("state_path", CONF_ACME_ISSUER, 0, 1, 1, set_state_path,
                CONF_FIELD(CONF, state_path, str_t), NULL,
                "a directory for account key and certificates, given to the workers' user; "
                "acme_NAME unless given"),
    CONF_CUSTOM("accept_terms_of_service", CONF_ACME_ISSUER, 0, 0, 0, set_terms,
                CONF_FIELD(CONF, terms, bool), NULL, "agrees to the authority's terms of service"),
    CONF_CUSTOM("ssl_trusted_certificate", CONF_ACME_ISSUER, 0, 1, 1, set_trusted,
                CONF_FIELD(CONF, trusted, str_t), NULL,
                "a file of certificates that the authority's own is trusted by; the system's "
                "unless given"),
    CONF_FLAG("ssl_verify", CONF_ACME_ISSUER, CONF, verify, "on",
              "whether the authority must show a certificate that is trusted"),
    CONF_CUSTOM("retry", CONF_ACME_ISSUER, 0, 1, 2, set_retry,
                CONF_FIELD(CONF, retry_least, msec_t), "2m",
                "how long to wait after a failure, twice as long after each further one, and how "
                "long at most (1d unless given)"),
    CONF_END,
};

static const http_hooks_t hooks = {
    .phase = {[PHASE_POST_READ] = acme_answer_http},
    .begin = begin,
    .finish = finish,
};

const module_t acme_module = {
    .name = "acme",
    .index = &index_,
    .rows = rows,
    .conf_size = sizeof(acme_conf_t),
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .hooks = &hooks,
    .commands = acme_status_commands,
    .sections = acme_status_sections,
};
