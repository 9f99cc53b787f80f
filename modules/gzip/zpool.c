#include "modules/gzip/zpool.h"

#include <stdlib.h>

#include "core/base/panic.h"

enum { KEPT_MOST = 64, GZIP_WINDOW = 15 + 16, MEM_LEVEL = 8 };

typedef struct free_list {
    zpool_state_t *first;
    unsigned n;
} free_list_t;

static free_list_t deflates, inflates;

static zpool_state_t *take(free_list_t *list)
{
    zpool_state_t *s = list->first;
    if (!s) return NULL;
    list->first = s->next;
    list->n--;
    return s;
}

static zpool_state_t *make(bool for_inflate)
{
    zpool_state_t *s = calloc(1, sizeof(*s));
    if (!s) panic("out of memory");
    s->inflates = for_inflate;
    return s;
}

zpool_state_t *zpool_deflate(int level)
{
    zpool_state_t *s = take(&deflates);
    if (s) {
        ASSERT(deflateParams(&s->z, level, Z_DEFAULT_STRATEGY) == Z_OK);
        return s;
    }
    s = make(false);
    if (deflateInit2(&s->z, level, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        panic("out of memory");
    return s;
}

zpool_state_t *zpool_inflate(void)
{
    zpool_state_t *s = take(&inflates);
    if (s) return s;
    s = make(true);
    if (inflateInit2(&s->z, GZIP_WINDOW) != Z_OK) panic("out of memory");
    return s;
}

static void destroy(zpool_state_t *s)
{
    if (s->inflates)
        inflateEnd(&s->z);
    else
        deflateEnd(&s->z);
    free(s);
}

/* Reset here and not when taken: deflateParams would write out what a fresh state has not. */
void zpool_return(zpool_state_t *s)
{
    if (!s) return;
    free_list_t *list = s->inflates ? &inflates : &deflates;
    if (list->n == KEPT_MOST) {
        destroy(s);
        return;
    }
    int reset = s->inflates ? inflateReset2(&s->z, GZIP_WINDOW) : deflateReset(&s->z);
    ASSERT(reset == Z_OK);
    s->next = list->first;
    list->first = s;
    list->n++;
}

void zpool_trim(void)
{
    zpool_state_t *s;
    while ((s = take(&deflates)) || (s = take(&inflates))) destroy(s);
}
