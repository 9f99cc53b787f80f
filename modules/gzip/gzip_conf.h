/*
 * gzip_conf: what the configuration says of compression. Read-only at run time.
 */
#ifndef MODULES_GZIP_GZIP_CONF_H
#define MODULES_GZIP_GZIP_CONF_H

#include "core/base/regex.h"
#include "core/config/conf.h"

enum { GZIP_HTTP_10, GZIP_HTTP_11 };

/* Bits of gzip_proxied. */
enum {
    GZIP_PROXIED_ANY = 1,
    GZIP_PROXIED_EXPIRED = 2,
    GZIP_PROXIED_NO_CACHE = 4,
    GZIP_PROXIED_NO_STORE = 8,
    GZIP_PROXIED_PRIVATE = 16,
    GZIP_PROXIED_NO_LAST_MODIFIED = 32,
    GZIP_PROXIED_NO_ETAG = 64,
    GZIP_PROXIED_AUTH = 128,
};

typedef VEC(const regex_t *) gzip_regexes_t;

typedef struct gzip_conf {
    bool gzip, gunzip;
    bool vary;
    bool no_buffer;        /* not used: see the rows */
    unsigned level;
    unsigned http_version; /* GZIP_HTTP_: the least that is compressed for */
    unsigned proxied;      /* GZIP_PROXIED_; 0: off */
    size_t min_length;
    size_t window, hash, postpone; /* not used either */
    conf_strs_t types;     /* none: the usual ones */
    gzip_regexes_t disable; /* of User-Agent */
} gzip_conf_t;

extern const conf_row_t gzip_conf_rows[];

#endif
