#include "modules/ssl/acme_names.h"

#include "core/base/strbuf.h"

bool acme_names_is_variable(str_t text)
{
    return str_eq(text, STR("$acme_certificate")) || str_eq(text, STR("$acme_certificate_key"));
}

/* --- names --- */

static bool is_label(str_t label)
{
    enum { LABEL_MOST = 63 };
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        bool ok = (c >= 'a' && c <= 'z') || ascii_digit(c) || c == '-';
        if (!ok) return false;
    }
    return label.n && label.n <= LABEL_MOST && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

bool acme_names_is_good(str_t name)
{
    str_t rest = name, label = STR("");
    bool letters = false;
    while (str_cut(&rest, '.', &label)) {
        if (!is_label(label)) return false;
        letters = !ascii_digit(label.p[label.n - 1]); /* of the last: or it is an address */
    }
    return name.n && name.n <= ACME_BOARD_NAME && name.p[name.n - 1] != '.' && letters;
}

static bool add_name(conf_t *cf, acme_certificate_t *c, const tree_node_t *node, unsigned word)
{
    str_t name = pool_lower(cf->pool, node->words[word].text);
    VEC_EACH(const str_t, it, &c->names) if (str_eq(*it, name)) return true;
    if (!acme_names_is_good(name))
        return conf_error(cf, node, word,
                          "names of hosts, in acme_certificate ISSUER NAME ... if server_name has "
                          "others", "no certificate can be asked for \"" STR_FMT "\"",
                          STR_ARG(name));
    if (c->names.n == ACME_NAMES_MOST)
        return conf_error(cf, node, word, NULL, "too many names for one certificate");
    *VEC_PUSH(cf->pool, &c->names) = pool_str(cf->pool, name);
    return true;
}

/* Those of the block's server_name; "" is nobody's name, of ".a.test" a.test is taken. */
static bool add_server_names(conf_t *cf, acme_certificate_t *c)
{
    bool ok = true;
    for (const tree_node_t *n = c->node->parent->children; n; n = n->next) {
        if (!str_eq(n->words[0].text, STR("server_name"))) continue;
        for (unsigned i = 1; i < n->n; i++) {
            if (n->words[i].text.n && n->words[i].text.p[0] == '.') {
                tree_word_t bare = n->words[i];
                tree_node_t as_if = {.words = &bare, .parent = n->parent};
                bare.text = str_sub(bare.text, 1, bare.text.n);
                ok = add_name(cf, c, &as_if, 0) && ok;
            } else if (n->words[i].text.n) {
                ok = add_name(cf, c, n, i) && ok;
            }
        }
    }
    return ok;
}

/* --- the directive --- */

static bool set_key(conf_t *cf, acme_certificate_t *c, unsigned word, str_t text)
{
    return acme_key_type_read(text, &c->key_type) ||
           conf_error(cf, c->node, word, ACME_KEY_TYPES, "unknown kind of key \"" STR_FMT "\"",
                      STR_ARG(text));
}

static bool read_words(conf_t *cf, acme_certificate_t *c)
{
    str_t value;
    bool ok = true;
    acme_key_type_read(STR("ecdsa"), &c->key_type);
    for (unsigned i = 2; i < c->node->n; i++) {
        if (value_keyed(c->node->words[i].text, "key", &value)) ok = set_key(cf, c, i, value) && ok;
        else ok = add_name(cf, c, c->node, i) && ok;
    }
    if (ok && !c->names.n) ok = add_server_names(cf, c);
    if (!ok || c->names.n) return ok;
    return conf_error(cf, c->node, 0, "acme_certificate ISSUER NAME ...; or a server_name",
                      "acme_certificate without a name to ask for");
}

static str_t id_of(pool_t *pool, const acme_certificate_t *c)
{
    strbuf_t out = {.pool = pool};
    strbuf_add(&out, c->issuer_name);
    VEC_EACH(const str_t, name, &c->names) strbuf_printf(&out, " " STR_FMT, STR_ARG(*name));
    strbuf_printf(&out, " " STR_FMT, STR_ARG(acme_key_type_text(pool, c->key_type)));
    return strbuf_text(&out);
}

bool acme_names_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    acme_all_t *all = acme_all(conf_get(cf->scope, &acme_module));
    acme_certificate_t *c = POOL_NEW(cf->pool, acme_certificate_t);
    c->node = node;
    c->all = all;
    c->issuer_name = pool_str(cf->pool, node->words[1].text);
    if (!read_words(cf, c)) return false;
    c->name = c->names.v[0];
    c->id = id_of(cf->pool, c);
    acme_certificate_t *same = hash_map_get(&all->by_id, c->id);
    *CONF_AT(row, conf, struct acme_certificate *) = same ? same : c;
    if (same) return true;
    hash_map_set(&all->by_id, c->id, c);
    *VEC_PUSH(all->pool, &all->certificates) = c;
    return true;
}
