#include "http/http.h"

#include "http/http_block.h"

unsigned http_index;

const http_conf_t *http_conf_read(const conf_t *cf)
{
    return cf->scope->structs[http_index];
}

const http_scopes_t *http_scopes_read(const conf_t *cf)
{
    return &http_conf_read(cf)->block->scopes;
}

const http_addresses_t *http_addresses_read(const conf_t *cf)
{
    return &http_conf_read(cf)->block->addresses;
}

const site_location_t *http_location_read(const conf_t *cf)
{
    const http_conf_t *c = http_conf_read(cf);
    return c->block ? c->block->location : NULL;
}

const http_error_page_t *http_error_page(const http_conf_t *c, int status)
{
    VEC_EACH(const http_error_page_t, it, &c->error_pages)
        if (it->status == status) return it;
    return NULL;
}
