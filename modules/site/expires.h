/*
 * expires: how long a reply may be kept: Expires and Cache-Control.
 *
 * May suspend only where a variable in the text may.
 */
#ifndef MODULES_SITE_EXPIRES_H
#define MODULES_SITE_EXPIRES_H

#include <time.h>

#include "http/request.h"
#include "http/text.h"

typedef struct expires {
    text_t value;  /* TIME, -TIME, @TIME, epoch, max, off */
    bool modified; /* TIME counts from Last-Modified */
} expires_t;

/* What a value means. */
typedef struct expires_spec {
    enum { EXPIRES_OFF, EXPIRES_EPOCH, EXPIRES_MAX, EXPIRES_TIME, EXPIRES_DAILY } kind;
    int64_t seconds; /* from now or from Last-Modified; of EXPIRES_DAILY: from local midnight */
} expires_spec_t;

/* NULL, or what a right value looks like. */
const char *expires_parse(str_t text, expires_spec_t *out);

/* expires [modified] VALUE. False: said. */
bool expires_take(conf_t *cf, const tree_node_t *node, expires_t *out);

/* The moment at which a reply sent at `now` expires. last_modified -1: unknown. Not OFF. */
time_t expires_at(const expires_spec_t *s, bool modified, time_t last_modified, time_t now);

/* Sets both fields of the reply. */
void expires_apply(request_t *r, const expires_t *e);

#endif
