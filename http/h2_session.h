/*
 * h2_session: nghttp2's session of a connection, and what it tells of the client's frames.
 *
 * A frame that costs us more than the client is counted (h2_guard.h); one too many ends the
 * connection with ENHANCE_YOUR_CALM. What is malformed ends its stream, or the connection, as
 * RFC 9113 has it, before an origin hears of it; it is logged once for a connection.
 */
#ifndef HTTP_H2_SESSION_H
#define HTTP_H2_SESSION_H

#include "http/h2_conn.h"

/* Makes h2->session and submits our settings. */
void h2_session_open(h2_t *h2);

/* Feeds it. False: the session is over (what it has to say is still to be written). */
bool h2_session_feed(h2_t *h2, str_t bytes);

/* Moves what it has to say into h2->out, as much as fits. False: it is over. */
bool h2_session_fill(h2_t *h2);

/* Announces the end, so that nothing that is on its way is lost; the client's answer to a ping then
   has h2_session_goodbye called. */
void h2_session_warn(h2_t *h2);

/* GOAWAY: streams that come from now on are not served. */
void h2_session_goodbye(h2_t *h2, uint32_t code);

#endif
