#include "modules/site/substitute.h"

#include <ctype.h>

enum { WORK = 16 * 1024, PIECES = 16 };

typedef struct outlet {
    substitute_send_fn send;
    void *arg;
    piece_t pieces[PIECES];
    unsigned n;
} outlet_t;

void substitute_begin(substitute_t *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        str_t match = s->pairs[i].match;
        if (!match.n) continue;
        s->active++;
        s->begins[(unsigned char)tolower((unsigned char)match.p[0])] = true;
        s->begins[(unsigned char)toupper((unsigned char)match.p[0])] = true;
        if (match.n > s->longest) s->longest = match.n;
    }
}

static int put(outlet_t *o, str_t s)
{
    int err = 0;
    if (!s.n) return 0;
    if (o->n == PIECES) {
        err = o->send(o->arg, o->pieces, o->n);
        o->n = 0;
    }
    o->pieces[o->n++] = PIECE_MEMORY(s);
    return err;
}

/* The pair that matches at the beginning of `at`. *hold: it may be one, more is to be seen. */
static substitute_pair_t *match_at(const substitute_t *s, str_t at, bool last, bool *hold)
{
    for (unsigned i = 0; i < s->count; i++) {
        substitute_pair_t *pair = &s->pairs[i];
        if (pair->used || !pair->match.n) continue;
        if (str_istarts(at, pair->match)) return pair;
        *hold = !last && at.n < pair->match.n && str_istarts(pair->match, at);
        if (*hold) return NULL;
    }
    return NULL;
}

static void use(substitute_t *s, substitute_pair_t *pair)
{
    if (!s->once) return;
    pair->used = true;
    s->active--;
}

/* Works through what is there; what may be the beginning of a match stays, unless it is the
   last. */
static int scan(substitute_t *s, bool last, outlet_t *o)
{
    buf_t *b = s->work;
    const char *p = b->pos;
    int err = 0;
    while (p < b->last && s->active && err == 0) {
        bool hold = false;
        substitute_pair_t *pair = NULL;
        if (s->begins[(unsigned char)*p])
            pair = match_at(s, str_make(p, (size_t)(b->last - p)), last, &hold);
        if (hold) break;
        if (!pair) {
            p++;
            continue;
        }
        err = put(o, str_make(b->pos, (size_t)(p - b->pos)));
        if (err == 0) err = put(o, pair->with);
        p = b->pos += (size_t)(p - b->pos) + pair->match.n;
        use(s, pair);
    }
    if (!s->active) p = b->last;
    if (err == 0) err = put(o, str_make(b->pos, (size_t)(p - b->pos)));
    if (err == 0 && o->n) err = o->send(o->arg, o->pieces, o->n);
    b->pos += p - b->pos;
    return err;
}

int substitute_feed(substitute_t *s, str_t in, substitute_send_fn send, void *arg)
{
    if (!s->work) s->work = buf_take(WORK + s->longest);
    for (int err; in.n;) {
        size_t n = in.n < buf_room(s->work) ? in.n : buf_room(s->work);
        outlet_t o = {.send = send, .arg = arg};
        buf_put(s->work, str_sub(in, 0, n));
        in = str_sub(in, n, in.n);
        err = scan(s, false, &o);
        if (err < 0) return err;
        buf_compact(s->work);
    }
    return 0;
}

int substitute_end(substitute_t *s, substitute_send_fn send, void *arg)
{
    outlet_t o = {.send = send, .arg = arg};
    int err = s->work ? scan(s, true, &o) : 0;
    substitute_free(s);
    return err;
}

void substitute_free(substitute_t *s)
{
    buf_return(s->work);
    s->work = NULL;
}
