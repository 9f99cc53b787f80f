#include "http/negotiate.h"

enum { WEIGHT_MOST = 1000, NOT_LISTED = 0xffff };

static const str_t names[CODING_COUNT] = {
    [CODING_GZIP] = STR_INIT("gzip"),
    [CODING_BR] = STR_INIT("br"),
    [CODING_ZSTD] = STR_INIT("zstd"),
    [CODING_DEFLATE] = STR_INIT("deflate"),
};

str_t negotiate_name(coding_t coding)
{
    return names[coding];
}

coding_t negotiate_coding(str_t name)
{
    for (coding_t c = CODING_IDENTITY + 1; c < CODING_COUNT; c++)
        if (str_ieq(name, names[c])) return c;
    if (str_ieq(name, STR("identity"))) return CODING_IDENTITY;
    return str_ieq(name, STR("x-gzip")) ? CODING_GZIP : CODING_COUNT;
}

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), in thousandths; else 0. */
static uint16_t qvalue(str_t s)
{
    if (!s.n || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1')) return 0;
    if (s.n > 1 && s.p[1] != '.') return 0;
    unsigned v = (unsigned)(s.p[0] - '0') * WEIGHT_MOST, unit = 100;
    for (size_t i = 2; i < s.n; i++, unit /= 10) {
        if (!ascii_digit(s.p[i])) return 0;
        v += (unsigned)(s.p[i] - '0') * unit;
    }
    return v <= WEIGHT_MOST ? (uint16_t)v : 0;
}

/* weight = OWS ";" OWS "q=" qvalue; what stands behind the name has come without its ";". */
static uint16_t weight_of(str_t parameter)
{
    parameter = str_trim(parameter);
    if (!str_istarts(parameter, STR("q="))) return 0;
    return qvalue(str_sub(parameter, 2, parameter.n));
}

static void read_member(negotiate_t *n, uint16_t *others, str_t member)
{
    size_t end = str_find(member, 0, ';');
    str_t name = str_trim(str_sub(member, 0, end));
    uint16_t weight = end < member.n ? weight_of(str_sub(member, end + 1, member.n)) : WEIGHT_MOST;
    coding_t coding = negotiate_coding(name);
    uint16_t *to = str_eq(name, STR("*")) ? others
                   : coding < CODING_COUNT ? &n->weight[coding]
                                           : NULL;
    if (to && *to == NOT_LISTED) *to = weight;
}

negotiate_t negotiate_read(const header_list_t *request)
{
    negotiate_t n;
    uint16_t others = NOT_LISTED;
    for (unsigned i = 0; i < CODING_COUNT; i++) n.weight[i] = NOT_LISTED;
    const header_t *h = NULL;
    while ((h = header_next(request, HEADER_ACCEPT_ENCODING, h))) {
        str_t rest = h->value, member;
        while (header_element(&rest, &member)) read_member(&n, &others, member);
    }
    for (unsigned i = 0; i < CODING_COUNT; i++) {
        if (n.weight[i] != NOT_LISTED) continue;
        if (others != NOT_LISTED)
            n.weight[i] = others;
        else
            n.weight[i] = i == CODING_IDENTITY ? 1 : 0; /* acceptable, less than what is listed */
    }
    return n;
}

coding_t negotiate_choose(const negotiate_t *n, const coding_t *offered, unsigned count)
{
    coding_t best = CODING_IDENTITY;
    uint16_t weight = 0;
    for (unsigned i = 0; i < count; i++) {
        if (n->weight[offered[i]] <= weight) continue;
        best = offered[i];
        weight = n->weight[best];
    }
    return n->weight[CODING_IDENTITY] > weight ? CODING_IDENTITY : best;
}
