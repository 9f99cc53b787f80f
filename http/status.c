#include "http/status.h"

/* The IANA registry of HTTP status codes; codes it lists as unused are left out. */
#define STATUSES(X) \
    X(100, "Continue") \
    X(101, "Switching Protocols") \
    X(102, "Processing") \
    X(103, "Early Hints") \
    X(200, "OK") \
    X(201, "Created") \
    X(202, "Accepted") \
    X(203, "Non-Authoritative Information") \
    X(204, "No Content") \
    X(205, "Reset Content") \
    X(206, "Partial Content") \
    X(207, "Multi-Status") \
    X(208, "Already Reported") \
    X(226, "IM Used") \
    X(300, "Multiple Choices") \
    X(301, "Moved Permanently") \
    X(302, "Found") \
    X(303, "See Other") \
    X(304, "Not Modified") \
    X(305, "Use Proxy") \
    X(307, "Temporary Redirect") \
    X(308, "Permanent Redirect") \
    X(400, "Bad Request") \
    X(401, "Unauthorized") \
    X(402, "Payment Required") \
    X(403, "Forbidden") \
    X(404, "Not Found") \
    X(405, "Method Not Allowed") \
    X(406, "Not Acceptable") \
    X(407, "Proxy Authentication Required") \
    X(408, "Request Timeout") \
    X(409, "Conflict") \
    X(410, "Gone") \
    X(411, "Length Required") \
    X(412, "Precondition Failed") \
    X(413, "Content Too Large") \
    X(414, "URI Too Long") \
    X(415, "Unsupported Media Type") \
    X(416, "Range Not Satisfiable") \
    X(417, "Expectation Failed") \
    X(421, "Misdirected Request") \
    X(422, "Unprocessable Content") \
    X(423, "Locked") \
    X(424, "Failed Dependency") \
    X(425, "Too Early") \
    X(426, "Upgrade Required") \
    X(428, "Precondition Required") \
    X(429, "Too Many Requests") \
    X(431, "Request Header Fields Too Large") \
    X(451, "Unavailable For Legal Reasons") \
    X(500, "Internal Server Error") \
    X(501, "Not Implemented") \
    X(502, "Bad Gateway") \
    X(503, "Service Unavailable") \
    X(504, "Gateway Timeout") \
    X(505, "HTTP Version Not Supported") \
    X(506, "Variant Also Negotiates") \
    X(507, "Insufficient Storage") \
    X(508, "Loop Detected") \
    X(510, "Not Extended") \
    X(511, "Network Authentication Required")

/* nginx's own, for error_page: on the wire they are a 400. */
#define OWN(X) \
    X(495, "The SSL certificate error") \
    X(496, "No required SSL certificate was sent") \
    X(497, "The plain HTTP request was sent to HTTPS port")

enum { DIGITS = 3 };

static str_t registered(int status)
{
    switch (status) {
#define X(code, reason) \
    case code: return STR(#code " " reason);
        STATUSES(X)
#undef X
#define X(code, reason) \
    case code: return STR("400 " reason);
        OWN(X)
#undef X
    default: return (str_t){NULL, 0};
    }
}

/* The digits of a code without a phrase; written where they then stay. */
static str_t bare(int status)
{
    static char text[1000][DIGITS];
    if (status < 100 || status > 999) return (str_t){NULL, 0};
    char *p = text[status];
    p[0] = (char)('0' + status / 100);
    p[1] = (char)('0' + status / 10 % 10);
    p[2] = (char)('0' + status % 10);
    return str_make(p, DIGITS);
}

str_t status_reason(int status)
{
    str_t line = registered(status);
    return line.n ? str_sub(line, DIGITS + 1, line.n) : line;
}

str_t status_line(int status)
{
    str_t line = registered(status);
    return line.n ? line : bare(status);
}

int status_sent(int status)
{
    switch (status) {
#define X(code, reason) case code: return 400;
        OWN(X)
#undef X
    default: return status;
    }
}
