/* ssl_module: the rows of the ssl_ directives, and the servers that need what they say. */
#include "core/io/tls_ctx.h"
#include "core/io/tls_kernel.h"
#include "http/http.h"
#include "http/uri.h"
#include "modules/ssl/acme_names.h"
#include "modules/ssl/ssl.h"
#include "modules/ssl/ssl_context.h"
#include "modules/ssl/ssl_dynamic.h"
#include "modules/ssl/ssl_handshake.h"
#include "modules/ssl/ssl_session.h"
#include "modules/ssl/ssl_staple_fetch.h"
#include "modules/ssl/ssl_status.h"
#include "modules/ssl/ssl_vars.h"
#include "modules/ssl/ssl_watch.h"

unsigned ssl_index;

/* --- the servers --- */

static bool needs_certificate(conf_t *cf, const site_server_t *server)
{
    const ssl_conf_t *c = ssl_conf(server);
    if (ssl_has_certificate(c) || c->reject) return true;
    return conf_error(cf, server->node, 0, "add ssl_certificate and ssl_certificate_key",
                      "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive");
}

/* A server without a certificate is served with that of the address's default, as in nginx. */
static bool prepare_address(conf_t *cf, site_address_t *address)
{
    bool ok = needs_certificate(cf, address->fallback);
    bool strict = ssl_conf(address->fallback)->reject;
    ssl_store_t *store = ssl_conf(address->fallback)->store;
    VEC_EACH(site_server_t *const, it, &address->servers) {
        if (strict) ok = needs_certificate(cf, *it) && ok;
        ssl_made_t *made = ssl_conf(*it)->made;
        if (!made->server) made->server = *it;
        ok = ssl_context_make(cf, ssl_conf(*it)) && ok;
        if (made->ctx && SSL_CTX_get_options(made->ctx) & SSL_OP_ENABLE_KTLS) store->kernel = true;
    }
    store->serves = true;
    address->shake_hands = ssl_handshake;
    return ok;
}

static bool serves(conf_t *cf, str_t name)
{
    VEC_EACH(listen_t *const, it, http_addresses_read(cf)) {
        const site_address_t *address = (*it)->data;
        if (!address->ssl) continue;
        if (host_map_find(&address->names, name) || address->regexes.n) return true;
    }
    return false;
}

static msec_t longest_session(const site_address_t *address)
{
    msec_t longest = 0;
    VEC_EACH(site_server_t *const, it, &address->servers)
        if (ssl_conf(*it)->session_timeout > longest) longest = ssl_conf(*it)->session_timeout;
    return longest;
}

static bool finish(conf_t *cf)
{
    bool ok = true;
    msec_t longest = 0;
    const ssl_conf_t *c = conf_get(cf->scope, &ssl_module);
    VEC_EACH(listen_t *const, it, http_addresses_read(cf)) {
        site_address_t *address = (*it)->data;
        if (!address->ssl) continue;
        ok = prepare_address(cf, address) && ok;
        msec_t here = longest_session(address);
        if (here > longest) longest = here;
    }
    ssl_certificate_check_names(cf, c->store, serves);
    ok = ssl_staple_fetch_want(cf, c->store) && ok;
    if (!longest) return ok;
    return ssl_session_share_keys(cf, c->store, longest) && ssl_watch_prepare(cf, c->store) && ok;
}

static bool begin(conf_t *cf, const tree_node_t *http)
{
    ssl_conf_t *c = conf_own(cf, &ssl_module);
    (void)http;
    c->store = ssl_store_new(cf->pool);
    c->store->directory = cf->conf_dir;
    return true;
}

/* --- the directives --- */

/* Relative to the configuration file; "data:..." is the thing itself. */
static ssl_file_t file_of(conf_t *cf, const tree_node_t *node)
{
    str_t path = node->words[1].text;
    bool inside = str_starts(path, STR("data:"));
    return (ssl_file_t){.path = pool_cstr(cf->pool, inside ? path : conf_full_path(cf, path, true)),
                        .node = node};
}

static bool set_file(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    *CONF_AT(row, conf, ssl_file_t) = file_of(cf, node);
    return true;
}

/* One of a list; with variables in its path it is read when it is asked for. nginx's variables of
   acme_certificate add nothing to what that says. */
static bool add_file(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    if (acme_names_is_variable(node->words[1].text)) return true;
    ssl_file_t file = file_of(cf, node);
    if (!text_compile(cf, node, 1, node->words[1].text, &file.text)) return false;
    if (!text_is_constant(&file.text)) file.path = NULL;
    *VEC_PUSH(cf->pool, CONF_AT(row, conf, ssl_files_t)) = file;
    return true;
}

static bool add_plain_file(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    *VEC_PUSH(cf->pool, CONF_AT(row, conf, ssl_files_t)) = file_of(cf, node);
    return true;
}

static bool add_command(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    ssl_command_t *command = VEC_PUSH(cf->pool, CONF_AT(row, conf, ssl_commands_t));
    command->name = pool_cstr(cf->pool, node->words[1].text);
    command->value = pool_cstr(cf->pool, node->words[2].text);
    command->node = node;
    return true;
}

/* With a NUL behind, which OpenSSL wants to see. */
static bool set_list(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    *CONF_AT(row, conf, str_t) = pool_str(cf->pool, node->words[1].text);
    return true;
}

static bool set_responder(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    uri_t url;
    str_t text = node->words[1].text, host;
    uint16_t port;
    if (!uri_split(text, &url) || !str_eq(url.scheme, STR("http")) ||
        !uri_split_host(url.authority, &host, &port))
        return conf_error(cf, node, 1, "http://ocsp.example.com/",
                          "ssl_stapling_responder: \"" STR_FMT "\" is no http:// URL",
                          STR_ARG(text));
    *CONF_AT(row, conf, str_t) = text;
    return true;
}

/* Each struct of directives has a context of its own. */
static bool check(conf_t *cf, void *conf)
{
    ssl_conf_t *c = conf;
    c->made = POOL_NEW(cf->pool, ssl_made_t);
    if (c->protocols) return true;
    return conf_error(cf, conf_node(cf, "ssl_protocols"), 1, "TLSv1.2 TLSv1.3",
                      "ssl_protocols names no protocol that can be spoken");
}

static const conf_name_t protocols[] = {
    {"SSLv2", 0},         {"SSLv3", 0},         {"TLSv1", TLS_1_0}, {"TLSv1.1", TLS_1_1},
    {"TLSv1.2", TLS_1_2}, {"TLSv1.3", TLS_1_3}, {NULL, 0}};

static const conf_name_t verification[] = {{"off", SSL_VERIFY_CLIENT_OFF},
                                           {"on", SSL_VERIFY_CLIENT_ON},
                                           {"optional", SSL_VERIFY_CLIENT_OPTIONAL},
                                           {"optional_no_ca", SSL_VERIFY_CLIENT_OPTIONAL_NO_CA},
                                           {NULL, 0}};

#define DAY_MS (24 * 3600 * 1000ull)
#define BOTH (CONF_HTTP | CONF_SERVER)
#define CONF ssl_conf_t
#define FILE_ROW(name, field, help) \
    CONF_CUSTOM(name, BOTH, 0, 1, 1, set_file, CONF_FIELD(CONF, field, ssl_file_t), NULL, help)

static const conf_row_t rows[] = {
    CONF_CUSTOM("ssl_certificate", BOTH, CONF_MANY, 1, 1, add_file,
                CONF_FIELD(CONF, certificates, ssl_files_t), NULL,
                "a file with the server's certificate and its chain; several: one per kind of key; "
                "with variables, workers read it when a client asks for it"),
    CONF_CUSTOM("ssl_certificate_key", BOTH, CONF_MANY, 1, 1, add_file,
                CONF_FIELD(CONF, keys, ssl_files_t), NULL,
                "the key of the ssl_certificate in the same place"),
    CONF_CUSTOM("acme_certificate", CONF_SERVER, CONF_LOCAL, 1, ACME_NAMES_MOST + 2, acme_names_set,
                CONF_FIELD(CONF, acme, struct acme_certificate *), NULL,
                "the certificate is asked of this acme_issuer: ISSUER [NAME ...] "
                "[key=ecdsa:256|rsa:2048]; without names those of server_name"),
    CONF_FLAG("ssl_certificate_watch", BOTH, CONF, watch, "off",
              "whether certificates that are replaced on disk are taken up without a reload"),
    CONF_CUSTOM("ssl_certificate_cache", BOTH, 0, 1, 3, ssl_dynamic_set_cache,
                CONF_FIELD(CONF, loaded, ssl_loaded_t *), "max=500",
                "how many certificates with variables a worker keeps (max=), for how long "
                "(valid=, 60s unless given), and how long unused (inactive=, 10s); off: none"),
    FILE_ROW("ssl_password_file", passwords,
             "a file of passwords, one a line, tried on ssl_certificate_key"),
    CONF_MASK("ssl_protocols", BOTH, CONF, protocols, "TLSv1.2 TLSv1.3", protocols,
              "the versions of TLS spoken to clients"),
    CONF_CUSTOM("ssl_ciphers", BOTH, 0, 1, 1, set_list, CONF_FIELD(CONF, ciphers, str_t),
                "ECDHE+AES128+AESGCM:ECDHE+AES256+AESGCM:ECDHE+CHACHA20",
                "the ciphers of TLS 1.2 and before, as OpenSSL writes them"),
    CONF_FLAG("ssl_prefer_server_ciphers", BOTH, CONF, server_order, "on",
              "whether the server's order of ciphers counts, not the client's (but a client that "
              "prefers ChaCha20 has it)"),
    CONF_CUSTOM("ssl_ecdh_curve", BOTH, 0, 1, 1, set_list, CONF_FIELD(CONF, groups, str_t), "auto",
                "the groups for key exchange, as OpenSSL writes them; auto: " SSL_CONTEXT_GROUPS
                ", and a hybrid post-quantum one before them if OpenSSL has it"),
    FILE_ROW("ssl_dhparam", dh, "a file of parameters for DHE ciphers, which are not used without"),
    CONF_CUSTOM("ssl_conf_command", BOTH, CONF_MANY, 2, 2, add_command,
                CONF_FIELD(CONF, commands, ssl_commands_t), NULL,
                "a command of OpenSSL's configuration, which has the last word; Options -KTLS: the "
                "kernel makes no records"),
    CONF_SIZE("ssl_buffer_size", BOTH, CONF, buffer_size, "16k", 1, 1024 * 1024,
              "the largest record sent; from 512 to 16k"),
    CONF_FLAG("ssl_reject_handshake", BOTH, CONF, reject, "off",
              "whether every handshake with this server is refused"),
    CONF_MSEC("ssl_handshake_timeout", BOTH, CONF, handshake_timeout, "15s", 1, 3600 * 1000,
              "how long a handshake may take; counts for the default server of an address"),
    CONF_NUMBER("ssl_handshake_limit", BOTH, CONF, handshake_limit, "1024", 1, UINT_MAX,
                "handshakes that a worker shakes at a time, new ones wait until one is over or has "
                "taken half a second; counts for the default server of an address"),
    CONF_ENUM("ssl_verify_client", BOTH, CONF, verify, "off", verification,
              "whether a client must show a certificate that is trusted, or may, or any at all"),
    CONF_NUMBER("ssl_verify_depth", BOTH, CONF, depth, "1", 0, 100,
                "how many issuers may stand between a client's certificate and a trusted one"),
    FILE_ROW("ssl_client_certificate", client_ca,
             "a file of the certificates that those of clients are trusted by; clients are told"),
    FILE_ROW("ssl_trusted_certificate", trusted,
             "a file of certificates that are trusted without telling clients"),
    FILE_ROW("ssl_crl", revoked, "a file of lists of revoked certificates of clients"),
    CONF_FLAG("ssl_early_data", BOTH, CONF, early, "off",
              "whether safe requests are taken with a returning client's first message (TLS 1.3)"),
    CONF_FLAG("ssl_stapling", BOTH, CONF, stapling, "off",
              "whether the status of certificates is shown with them, as their responders tell it"),
    FILE_ROW("ssl_stapling_file", staple,
             "the OCSP response for the first certificate (DER), instead of asking a responder; "
             "looked at once a minute"),
    CONF_CUSTOM("ssl_stapling_responder", BOTH, 0, 1, 1, set_responder,
                CONF_FIELD(CONF, responder, str_t), NULL,
                "the responder's URL (http://), instead of the one in the certificate"),
    CONF_FLAG("ssl_stapling_verify", BOTH, CONF, staple_verify, "off",
              "whether the signer of a response must be trusted by ssl_trusted_certificate; the "
              "certificate's issuer must have signed it in any case, or his deputy"),
    CONF_CUSTOM("ssl_session_cache", BOTH, 0, 1, 2, ssl_session_set_cache,
                CONF_FIELD(CONF, session_zone, zone_t *), "none",
                "where sessions are kept for clients without tickets: off, none, "
                "builtin[:SESSIONS], shared:NAME:SIZE (320 bytes each)"),
    CONF_MSEC("ssl_session_timeout", BOTH, CONF, session_timeout, "5m", 1000, 7 * DAY_MS,
              "how long a client may come back to a session"),
    CONF_FLAG("ssl_session_tickets", BOTH, CONF, tickets, "on",
              "whether clients are given their sessions to keep, sealed with a key"),
    CONF_CUSTOM("ssl_session_ticket_key", BOTH, CONF_MANY, 1, 1, add_plain_file,
                CONF_FIELD(CONF, ticket_keys, ssl_files_t), NULL,
                "a file of 48 or 80 random bytes to seal tickets with, the others open them; "
                "without, keys are made and changed by themselves"),
    CONF_END,
};

static const http_hooks_t hooks = {
    .phase = {[PHASE_POST_READ] = ssl_handshake_check},
    .variables = ssl_var_defs,
    .begin = begin,
    .finish = finish,
};

/* Tells who makes the records, once; again when a reload finds it changed. */
static void launch(const void *main_struct)
{
    static const char *told;
    const ssl_store_t *store = ((const ssl_conf_t *)main_struct)->store;
    if (!store || !store->serves) return;
    const char *lack = store->kernel ? tls_kernel_find() : "ssl_conf_command says so";
    const char *verdict = lack ? lack : "";
    if (told != verdict)
        LOG(&log_main, LOG_NOTICE, 0, "kTLS: %s%s", lack ? "off, " : "on", verdict);
    told = verdict;
}

static void on_told(const void *main_struct, uint32_t number, int fd)
{
    ssl_watch_told(main_struct, number, fd);
    ssl_staple_fetch_wake();
}

const module_t ssl_module = {
    .name = "ssl",
    .index = &ssl_index,
    .rows = rows,
    .conf_size = sizeof(ssl_conf_t),
    .check = check,
    .launch = launch,
    .hooks = &hooks,
    .commands = ssl_status_commands,
    .sections = ssl_status_sections,
    .errand = ssl_watch_errand,
    .told = on_told,
};
