/*
 * proxy_read: takes the PROXY protocol header off the start of a client's connection.
 */
#ifndef HTTP_PROXY_READ_H
#define HTTP_PROXY_READ_H

#include "http/conn.h"

/*
 * Reads until the header is whole, into c->in and from there into c->proxied; what followed it
 * stays in c->in. It must be there client_header_timeout after the connection was accepted. False:
 * said in the log, and the connection is of no use. Suspends.
 */
bool proxy_read(conn_t *c);

#endif
