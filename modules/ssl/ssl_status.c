#include "modules/ssl/ssl_status.h"

#include <openssl/x509v3.h>
#include <time.h>

#include "core/base/clock.h"
#include "modules/ssl/ssl.h"
#include "modules/ssl/ssl_watch.h"

static const ssl_store_t *store_of(const void *main_struct)
{
    return ((const ssl_conf_t *)main_struct)->store;
}

static int64_t end_of(const X509 *cert)
{
    struct tm tm;
    return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) ? (int64_t)timegm(&tm) : 0;
}

static int64_t days_left(const X509 *cert)
{
    int64_t left = end_of(cert) - (int64_t)clock_unix();
    return left > 0 ? left / (24 * 3600) : 0;
}

/* The names it is good for: "a.test b.test". */
static str_t names_of(pool_t *pool, const X509 *cert)
{
    strbuf_t out = {.pool = pool};
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        if (strbuf_text(&out).n) strbuf_add(&out, STR(" "));
        strbuf_add(&out, str_make((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                  (size_t)ASN1_STRING_length(name->d.dNSName)));
    }
    GENERAL_NAMES_free(names);
    return strbuf_text(&out);
}

static void write_certificates(report_t *r, const void *main_struct)
{
    const ssl_store_t *store = store_of(main_struct);
    pool_t *pool = pool_create();
    for (uint32_t i = 0; store && i < store->all.n; i++) {
        const ssl_certificate_t *c = store->all.v[i];
        report_item(r, "file", str_of(c->file.path));
        report_text(r, "names", names_of(pool, c->identity.cert));
        report_gauge(r, "days_left", (uint64_t)days_left(c->identity.cert));
        report_time(r, "not_after", (uint64_t)end_of(c->identity.cert) * 1000);
        report_flag(r, "watched", c->watched);
        report_close(r);
    }
    pool_destroy(pool);
}

const report_section_t ssl_status_sections[] = {{"certificates", write_certificates}, {NULL, NULL}};

static bool run_certs(ctl_call_t *call, const void *main_struct)
{
    const ssl_store_t *store = store_of(main_struct);
    if (!store || !store->asked) return ctl_fail(call, "no server listens with ssl");
    if (call->n > 1 && !str_eq(call->words[1], STR("reload")))
        return ctl_fail(call, "certs, or certs reload");
    if (call->n > 1) {
        ssl_watch_ask(store);
        ctl_say(call, "certificates that have changed are taken up within a second\n");
        return true;
    }
    VEC_EACH(ssl_certificate_t *const, it, &store->all)
    {
        const X509 *cert = (*it)->identity.cert;
        str_t names = names_of(call->pool, cert);
        ctl_say(call, "%s\t%lld days left\t" STR_FMT "\n", (*it)->file.path,
                (long long)days_left(cert), STR_ARG(names));
    }
    return true;
}

const ctl_command_t ssl_status_commands[] = {
    {"certs", "[reload]", 0, 1,
     "the certificates that are shown; reload: looks for replaced ones now", run_certs},
    {NULL, NULL, 0, 0, NULL, NULL},
};
