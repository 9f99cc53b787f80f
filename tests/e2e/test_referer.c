/* Where a request may come from: valid_referers and $invalid_referer. */
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char *verdict(const char *path, const char *referer)
{
    const char *field = referer ? text("Referer: %s\r\n", referer) : "";
    return wire_ask("http",
                    text("GET %s HTTP/1.1\r\nHost: own.example\r\n%sConnection: close\r\n\r\n",
                                 path, field))->body.p;
}

E2E(referer, tells_valid_from_invalid)
{
    subject_http("", "server { listen 127.0.0.1:@http@; return 404; }"
                     "server { listen 127.0.0.1:@http@; server_name own.example *.own.example;"
                     " location /a { valid_referers none blocked server_names *.friend.example"
                     "   www.trail.* part.example/pages/; valid_referers ~\\.search\\.;"
                     "   if ($invalid_referer) { return 403 no; } return 200 yes; }"
                     " location /strict { valid_referers one.example; return 200 x$invalid_referer;"
                     " }"
                     " location /free { return 200 x$invalid_referer; } }");
    assert_text(verdict("/a", NULL), "yes");
    assert_text(verdict("/a", "something that a firewall has made"), "yes");
    assert_text(verdict("/a", "http://own.example/x"), "yes");
    assert_text(verdict("/a", "https://sub.own.example:8443/x"), "yes");
    assert_text(verdict("/a", "https://A.Friend.Example"), "yes");
    assert_text(verdict("/a", "http://www.trail.org/"), "yes");
    assert_text(verdict("/a", "http://part.example/pages/1"), "yes");
    assert_text(verdict("/a", "http://part.example/other"), "no");
    assert_text(verdict("/a", "http://a.search.org/?q"), "yes");
    assert_text(verdict("/a", "http://foe.example/own.example"), "no");
    assert_text(verdict("/a", "http://own.example@foe.example/"), "no");
    assert_text(verdict("/a", "http://"), "no");
    assert_text(verdict("/strict", NULL), "x1");
    assert_text(verdict("/strict", "blocked"), "x1");
    assert_text(verdict("/strict", "http://one.example/"), "x");
    assert_text(verdict("/free", "http://foe.example/"), "x");
}
