#include <criterion/criterion.h>

#include "http/status.h"

Test(status, has_the_registered_phrases)
{
    static const struct {
        int status;
        const char *reason, *line, *section; /* of RFC 9110 unless named */
    } rows[] = {
        {100, "Continue", "100 Continue", "15.2.1"},
        {101, "Switching Protocols", "101 Switching Protocols", "15.2.2"},
        {103, "Early Hints", "103 Early Hints", "RFC 8297 2"},
        {200, "OK", "200 OK", "15.3.1"},
        {203, "Non-Authoritative Information", "203 Non-Authoritative Information", "15.3.4"},
        {304, "Not Modified", "304 Not Modified", "15.4.5"},
        {308, "Permanent Redirect", "308 Permanent Redirect", "15.4.9"},
        {404, "Not Found", "404 Not Found", "15.5.5"},
        {413, "Content Too Large", "413 Content Too Large", "15.5.14"},
        {421, "Misdirected Request", "421 Misdirected Request", "15.5.20"},
        {422, "Unprocessable Content", "422 Unprocessable Content", "15.5.21"},
        {429, "Too Many Requests", "429 Too Many Requests", "RFC 6585 4"},
        {502, "Bad Gateway", "502 Bad Gateway", "15.6.3"},
        {505, "HTTP Version Not Supported", "505 HTTP Version Not Supported", "15.6.6"},
        {511, "Network Authentication Required", "511 Network Authentication Required",
         "RFC 6585 6"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect(str_eq(status_reason(rows[i].status), str_of(rows[i].reason)), "%s",
                  rows[i].section);
        cr_expect(str_eq(status_line(rows[i].status), str_of(rows[i].line)), "%s", rows[i].section);
    }
}

Test(status, gives_bare_digits_without_a_phrase)
{
    str_t a = status_line(599), b = status_line(306), c = status_line(999), d = status_line(444);
    cr_expect(str_eq(a, STR("599")));
    cr_expect(str_eq(b, STR("306")));
    cr_expect(str_eq(c, STR("999")));
    cr_expect(str_eq(d, STR("444")));
    cr_expect_eq(status_reason(599).n, 0);
}

Test(status, is_empty_for_what_is_no_status)
{
    static const int none[] = {-1, 0, 99, 1000, 1 << 30};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        cr_expect_eq(status_line(none[i]).n, 0);
        cr_expect_eq(status_reason(none[i]).n, 0);
    }
}
