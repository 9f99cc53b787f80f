#include "http/var_core.h"

#include <netinet/tcp.h>
#include <sys/random.h>
#include <unistd.h>

#include "config.h"
#include "core/base/clock.h"
#include "core/base/panic.h"
#include "http/proxy_protocol.h"
#include "http/request.h"
#include "http/uri.h"
#include "http/var_field.h"

#define GETTER(fn) static str_t fn(request_t *r, const var_def_t *def, str_t name)
#define UNUSED(a, b) ((void)(a), (void)(b))
#define NONE ((str_t){NULL, 0})

static str_t number(request_t *r, uint64_t v)
{
    char *out = pool_bytes(r->pool, 20);
    return str_make(out, str_put_u64(out, v));
}

static str_t seconds(request_t *r, uint64_t ms)
{
    return pool_printf(r->pool, "%llu.%03u", (unsigned long long)(ms / 1000),
                       (unsigned)(ms % 1000));
}

/* A str_t or uint64_t of the request, at the offset that def->data is. */
GETTER(get_text)
{
    (void)name;
    return *(const str_t *)(const void *)((const char *)r + def->data);
}

GETTER(get_number)
{
    (void)name;
    return number(r, *(const uint64_t *)(const void *)((const char *)r + def->data));
}

/* def->data is a header_id_t. */
GETTER(get_request_field)
{
    (void)name;
    return header_value(&r->head.headers, (header_id_t)def->data);
}

/* --- the request line and what is made of it --- */

GETTER(get_request_uri)
{
    UNUSED(def, name);
    str_t target = request_target(r);
    uri_t uri;
    if (target.n == 0 || target.p[0] == '/' || !uri_split(target, &uri) || !uri.scheme.p)
        return target;
    size_t path = uri.scheme.n + 3 + uri.authority.n;
    str_t rest = str_sub(target, path, target.n);
    return rest.n && rest.p[0] == '/' ? rest : pool_concat(r->pool, STR("/"), rest);
}

GETTER(get_is_args)
{
    UNUSED(def, name);
    return r->args.n ? STR("?") : STR("");
}

GETTER(get_arg)
{
    (void)def;
    return r->args.n ? uri_arg(r->args, name) : NONE;
}

GETTER(get_args)
{
    UNUSED(def, name);
    return r->args;
}

static void put_args(request_t *r, str_t value)
{
    r->args = value;
    r->uri_changed = true;
}

GETTER(get_host)
{
    UNUSED(def, name);
    return r->host.n || !r->server ? r->host : r->server->name;
}

GETTER(get_server_name)
{
    UNUSED(def, name);
    return r->server ? r->server->name : NONE;
}

GETTER(get_server_protocol)
{
    UNUSED(def, name);
    if (!r->head.method.n) return NONE;
    if (r->head.http2) return STR("HTTP/2.0");
    return r->head.minor ? STR("HTTP/1.1") : STR("HTTP/1.0");
}

GETTER(get_http2)
{
    UNUSED(def, name);
    if (!r->head.http2) return STR("");
    return str_eq(r->scheme, STR("https")) ? STR("h2") : STR("h2c");
}

GETTER(get_https)
{
    UNUSED(def, name);
    return str_eq(r->scheme, STR("https")) ? STR("on") : STR("");
}

GETTER(get_request_id)
{
    UNUSED(def, name);
    static const char hex[] = "0123456789abcdef";
    unsigned char random[16];
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) panic("no random bytes");
    char *out = pool_bytes(r->pool, 2 * sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        out[2 * i] = hex[random[i] >> 4];
        out[2 * i + 1] = hex[random[i] & 15];
    }
    return str_make(out, 2 * sizeof(random));
}

/* --- fields and body --- */

GETTER(get_remote_user)
{
    UNUSED(def, name);
    str_t user, password;
    return request_basic(r, &user, &password) && user.n ? user : NONE;
}

GETTER(get_content_length)
{
    UNUSED(def, name);
    str_t value = header_value(&r->head.headers, HEADER_CONTENT_LENGTH);
    return value.p || !r->body.gathered ? value : number(r, r->body.size);
}

GETTER(get_request_body)
{
    UNUSED(def, name);
    return r->body.gathered && r->body.memory && r->body.fd < 0 ? buf_str(r->body.memory) : NONE;
}

/* Bodies on disk have no name. */
GETTER(get_request_body_file)
{
    UNUSED(def, name);
    (void)r;
    return NONE;
}

/* --- the connection --- */

static str_t port_of(request_t *r, const net_addr_t *a)
{
    uint16_t port = net_port(a);
    return port ? number(r, port) : STR("");
}

GETTER(get_remote_addr)
{
    UNUSED(def, name);
    return request_client_text(r);
}

GETTER(get_binary_remote_addr)
{
    UNUSED(def, name);
    return net_bytes(&r->client);
}

GETTER(get_remote_port)
{
    UNUSED(def, name);
    return port_of(r, &r->client);
}

GETTER(get_server_addr)
{
    UNUSED(def, name);
    net_addr_t local;
    if (!net_local(r->conn->stream.io.fd, &local)) return NONE;
    char *out = pool_bytes(r->pool, NET_TEXT_MAX);
    return str_make(out, net_format(&local, false, out));
}

GETTER(get_server_port)
{
    UNUSED(def, name);
    return r->conn->listen ? port_of(r, &r->conn->listen->addr) : NONE;
}

/* def->data: whether it is the server's end. */
static net_addr_t proxied_end(const request_t *r, const var_def_t *def)
{
    const proxy_protocol_t *h = r->conn->proxied;
    if (!h) return (net_addr_t){.len = 0};
    return def->data ? proxy_protocol_server(h) : proxy_protocol_client(h);
}

GETTER(get_proxied_addr)
{
    (void)name;
    net_addr_t a = proxied_end(r, def);
    if (!a.len) return NONE;
    char *out = pool_bytes(r->pool, NET_TEXT_MAX);
    return str_make(out, net_format(&a, false, out));
}

GETTER(get_proxied_port)
{
    (void)name;
    net_addr_t a = proxied_end(r, def);
    return a.len ? number(r, net_port(&a)) : NONE;
}

GETTER(get_connection)
{
    UNUSED(def, name);
    return number(r, r->conn->number);
}

GETTER(get_connection_requests)
{
    UNUSED(def, name);
    return number(r, r->serial);
}

GETTER(get_connection_time)
{
    UNUSED(def, name);
    return seconds(r, clock_ms() - r->conn->accepted_ms);
}

GETTER(get_pipe)
{
    UNUSED(def, name);
    return r->pipelined ? STR("p") : STR(".");
}

/* def->data is the offset of a uint32_t in struct tcp_info. */
GETTER(get_tcpinfo)
{
    (void)name;
    struct tcp_info info;
    socklen_t n = sizeof(info);
    uint32_t v;
    if (getsockopt(r->conn->stream.io.fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0) return NONE;
    if (n < def->data + sizeof(v)) return NONE;
    memcpy(&v, (const char *)&info + def->data, sizeof(v));
    return number(r, v);
}

/* --- the reply --- */

GETTER(get_status)
{
    UNUSED(def, name);
    return pool_printf(r->pool, "%03d", r->reply.status);
}

GETTER(get_request_completion)
{
    UNUSED(def, name);
    return r->reply.finished && !r->reply.aborted ? STR("OK") : STR("");
}

/* --- time and process --- */

GETTER(get_request_time)
{
    UNUSED(def, name);
    return seconds(r, clock_ms() - r->began_ms);
}

GETTER(get_msec)
{
    UNUSED(def, name);
    return seconds(r, clock_unix_ms());
}

/* Copies, since the clock's own texts change under a request that waits. */
GETTER(get_time_iso8601)
{
    UNUSED(def, name);
    return pool_str(r->pool, clock_iso8601());
}

GETTER(get_time_local)
{
    UNUSED(def, name);
    return pool_str(r->pool, clock_log_time());
}

GETTER(get_pid)
{
    UNUSED(def, name);
    return number(r, (uint64_t)getpid());
}

GETTER(get_hostname)
{
    UNUSED(def, name);
    static char host[256];
    (void)r;
    if (!host[0] && gethostname(host, sizeof(host) - 1) != 0) return NONE;
    return str_of(host);
}

GETTER(get_version)
{
    UNUSED(def, name);
    (void)r;
    return STR(PROXYD_VERSION);
}

/* The client's own, or what error_page has made of it; an inner request has another. */
static str_t get_request_method(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    return r->inner ? r->head.method : r->method;
}

/* Where the field is; does not compile when the field has another type. */
#define OFFSET(field, T) \
    offsetof(request_t, field) + 0 * sizeof(&((request_t *)0)->field == (T *)0)
#define TEXT(name, field) {name, get_text, OFFSET(field, str_t), VAR_NO_CACHE}
#define NUMBER(name, field) {name, get_number, OFFSET(field, uint64_t), VAR_NO_CACHE}
#define TCPINFO(name, field) {name, get_tcpinfo, offsetof(struct tcp_info, field), VAR_NO_CACHE}

const var_def_t var_core_defs[] = {
    TEXT("request", head.line),
    {"request_method", get_request_method, 0, VAR_NO_CACHE},
    {"request_uri", get_request_uri, 0, 0},
    TEXT("uri", uri),
    TEXT("document_uri", uri),
    {"args", get_args, (uintptr_t)put_args, VAR_NO_CACHE | VAR_CHANGEABLE | VAR_STORED},
    TEXT("query_string", args),
    {"is_args", get_is_args, 0, VAR_NO_CACHE},
    {"arg_", get_arg, 0, VAR_NO_CACHE | VAR_PREFIX},
    {"host", get_host, 0, VAR_NO_CACHE},
    TEXT("scheme", scheme),
    {"https", get_https, 0, VAR_NO_CACHE},
    {"server_name", get_server_name, 0, VAR_NO_CACHE},
    {"server_protocol", get_server_protocol, 0, VAR_NO_CACHE},
    {"http2", get_http2, 0, VAR_NO_CACHE},
    {"request_id", get_request_id, 0, 0},

    {"http_", var_field_http, 0, VAR_PREFIX},
    {"cookie_", var_field_request_cookie, 0, VAR_PREFIX},
    {"content_type", get_request_field, HEADER_CONTENT_TYPE, VAR_NO_CACHE},
    {"content_length", get_content_length, 0, VAR_NO_CACHE},
    {"remote_user", get_remote_user, 0, 0},
    {"request_body", get_request_body, 0, VAR_NO_CACHE},
    {"request_body_file", get_request_body_file, 0, VAR_NO_CACHE},
    NUMBER("request_length", received),

    {"remote_addr", get_remote_addr, 0, VAR_NO_CACHE},
    {"remote_port", get_remote_port, 0, VAR_NO_CACHE},
    {"binary_remote_addr", get_binary_remote_addr, 0, VAR_NO_CACHE},
    {"server_addr", get_server_addr, 0, 0},
    {"server_port", get_server_port, 0, 0},
    {"proxy_protocol_addr", get_proxied_addr, false, 0},
    {"proxy_protocol_port", get_proxied_port, false, 0},
    {"proxy_protocol_server_addr", get_proxied_addr, true, 0},
    {"proxy_protocol_server_port", get_proxied_port, true, 0},
    {"connection", get_connection, 0, 0},
    {"connection_requests", get_connection_requests, 0, 0},
    {"connection_time", get_connection_time, 0, VAR_NO_CACHE},
    {"pipe", get_pipe, 0, VAR_NO_CACHE},
    TCPINFO("tcpinfo_rtt", tcpi_rtt),
    TCPINFO("tcpinfo_rttvar", tcpi_rttvar),
    TCPINFO("tcpinfo_snd_cwnd", tcpi_snd_cwnd),
    TCPINFO("tcpinfo_rcv_space", tcpi_rcv_space),

    {"status", get_status, 0, VAR_NO_CACHE},
    NUMBER("body_bytes_sent", reply.body_sent),
    NUMBER("bytes_sent", reply.bytes_sent),
    {"request_completion", get_request_completion, 0, VAR_NO_CACHE},
    {"sent_http_", var_field_sent, 0, VAR_NO_CACHE | VAR_PREFIX},
    TEXT("sent_http_content_type", reply.content_type),
    TEXT("sent_http_server", reply.server),
    TEXT("sent_http_date", reply.date),
    {"sent_http_content_length", var_field_sent_content_length, 0, VAR_NO_CACHE},
    {"sent_http_connection", var_field_sent_connection, 0, VAR_NO_CACHE},
    {"sent_http_transfer_encoding", var_field_sent_transfer_encoding, 0, VAR_NO_CACHE},
    {"sent_trailer_", var_field_sent_trailer, 0, VAR_NO_CACHE | VAR_PREFIX},

    {"request_time", get_request_time, 0, VAR_NO_CACHE},
    {"msec", get_msec, 0, VAR_NO_CACHE},
    {"time_iso8601", get_time_iso8601, 0, VAR_NO_CACHE},
    {"time_local", get_time_local, 0, VAR_NO_CACHE},
    {"pid", get_pid, 0, VAR_NO_CACHE},
    {"hostname", get_hostname, 0, VAR_NO_CACHE},
    {"nginx_version", get_version, 0, VAR_NO_CACHE},
    {"proxyd_version", get_version, 0, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};
