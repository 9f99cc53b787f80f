#include "modules/gzip/recode.h"

coding_t recode_coding(const header_list_t *list)
{
    const header_t *h = header_get(list, HEADER_CONTENT_ENCODING);
    if (!h) return CODING_IDENTITY;
    return header_next(list, HEADER_CONTENT_ENCODING, h) ? CODING_COUNT
                                                         : negotiate_coding(h->value);
}

void recode_fields(header_list_t *list, coding_t coding)
{
    header_set(list, HEADER_CONTENT_ENCODING, negotiate_name(coding));
    header_remove_digests(list);
}

void recode_trailers(header_list_t *list)
{
    if (list->n) header_remove_digests(list);
}

void recode_vary(reply_t *p)
{
    if (header_has_token(&p->headers, HEADER_VARY, STR("Accept-Encoding")) ||
        header_has_token(&p->headers, HEADER_VARY, STR("*")))
        return;
    header_add_id(&p->headers, HEADER_VARY, STR("Accept-Encoding"));
}

void recode_head(reply_t *p, coding_t coding)
{
    reply_recast(p);
    recode_fields(&p->headers, coding);
}

static bool holds(const header_list_t *request, str_t etag)
{
    const header_t *h = NULL;
    while ((h = header_next(request, HEADER_IF_NONE_MATCH, h))) {
        str_t rest = h->value, element;
        while (header_element(&rest, &element))
            if (str_starts(element, STR("W/")) && str_eq(str_sub(element, 2, element.n), etag))
                return true;
    }
    return false;
}

bool recode_not_modified(request_t *r)
{
    str_t etag = header_value(&r->reply.headers, HEADER_ETAG);
    if (!etag.n || !holds(&r->head.headers, etag)) return false;
    header_weaken_etag(&r->reply.headers);
    header_remove(&r->reply.headers, HEADER_CONTENT_ENCODING);
    return true;
}
