#include "modules/upstream/proxy_ssl.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "core/io/tls_ctx.h"
#include "core/io/tls_identity.h"
#include "http/uri.h"
#include "modules/upstream/proxy_identity.h"
#include "modules/upstream/proxy.h"

typedef struct named_file {
    const char *path;        /* absolute; NULL: not given */
    text_t chosen;           /* the path holds variables: each request's own */
    const tree_node_t *node; /* for what is wrong with it */
} named_file_t;

typedef struct command {
    const char *name, *value;
    const tree_node_t *node;
} command_t;

typedef VEC(command_t) commands_t;

/* What is made of a block's directives when it is known to be needed. */
typedef struct made {
    SSL_CTX *ctx;
    bool failed; /* and said so */
    proxy_identities_t *chosen; /* contexts like it with certificates that requests choose */
} made_t;

struct proxy_ssl_conf {
    bool verify, send_name, reuse;
    unsigned depth, protocols;
    text_t name;
    str_t ciphers;
    named_file_t trusted, revoked, certificate, key, passwords;
    commands_t commands;
    made_t *made;
    const char *prefix; /* of the directives: "proxy" */
    str_t dir;          /* that paths are relative to */
};

static unsigned proxy_index_, grpc_index_;

static const char *const handshaking = "SSL handshaking to upstream";

/* --- the context --- */

static bool wrong(conf_t *cf, const tree_node_t *node, const char *what, const char *value)
{
    char reason[256];
    tls_reason(reason, sizeof(reason));
    return conf_error(cf, node, node ? 1 : 0, NULL, "%s \"%s\" (%s)", what, value, reason);
}

/* A text with the directives' prefix. */
static const char *hint(conf_t *cf, const proxy_ssl_conf_t *c, const char *fmt)
{
    str_t text = str_of(fmt), before = str_sub(text, 0, str_search(text, STR("%s")));
    str_t after = str_sub(text, before.n + 2, text.n);
    return pool_printf(cf->pool, STR_FMT "%s" STR_FMT, STR_ARG(before), c->prefix,
                       STR_ARG(after)).p;
}

/* Whether each request chooses whose certificate is shown. */
static bool is_chosen(const proxy_ssl_conf_t *c)
{
    return c->certificate.chosen.set || c->key.chosen.set;
}

static bool set_identity(conf_t *cf, const proxy_ssl_conf_t *c, SSL_CTX *ctx)
{
    tls_passwords_t passwords = {.n = 0};
    tls_identity_t id = {.cert = NULL};
    if (!c->certificate.path) return true;
    if (!c->key.path)
        return conf_error(cf, c->certificate.node, 1, hint(cf, c, "add %s_ssl_certificate_key"),
                          "no \"%s_ssl_certificate_key\" is defined for certificate \"%s\"",
                          c->prefix, c->certificate.path);
    if (is_chosen(c)) return true;
    if (c->passwords.path && !tls_identity_read_passwords(cf->pool, c->passwords.path, &passwords))
        return conf_error(cf, c->passwords.node, 1, NULL, "cannot read \"%s\" (%d: %s)",
                          c->passwords.path, errno, strerror(errno));
    bool read = tls_identity_read_certificate(&id, c->certificate.path);
    if (!read) wrong(cf, c->certificate.node, "cannot load certificate", c->certificate.path);
    bool ok = read && tls_identity_read_key(&id, c->key.path, &passwords) &&
              tls_identity_fits(&id) && tls_identity_show(&id, ctx);
    if (read && !ok) wrong(cf, c->key.node, "cannot load certificate key", c->key.path);
    tls_identity_forget_passwords(&passwords);
    tls_identity_clear(&id);
    return ok;
}

static bool set_trust(conf_t *cf, const proxy_ssl_conf_t *c, SSL_CTX *ctx, const tree_node_t *pass)
{
    if (!c->verify) return true;
    if (!c->trusted.path)
        return conf_error(cf, pass, 0,
                          hint(cf, c, "for example %s_ssl_trusted_certificate "
                                      "/etc/ssl/certs/ca-certificates.crt;"),
                          "no %s_ssl_trusted_certificate for %s_ssl_verify", c->prefix, c->prefix);
    if (!tls_ctx_trust(ctx, c->trusted.path, c->depth))
        return wrong(cf, c->trusted.node, "cannot load trusted certificates", c->trusted.path);
    return !c->revoked.path || tls_ctx_revoked(ctx, c->revoked.path) ||
           wrong(cf, c->revoked.node, "cannot load revocation lists", c->revoked.path);
}

static bool run_commands(conf_t *cf, const proxy_ssl_conf_t *c, SSL_CTX *ctx)
{
    VEC_EACH(const command_t, command, &c->commands)
        if (!tls_ctx_command(ctx, command->name, command->value))
            return wrong(cf, command->node, hint(cf, c, "%s_ssl_conf_command failed for"),
                         command->name);
    return true;
}

static void free_ctx(void *arg)
{
    SSL_CTX_free(arg);
}

static bool make(conf_t *cf, const proxy_ssl_conf_t *c, const tree_node_t *pass)
{
    SSL_CTX *ctx = tls_ctx_new(false, c->protocols);
    if (!ctx) return wrong(cf, NULL, "cannot speak TLS to", "origins");
    pool_defer(cf->pool, free_ctx, ctx);
    c->made->ctx = ctx;
    if (!tls_ctx_ciphers(ctx, c->ciphers.p))
        return wrong(cf, pass, hint(cf, c, "%s_ssl_ciphers: no ciphers in"), c->ciphers.p);
    if (c->reuse) tls_reuse_sessions(ctx);
    if (is_chosen(c)) c->made->chosen = proxy_identities_new(cf->pool);
    return set_identity(cf, c, ctx) && set_trust(cf, c, ctx, pass) && run_commands(cf, c, ctx);
}

bool proxy_ssl_prepare(conf_t *cf, const proxy_pass_t *pass)
{
    const proxy_ssl_conf_t *c = pass->ssl;
    bool constant = text_is_constant(&pass->text);
    const str_t *secure = &pass->schemes->secure;
    bool certain = str_istarts(pass->text.source, *secure);
    bool plain = str_istarts(pass->text.source, pass->schemes->plain);
    if (!c || plain || (constant && !certain)) return true;
    if (certain && !c->verify)
        conf_warn(cf, pass->node, 1,
                  pool_printf(cf->pool, "%s_ssl_verify on; and %s_ssl_trusted_certificate FILE;",
                              c->prefix, c->prefix).p,
                  "the certificate of the %.*s origin is not verified",
                  (int)secure->n - 3, secure->p);
    if (!c->made->ctx && !c->made->failed) c->made->failed = !make(cf, c, pass->node);
    return !c->made->failed;
}

/* --- certificates that requests choose --- */

/* The file's path in this request, as nginx takes it: relative to the configuration. */
static const char *path_of(const proxy_ssl_conf_t *c, const named_file_t *file, request_t *r)
{
    if (!file->chosen.set) return file->path;
    str_t path = text_eval(&file->chosen, r);
    bool whole = path.n == 0 || path.p[0] == '/' || str_starts(path, STR("data:"));
    return pool_cstr(r->pool, whole ? path : pool_concat(r->pool, c->dir, path));
}

static bool show(const proxy_ssl_conf_t *c, request_t *r, SSL_CTX *ctx, const char *certificate,
                 const char *key)
{
    tls_passwords_t passwords = {.n = 0};
    tls_identity_t id = {.cert = NULL};
    if (c->passwords.path) tls_identity_read_passwords(r->pool, c->passwords.path, &passwords);
    bool ok = tls_identity_read_certificate(&id, certificate) &&
              tls_identity_read_key(&id, key, &passwords) && tls_identity_fits(&id) &&
              tls_identity_show(&id, ctx);
    tls_identity_forget_passwords(&passwords);
    tls_identity_clear(&id);
    return ok;
}

/* The same as the context of all, trust included, but for whom it shows. */
static SSL_CTX *make_chosen(const proxy_ssl_conf_t *c, request_t *r, const char *certificate,
                            const char *key)
{
    SSL_CTX *ctx = tls_ctx_new(false, c->protocols);
    bool ok = ctx && tls_ctx_ciphers(ctx, c->ciphers.p) && show(c, r, ctx, certificate, key);
    if (ok && c->reuse) tls_reuse_sessions(ctx);
    if (ok) SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(c->made->ctx));
    if (ok) SSL_CTX_set_verify_depth(ctx, SSL_CTX_get_verify_depth(c->made->ctx));
    VEC_EACH(const command_t, command, &c->commands)
        ok = ok && tls_ctx_command(ctx, command->name, command->value);
    if (ok) return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* NULL: said. */
static SSL_CTX *choose(proxy_t *p, const proxy_ssl_conf_t *c)
{
    char reason[256];
    request_t *r = p->r;
    const char *certificate = path_of(c, &c->certificate, r), *key = path_of(c, &c->key, r);
    if (!certificate[0]) return c->made->ctx;
    str_t name = pool_printf(r->pool, "%s\n%s", certificate, key);
    SSL_CTX *ctx = proxy_identities_find(c->made->chosen, name);
    if (ctx) return ctx;
    if ((ctx = make_chosen(c, r, certificate, key))) {
        proxy_identities_keep(c->made->chosen, name, ctx);
        return ctx;
    }
    tls_reason(reason, sizeof(reason));
    bool given = str_starts(str_of(certificate), STR("data:"));
    proxy_log(p, LOG_ERR, 0,
              pool_printf(r->pool, "cannot show certificate \"%s\" (%s)",
                          given ? "data:" : certificate, reason).p, handshaking);
    return NULL;
}

/* --- an attempt --- */

/* Without a port, and an address without its brackets. */
static str_t bare_host(str_t name)
{
    str_t host;
    uint16_t port;
    if (!uri_split_host(name, &host, &port)) return name;
    return host.n > 2 && host.p[0] == '[' ? str_sub(host, 1, host.n - 1) : host;
}

static tls_client_t describe(const proxy_ssl_conf_t *c, str_t name, str_t peer)
{
    return (tls_client_t){.ctx = c->made->ctx, .name = bare_host(name), .peer = peer,
                          .send_name = c->send_name, .verify = c->verify};
}

bool proxy_ssl_describe(proxy_t *p)
{
    const proxy_ssl_conf_t *c = p->conf->pass->ssl;
    p->tls.ctx = NULL;
    p->handshaking = false;
    if (!p->target.tls) return true;
    p->tls = describe(c, c->name.set ? text_eval(&c->name, p->r) : p->target.host, p->peer->name);
    p->tls.protocol = p->http_version == PROXY_HTTP_2 ? STR("h2") : STR("");
    if (c->made->chosen) p->tls.ctx = choose(p, c);
    return p->tls.ctx;
}

void proxy_ssl_describe_pass(const proxy_pass_t *pass, str_t peer, tls_client_t *tls)
{
    const text_t *name = &pass->ssl->name;
    bool known = name->set && text_is_constant(name);
    tls->ctx = NULL;
    if (pass->target.tls)
        *tls = describe(pass->ssl, known ? name->source : pass->target.host, peer);
}

static void log_untrusted(const proxy_t *p, const tls_failure_t *why)
{
    bool name = why->verify == X509_V_ERR_HOSTNAME_MISMATCH ||
                why->verify == X509_V_ERR_IP_ADDRESS_MISMATCH;
    str_t text = name ? pool_printf(p->r->pool,
                                    "upstream SSL certificate does not match \"" STR_FMT "\"",
                                    STR_ARG(p->tls.name))
                      : pool_printf(p->r->pool,
                                    "upstream SSL certificate verify error: (%ld:%s)", why->verify,
                                    X509_verify_cert_error_string(why->verify));
    proxy_log(p, LOG_ERR, 0, text.p, handshaking);
}

static void log_failure(const proxy_t *p, int err, const tls_failure_t *why)
{
    if (err == -EKEYREJECTED) {
        log_untrusted(p, why);
    } else if (err == -EPROTONOSUPPORT) {
        proxy_log(p, LOG_ERR, 0, "upstream does not speak HTTP/2: ALPN \"h2\" was not agreed on",
                  handshaking);
    } else if (err == -EPROTO) {
        str_t text = pool_printf(p->r->pool, "SSL_do_handshake() failed (%s)", why->text);
        proxy_log(p, LOG_ERR, 0, text.p, handshaking);
    } else {
        proxy_log(p, LOG_ERR, err == -ENODATA ? 0 : -err,
                  "peer closed connection in SSL handshake", handshaking);
    }
}

origin_t *proxy_ssl_start(proxy_t *p, origin_t *o, int *err)
{
    tls_failure_t why;
    p->handshaking = true;
    *err = tls_connect(&o->stream, &p->tls, p->conf->connect_timeout, &why);
    if (*err == 0) return o;
    if (*err != -ETIMEDOUT && !fiber_cancelled(fiber_self())) log_failure(p, *err, &why);
    origin_close(o);
    return NULL;
}

/* --- the directives --- */

static bool set_file(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    named_file_t *file = CONF_AT(row, conf, named_file_t);
    str_t path = node->words[1].text;
    *file = (named_file_t){.path = NULL};
    if (path.n == 0) return true; /* "": as nginx's, none after all */
    if (str_find(path, 0, '$') < path.n)
        return conf_error(cf, node, 1, NULL, "variables are not supported in \"%s\"", row->name);
    *file = (named_file_t){.path = pool_cstr(cf->pool, conf_full_path(cf, path, true)),
                           .node = node};
    return true;
}

static bool set_chosen_file(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    named_file_t *file = CONF_AT(row, conf, named_file_t);
    str_t path = node->words[1].text;
    if (str_find(path, 0, '$') == path.n) return set_file(cf, row, conf, node);
    *file = (named_file_t){.path = pool_cstr(cf->pool, path), .node = node};
    return text_compile(cf, node, 1, path, &file->chosen);
}

static bool set_command(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    command_t *command = VEC_PUSH(cf->pool, CONF_AT(row, conf, commands_t));
    command->name = pool_cstr(cf->pool, node->words[1].text);
    command->value = pool_cstr(cf->pool, node->words[2].text);
    command->node = node;
    return true;
}

static bool set_ciphers(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    *CONF_AT(row, conf, str_t) = pool_str(cf->pool, node->words[1].text);
    return true;
}

/* Each struct of directives has a context of its own. */
static bool check(conf_t *cf, proxy_ssl_conf_t *c, const char *prefix)
{
    c->made = POOL_NEW(cf->pool, made_t);
    c->prefix = prefix;
    c->dir = cf->conf_dir;
    if (c->protocols) return true;
    const char *name = hint(cf, c, "%s_ssl_protocols");
    return conf_error(cf, conf_node(cf, name), 1, "TLSv1.2 TLSv1.3",
                      "%s names no protocol that can be spoken", name);
}

static bool check_proxy(conf_t *cf, void *conf)
{
    return check(cf, conf, "proxy");
}

static bool check_grpc(conf_t *cf, void *conf)
{
    return check(cf, conf, "grpc");
}

static const conf_name_t protocols[] = {
    {"SSLv2", 0},         {"SSLv3", 0},         {"TLSv1", TLS_1_0}, {"TLSv1.1", TLS_1_1},
    {"TLSv1.2", TLS_1_2}, {"TLSv1.3", TLS_1_3}, {NULL, 0}};

#define ALL (CONF_HTTP | CONF_SERVER | CONF_LOCATION)
#define CONF proxy_ssl_conf_t
#define FILE_ROW_OF(set, name, field, help) \
    CONF_CUSTOM(name, ALL, 0, 1, 1, set, CONF_FIELD(CONF, field, named_file_t), NULL, help)
#define FILE_ROW(name, field, help) FILE_ROW_OF(set_file, name, field, help)

#define ROWS(PREFIX) \
    CONF_FLAG(PREFIX "_ssl_verify", ALL, CONF, verify, "off", \
              "whether the certificate of an https origin must be trusted and bear its name"), \
    CONF_NUMBER(PREFIX "_ssl_verify_depth", ALL, CONF, depth, "1", 0, 100, \
                "how many issuers may stand between an origin's certificate and a trusted one"), \
    FILE_ROW(PREFIX "_ssl_trusted_certificate", trusted, \
             "a file of the certificates that are trusted with " PREFIX "_ssl_verify"), \
    FILE_ROW(PREFIX "_ssl_crl", revoked, "a file of lists of revoked certificates"), \
    CONF_TEXT(PREFIX "_ssl_name", ALL, CONF, name, NULL, \
              "the name an https origin is verified against, and asked for; else its host"), \
    CONF_FLAG(PREFIX "_ssl_server_name", ALL, CONF, send_name, "off", \
              "whether the name is sent to the origin (SNI)"), \
    CONF_MASK(PREFIX "_ssl_protocols", ALL, CONF, protocols, "TLSv1.2 TLSv1.3", protocols, \
              "the protocols spoken to https origins"), \
    CONF_CUSTOM(PREFIX "_ssl_ciphers", ALL, 0, 1, 1, set_ciphers, \
                CONF_FIELD(CONF, ciphers, str_t), "DEFAULT", \
                "the ciphers of TLS 1.2 for https origins, as OpenSSL writes them"), \
    CONF_CUSTOM(PREFIX "_ssl_conf_command", ALL, CONF_MANY, 2, 2, set_command, \
                CONF_FIELD(CONF, commands, commands_t), NULL, \
                "a command of OpenSSL's configuration for connections to https origins"), \
    FILE_ROW_OF(set_chosen_file, PREFIX "_ssl_certificate", certificate, \
                "the certificate shown to https origins; with variables workers read it"), \
    FILE_ROW_OF(set_chosen_file, PREFIX "_ssl_certificate_key", key, \
                "the key of " PREFIX "_ssl_certificate; with variables workers read it"), \
    FILE_ROW(PREFIX "_ssl_password_file", passwords, \
             "a file of passwords, one a line, for " PREFIX "_ssl_certificate_key"), \
    CONF_FLAG(PREFIX "_ssl_session_reuse", ALL, CONF, reuse, "on", \
              "whether handshakes take up earlier sessions")

static const conf_row_t proxy_rows[] = {ROWS("proxy"), CONF_END};
static const conf_row_t grpc_rows[] = {ROWS("grpc"), CONF_END};

const module_t proxy_ssl_module = {
    .name = "proxy_ssl",
    .index = &proxy_index_,
    .rows = proxy_rows,
    .conf_size = sizeof(proxy_ssl_conf_t),
    .check = check_proxy,
};

const module_t grpc_ssl_module = {
    .name = "grpc_ssl",
    .index = &grpc_index_,
    .rows = grpc_rows,
    .conf_size = sizeof(proxy_ssl_conf_t),
    .check = check_grpc,
};
