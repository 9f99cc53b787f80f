#include "modules/ssl/acme_message.h"

#include <jansson.h>

#include "modules/ssl/acme_http.h"
#include "modules/ssl/acme_jws.h"

enum {
    DEPTH_MOST = 16,
    DETAIL_MOST = 180,
    LISTED_MOST = 64, /* challenges of an authorization */
};

/* --- reading --- */

/* Jansson reads by recursion, on a fiber's small stack. */
static bool is_shallow(str_t json)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (quoted && c == '\\') i++;
        else if (c == '"') quoted = !quoted;
        else if (quoted) continue;
        else if (c == '{' || c == '[') depth++;
        else if ((c == '}' || c == ']') && depth) depth--;
        if (depth > DEPTH_MOST) return false;
    }
    return true;
}

/* NULL: not an object. */
static json_t *load(str_t text)
{
    json_error_t *why = NULL;
    if (!text.n || !is_shallow(text)) return NULL;
    json_t *json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, why);
    if (json_is_object(json)) return json;
    json_decref(json);
    return NULL;
}

/* A copy of a member that is a text of at most that many bytes; empty: there is none. */
static str_t member(pool_t *pool, const json_t *json, const char *name, size_t most)
{
    const json_t *value = json_object_get(json, name);
    str_t text = STR("");
    if (json_is_string(value)) text = str_make(json_string_value(value), json_string_length(value));
    return text.n && text.n <= most ? pool_str(pool, text) : STR("");
}

/* Empty: there is none, or it must not be followed. */
static str_t url_of(pool_t *pool, const json_t *json, const char *name, bool loopback)
{
    acme_url_t url;
    str_t text = member(pool, json, name, ACME_HTTP_URL_MOST);
    return acme_http_url(text, loopback, &url) ? text : STR("");
}

static acme_status_t status_of(pool_t *pool, const json_t *json)
{
    static const char *const names[] = {"pending", "ready", "processing", "valid"};
    str_t text = member(pool, json, "status", 32);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(text, str_of(names[i]))) return (acme_status_t)i;
    return ACME_INVALID;
}

/* --- problems --- */

static void describe(pool_t *pool, const json_t *json, acme_problem_t *out)
{
    static const str_t urn = STR_INIT("urn:ietf:params:acme:error:");
    str_t type = member(pool, json, "type", DETAIL_MOST);
    str_t detail = member(pool, json, "detail", ACME_HTTP_BODY_MOST);
    if (str_starts(type, urn)) out->type = type = str_sub(type, urn.n, type.n);
    if (detail.n > DETAIL_MOST) /* between two characters */
        for (detail.n = DETAIL_MOST; detail.n && (detail.p[detail.n] & 0xc0) == 0x80;) detail.n--;
    if (!type.n && !detail.n) return;
    const char *between = detail.n && type.n ? ": " : "";
    out->text = pool_printf(pool, STR_FMT "%s" STR_FMT, STR_ARG(type), between, STR_ARG(detail));
}

static str_t error_of(pool_t *pool, const json_t *json)
{
    acme_problem_t problem = {.type = STR("")};
    const json_t *error = json_object_get(json, "error");
    if (json_is_object(error)) describe(pool, error, &problem);
    return problem.text;
}

void acme_message_problem(pool_t *pool, str_t text, acme_problem_t *out)
{
    json_t *json = load(text);
    *out = (acme_problem_t){.type = STR(""), .text = STR("")};
    if (json) describe(pool, json, out);
    json_decref(json);
}

/* --- objects --- */

const char *acme_message_directory(pool_t *pool, str_t text, bool loopback, acme_directory_t *out)
{
    json_t *json = load(text);
    if (!json) return "its directory is not a JSON object";
    out->new_nonce = url_of(pool, json, "newNonce", loopback);
    out->new_account = url_of(pool, json, "newAccount", loopback);
    out->new_order = url_of(pool, json, "newOrder", loopback);
    out->terms = member(pool, json_object_get(json, "meta"), "termsOfService", ACME_HTTP_URL_MOST);
    json_decref(json);
    bool whole = out->new_nonce.n && out->new_account.n && out->new_order.n;
    return whole ? NULL : "its directory lacks newNonce, newAccount or newOrder with a https URL";
}

static const char *read_authorizations(pool_t *pool, const json_t *list, bool loopback,
                                       acme_order_t *out)
{
    size_t n = json_array_size(list);
    if (n == 0 || n > ACME_MESSAGE_AUTHORIZATIONS)
        return "its order has no authorizations, or too many";
    for (out->count = 0; out->count < n; out->count++) {
        acme_url_t url;
        const json_t *item = json_array_get(list, out->count);
        str_t text = str_make(json_string_value(item), json_string_length(item));
        if (!text.p || !acme_http_url(text, loopback, &url))
            return "its order has an authorization whose URL is not https";
        out->authorizations[out->count] = pool_str(pool, text);
    }
    return NULL;
}

const char *acme_message_order(pool_t *pool, str_t text, bool loopback, acme_order_t *out)
{
    json_t *json = load(text);
    if (!json) return "its order is not a JSON object";
    out->status = status_of(pool, json);
    out->finalize = url_of(pool, json, "finalize", loopback);
    out->certificate = url_of(pool, json, "certificate", loopback);
    out->error = error_of(pool, json);
    const char *wrong = read_authorizations(pool, json_object_get(json, "authorizations"), loopback,
                                            out);
    json_decref(json);
    if (!wrong && !out->finalize.n) wrong = "its order lacks finalize with a https URL";
    return wrong;
}

static void take_challenge(pool_t *pool, const json_t *json, bool loopback,
                           acme_authorization_t *out)
{
    out->url = url_of(pool, json, "url", loopback);
    out->token = member(pool, json, "token", ACME_BOARD_TOKEN);
    out->challenge = status_of(pool, json);
    out->error = error_of(pool, json);
}

const char *acme_message_authorization(pool_t *pool, str_t text, bool loopback,
                                       acme_challenge_t kind, acme_authorization_t *out)
{
    json_t *json = load(text);
    if (!json) return "its authorization is not a JSON object";
    str_t wanted = kind == ACME_HTTP_01 ? STR("http-01") : STR("tls-alpn-01");
    const json_t *name = json_object_get(json, "identifier");
    const json_t *list = json_object_get(json, "challenges");
    *out = (acme_authorization_t){.status = status_of(pool, json), .url = STR("")};
    if (str_eq(member(pool, name, "type", 16), STR("dns")))
        out->name = pool_lower(pool, member(pool, name, "value", ACME_BOARD_NAME));
    for (size_t i = 0; i < json_array_size(list) && i < LISTED_MOST && !out->url.n; i++) {
        const json_t *item = json_array_get(list, i);
        if (str_eq(member(pool, item, "type", 32), wanted))
            take_challenge(pool, item, loopback, out);
    }
    json_decref(json);
    if (out->url.n && !acme_jws_is_base64url(out->token)) return "its token is not base64url";
    return NULL;
}

/* --- writing --- */

/* Takes over the object. */
static str_t dump(pool_t *pool, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    str_t out = text ? pool_str(pool, str_of(text)) : STR("");
    free(text);
    json_decref(json);
    return out;
}

str_t acme_message_account(pool_t *pool, const conf_strs_t *contacts, bool terms, str_t binding)
{
    json_t *json = json_object(), *list = json_array();
    VEC_EACH(const str_t, contact, contacts)
        json_array_append_new(list, json_stringn(contact->p, contact->n));
    if (terms) json_object_set_new(json, "termsOfServiceAgreed", json_true());
    if (contacts->n) json_object_set(json, "contact", list);
    json_decref(list);
    if (binding.n)
        json_object_set_new(json, "externalAccountBinding",
                            json_loadb(binding.p, binding.n, 0, NULL));
    return dump(pool, json);
}

str_t acme_message_new_order(pool_t *pool, const conf_strs_t *names)
{
    json_t *list = json_array();
    VEC_EACH(const str_t, name, names)
        json_array_append_new(list, json_pack("{s:s, s:s%}", "type", "dns", "value", name->p,
                                              name->n));
    return dump(pool, json_pack("{s:o}", "identifiers", list));
}
