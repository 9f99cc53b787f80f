#include "modules/site/autoindex.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/http.h"
#include "modules/site/autoindex_page.h"

enum { FORMAT_HTML, FORMAT_JSON };

typedef struct autoindex_conf {
    bool on, exact_size, local_time;
    unsigned format;
} autoindex_conf_t;

static unsigned autoindex_index;

static verdict_t refuse(request_t *r, const path_t *path, const char *failed, int err)
{
    bool missing = err == ENOENT || err == ENOTDIR || err == ENAMETOOLONG;
    bool denied = err == EACCES || err == EPERM || err == ELOOP;
    int level = missing || denied ? LOG_ERR : LOG_CRIT;
    LOG(&r->log, level, err, "%s \"" STR_FMT "\" failed", failed, STR_ARG(path->full));
    return verdict_refuse(missing ? 404 : denied ? 403 : 500, level, NULL);
}

/* A link whose target is not there is listed for itself. */
static bool stat_entry(int dir, const char *name, struct stat *st)
{
    return fstatat(dir, name, st, 0) == 0 || fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void read_entries(pool_t *pool, DIR *dir, autoindex_entries_t *out)
{
    const struct dirent *d;
    struct stat st;
    while ((d = readdir(dir)) != NULL) {
        if (d->d_name[0] == '.' || !stat_entry(dirfd(dir), d->d_name, &st)) continue;
        *VEC_PUSH(pool, out) = (autoindex_entry_t){
            .name = pool_str(pool, str_of(d->d_name)),
            .size = (uint64_t)st.st_size,
            .mtime = st.st_mtime,
            .directory = S_ISDIR(st.st_mode),
            .regular = S_ISREG(st.st_mode),
        };
    }
    autoindex_page_sort(out);
}

static verdict_t send_page(request_t *r, const autoindex_conf_t *c,
                           const autoindex_entries_t *entries)
{
    autoindex_style_t style = {c->exact_size, c->local_time};
    if (c->format == FORMAT_JSON)
        return reply_text(r, 200, STR("application/json"), autoindex_page_json(r->pool, entries));
    return reply_text(r, 200, STR("text/html"),
                      autoindex_page_html(r->pool, r->uri, entries, style));
}

verdict_t autoindex_list(request_t *r)
{
    const autoindex_conf_t *c = request_conf(r, autoindex_index);
    autoindex_entries_t entries = {0};
    path_t path;
    file_t f;
    if (!c->on) return VERDICT(NEXT);
    verdict_t v = path_map(r, &static_conf(r)->path, r->uri, STR(""), &path);
    if (v.kind != VERDICT_NEXT) return v;
    int err = static_open(r, &path, &f);
    if (err < 0) return refuse(r, &path, f.failed, -err);
    DIR *dir = f.directory ? fdopendir(f.fd) : NULL;
    if (!dir) {
        err = f.directory ? errno : ENOTDIR;
        close(f.fd);
        return refuse(r, &path, "opendir()", err);
    }
    read_entries(r->pool, dir, &entries);
    closedir(dir);
    return send_page(r, c, &entries);
}

static const conf_name_t formats[] = {{"html", FORMAT_HTML}, {"json", FORMAT_JSON}, {NULL, 0}};

static const conf_row_t rows[] = {
    CONF_FLAG("autoindex", CONF_HTTP_ALL, autoindex_conf_t, on, "off",
              "whether directories without an index file are listed"),
    CONF_FLAG("autoindex_exact_size", CONF_HTTP_ALL, autoindex_conf_t, exact_size, "on",
              "whether listings tell sizes to the byte"),
    CONF_FLAG("autoindex_localtime", CONF_HTTP_ALL, autoindex_conf_t, local_time, "off",
              "whether listings tell the local time"),
    CONF_ENUM("autoindex_format", CONF_HTTP_ALL, autoindex_conf_t, format, "html", formats,
              "what listings are written in"),
    CONF_END,
};

const module_t autoindex_module = {
    .name = "autoindex",
    .index = &autoindex_index,
    .rows = rows,
    .conf_size = sizeof(autoindex_conf_t),
};
