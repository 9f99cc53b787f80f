#include "http/filter.h"

#include "http/request.h"

static void push(request_t *r, filter_t **at, filter_t f)
{
    f.next = *at;
    *at = pool_memdup(r->pool, &f, sizeof(f));
}

void filter_push(request_t *r, filter_body_fn body, void *state)
{
    filter_t **at = &r->reply.filters;
    while (*at && (*at)->early) at = &(*at)->next;
    push(r, at, (filter_t){.body = body, .state = state});
}

void filter_push_early(request_t *r, filter_body_fn body, void *state)
{
    push(r, &r->reply.filters, (filter_t){.body = body, .state = state, .early = true});
}

int filter_pass(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    filter_t *next = f->next;
    return next ? next->body(next, r, pieces, n, flags) : r->sink->body(r, pieces, n, flags);
}
