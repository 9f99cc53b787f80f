#include "core/process/ctl_conf.h"

#include "core/process/ctl.h"
#include "core/process/generation.h"

enum { MODE = 0600, MODE_MOST = 0777 };

static bool set_mode(conf_t *cf, const tree_node_t *node, unsigned word, unsigned *out)
{
    str_t text = node->words[word].text, value;
    bool good = value_keyed(text, "mode", &value) && value.n >= 3 && value.n <= 4;
    unsigned mode = 0;
    for (size_t i = 0; good && i < value.n; i++) {
        good = value.p[i] >= '0' && value.p[i] <= '7';
        mode = mode * 8 + (unsigned)(value.p[i] - '0');
    }
    *out = mode;
    if (good && mode > 0 && mode <= MODE_MOST) return true;
    return conf_error(cf, node, word, "mode=0600, or mode=0660 for the group, too",
                      "control: invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

static bool address_of(conf_t *cf, str_t path, net_addr_t *out)
{
    return net_parse(pool_concat(cf->pool, STR("unix:"), path), 0, out);
}

bool ctl_conf_set(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    ctl_conf_t *c = CONF_AT(row, module_struct, ctl_conf_t);
    str_t text = node->words[1].text;
    net_addr_t addr;
    *c = (ctl_conf_t){.given = true, .mode = MODE};
    if (str_eq(text, STR("off")) && node->n == 2) return true;
    c->path = conf_full_path(cf, text, false);
    if (node->n > 2 && !set_mode(cf, node, 2, &c->mode)) return false;
    if (address_of(cf, c->path, &addr)) return true;
    return conf_error(cf, node, 1, "a unix socket's path has at most 107 bytes",
                      "control: \"" STR_FMT "\" cannot be the path of a socket", STR_ARG(c->path));
}

static str_t beside(pool_t *pool, str_t pid)
{
    if (str_ends(pid, STR(".pid"))) pid.n -= 4;
    return pool_concat(pool, pid, STR(".sock"));
}

void ctl_conf_declare(conf_t *cf, ctl_conf_t *c, str_t pid)
{
    net_addr_t addr;
    if (!c->given) *c = (ctl_conf_t){.path = beside(cf->pool, pid), .mode = MODE};
    if (c->path.n == 0) return;
    if (!address_of(cf, c->path, &addr)) { /* the default one */
        conf_warn(cf, NULL, 0, "name a short one: control PATH",
                  "there is no control socket: the path beside the pid file is too long");
        c->path = STR("");
        return;
    }
    listen_t *l = listen_want(&generation_of(cf)->listens, &addr);
    l->options.mode = c->mode;
    l->options.own = l->options.set = true;
    l->serve = ctl_serve;
    l->data = cf->generation;
}
