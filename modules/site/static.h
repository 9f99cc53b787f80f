/*
 * static: files as content: what its parts share. static_module.c puts them together.
 */
#ifndef MODULES_SITE_STATIC_H
#define MODULES_SITE_STATIC_H

#include "modules/site/file.h"
#include "modules/site/path.h"

typedef struct static_conf {
    path_conf_t path;
    bool etag, sendfile;
    unsigned since;       /* if_modified_since: precondition_since_t */
    unsigned max_ranges;  /* 0: ranges are not served */
    unsigned links;       /* disable_symlinks: FILE_LINKS_... */
    text_t links_from;
} static_conf_t;

extern unsigned static_index;

static inline const static_conf_t *static_conf(const request_t *r)
{
    return request_conf(r, static_index);
}

/* file_open and file_look with what disable_symlinks says. */
int static_open(request_t *r, const path_t *path, file_t *out);
int static_look(request_t *r, const path_t *path, file_t *out);

/* 405 with Allow: only GET and HEAD are served. */
verdict_t static_refuse_method(request_t *r);

#endif
