#include <criterion/criterion.h>

#include "modules/site/types.h"

Test(types, finds_extensions)
{
    static const struct {
        const char *uri, *extension;
    } rows[] = {
        {"/a.html", "html"}, {"/a.tar.gz", "gz"}, {"/a", ""},        {"/", ""},
        {"/.htaccess", ""},  {"/d.x/a", ""},      {"/d.x/a.b", "b"}, {"/a.", ""},
        {"/d/.x.y", "y"},    {"", ""},            {".", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        str_t got = types_extension(str_of(rows[i].uri));
        cr_expect(str_eq(got, str_of(rows[i].extension)), "%s: " STR_FMT, rows[i].uri,
                  STR_ARG(got));
    }
}
