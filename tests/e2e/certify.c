#include "tests/e2e/certify.h"

#include <string.h>

#include "tests/e2e/keeper.h"

void certify_openssl(const char *arguments)
{
    enum { MOST = 40 };
    const char *argv[MOST + 1] = {"openssl"}, *output = file_path("openssl.txt");
    char *rest = (char *)(uintptr_t)text("%s", harness_expand(arguments));
    unsigned n = 1;
    int status = -1;
    for (char *word; n < MOST && (word = strsep(&rest, " ")); n++) argv[n] = word;
    pid_t pid = keeper_run(argv, harness_dir(), output);
    cr_assert(keeper_wait(pid, PATIENCE_MS, &status) && status == 0, "openssl %s:\n%s", arguments,
              file_read("openssl.txt"));
}

void certify(const char *name, const char *by, const char *more)
{
    certify_openssl(text("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                         "-batch -keyout @dir@/%s.key -out @dir@/%s.pem -subj /CN=%s%s%s", name,
                         name, name,
                         by ? text(" -CA @dir@/%s.pem -CAkey @dir@/%s.key", by, by) : "",
                         more));
}

void certify_authority(const char *arguments)
{
    if (!file_exists("index")) file_write("index", "");
    file_write("ca.conf", "[ca]\ndefault_ca = own\n[own]\ndatabase = @dir@/index\n"
                          "crlnumber = @dir@/crlnumber\nnew_certs_dir = @dir@\n"
                          "default_md = sha256\ndefault_crl_days = 2\nrand_serial = yes\n"
                          "copy_extensions = copy\npolicy = any\nunique_subject = no\n[any]\n"
                          "commonName = supplied\n");
    if (!file_exists("crlnumber")) file_write("crlnumber", "01\n");
    certify_openssl(text("ca -config @dir@/ca.conf -cert @dir@/ca.pem -keyfile @dir@/ca.key %s",
                         arguments));
}
