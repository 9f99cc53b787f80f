/*
 * h2_reply: the sink of HTTP/2: a request's reply into HEADERS and DATA, its body out of DATA.
 *
 * The head is given to nghttp2 with the first of the body. A piece of the body is sent from where
 * it stands when windows and the socket allow; until then the request's fiber is suspended.
 */
#ifndef HTTP_H2_REPLY_H
#define HTTP_H2_REPLY_H

#include "http/h2_conn.h"

extern const sink_ops_t h2_reply_sink;

/* For nghttp2: what DATA frames are made of. */
int h2_reply_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                       size_t n, nghttp2_data_source *source, void *arg);
ssize_t h2_reply_frame_size(nghttp2_session *session, uint8_t type, int32_t id,
                            int32_t connection_window, int32_t stream_window, uint32_t frame_most,
                            void *arg);

/* A HEADERS frame of the stream's has been made. */
void h2_reply_head_sent(h2_stream_t *s, const nghttp2_frame_hd *hd);

/* A slice of the stream's (owner) has been written. */
void h2_reply_written(void *owner);

#endif
