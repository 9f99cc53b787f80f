#include <criterion/criterion.h>

#include "modules/acl/password.h"

static bool matches(const char *password, const char *hash)
{
    pool_t *pool = pool_create();
    bool ok = password_matches(pool, str_of(password), str_of(hash));
    pool_destroy(pool);
    return ok;
}

/* The hashes of "myPassword" are those of Apache's manual (misc/password_encryptions), {SSHA} was
   made with python3's hashlib, the others with openssl passwd. */
Test(password, knows_the_usual_hashes)
{
    static const struct {
        const char *password, *hash;
    } rows[] = {
        {"myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"},
        {"myPassword", "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="},
        {"myPassword", "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC"},
        {"myPassword", "rqXexS6ZhobKA"},
        {"myPassword", "{PLAIN}myPassword"},
        {"user", "{SSHA}TT8vIxb2nbrwycHmeECX7oHf8H1OYUNsMTIzNA=="},
        {"a long one, of more than sixteen bytes", "$apr1$abcdefgh$R3oAfRuNKZnPTtrUxVNBa1"},
        {"", "$apr1$s$e2aCb9PLCjZ2t55SoAxXn."},
        {"Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
        {"Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnI"
                         "FNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect(matches(rows[i].password, rows[i].hash), "%s", rows[i].hash);
        cr_expect_not(matches("mypassword", rows[i].hash), "%s", rows[i].hash);
        cr_expect_not(matches("myPass", rows[i].hash), "%s", rows[i].hash);
    }
}

Test(password, is_wrong_where_the_hash_is)
{
    static const char *const hashes[] = {
        "", "x", "*", "!", "*0", "*1", "{SHA}", "{SHA}AAAA", "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKN",
        "{SSHA}AAAA", "{SSHA}?", "$apr1$", "$apr1$r31.....", "$apr1$r31.....$", "$9$nobody$knows",
        "myPassword", "{plain}myPassword",
    };
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        cr_expect_not(matches("myPassword", hashes[i]), "%s", hashes[i]);
        cr_expect_not(matches("", hashes[i]), "%s", hashes[i]);
        cr_expect_not(matches("*0", hashes[i]), "%s", hashes[i]);
    }
}

Test(password, has_a_longest)
{
    char text[PASSWORD_MAX + 1], hash[PASSWORD_MAX + 16] = "{PLAIN}";
    pool_t *pool = pool_create();
    memset(text, 'a', sizeof(text));
    memset(hash + 7, 'a', sizeof(text));
    cr_expect(password_matches(pool, str_make(text, PASSWORD_MAX),
                               str_make(hash, PASSWORD_MAX + 7)));
    cr_expect_not(password_matches(pool, str_make(text, PASSWORD_MAX + 1),
                                   str_make(hash, PASSWORD_MAX + 8)));
    pool_destroy(pool);
}

Test(password, knows_what_is_slow)
{
    cr_expect(password_is_slow(STR("$2y$05$x")));
    cr_expect(password_is_slow(STR("$apr1$x")));
    cr_expect_not(password_is_slow(STR("{SHA}x")));
    cr_expect_not(password_is_slow(STR("{PLAIN}x")));
}
