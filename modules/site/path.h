/*
 * path: from a URI to a path in the file system: root and alias, and the variables of both.
 *
 * Paths live in the request's pool. May suspend only where a variable in root may.
 */
#ifndef MODULES_SITE_PATH_H
#define MODULES_SITE_PATH_H

#include "http/request.h"
#include "http/text.h"

enum { PATH_ROOT = -1, PATH_WHOLE = -2 };

/* Part of the static module's struct. */
typedef struct path_conf {
    text_t root;  /* of root or alias; absolute, or begins with a variable */
    int alias;    /* how many bytes of the URI alias stands for; PATH_ROOT: it is root; PATH_WHOLE:
                     for all of it (in a location with a regular expression) */
    str_t prefix; /* what relative paths made of variables are relative to */
} path_conf_t;

typedef struct path {
    str_t full;  /* a NUL stands behind its end */
    size_t root; /* how many bytes of it are root or alias */
} path_t;

/*
 * What of the URI stands behind root or alias. NEXT, or a refusal: the URI is not one that alias
 * could stand for, or would lead out of it.
 */
verdict_t path_rest(const path_conf_t *c, str_t uri, str_t *rest);

/* Whether it begins with "..": `location /i { alias /d/; }` must not make /d/../x of /i../x. */
bool path_leads_up(str_t rest);

/* root or alias, with rest and name behind it. */
path_t path_join(request_t *r, const path_conf_t *c, str_t rest, str_t name);

/* Both: the path of uri, with name behind it. NEXT or the refusal. */
verdict_t path_map(request_t *r, const path_conf_t *c, str_t uri, str_t name, path_t *out);

/* root and alias; the field of their rows is the path_conf_t. */
bool path_set_root(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);
bool path_set_alias(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

/* The value of root or alias: $document_root. */
str_t path_root(request_t *r, const path_conf_t *c);

#endif
