#include "modules/cache/update.h"

/* RFC 9110 7.6.1 and RFC 9111 3.1. */
static bool hop_by_hop(const header_t *field)
{
    switch (field->id) {
    case HEADER_CONNECTION: case HEADER_KEEP_ALIVE: case HEADER_PROXY_CONNECTION: case HEADER_TE:
    case HEADER_TRANSFER_ENCODING: case HEADER_UPGRADE: case HEADER_TRAILER:
    case HEADER_PROXY_AUTHENTICATE: case HEADER_PROXY_AUTHORIZATION:
        return true;
    case HEADER_OTHER:
        return str_ieq(field->name, STR("Proxy-Authentication-Info"));
    default:
        return false;
    }
}

bool update_stores(const header_list_t *response, const cache_control_t *cc, const header_t *field)
{
    return !hop_by_hop(field) && !header_has_token(response, HEADER_CONNECTION, field->name) &&
           !cache_control_lists(cc->private_fields, field->name);
}

bool update_sends(const cache_control_t *cc, const header_t *field)
{
    return !cache_control_lists(cc->no_cache_fields, field->name);
}

static str_t opaque(str_t etag)
{
    return str_starts(etag, STR("W/")) ? str_sub(etag, 2, etag.n) : etag;
}

static bool same_value(const header_list_t *a, const header_list_t *b, header_id_t id)
{
    return str_eq(str_trim(header_value(a, id)), str_trim(header_value(b, id)));
}

bool update_selects(const header_list_t *stored, const header_list_t *not_modified, bool only)
{
    str_t etag = str_trim(header_value(not_modified, HEADER_ETAG));
    str_t ours = str_trim(header_value(stored, HEADER_ETAG));
    if (etag.n && !str_starts(etag, STR("W/"))) return str_eq(ours, etag);
    if (etag.n) return ours.n && str_eq(opaque(ours), opaque(etag));
    if (header_get(not_modified, HEADER_LAST_MODIFIED) && header_get(stored, HEADER_LAST_MODIFIED))
        return same_value(stored, not_modified, HEADER_LAST_MODIFIED);
    return only;
}

static bool updates(const header_list_t *not_modified, const cache_control_t *cc, const header_t *h)
{
    return h->id != HEADER_CONTENT_LENGTH && update_stores(not_modified, cc, h);
}

bool update_apply(header_list_t *stored, const header_list_t *not_modified,
                  const cache_control_t *cc)
{
    HEADER_EACH(h, not_modified)
        if (updates(not_modified, cc, h)) header_remove_named(stored, h->name);
    HEADER_EACH(h, not_modified)
        if (updates(not_modified, cc, h) && !header_add_as(stored, h->id, h->name, h->value))
            return false;
    return true;
}
