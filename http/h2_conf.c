#include "http/h2_conf.h"

#include "http/hooks.h"

unsigned h2_index;

/* What nginx has given up, or what there is nothing of here to tune. */
static bool set_obsolete(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)conf;
    conf_warn(cf, node, 0, row->help, "\"%s\" is obsolete and ignored", row->name);
    return true;
}

#define CONF h2_conf_t
#define SITES (CONF_HTTP | CONF_SERVER)
#define OBSOLETE(name, contexts, instead) \
    CONF_CUSTOM(name, contexts, CONF_MANY, 1, 1, set_obsolete, CONF_NO_FIELD, NULL, instead)

static const conf_row_t rows[] = {
    CONF_NUMBER("http2_max_concurrent_streams", SITES, CONF, max_streams, "128", 1, 100000,
                "requests that a connection of HTTP/2 may have at once"),
    CONF_SIZE("http2_recv_buffer_size", CONF_HTTP, CONF, recv_buffer, "256k", 16384,
              16 * 1024 * 1024, "how much is read at once from a connection of HTTP/2"),
    CONF_SIZE("http2_chunk_size", SITES | CONF_LOCATION, CONF, chunk, "8k", 1, 16384,
              "the largest piece of a reply's body in one frame"),
    CONF_SIZE("http2_body_preread_size", SITES, CONF, preread, "64k", 1, 16 * 1024 * 1024,
              "how much of a request's body is taken before it is asked for"),
    OBSOLETE("http2_idle_timeout", SITES, "keepalive_timeout holds for HTTP/2, too"),
    OBSOLETE("http2_recv_timeout", SITES, "client_header_timeout holds for HTTP/2, too"),
    OBSOLETE("http2_max_requests", SITES, "keepalive_requests holds for HTTP/2, too"),
    OBSOLETE("http2_max_field_size", SITES, "large_client_header_buffers holds for HTTP/2, too"),
    OBSOLETE("http2_max_header_size", SITES, "large_client_header_buffers holds for HTTP/2, too"),
    OBSOLETE("http2_max_concurrent_pushes", SITES, "browsers have given up server push"),
    OBSOLETE("http2_push", SITES | CONF_LOCATION, "send 103 Early Hints from the origin"),
    OBSOLETE("http2_push_preload", SITES | CONF_LOCATION, "send 103 Early Hints from the origin"),
    OBSOLETE("http2_pool_size", SITES, "leave it out: pools have the size they need"),
    OBSOLETE("http2_streams_index_size", SITES, "leave it out: tables have the size they need"),
    CONF_END,
};

const module_t http2_module = {
    .name = "http2",
    .index = &h2_index,
    .rows = rows,
    .conf_size = sizeof(h2_conf_t),
};
