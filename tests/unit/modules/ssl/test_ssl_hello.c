#include <criterion/criterion.h>

#include "modules/ssl/ssl_hello.h"

static const char *name_in(str_t extension)
{
    static char out[SSL_HELLO_NAME_MAX + 1];
    char room[SSL_HELLO_NAME_MAX];
    str_t name = ssl_hello_name(extension, room);
    cr_assert_leq(name.n, (size_t)SSL_HELLO_NAME_MAX);
    memcpy(out, name.p, name.n);
    out[name.n] = '\0';
    return out;
}

/* RFC 6066 section 3: length of the list, kind, length of the name, the name. */
Test(ssl_hello, finds_the_name)
{
    cr_expect_str_eq(name_in(STR("\0\011\0\0\006a.test")), "a.test");
    cr_expect_str_eq(name_in(STR("\0\012\0\0\007A.Test.")), "a.test");
    cr_expect_str_eq(name_in(STR("\0\006\0\0\003x_1")), "x_1");
}

Test(ssl_hello, takes_nothing_from_what_is_malformed)
{
    static const str_t wrong[] = {
        STR_INIT(""), STR_INIT("\0"), STR_INIT("\0\011\0\0"), STR_INIT("\0\010\0\0\006a.test"),
        STR_INIT("\0\011\1\0\006a.test"), STR_INIT("\0\011\0\0\007a.test"),
        STR_INIT("\0\011\0\377\377a.test"), STR_INIT("\0\011\0\0\006a.t/st"),
        STR_INIT("\0\011\0\0\006a.t\0st"), STR_INIT("\0\003\0\0\0"), STR_INIT("\0\004\0\0\001."),
        STR_INIT("\377\377\0\0\006a.test"),
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_expect_str_eq(name_in(wrong[i]), "", "%zu", i);
    char large[5 + 256] = "\1\003\0\1";
    memset(large + 5, 'a', 256);
    cr_expect_str_eq(name_in(str_make(large, sizeof(large))), "");
}

Test(ssl_hello, tells_a_handshake_from_a_request)
{
    cr_expect(ssl_hello_begins(STR("\x16\x03\x01")));
    cr_expect(ssl_hello_begins(STR("\x80\x2e\x01")));
    cr_expect(!ssl_hello_begins(STR("GET / HTTP/1.1\r\n")));
    cr_expect(!ssl_hello_begins(STR("")));
}
