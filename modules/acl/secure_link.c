/*
 * secure_link: links that nobody can make without a secret, for a while.
 *
 *     secure_link $arg_md5,$arg_expires;
 *     secure_link_md5 "$secure_link_expires$uri$remote_addr secret";
 *     if ($secure_link = "") { return 403; }   if ($secure_link = "0") { return 410; }
 *
 * or, with secure_link_secret WORD, links "/prefix/HASH/link": $secure_link is "link" when HASH is
 * the MD5, in hex, of it with the word behind. It is MD5 since those who make such links make it
 * so.
 */
#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/panic.h"
#include "http/http.h"
#include "http/request.h"

enum { DIGEST = 16 };

typedef struct secure_link_conf {
    text_t link, md5;
    str_t secret;
} secure_link_conf_t;

static unsigned secure_link_index;

static void digest(str_t s, unsigned char out[DIGEST])
{
    if (!EVP_Digest(s.p, s.n, out, NULL, EVP_md5(), NULL)) panic("no MD5 for links");
}

static bool same(const unsigned char made[DIGEST], str_t given)
{
    return given.n == DIGEST && CRYPTO_memcmp(made, given.p, DIGEST) == 0;
}

/* --- secure_link --- */

/* base64url (RFC 4648 section 5), as links carry it. */
static bool decode(request_t *r, str_t text, str_t *out)
{
    char *plain = pool_bytes(r->pool, text.n);
    for (size_t i = 0; i < text.n; i++)
        plain[i] = text.p[i] == '-' ? '+' : text.p[i] == '_' ? '/' : text.p[i];
    return base64_decode(r->pool, str_make(plain, text.n), out);
}

/* "hash" or "hash,expires". */
static str_t hash_of(str_t link, str_t *expires)
{
    size_t comma = str_find(link, 0, ',');
    *expires = comma < link.n ? str_sub(link, comma + 1, link.n) : (str_t){NULL, 0};
    return str_sub(link, 0, comma);
}

static str_t judge(const secure_link_conf_t *c, request_t *r)
{
    unsigned char made[DIGEST];
    str_t expires, given, hash = hash_of(text_eval(&c->link, r), &expires);
    uint64_t until = 0;
    if (expires.p && (!str_to_u64(expires, &until) || !until)) return (str_t){NULL, 0};
    if (!decode(r, hash, &given)) return (str_t){NULL, 0};
    digest(text_eval(&c->md5, r), made);
    if (!same(made, given)) return (str_t){NULL, 0};
    return until && until < (uint64_t)clock_unix() ? STR("0") : STR("1");
}

/* --- secure_link_secret --- */

static bool decode_hex(request_t *r, str_t text, str_t *out)
{
    static const char digits[] = "0123456789abcdef";
    char *bytes = pool_bytes(r->pool, DIGEST);
    if (text.n != 2 * DIGEST) return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = memchr(digits, tolower((unsigned char)text.p[i]), sizeof(digits) - 1);
        if (!digit) return false;
        bytes[i / 2] = (char)((i % 2 ? bytes[i / 2] << 4 : 0) | (digit - digits));
    }
    *out = str_make(bytes, DIGEST);
    return true;
}

/* What stands behind "/prefix/HASH/", when HASH is right. */
static str_t judge_secret(const secure_link_conf_t *c, request_t *r)
{
    unsigned char made[DIGEST];
    str_t given;
    size_t hash = str_find(r->uri, 1, '/') + 1;
    size_t link = hash < r->uri.n ? str_find(r->uri, hash, '/') + 1 : r->uri.n;
    if (link >= r->uri.n || !decode_hex(r, str_sub(r->uri, hash, link - 1), &given))
        return (str_t){NULL, 0};
    str_t rest = str_sub(r->uri, link, r->uri.n);
    digest(pool_concat(r->pool, rest, c->secret), made);
    return same(made, given) ? rest : (str_t){NULL, 0};
}

/* --- variables --- */

static str_t get_link(request_t *r, const var_def_t *def, str_t name)
{
    const secure_link_conf_t *c = request_conf(r, secure_link_index);
    (void)def, (void)name;
    if (c->secret.n) return judge_secret(c, r);
    return c->link.set && c->md5.set ? judge(c, r) : (str_t){NULL, 0};
}

static str_t get_expires(request_t *r, const var_def_t *def, str_t name)
{
    const secure_link_conf_t *c = request_conf(r, secure_link_index);
    str_t expires = {NULL, 0};
    (void)def, (void)name;
    if (c->link.set) hash_of(text_eval(&c->link, r), &expires);
    return expires;
}

static const var_def_t variables[] = {
    {"secure_link", get_link, 0, VAR_NO_CACHE},
    {"secure_link_expires", get_expires, 0, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};

/* --- directives --- */

static bool check(conf_t *cf, void *conf)
{
    const secure_link_conf_t *c = conf;
    if (!c->secret.n || (!c->link.set && !c->md5.set)) return true;
    return conf_error(cf, conf_node(cf, "secure_link_secret"), 0, "keep one of them",
                      "secure_link_secret and secure_link exclude each other");
}

#define CONF secure_link_conf_t

static const conf_row_t rows[] = {
    CONF_TEXT("secure_link", CONF_HTTP_ALL, CONF, link, NULL,
              "where a link's hash is found, in base64url, and the time it ends: HASH[,EXPIRES]"),
    CONF_TEXT("secure_link_md5", CONF_HTTP_ALL, CONF, md5, NULL,
              "what the hash must be the MD5 of; with a secret in it"),
    CONF_STR("secure_link_secret", CONF_LOCATION, CONF, secret, NULL,
             "the word that is behind the link when its hash is made: /prefix/HASH/link"),
    CONF_END,
};

static const http_hooks_t hooks = {.variables = variables};

const module_t secure_link_module = {
    .name = "secure_link",
    .index = &secure_link_index,
    .rows = rows,
    .conf_size = sizeof(secure_link_conf_t),
    .check = check,
    .hooks = &hooks,
};
