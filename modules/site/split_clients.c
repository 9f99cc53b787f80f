/*
 * split_clients: a variable that divides requests into parts of given shares, by a hash of a text.
 *
 *     split_clients "${remote_addr}" $variant { 0.5% .one; 20% .two; * ""; }
 *
 * The hash is the one that nginx takes (MurmurHash2, 32 bits, seed 0), so that clients stay in
 * their part when a proxyd takes over.
 */
#include "http/http.h"
#include "http/request.h"

typedef struct part {
    uint32_t below; /* of the hash; UINT32_MAX: the rest */
    text_t value;
} part_t;

typedef struct split {
    text_t source;
    VEC(part_t) parts;
} split_t;

static unsigned split_index;

static uint32_t mix(uint32_t k)
{
    k *= 0x5bd1e995;
    k ^= k >> 24;
    return k * 0x5bd1e995;
}

static uint32_t murmur2(str_t s)
{
    uint32_t h = (uint32_t)s.n, k = 0;
    size_t i = 0;
    for (; s.n - i >= 4; i += 4) {
        for (unsigned j = 0; j < 4; j++) k = k >> 8 | (uint32_t)(unsigned char)s.p[i + j] << 24;
        h = h * 0x5bd1e995 ^ mix(k);
    }
    for (size_t j = s.n; j > i; j--) h ^= (uint32_t)(unsigned char)s.p[j - 1] << 8 * (j - 1 - i);
    if (i < s.n) h *= 0x5bd1e995;
    h ^= h >> 13;
    h *= 0x5bd1e995;
    return h ^ h >> 15;
}

static str_t get_split(request_t *r, void *data)
{
    const split_t *split = data;
    uint32_t hash = murmur2(text_eval(&split->source, r));
    VEC_EACH(const part_t, part, &split->parts)
        if (hash < part->below || part->below == UINT32_MAX) return text_eval(&part->value, r);
    return STR("");
}

/* "12.34%" in hundredths of a percent. */
static bool parse_share(str_t s, uint64_t *out)
{
    uint64_t whole, part = 0;
    if (!str_ends(s, STR("%"))) return false;
    s.n--;
    size_t dot = str_find(s, 0, '.');
    if (!str_to_u64(str_sub(s, 0, dot), &whole) || whole > 100) return false;
    if (dot < s.n && (s.n - dot > 3 || !str_to_u64(str_sub(s, dot + 1, s.n), &part))) return false;
    *out = whole * 100 + (s.n - dot == 2 ? part * 10 : part);
    return *out > 0;
}

static bool add_part(conf_t *cf, split_t *split, const tree_node_t *line, uint64_t *sum)
{
    uint64_t share;
    str_t word = line->words[0].text;
    part_t part = {.below = UINT32_MAX};
    if (line->n != 2 || line->block)
        return conf_error(cf, line, 0, "PERCENT% VALUE; or * VALUE;",
                          "a share and a value are needed");
    if (!text_compile(cf, line, 1, line->words[1].text, &part.value)) return false;
    if (!str_eq(word, STR("*"))) {
        if (!parse_share(word, &share))
            return conf_error(cf, line, 0, "for example 0.5% or 20%",
                              "invalid percent value \"" STR_FMT "\"", STR_ARG(word));
        *sum += share;
        if (*sum > 10000)
            return conf_error(cf, line, 0, NULL, "percent total is greater than 100%%");
        uint32_t before = split->parts.n ? split->parts.v[split->parts.n - 1].below : 0;
        part.below = before + (uint32_t)(share * 0xffffffff / 10000);
    }
    *VEC_PUSH(cf->pool, &split->parts) = part;
    return true;
}

static bool define(conf_t *cf, const tree_node_t *node, split_t *split)
{
    int index = var_define_word(cf, node, 2);
    if (index < 0) return false;
    var_t *var = var_at(http_conf_read(cf)->vars, (unsigned)index);
    var->get = get_split;
    var->data = split;
    return true;
}

static bool set_split(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)conf;
    uint64_t sum = 0;
    split_t *split = POOL_NEW(cf->pool, split_t);
    bool ok = text_compile(cf, node, 1, node->words[1].text, &split->source);
    for (const tree_node_t *line = node->children; line; line = line->next)
        ok = add_part(cf, split, line, &sum) && ok;
    return ok && define(cf, node, split);
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("split_clients", CONF_HTTP, CONF_MANY | CONF_BLOCK | CONF_RAW, 2, 2, set_split,
                CONF_NO_FIELD, NULL,
                "a variable with shares: split_clients TEXT $NAME { 20% VALUE; * VALUE; }"),
    CONF_END,
};

const module_t split_clients_module = {
    .name = "split_clients",
    .index = &split_index,
    .rows = rows,
};
