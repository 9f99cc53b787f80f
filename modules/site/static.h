/*
 * static: files as content: what the parts of it share.
 *
 * static.c is asked when nobody else has replied: a directory's URI goes to index.c and
 * autoindex.c, any other to serve.c. try_files.c stands before all content.
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

/* Answers with the file. A verdict for what it is not. Suspends. */
verdict_t serve_path(request_t *r, const path_t *path);

/* Sends the client to a file of `index` that is there. NEXT: there is none. */
verdict_t index_find(request_t *r);

/* Lists the directory. NEXT: autoindex is off. Suspends. */
verdict_t autoindex_list(request_t *r);

/* 405 with Allow: only GET and HEAD are served. */
verdict_t static_refuse_method(request_t *r);

#endif
