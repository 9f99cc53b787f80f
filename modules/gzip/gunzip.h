/*
 * gunzip: the filter that unpacks a reply's body for a client that does not take its coding.
 *
 * It holds one stream of the codec's and one buffer, however much a body grows: what does not fit
 * waits for the client. A body that is broken, ends too early or grows beyond all measure breaks
 * the reply off. May suspend: a slow client.
 */
#ifndef MODULES_GZIP_GUNZIP_H
#define MODULES_GZIP_GUNZIP_H

#include "http/negotiate.h"
#include "http/request.h"

/* In the head hook of a reply in this coding, for which there is a codec: it will be in none. The
   body may be `ratio` times larger than it was; 0: without a bound. */
void gunzip_start(request_t *r, coding_t coding, unsigned ratio);

#endif
