#include "modules/ssl/acme_session.h"

#include "core/base/clock.h"
#include "modules/ssl/acme_files.h"
#include "modules/ssl/acme_jws.h"

enum {
    NONCE_TRIES = 10,
    NONCE_MOST = 1024,
    RECEIVED_MOST = 8 * 1024 * 1024, /* a hundred names take half of one */
};

/* --- nonces --- */

static void take_nonce(acme_session_t *s, const acme_reply_t *reply)
{
    bool good = reply->nonce.n <= NONCE_MOST && acme_jws_is_base64url(reply->nonce);
    s->nonce = good ? reply->nonce : STR("");
}

static const char *need_nonce(acme_session_t *s)
{
    acme_reply_t reply;
    if (s->nonce.n) return NULL;
    const char *wrong = acme_http_ask(s->issuer, s->pool, "HEAD", s->directory.new_nonce,
                                      (str_t){NULL, 0}, &reply);
    if (wrong) return wrong;
    take_nonce(s, &reply);
    return s->nonce.n ? NULL : "it gives no nonce";
}

/* --- messages --- */

uint64_t acme_session_retry_after(str_t value)
{
    enum { SECONDS_MOST = 1 << 30 };
    uint64_t seconds;
    if (str_to_u64(value, &seconds))
        return (seconds < SECONDS_MOST ? seconds : SECONDS_MOST) * 1000;
    time_t at = value.n ? clock_parse_http_date(value) : -1;
    return at > clock_unix() ? (uint64_t)(at - clock_unix()) * 1000 : 0;
}

static const char *fail(acme_session_t *s, str_t url, const acme_reply_t *reply,
                        const acme_problem_t *problem)
{
    uint64_t asked = acme_session_retry_after(reply->retry_after);
    if (asked > s->asked_ms) s->asked_ms = asked;
    if (problem->text.n) return pool_cstr(s->pool, problem->text);
    return pool_printf(s->pool, "it answers " STR_FMT " with status %u", STR_ARG(url),
                       reply->status).p;
}

/* *again: the nonce was not taken, and there is another. */
static const char *post_once(acme_session_t *s, str_t url, str_t payload, acme_reply_t *out,
                             bool *again)
{
    acme_problem_t problem;
    *again = false;
    const char *wrong = need_nonce(s);
    if (wrong) return wrong;
    str_t message = acme_jws_sign(s->pool, s->key, s->account, s->nonce, url, payload);
    s->nonce = STR("");
    if (!message.n) return "OpenSSL cannot sign";
    wrong = acme_http_ask(s->issuer, s->pool, "POST", url, message, out);
    if (wrong) return wrong;
    take_nonce(s, out);
    s->received += out->body.n;
    if (s->received > RECEIVED_MOST) return "it sends too much";
    if (out->status >= 200 && out->status < 300) return NULL;
    acme_message_problem(s->pool, out->body, &problem);
    *again = str_eq(problem.type, STR("badNonce"));
    return fail(s, url, out, &problem);
}

const char *acme_session_post(acme_session_t *s, str_t url, str_t payload, acme_reply_t *out)
{
    bool again = true;
    const char *wrong = NULL;
    for (unsigned i = 0; i < NONCE_TRIES && again; i++)
        wrong = post_once(s, url, payload, out, &again);
    return wrong;
}

/* --- the account --- */

static const char *read_directory(acme_session_t *s)
{
    acme_reply_t reply;
    acme_problem_t problem;
    const char *wrong = acme_http_ask(s->issuer, s->pool, "GET", s->issuer->uri, (str_t){NULL, 0},
                                      &reply);
    if (wrong) return wrong;
    if (reply.status == 200)
        return acme_message_directory(s->pool, reply.body, s->issuer->loopback, &s->directory);
    acme_message_problem(s->pool, reply.body, &problem);
    return fail(s, s->issuer->uri, &reply, &problem);
}

static const char *find_account(acme_session_t *s)
{
    acme_url_t url;
    acme_reply_t reply;
    const acme_issuer_t *issuer = s->issuer;
    bool terms = issuer->terms;
    str_t binding = STR("");
    if (issuer->binding_id.n)
        binding = acme_jws_bind(s->pool, s->key, issuer->binding_secret, issuer->binding_id,
                                s->directory.new_account);
    str_t payload = acme_message_account(s->pool, &issuer->contacts, terms, binding);
    const char *wrong = acme_session_post(s, s->directory.new_account, payload, &reply);
    if (wrong && !terms && s->directory.terms.n)
        return pool_printf(s->pool, "%s (its terms of service: " STR_FMT
                                    "; accept_terms_of_service says that they are agreed to)",
                           wrong, STR_ARG(s->directory.terms)).p;
    if (wrong) return wrong;
    if (!acme_http_url(reply.location, issuer->loopback, &url))
        return "its account has no https URL";
    s->account = reply.location;
    return NULL;
}

const char *acme_session_open(acme_session_t *s, const acme_issuer_t *issuer, pool_t *pool)
{
    const char *wrong = NULL;
    *s = (acme_session_t){.issuer = issuer, .pool = pool};
    s->key = acme_files_account(issuer, pool, &wrong);
    if (!s->key) return wrong ? wrong : "no account key";
    s->thumbprint = acme_jws_thumbprint(pool, s->key);
    wrong = read_directory(s);
    return wrong ? wrong : find_account(s);
}

void acme_session_close(acme_session_t *s)
{
    EVP_PKEY_free(s->key);
    s->key = NULL;
}
