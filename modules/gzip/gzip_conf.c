#include "modules/gzip/gzip_conf.h"

#include "http/hooks.h"
#include "modules/gzip/codec.h"

enum { WHOLE_MOST = 8 << 20 };

static bool add_regex(conf_t *cf, const tree_node_t *node, unsigned word, str_t source,
                      const regex_t **out)
{
    char error[REGEX_ERROR_MAX];
    size_t at;
    *out = regex_compile(cf->pool, source, true, error, &at);
    if (*out) return true;
    return conf_error(cf, node, word, NULL,
                      "regular expression \"" STR_FMT "\": %s at \"" STR_FMT "\"", STR_ARG(source),
                      error, STR_ARG(str_sub(source, at, source.n)));
}

/* gzip_disable regex ...; msie6 are the old ones that claim gzip and cannot (but not with SV1). */
static bool set_disable(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    gzip_conf_t *c = conf;
    bool ok = true;
    (void)row;
    for (unsigned i = 1; i < node->n; i++) {
        str_t source = node->words[i].text;
        if (str_eq(source, STR("msie6"))) source = STR("MSIE (?:[45]\\.|6\\.(?!.*SV1))");
        ok = add_regex(cf, node, i, source, VEC_PUSH(cf->pool, &c->disable)) && ok;
    }
    return ok;
}

static bool set_unused_buffers(conf_t *cf, const conf_row_t *row, void *conf,
                               const tree_node_t *node)
{
    unsigned number;
    size_t size;
    (void)row, (void)conf;
    return conf_number(cf, node, 1, node->words[1].text, 1, 0, &number) &&
           conf_size(cf, node, 2, node->words[2].text, 1, 0, &size);
}

/* gzip_buffers number size: the product bounds what is gathered. */
static bool set_whole_most(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    unsigned number;
    size_t size;
    if (!conf_number(cf, node, 1, node->words[1].text, 1, 1024, &number) ||
        !conf_size(cf, node, 2, node->words[2].text, 1, WHOLE_MOST, &size))
        return false;
    *CONF_AT(row, conf, size_t) = number * size < WHOLE_MOST ? number * size : WHOLE_MOST;
    return true;
}

/* A build may be without the library. */
static bool check_codec(conf_t *cf, const tree_node_t *node, unsigned word, coding_t coding)
{
    const char *library = coding == CODING_BR ? "brotli" : "zstd";
    return codec_of(coding) ||
           conf_error(cf, node, word, "build it without that option, or leave this out",
                      "this proxyd was configured --without-%s", library);
}

/* brotli, zstd on | off */
static bool set_coding(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    bool brotli = str_eq(node->words[0].text, STR("brotli"));
    if (!conf_set_flag(cf, row, conf, node)) return false;
    return !*CONF_AT(row, conf, bool) || check_codec(cf, node, 0, brotli ? CODING_BR : CODING_ZSTD);
}

static const conf_name_t packings[] = {{"off", CODING_IDENTITY},
                                       {"gzip", CODING_GZIP},
                                       {"br", CODING_BR},
                                       {"zstd", CODING_ZSTD},
                                       {NULL, 0}};

static bool set_body_pack(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    if (!conf_set_enum(cf, row, conf, node)) return false;
    coding_t coding = (coding_t)*CONF_AT(row, conf, unsigned);
    return coding == CODING_IDENTITY || check_codec(cf, node, 1, coding);
}

static const conf_name_t versions[] = {{"1.0", GZIP_HTTP_10}, {"1.1", GZIP_HTTP_11}, {NULL, 0}};

static const conf_name_t proxied[] = {
    {"off", 0},
    {"expired", GZIP_PROXIED_EXPIRED},
    {"no-cache", GZIP_PROXIED_NO_CACHE},
    {"no-store", GZIP_PROXIED_NO_STORE},
    {"private", GZIP_PROXIED_PRIVATE},
    {"no_last_modified", GZIP_PROXIED_NO_LAST_MODIFIED},
    {"no_etag", GZIP_PROXIED_NO_ETAG},
    {"auth", GZIP_PROXIED_AUTH},
    {"any", GZIP_PROXIED_ANY},
    {NULL, 0},
};

#define ALL CONF_HTTP_ALL
#define ALL_IF (CONF_HTTP_ALL | CONF_LOCATION_IF)
#define CONF gzip_conf_t
#define UNUSED "accepted for nginx's sake: "
#define USUAL "the types to compress, besides text/html; *: all. Without it: the usual types of " \
              "text (HTML, CSS, JavaScript, JSON, XML, SVG, plain text and their kin)"
#define MIN_LENGTH "replies whose Content-Length is less than this are left as they are"
#define UNUSED_BUFFERS(name) \
    CONF_CUSTOM(name, ALL, 0, 2, 2, set_unused_buffers, CONF_NO_FIELD, NULL, \
                UNUSED "one buffer is enough")

const conf_row_t gzip_conf_rows[] = {
    CONF_FLAG("gzip", ALL_IF, CONF, coding[CODING_GZIP].on, "off",
              "compresses replies for clients that take it"),
    CONF_NUMBER("gzip_comp_level", ALL, CONF, coding[CODING_GZIP].level, "1", 1, 9,
                "how hard to try: 1 is fastest, 9 makes the smallest replies"),
    CONF_SIZE("gzip_min_length", ALL, CONF, coding[CODING_GZIP].min_length, "20", 0, 0,
              MIN_LENGTH),
    CONF_STRS("gzip_types", ALL, CONF, coding[CODING_GZIP].types, USUAL),
    CONF_MASK("gzip_proxied", ALL, CONF, proxied, "off", proxied,
              "which replies are packed with gzip for a client behind a proxy (one that says Via)"),
    CONF_FLAG("gzip_vary", ALL, CONF, vary, "on",
              "says Vary: Accept-Encoding where a reply may come in one coding or another"),
    CONF_ENUM("gzip_http_version", ALL, CONF, http_version, "1.1", versions,
              "the least version of a request whose reply is packed with gzip"),
    CONF_CUSTOM("gzip_disable", ALL, CONF_MANY, 1, UINT_MAX, set_disable,
                CONF_FIELD(CONF, disable, gzip_regexes_t), NULL,
                "expressions for the User-Agent of clients that cannot take what they say; msie6"),
    CONF_CUSTOM("gzip_buffers", ALL, 0, 2, 2, set_whole_most, CONF_FIELD(CONF, whole_most, size_t),
                "32 4k",
                "how large a reply may be to be gathered and packed in one go, which is cheaper, "
                "in any coding: number times size; larger ones, and what streams, go through"),
    CONF_CUSTOM("brotli", ALL_IF, 0, 1, 1, set_coding,
                CONF_FIELD(CONF, coding[CODING_BR].on, bool), "off",
                "compresses replies with Brotli for clients that take it"),
    CONF_NUMBER("brotli_comp_level", ALL, CONF, coding[CODING_BR].level, "6", 0, 11,
                "how hard to try: 0 is fastest, 11 makes the smallest replies (from 10 on so "
                "slowly that all else waits: for files packed beforehand)"),
    CONF_SIZE("brotli_min_length", ALL, CONF, coding[CODING_BR].min_length, "20", 0, 0, MIN_LENGTH),
    CONF_STRS("brotli_types", ALL, CONF, coding[CODING_BR].types, USUAL),
    CONF_SIZE("brotli_window", ALL, CONF, coding[CODING_BR].window, "512k", 1024, 16 << 20,
              "how far back repetition is looked for, as a power of two; bounds memory"),
    CONF_CUSTOM("zstd", ALL_IF, 0, 1, 1, set_coding,
                CONF_FIELD(CONF, coding[CODING_ZSTD].on, bool), "off",
                "compresses replies with zstd for clients that take it"),
    CONF_NUMBER("zstd_comp_level", ALL, CONF, coding[CODING_ZSTD].level, "3", 1, 19,
                "how hard to try: 1 is fastest, 19 makes the smallest replies"),
    CONF_SIZE("zstd_min_length", ALL, CONF, coding[CODING_ZSTD].min_length, "20", 0, 0, MIN_LENGTH),
    CONF_STRS("zstd_types", ALL, CONF, coding[CODING_ZSTD].types, USUAL),
    CONF_SIZE("zstd_window", ALL, CONF, coding[CODING_ZSTD].window, "512k", 1024, 8 << 20,
              "how far back repetition is looked for, as a power of two; bounds memory"),
    CONF_FLAG("gzip_adaptive", ALL, CONF, adaptive, "off",
              "lowers the level, in any coding, while the worker has no CPU left"),
    CONF_FLAG("compress_breach_guard", ALL, CONF, breach_guard, "off",
              "does not compress what another site may have asked for with the user's cookies or "
              "Authorization and words of its own (arguments, a body, the path of an error), "
              "unless the reply is Cache-Control: public: its size would tell what secrets stand "
              "beside them (BREACH)"),
    CONF_FLAG("gunzip", ALL, CONF, gunzip, "off",
              "decompresses replies for clients that do not take gzip, Brotli or zstd"),
    CONF_NUMBER("gunzip_ratio", ALL, CONF, gunzip_ratio, "2000", 0, UINT_MAX,
                "how many times larger than it came a reply may get when decompressed, from 1 MiB "
                "on; 0: any number of times"),
    CONF_FLAG("client_body_decompress", ALL, CONF, body_unpack, "off",
              "unpacks request bodies in gzip, deflate, br or zstd, so that the origin gets them "
              "plain; client_max_body_size holds for both forms"),
    CONF_NUMBER("client_body_decompress_ratio", ALL, CONF, body_ratio, "200", 0, UINT_MAX,
                "how many times larger than it came a request body may get when unpacked, from 1 "
                "MiB on; 0: any number of times"),
    {"proxy_request_compress", ALL, 0, 1, 1, set_body_pack, CONF_FIELD(CONF, body_pack, unsigned),
     "off", 0, 0, packings,
     "packs request bodies for origins that take that; which, and how well, is said by types, "
     "min_length and comp_level of the coding. Not together with proxy_set_body"},
    UNUSED_BUFFERS("gunzip_buffers"),
    UNUSED_BUFFERS("brotli_buffers"),
    UNUSED_BUFFERS("zstd_buffers"),
    CONF_SIZE("gzip_window", ALL, CONF, coding[CODING_GZIP].window, "32k", 512, 32768,
              UNUSED "the window is always the largest"),
    CONF_SIZE("gzip_hash", ALL, CONF, hash, "64k", 512, 131072,
              UNUSED "the table is always zlib's usual one"),
    CONF_SIZE("postpone_gzipping", ALL, CONF, postpone, "0", 0, 0,
              UNUSED "a reply that streams is flushed as its origin flushes"),
    CONF_FLAG("gzip_no_buffer", ALL, CONF, no_buffer, "off",
              UNUSED "a reply that streams is flushed as its origin flushes"),
    CONF_END,
};
