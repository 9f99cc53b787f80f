#include "modules/ssl/acme_status.h"

#include "core/process/bell.h"
#include "modules/ssl/acme.h"

static const char *state_text(acme_board_state_t state)
{
    switch (state) {
    case ACME_BOARD_WAITING: return "waiting";
    case ACME_BOARD_ASKING: return "asking";
    case ACME_BOARD_ISSUED: return "issued";
    case ACME_BOARD_FAILED: return "failed";
    }
    return "waiting";
}

static void write_certificate(report_t *r, const acme_all_t *all, unsigned i)
{
    acme_board_row_t row;
    const acme_certificate_t *c = all->certificates.v[i];
    acme_board_read(acme_board(all->zone), i, &row);
    report_item(r, "file", c->path);
    report_text(r, "name", c->name);
    report_gauge(r, "names", c->names.n);
    report_state(r, "state", str_of(state_text(row.state)));
    report_gauge(r, "failures", row.failures);
    report_text(r, "error", str_of(row.error));
    report_time(r, "next", row.next_ms);
    report_close(r);
}

static void write_all(report_t *r, const void *main_struct)
{
    const acme_all_t *all = acme_all(main_struct);
    for (uint32_t i = 0; all && all->zone && i < all->issuers.n; i++) {
        const acme_issuer_t *issuer = all->issuers.v[i];
        report_item(r, "issuer", issuer->name);
        report_list(r, "certificates");
        for (uint32_t k = 0; k < all->certificates.n; k++)
            if (all->certificates.v[k]->issuer == issuer) write_certificate(r, all, k);
        report_close(r);
        report_close(r);
    }
}

const report_section_t acme_status_sections[] = {{"acme", write_all}, {NULL, NULL}};

static void say_certificate(ctl_call_t *call, const acme_all_t *all, unsigned i)
{
    acme_board_row_t row;
    const acme_certificate_t *c = all->certificates.v[i];
    acme_board_read(acme_board(all->zone), i, &row);
    ctl_say(call, STR_FMT "\t" STR_FMT "\t%s\t%u failures\t%s\n", STR_ARG(c->name),
            STR_ARG(c->issuer_name), state_text(row.state), row.failures, row.error);
}

static bool run_acme(ctl_call_t *call, const void *main_struct)
{
    const acme_all_t *all = acme_all(main_struct);
    if (!all || !all->zone) return ctl_fail(call, "no server has an acme_certificate");
    if (call->n > 1 && !str_eq(call->words[1], STR("retry")))
        return ctl_fail(call, "acme, or acme retry");
    if (call->n > 1) {
        acme_board_hurry(acme_board(all->zone));
        bell_ring((1 << BELLS) - 1);
        ctl_say(call, "what has failed is tried again now\n");
        return true;
    }
    for (uint32_t i = 0; i < all->certificates.n; i++) say_certificate(call, all, i);
    return true;
}

const ctl_command_t acme_status_commands[] = {
    {"acme", "[retry]", 0, 1,
     "the certificates that are asked for; retry: what has failed is tried again now", run_acme},
    {NULL, NULL, 0, 0, NULL, NULL},
};
