/*
 * client_mux: an exchange (client.h) over a stream of a connection that others share: HTTP/2.
 *
 * What client.c hands on to it; client_begin, client_send_body and client_credit stand here
 * themselves.
 */
#ifndef HTTP_CLIENT_MUX_H
#define HTTP_CLIENT_MUX_H

#include "http/client.h"

int client_mux_wait(client_t *c, uint64_t timeout_ms);
int client_mux_poll(client_t *c);
ssize_t client_mux_next(client_t *c, str_t *piece);
int client_mux_fill(client_t *c);
void client_mux_used(client_t *c);
void client_mux_close(client_t *c);

#endif
