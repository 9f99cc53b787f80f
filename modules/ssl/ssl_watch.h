/*
 * ssl_watch: certificates that are replaced on disk are taken up without a reload.
 *
 * The master looks once a second (workers may not read keys). What has changed and then stood still
 * for a second is read; a pair that fits is shown from there on, by the master, for workers to
 * come, and by every worker, which is handed it in a descriptor. A pair that does not fit is never
 * taken: the one before stays. Nothing suspends.
 */
#ifndef MODULES_SSL_SSL_WATCH_H
#define MODULES_SSL_SSL_WATCH_H

#include "modules/ssl/ssl.h"

/* While the configuration is read: what the master and `proxyd ctl certs` share. False: said. */
bool ssl_watch_prepare(conf_t *cf, ssl_store_t *store);

/* module_t.errand and module_t.told. */
void ssl_watch_errand(const void *main_struct, void (*tell)(uint32_t number, int fd));
void ssl_watch_told(const void *main_struct, uint32_t number, int fd);

/* In any worker: the master shall look at all certificates, watched or not. */
void ssl_watch_ask(const ssl_store_t *store);

#endif
