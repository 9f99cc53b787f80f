/*
 * ssl_stapling: the status of a certificate shown with it (RFC 6066 section 8), so that clients
 * need not ask whether it was revoked.
 *
 * It comes from a file that another program renews, and that a worker looks at once a minute
 * (ssl_stapling_file; for the server's first certificate alone); or from the certificate's
 * responder, which one process asks (ssl_staple_fetch.h), also of certificates that come by ACME.
 * What has run out is never shown. Called back in a handshake; nothing suspends.
 */
#ifndef MODULES_SSL_SSL_STAPLING_H
#define MODULES_SSL_SSL_STAPLING_H

#include "modules/ssl/ssl.h"
#include "modules/ssl/ssl_ocsp.h"
#include "modules/ssl/ssl_staples.h"

/* What is shown with a certificate; from `digest` on the process's own. */
struct ssl_staple {
    const ssl_certificate_t *of;
    const char *path;              /* of the file; NULL: the responder is asked */
    str_t responder;               /* empty: the certificate says which */
    X509_STORE *anchors;           /* ssl_stapling_verify; NULL: the issuer's signature is enough */
    const struct http_conf *http;  /* whose resolver is asked for the responder */
    ssl_store_t *store;
    unsigned char digest[SSL_STAPLES_DIGEST]; /* of the certificate */
    unsigned edition;              /* that it is of; 0: of none yet */
    int place;                     /* in the zone */
    uint64_t version, look_at;     /* of what was copied from there; clock_ms of the next look */
    unsigned failures;             /* of the responder, in a row */
    unsigned excused;              /* the edition that nobody can be asked about, which was said */
    unsigned char *der;            /* NULL: there is none at present */
    size_t n;
    time_t until;
};

/* When the struct says so: makes c->made->ctx staple. False: said. */
bool ssl_stapling_prepare(conf_t *cf, const ssl_conf_t *c);

/* Whom the answer is about, as the certificate stands now; its issuer is the caller's to free. */
ssl_ocsp_subject_t ssl_stapling_subject(const ssl_staple_t *s);

/* Brings digest and place up to date; with `renew` the place is kept (ssl_staples_place). False:
   there is none. */
bool ssl_stapling_bind(ssl_staple_t *s, bool renew);

#endif
