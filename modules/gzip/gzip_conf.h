/*
 * gzip_conf: what the configuration says of compression. Read-only at run time.
 */
#ifndef MODULES_GZIP_GZIP_CONF_H
#define MODULES_GZIP_GZIP_CONF_H

#include "core/base/regex.h"
#include "core/config/conf.h"
#include "http/negotiate.h"

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

/* What is said of one coding. */
typedef struct gzip_coding {
    bool on;
    unsigned level;       /* of its library's scale */
    size_t min_length;    /* bytes of a reply that is packed */
    size_t window;        /* bytes, at least; not of gzip */
    conf_strs_t types;    /* none: the usual ones */
} gzip_coding_t;

typedef struct gzip_conf {
    gzip_coding_t coding[CODING_COUNT];
    bool gunzip;
    unsigned gunzip_ratio;  /* 0: no bound */
    bool body_unpack;       /* client_body_decompress */
    unsigned body_ratio;    /* 0: no bound */
    unsigned body_pack;     /* proxy_request_compress: coding_t */
    bool vary;
    bool adaptive, breach_guard;
    size_t whole_most;      /* bytes of a body that may be gathered */
    unsigned http_version;  /* GZIP_HTTP_: the least that gzip is made for */
    unsigned proxied;       /* GZIP_PROXIED_; 0: off */
    gzip_regexes_t disable; /* of User-Agent */
    bool no_buffer;         /* not used: see the rows */
    size_t hash, postpone;  /* not used either */
} gzip_conf_t;

extern const conf_row_t gzip_conf_rows[];

#endif
