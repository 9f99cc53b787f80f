/* status: status codes and their reason phrases (RFC 9110 section 15 and the IANA registry). */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include "core/base/str.h"

/* "Not Found"; an empty slice for a code without a registered phrase. */
str_t status_reason(int status);

/* "404 Not Found" as a status line and as the heading of an error page; "599" without a phrase. */
str_t status_line(int status);

/* What is sent for a status: 400 for nginx's own 495, 496 and 497, which error_page knows. */
int status_sent(int status);

#endif
