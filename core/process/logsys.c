#include "core/process/logsys.h"

#include <limits.h>
#include <netdb.h>
#include <unistd.h>

#include "core/base/log.h"

enum { SYSLOG_PORT = 514, TAG_MAX = 32 };

static const char *const facilities[] = {
    "kern",     "user",   "mail",   "daemon", "auth",   "intern", "lpr",    "news",
    "uucp",     "clock",  "authpriv", "ftp",  "ntp",    "audit",  "alert",  "cron",
    "local0",   "local1", "local2", "local3", "local4", "local5", "local6", "local7"};

static const char *complain(pool_t *pool, const char *what, str_t text)
{
    return pool_printf(pool, "%s \"" STR_FMT "\"", what, STR_ARG(text)).p;
}

static bool look_up(pool_t *pool, str_t text, net_addr_t *out)
{
    uint64_t port = SYSLOG_PORT;
    size_t colon = str_find(text, 0, ':');
    if (colon < text.n && (!str_to_u64(str_sub(text, colon + 1, text.n), &port) || port > 65535))
        return false;
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found;
    if (getaddrinfo(pool_cstr(pool, str_sub(text, 0, colon)), NULL, &hints, &found) != 0)
        return false;
    memcpy(&out->sa, found->ai_addr, found->ai_addrlen);
    out->len = found->ai_addrlen;
    net_set_port(out, (uint16_t)port);
    freeaddrinfo(found);
    return true;
}

static const char *set_server(pool_t *pool, str_t v, logsys_t *out)
{
    if (net_parse(v, SYSLOG_PORT, &out->server) || look_up(pool, v, &out->server)) return NULL;
    return complain(pool, "host not found in syslog server", v);
}

static const char *set_facility(pool_t *pool, str_t v, logsys_t *out)
{
    for (int i = 0; i < (int)(sizeof(facilities) / sizeof(facilities[0])); i++) {
        if (!str_eq(v, str_of(facilities[i]))) continue;
        out->facility = i;
        return NULL;
    }
    return complain(pool, "unknown syslog facility", v);
}

static const char *set_severity(pool_t *pool, str_t v, logsys_t *out)
{
    out->severity = log_level(v);
    return out->severity < 0 ? complain(pool, "unknown syslog severity", v) : NULL;
}

static const char *set_tag(pool_t *pool, str_t v, logsys_t *out)
{
    if (v.n == 0 || v.n > TAG_MAX) return "a syslog tag has 1 to 32 characters";
    for (size_t i = 0; i < v.n; i++)
        if (!ascii_alpha(v.p[i]) && !ascii_digit(v.p[i]) && v.p[i] != '_')
            return complain(pool, "only letters, digits and underscores may stand in syslog tag",
                            v);
    out->tag = v;
    return NULL;
}

static const char *set_parameter(pool_t *pool, str_t word, logsys_t *out)
{
    static const struct {
        str_t key;
        const char *(*set)(pool_t *pool, str_t v, logsys_t *out);
    } table[] = {{STR_INIT("server="), set_server},
                 {STR_INIT("facility="), set_facility},
                 {STR_INIT("severity="), set_severity},
                 {STR_INIT("tag="), set_tag}};
    if (str_eq(word, STR("nohostname"))) {
        out->hostname = false;
        return NULL;
    }
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (str_starts(word, table[i].key))
            return table[i].set(pool, str_sub(word, table[i].key.n, word.n), out);
    return complain(pool, "unknown syslog parameter", word);
}

bool logsys_is(str_t word)
{
    return str_starts(word, STR("syslog:"));
}

const char *logsys_parse(pool_t *pool, str_t word, logsys_t *out)
{
    str_t rest = str_sub(word, STR("syslog:").n, word.n), piece;
    *out = (logsys_t){.facility = 23, .severity = LOG_INFO, .tag = STR("proxyd"), .hostname = true};
    while (str_cut(&rest, ',', &piece)) {
        const char *why = set_parameter(pool, piece, out);
        if (why) return why;
    }
    return out->server.len ? NULL : "no syslog server specified";
}

const char *logsys_head(pool_t *pool, const logsys_t *s)
{
    char host[HOST_NAME_MAX + 1] = "-";
    if (!s->hostname) return pool_printf(pool, STR_FMT ": ", STR_ARG(s->tag)).p;
    gethostname(host, sizeof(host));
    host[sizeof(host) - 1] = '\0';
    return pool_printf(pool, "%s " STR_FMT ": ", host, STR_ARG(s->tag)).p;
}
