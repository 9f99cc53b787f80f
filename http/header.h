/*
 * header: a list of HTTP fields, in order, with constant-time access to the well-known ones.
 *
 * Names and values are slices owned by somebody else (the connection's buffer, the request's pool).
 * A removed field leaves a gap (name.n == 0) that every walk skips, so indices stay valid. The list
 * itself lives in a pool. Names keep the peer's spelling; comparisons fold case. Nothing suspends.
 */
#ifndef HTTP_HEADER_H
#define HTTP_HEADER_H

#include "core/base/pool.h"

/* One row per well-known field: X(constant, "canonical spelling"). */
#define HEADER_NAMES(X) \
    X(ACCEPT, "Accept") \
    X(ACCEPT_CHARSET, "Accept-Charset") \
    X(ACCEPT_ENCODING, "Accept-Encoding") \
    X(ACCEPT_LANGUAGE, "Accept-Language") \
    X(ACCEPT_RANGES, "Accept-Ranges") \
    X(AGE, "Age") \
    X(ALLOW, "Allow") \
    X(ALT_SVC, "Alt-Svc") \
    X(AUTHORIZATION, "Authorization") \
    X(CACHE_CONTROL, "Cache-Control") \
    X(CACHE_STATUS, "Cache-Status") \
    X(CONNECTION, "Connection") \
    X(CONTENT_DISPOSITION, "Content-Disposition") \
    X(CONTENT_ENCODING, "Content-Encoding") \
    X(CONTENT_LANGUAGE, "Content-Language") \
    X(CONTENT_LENGTH, "Content-Length") \
    X(CONTENT_LOCATION, "Content-Location") \
    X(CONTENT_RANGE, "Content-Range") \
    X(CONTENT_SECURITY_POLICY, "Content-Security-Policy") \
    X(CONTENT_TYPE, "Content-Type") \
    X(COOKIE, "Cookie") \
    X(DATE, "Date") \
    X(ETAG, "ETag") \
    X(EXPECT, "Expect") \
    X(EXPIRES, "Expires") \
    X(FORWARDED, "Forwarded") \
    X(HOST, "Host") \
    X(HTTP2_SETTINGS, "HTTP2-Settings") \
    X(IF_MATCH, "If-Match") \
    X(IF_MODIFIED_SINCE, "If-Modified-Since") \
    X(IF_NONE_MATCH, "If-None-Match") \
    X(IF_RANGE, "If-Range") \
    X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since") \
    X(KEEP_ALIVE, "Keep-Alive") \
    X(LAST_MODIFIED, "Last-Modified") \
    X(LINK, "Link") \
    X(LOCATION, "Location") \
    X(MAX_FORWARDS, "Max-Forwards") \
    X(ORIGIN, "Origin") \
    X(PRAGMA, "Pragma") \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate") \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization") \
    X(PROXY_CONNECTION, "Proxy-Connection") \
    X(RANGE, "Range") \
    X(REFERER, "Referer") \
    X(REFRESH, "Refresh") \
    X(RETRY_AFTER, "Retry-After") \
    X(SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key") \
    X(SERVER, "Server") \
    X(SET_COOKIE, "Set-Cookie") \
    X(STRICT_TRANSPORT_SECURITY, "Strict-Transport-Security") \
    X(TE, "TE") \
    X(TRAILER, "Trailer") \
    X(TRANSFER_ENCODING, "Transfer-Encoding") \
    X(UPGRADE, "Upgrade") \
    X(USER_AGENT, "User-Agent") \
    X(VARY, "Vary") \
    X(VIA, "Via") \
    X(WWW_AUTHENTICATE, "WWW-Authenticate") \
    X(X_ACCEL_BUFFERING, "X-Accel-Buffering") \
    X(X_ACCEL_CHARSET, "X-Accel-Charset") \
    X(X_ACCEL_EXPIRES, "X-Accel-Expires") \
    X(X_ACCEL_LIMIT_RATE, "X-Accel-Limit-Rate") \
    X(X_ACCEL_REDIRECT, "X-Accel-Redirect") \
    X(X_FORWARDED_FOR, "X-Forwarded-For") \
    X(X_FORWARDED_PROTO, "X-Forwarded-Proto") \
    X(X_POWERED_BY, "X-Powered-By")

typedef enum header_id {
    HEADER_OTHER = 0,
#define X(id, name) HEADER_##id,
    HEADER_NAMES(X)
#undef X
    HEADER_ID_COUNT
} header_id_t;

typedef struct header {
    str_t name, value;
    header_id_t id;
} header_t;

typedef struct header_list {
    pool_t *pool;
    header_t *v;
    uint16_t n, cap;
    uint16_t first[HEADER_ID_COUNT]; /* 1 + index of the first field with that id; 0: none */
} header_list_t;

#define HEADER_EACH(it, list) \
    for (const header_t *it = (list)->v, *it##_end = (list)->v + (list)->n; it != it##_end; it++) \
        if (it->name.n == 0) { \
        } else

/* The id of a name in any case; HEADER_OTHER when it is not a well-known one. */
header_id_t header_id(str_t name);
str_t header_name(header_id_t id);

void header_list_init(header_list_t *list, pool_t *pool);

/* Forgets every field; the memory stays for the next ones. */
void header_list_clear(header_list_t *list);

/* Appends; false when the list holds UINT16_MAX fields already. */
bool header_add_as(header_list_t *list, header_id_t id, str_t name, str_t value);
bool header_add(header_list_t *list, str_t name, str_t value);       /* finds the id */
bool header_add_id(header_list_t *list, header_id_t id, str_t value); /* canonical spelling */

/* The first field with this id (not HEADER_OTHER), or NULL. Constant time. */
static inline const header_t *header_get(const header_list_t *list, header_id_t id)
{
    return list->first[id] ? &list->v[list->first[id] - 1] : NULL;
}

/* Its value, or an empty slice with p == NULL when there is none. */
static inline str_t header_value(const header_list_t *list, header_id_t id)
{
    return list->first[id] ? list->v[list->first[id] - 1].value : (str_t){NULL, 0};
}

/* The next field after `prev` (NULL: the first) with this id (not HEADER_OTHER) or name. */
const header_t *header_next(const header_list_t *list, header_id_t id, const header_t *prev);
const header_t *header_next_named(const header_list_t *list, str_t name, const header_t *prev);

/* Removes every field with this id or name; header_set then appends one (value.p NULL: none). */
void header_remove(header_list_t *list, header_id_t id);
void header_remove_named(header_list_t *list, str_t name);
void header_set(header_list_t *list, header_id_t id, str_t value);

/* For a body that will not be byte for byte what the list tells of: digests go, a strong ETag
   becomes a weak one, what is no entity-tag goes. */
void header_remove_digests(header_list_t *list);
void header_weaken_etag(header_list_t *list);

/* value with spaces in place of control characters (RFC 9110 5.5): what variables made may hold a
   line break, which would begin a field of the client's choice. value itself if there are none. */
str_t header_clean(pool_t *pool, str_t value);

/* All values of the field joined by ", " (Cookie: "; ") in the list's pool; p == NULL when none. */
str_t header_join(const header_list_t *list, str_t name);

/*
 * Walks the elements of a comma-separated list (RFC 9110 5.6.1): trims OWS, skips empty elements,
 * respects quoted strings. False at the end.
 */
bool header_element(str_t *rest, str_t *element);

/* Whether any field with this id has `token` (case folded) among its list elements. */
bool header_has_token(const header_list_t *list, header_id_t id, str_t token);

#endif
