#include "modules/ssl/acme_order.h"

#include "core/base/clock.h"
#include "modules/ssl/acme_jws.h"
#include "modules/ssl/acme_x509.h"

enum {
    PAUSE_LEAST_MS = 250, /* between two looks at what the authority is doing; grows */
    PAUSE_MOST_MS = 8000,
    ASKED_MOST_MS = 30 * 1000, /* what it may ask for as a pause */
    PATIENCE_MS = 5 * 60 * 1000, /* with one authorization, with one order */
};

static const str_t look = {NULL, 0}; /* the payload of a message that only reads */

/* --- waiting --- */

typedef struct patience {
    uint64_t until, pause;
} patience_t;

static patience_t begin_waiting(void)
{
    return (patience_t){clock_ms() + PATIENCE_MS, PAUSE_LEAST_MS};
}

static const char *wait_more(patience_t *p, const acme_reply_t *last)
{
    uint64_t asked = acme_session_retry_after(last->retry_after);
    uint64_t ms = asked > ASKED_MOST_MS ? ASKED_MOST_MS : asked ? asked : p->pause;
    if (clock_ms() + ms > p->until) return "it takes too long";
    if (p->pause < PAUSE_MOST_MS) p->pause *= 2;
    return fiber_sleep(ms) < 0 ? "it was broken off" : NULL;
}

/* --- authorizations --- */

static bool is_among(const conf_strs_t *names, str_t name)
{
    VEC_EACH(const str_t, it, names) if (str_eq(*it, name)) return true;
    return false;
}

static const char *read_authorization(acme_session_t *s, str_t url, acme_authorization_t *out,
                                      acme_reply_t *reply)
{
    const char *wrong = acme_session_post(s, url, look, reply);
    if (wrong) return wrong;
    return acme_message_authorization(s->pool, reply->body, s->issuer->loopback,
                                      s->issuer->challenge, out);
}

static const char *not_valid(acme_session_t *s, const acme_authorization_t *a)
{
    return pool_printf(s->pool, STR_FMT ": %s" STR_FMT, STR_ARG(a->name),
                       a->error.n ? "" : "the authority could not validate it",
                       STR_ARG(a->error)).p;
}

static const char *await_validation(acme_session_t *s, str_t url, acme_authorization_t *a)
{
    acme_reply_t reply;
    patience_t patience = begin_waiting();
    for (;;) {
        const char *wrong = read_authorization(s, url, a, &reply);
        if (wrong || a->status == ACME_VALID) return wrong;
        if (a->status != ACME_PENDING || a->challenge == ACME_INVALID) return not_valid(s, a);
        wrong = wait_more(&patience, &reply);
        if (wrong) return wrong;
    }
}

static const char *answer(acme_session_t *s, str_t url, acme_authorization_t *a)
{
    acme_reply_t reply;
    acme_board_t *board = acme_board(s->issuer->zone);
    unsigned number = s->issuer->number;
    const char *wrong = NULL;
    acme_board_challenge(board, number, s->issuer->challenge == ACME_TLS_ALPN_01, a->name, a->token,
                         s->thumbprint);
    if (a->challenge == ACME_PENDING) wrong = acme_session_post(s, a->url, STR("{}"), &reply);
    if (!wrong) wrong = await_validation(s, url, a);
    acme_board_unchallenge(board, number);
    return wrong;
}

static const char *authorize(acme_session_t *s, const acme_certificate_t *c, str_t url)
{
    acme_reply_t reply;
    acme_authorization_t *a = POOL_NEW(s->pool, acme_authorization_t);
    const char *wrong = read_authorization(s, url, a, &reply);
    if (wrong || a->status == ACME_VALID) return wrong;
    if (!is_among(&c->names, a->name)) return "it wants an authorization for another name";
    if (a->status != ACME_PENDING) return not_valid(s, a);
    if (!a->url.n) return "it offers no challenge of the wanted kind";
    return answer(s, url, a);
}

/* --- the order --- */

/* Until it is none of `passing` any more. */
static const char *await_order(acme_session_t *s, str_t url, acme_status_t passing,
                               acme_order_t *order)
{
    acme_reply_t reply;
    patience_t patience = begin_waiting();
    for (;;) {
        const char *wrong = acme_session_post(s, url, look, &reply);
        if (!wrong) wrong = acme_message_order(s->pool, reply.body, s->issuer->loopback, order);
        if (wrong) return wrong;
        if (order->status == ACME_INVALID)
            return order->error.n ? pool_cstr(s->pool, order->error) : "the order is invalid";
        if (order->status > passing && order->status != ACME_PROCESSING) return NULL;
        wrong = wait_more(&patience, &reply);
        if (wrong) return wrong;
    }
}

static const char *begin(acme_session_t *s, const acme_certificate_t *c, str_t *url,
                         acme_order_t *order)
{
    acme_url_t to;
    acme_reply_t reply;
    str_t payload = acme_message_new_order(s->pool, &c->names);
    const char *wrong = acme_session_post(s, s->directory.new_order, payload, &reply);
    if (wrong) return wrong;
    if (!acme_http_url(reply.location, s->issuer->loopback, &to))
        return "its order has no https URL";
    *url = reply.location;
    return acme_message_order(s->pool, reply.body, s->issuer->loopback, order);
}

static const char *finalize(acme_session_t *s, const acme_certificate_t *c, EVP_PKEY *key,
                            const acme_order_t *order)
{
    acme_reply_t reply;
    str_t der = acme_x509_request(s->pool, key, &c->names);
    if (!der.n) return "OpenSSL cannot make a request";
    str_t payload = pool_printf(s->pool, "{\"csr\":\"" STR_FMT "\"}",
                                STR_ARG(acme_jws_base64url(s->pool, der)));
    return acme_session_post(s, order->finalize, payload, &reply);
}

/* The order is ready: all that is left, up to the text of the certificate. */
static const char *collect(acme_session_t *s, const acme_certificate_t *c, EVP_PKEY *key, str_t url,
                           acme_order_t *order, str_t *pem)
{
    acme_reply_t reply;
    const char *wrong = NULL;
    if (order->status == ACME_READY) wrong = finalize(s, c, key, order);
    if (!wrong && order->status != ACME_VALID) wrong = await_order(s, url, ACME_READY, order);
    if (wrong) return wrong;
    if (!order->certificate.n) return "its order is valid without a certificate";
    wrong = acme_session_post(s, order->certificate, look, &reply);
    *pem = reply.body;
    return wrong;
}

const char *acme_order_run(acme_session_t *s, const acme_certificate_t *c, tls_identity_t *out)
{
    str_t url, pem;
    acme_order_t *order = POOL_NEW(s->pool, acme_order_t);
    const char *wrong = begin(s, c, &url, order);
    for (unsigned i = 0; !wrong && i < order->count && order->status == ACME_PENDING; i++)
        wrong = authorize(s, c, order->authorizations[i]);
    if (!wrong && order->status == ACME_PENDING) wrong = await_order(s, url, ACME_PENDING, order);
    if (wrong) return wrong;
    EVP_PKEY *key = acme_key_make(c->key_type);
    if (!key) return "OpenSSL cannot make a key";
    wrong = collect(s, c, key, url, order, &pem);
    if (!wrong) return acme_x509_take(pem, key, &c->names, out);
    EVP_PKEY_free(key);
    return wrong;
}
