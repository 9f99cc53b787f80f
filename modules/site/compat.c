/*
 * compat: directives of nginx's that mean nothing here, or ask for what is so anyway.
 *
 * A configuration that has them is none the worse for it. What would change what clients or origins
 * see is not among them: that is refused by name, with what to write instead.
 */
#include "http/http.h"

static unsigned compat_index;

static bool take_any(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)cf, (void)row, (void)conf, (void)node;
    return true;
}

/* What is only accepted when it is off. */
static bool take_off(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t value = node->words[1].text;
    (void)conf;
    if (str_eq(value, STR("off")) || str_eq(value, STR("0"))) return true;
    return conf_error(cf, node, 1, "off, or leave it out", "%s is not known here", row->name);
}

/* nginx's own error since 1.25.1 says the same. */
static bool take_ssl(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)conf;
    if (str_eq(node->words[1].text, STR("off"))) return true;
    return conf_error(cf, node, 0, "listen 443 ssl;", "\"ssl on\" is the listen parameter ssl now");
}

/* Packages have the block for whoever fills it. */
static bool take_stream(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)conf;
    for (const tree_node_t *child = node->children; child; child = child->next)
        if (str_eq(child->words[0].text, STR("server")))
            return conf_error(cf, child, 0, "another program, or listen and proxy_pass in http",
                              "stream servers are not known here: HTTP alone is carried");
    return true;
}

#define ALL CONF_HTTP_ALL
#define SERVER (CONF_HTTP | CONF_SERVER)
#define SAKE "accepted for nginx's sake: "
#define ACCEPTED(name, contexts, most, help) \
    CONF_CUSTOM(name, contexts, 0, 1, most, take_any, CONF_NO_FIELD, NULL, SAKE help)
#define OFF(name, contexts, most) \
    CONF_CUSTOM(name, contexts, CONF_MANY, 1, most, take_off, CONF_NO_FIELD, NULL, \
                SAKE "off is all that there is")

static const conf_row_t rows[] = {
    ACCEPTED("connection_pool_size", SERVER, 1, "memory is taken as it is needed"),
    ACCEPTED("request_pool_size", SERVER, 1, "memory is taken as it is needed"),
    ACCEPTED("subrequest_output_buffer_size", ALL, 1, "memory is taken as it is needed"),
    ACCEPTED("client_body_in_single_buffer", ALL, 1, "a body in memory always is in one piece"),
    ACCEPTED("keepalive_disable", ALL, UINT_MAX, "the browsers that this was for are gone"),
    ACCEPTED("msie_padding", ALL, 1, "the browsers that this was for are gone"),
    ACCEPTED("msie_refresh", ALL, 1, "the browsers that this was for are gone"),
    ACCEPTED("open_log_file_cache", ALL, 4, "logs stay open, those of variable paths, too"),
    ACCEPTED("fastcgi_temp_path", ALL, 4, "no FastCGI is spoken"),
    ACCEPTED("uwsgi_temp_path", ALL, 4, "no uwsgi is spoken"),
    ACCEPTED("scgi_temp_path", ALL, 4, "no SCGI is spoken"),
    ACCEPTED("proxy_force_ranges", ALL, 1,
             "origins answer ranges themselves; the cache does for what it has"),
    ACCEPTED("referer_hash_max_size", CONF_SERVER | CONF_LOCATION, 1, "tables grow as they must"),
    ACCEPTED("referer_hash_bucket_size", CONF_SERVER | CONF_LOCATION, 1,
             "tables grow as they must"),
    OFF("client_body_in_file_only", ALL, 1),
    OFF("proxy_limit_rate", ALL, 1),
    OFF("ssi", ALL | CONF_LOCATION_IF, 1),
    OFF("userid", ALL, 1),
    OFF("dav_methods", ALL, UINT_MAX),
    OFF("random_index", CONF_LOCATION, 1),
    CONF_CUSTOM("stream", CONF_MAIN, CONF_BLOCK | CONF_RAW | CONF_MANY, 0, 0, take_stream,
                CONF_NO_FIELD, NULL, SAKE "as long as there is no server in it"),
    CONF_CUSTOM("ssl", SERVER, 0, 1, 1, take_ssl, CONF_NO_FIELD, NULL,
                SAKE "listen has the parameter ssl"),
    CONF_END,
};

const module_t compat_module = {
    .name = "compat",
    .index = &compat_index,
    .rows = rows,
};
