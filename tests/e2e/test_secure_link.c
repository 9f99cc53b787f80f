/* Links that nobody can make without a secret. The hashes are openssl's (openssl md5 -binary). */
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char *said(const char *path)
{
    return wire_get("http", path)->body.p;
}

E2E(secure_link, tells_valid_expired_and_wrong)
{
    subject_http("", "server { listen 127.0.0.1:@http@; secure_link $arg_md5,$arg_expires;"
                     " secure_link_md5 '$secure_link_expires$uri$remote_addr secret';"
                     " location / { return 200 '<$secure_link>'; }"
                     " location /n/ { secure_link $arg_md5; secure_link_md5 '$uri secret';"
                     "  return 200 '<$secure_link>'; }"
                     " location /none { return 200 '<$secure_link$secure_link_expires>'; } }");
    assert_text(said("/s/link?md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647"), "<1>");
    assert_text(said("/s/link?md5=c7rLl_-QcLJS5WW_ULykvg&expires=1700000000"), "<0>");
    assert_text(said("/s/link?md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483646"), "<>");
    assert_text(said("/s/other?md5=_e4Nc3iduzkWRm01TBBNYw&expires=2147483647"), "<>");
    assert_text(said("/s/link?md5=_e4Nc3iduzkWRm01TBBNYw&expires=x"), "<>");
    assert_text(said("/s/link?md5=_e4Nc3iduzkWRm01TBBNYw&expires="), "<>");
    assert_text(said("/s/link?md5=%%&expires=2147483647"), "<>");
    assert_text(said("/s/link?md5=&expires=2147483647"), "<>");
    assert_text(said("/s/link"), "<>");
    assert_text(said("/n/x?md5=oDF8XdnOGbkEB5uPzo88nA"), "<1>");
    assert_text(said("/n/y?md5=oDF8XdnOGbkEB5uPzo88nA"), "<>");
}

E2E(secure_link, knows_links_behind_their_hash)
{
    subject_http("", "server { listen 127.0.0.1:@http@; location /p/ { secure_link_secret word;"
                     " return 200 '<$secure_link>'; } }");
    assert_text(said("/p/7d43d18d29532a2e88d3cc4a0c932adb/linkdeep/page"), "<linkdeep/page>");
    assert_text(said("/p/7d43d18d29532a2e88d3cc4a0c932adb/linkdeep/pag"), "<>");
    assert_text(said("/p/7d43d18d29532a2e88d3cc4a0c932adb"), "<>");
    assert_text(said("/p/7d43d18d29532a2e88d3cc4a0c932adb/"), "<>");
    assert_text(said("/p/short/linkdeep/page"), "<>");
    assert_text(said("/p/"), "<>");
    assert_text(said("/p/zz43d18d29532a2e88d3cc4a0c932adb/linkdeep/page"), "<>");
}

E2E(secure_link, is_checked)
{
    file_write("bad.conf", "events {} http { server { location / {"
                           " secure_link_secret a; secure_link x; } } }");
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "exclude each other");
}
