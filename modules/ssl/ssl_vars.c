#include "modules/ssl/ssl_vars.h"

#include <openssl/ssl.h>

#include "core/io/tls.h"
#include "http/request.h"
#include "modules/ssl/ssl_client_vars.h"

#define NONE ((str_t){NULL, 0})

/* A getter that has something to ask; of plain connections no variable has a value. */
#define GETTER(fn) \
    static str_t fn##_of(request_t *r, SSL *ssl); \
    static str_t fn(request_t *r, const var_def_t *def, str_t name) \
    { \
        (void)def, (void)name; \
        SSL *ssl = tls_ssl(&r->conn->stream); /* also while it shakes hands */ \
        return ssl ? fn##_of(r, ssl) : NONE; \
    } \
    static str_t fn##_of(request_t *r, SSL *ssl)

static str_t text_of(const char *z)
{
    return z ? str_of(z) : NONE;
}

GETTER(get_protocol)
{
    (void)r;
    return text_of(SSL_get_version(ssl));
}

GETTER(get_cipher)
{
    (void)r;
    return text_of(SSL_get_cipher_name(ssl));
}

GETTER(get_server_name)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name ? pool_lower(r->pool, str_of(name)) : NONE;
}

GETTER(get_alpn_protocol)
{
    const unsigned char *p;
    unsigned n;
    (void)r;
    SSL_get0_alpn_selected(ssl, &p, &n);
    return n ? str_make((const char *)p, n) : NONE;
}

GETTER(get_session_reused)
{
    (void)r;
    return SSL_session_reused(ssl) ? STR("r") : STR(".");
}

GETTER(get_session_id)
{
    unsigned n = 0;
    const SSL_SESSION *session = SSL_get0_session(ssl);
    const unsigned char *id = session ? SSL_SESSION_get_id(session, &n) : NULL;
    return n ? ssl_client_vars_hex(r->pool, id, n) : NONE;
}

GETTER(get_early_data)
{
    (void)r;
    return SSL_is_init_finished(ssl) ? NONE : STR("1");
}

/* --- signatures --- */

/* As RFC 8446 4.2.3 writes it, which the library tells in two numbers. */
static str_t signature_name(int type, int digest)
{
    static const struct {
        int type, digest;
        str_t name;
    } known[] = {
        {EVP_PKEY_EC, NID_sha256, STR_INIT("ecdsa_secp256r1_sha256")},
        {EVP_PKEY_EC, NID_sha384, STR_INIT("ecdsa_secp384r1_sha384")},
        {EVP_PKEY_EC, NID_sha512, STR_INIT("ecdsa_secp521r1_sha512")},
        {EVP_PKEY_EC, NID_sha1, STR_INIT("ecdsa_sha1")},
        {EVP_PKEY_RSA_PSS, NID_sha256, STR_INIT("rsa_pss_rsae_sha256")},
        {EVP_PKEY_RSA_PSS, NID_sha384, STR_INIT("rsa_pss_rsae_sha384")},
        {EVP_PKEY_RSA_PSS, NID_sha512, STR_INIT("rsa_pss_rsae_sha512")},
        {EVP_PKEY_RSA, NID_sha256, STR_INIT("rsa_pkcs1_sha256")},
        {EVP_PKEY_RSA, NID_sha384, STR_INIT("rsa_pkcs1_sha384")},
        {EVP_PKEY_RSA, NID_sha512, STR_INIT("rsa_pkcs1_sha512")},
        {EVP_PKEY_RSA, NID_sha1, STR_INIT("rsa_pkcs1_sha1")},
        {EVP_PKEY_ED25519, NID_undef, STR_INIT("ed25519")},
        {EVP_PKEY_ED448, NID_undef, STR_INIT("ed448")},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].type == type && known[i].digest == digest) return known[i].name;
    return NONE;
}

/* Ours; none where a session is taken up again. */
GETTER(get_sigalg)
{
    int type, digest = NID_undef;
    (void)r;
    if (!SSL_get_signature_type_nid(ssl, &type)) return NONE;
    SSL_get_signature_nid(ssl, &digest);
    return signature_name(type, digest);
}

GETTER(get_client_sigalg)
{
    int type, digest = NID_undef;
    (void)r;
    if (!SSL_get_peer_signature_type_nid(ssl, &type)) return NONE;
    SSL_get_peer_signature_nid(ssl, &digest);
    return signature_name(type, digest);
}

/* --- lists of what the client offered --- */

/* Names joined with ":", each at most NAME_MOST bytes. */
typedef struct names {
    char *text;
    size_t n, room;
} names_t;

enum { NAME_MOST = 64 };

static names_t names_new(pool_t *pool, size_t count)
{
    size_t room = count * (NAME_MOST + 1);
    return (names_t){pool_bytes(pool, room + 1), 0, room};
}

/* Unknown ones are shown as the number that they have on the wire. */
static void names_add(names_t *names, const char *name, unsigned number)
{
    char digits[16];
    snprintf(digits, sizeof(digits), "0x%04x", number);
    str_t one = str_of(name ? name : digits);
    if (one.n > NAME_MOST || names->n + one.n + 1 > names->room) return;
    if (names->n) names->text[names->n++] = ':';
    memcpy(names->text + names->n, one.p, one.n);
    names->n += one.n;
}

GETTER(get_ciphers)
{
    unsigned char *list = NULL;
    size_t n = SSL_get0_raw_cipherlist(ssl, NULL);
    if (n != 2) return NONE; /* how wide a cipher's number is */
    n = SSL_get0_raw_cipherlist(ssl, &list);
    names_t names = names_new(r->pool, n / 2);
    for (size_t i = 0; i + 1 < n; i += 2) {
        const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, list + i);
        names_add(&names, cipher ? SSL_CIPHER_get_name(cipher) : NULL,
                  (unsigned)list[i] << 8 | list[i + 1]);
    }
    return names.n ? str_make(names.text, names.n) : NONE;
}

static void add_group(names_t *names, int id)
{
    bool unknown = id & TLSEXT_nid_unknown;
    names_add(names, unknown ? NULL : OBJ_nid2sn(id), (unsigned)id & 0xffff);
}

GETTER(get_curves)
{
    int n = (int)SSL_get1_groups(ssl, NULL);
    if (n <= 0) return NONE;
    int *groups = POOL_ARRAY(r->pool, int, (size_t)n);
    n = (int)SSL_get1_groups(ssl, groups);
    names_t names = names_new(r->pool, (size_t)n);
    for (int i = 0; i < n; i++) add_group(&names, groups[i]);
    return str_make(names.text, names.n);
}

GETTER(get_curve)
{
    int id = (int)SSL_get_negotiated_group(ssl);
    names_t names = names_new(r->pool, 1);
    if (id <= 0) return NONE;
    add_group(&names, id);
    return str_make(names.text, names.n);
}

const var_def_t ssl_var_defs[] = {
    {"ssl_protocol", get_protocol, 0, 0},
    {"ssl_cipher", get_cipher, 0, 0},
    {"ssl_ciphers", get_ciphers, 0, 0},
    {"ssl_curve", get_curve, 0, 0},
    {"ssl_curves", get_curves, 0, 0},
    {"ssl_sigalg", get_sigalg, 0, 0},
    {"ssl_client_sigalg", get_client_sigalg, 0, 0},
    {"ssl_server_name", get_server_name, 0, 0},
    {"ssl_alpn_protocol", get_alpn_protocol, 0, 0},
    {"ssl_session_id", get_session_id, 0, 0},
    {"ssl_session_reused", get_session_reused, 0, 0},
    {"ssl_early_data", get_early_data, 0, VAR_NO_CACHE},
    {"ssl_client_cert", ssl_client_vars_get, SSL_CLIENT_CERT, 0},
    {"ssl_client_raw_cert", ssl_client_vars_get, SSL_CLIENT_RAW_CERT, 0},
    {"ssl_client_escaped_cert", ssl_client_vars_get, SSL_CLIENT_ESCAPED_CERT, 0},
    {"ssl_client_fingerprint", ssl_client_vars_get, SSL_CLIENT_FINGERPRINT, 0},
    {"ssl_client_serial", ssl_client_vars_get, SSL_CLIENT_SERIAL, 0},
    {"ssl_client_s_dn", ssl_client_vars_get, SSL_CLIENT_SUBJECT, 0},
    {"ssl_client_i_dn", ssl_client_vars_get, SSL_CLIENT_ISSUER, 0},
    {"ssl_client_s_dn_legacy", ssl_client_vars_get, SSL_CLIENT_SUBJECT_LEGACY, 0},
    {"ssl_client_i_dn_legacy", ssl_client_vars_get, SSL_CLIENT_ISSUER_LEGACY, 0},
    {"ssl_client_v_start", ssl_client_vars_get, SSL_CLIENT_START, 0},
    {"ssl_client_v_end", ssl_client_vars_get, SSL_CLIENT_END, 0},
    {"ssl_client_v_remain", ssl_client_vars_get, SSL_CLIENT_REMAIN, 0},
    {"ssl_client_verify", ssl_client_vars_get, SSL_CLIENT_VERIFY, 0},
    {NULL, NULL, 0, 0},
};
