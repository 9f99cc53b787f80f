#include "modules/site/static.h"

#include "http/http.h"

unsigned static_index;

verdict_t static_refuse_method(request_t *r)
{
    if (http_error_page(http_conf(r->conf), 405)) return verdict_refuse(405, LOG_INFO, NULL);
    reply_reset(r, 405);
    header_add_id(&r->reply.headers, HEADER_ALLOW, STR("GET, HEAD"));
    return reply_own_page(r);
}

/* How much of the path may have any links: disable_symlinks from=. */
static size_t trusted_part(request_t *r, const static_conf_t *c, const path_t *path)
{
    if (c->links == FILE_LINKS_FOLLOW || !c->links_from.set) return 0;
    str_t from = text_eval(&c->links_from, r);
    if (from.n && from.p[from.n - 1] == '/') from.n--;
    bool inside =
        str_starts(path->full, from) && path->full.n > from.n && path->full.p[from.n] == '/';
    return inside ? from.n : 0;
}

int static_open(request_t *r, const path_t *path, file_t *out)
{
    const static_conf_t *c = static_conf(r);
    return file_open((char *)(uintptr_t)path->full.p, trusted_part(r, c, path), c->links, out);
}

int static_look(request_t *r, const path_t *path, file_t *out)
{
    const static_conf_t *c = static_conf(r);
    return file_look((char *)(uintptr_t)path->full.p, trusted_part(r, c, path), c->links, out);
}
