#include "core/config/token.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool at_end(const token_reader_t *r)
{
    return r->at >= r->source->text.n;
}

static char peek(const token_reader_t *r)
{
    return r->source->text.p[r->at];
}

static void advance(token_reader_t *r)
{
    if (r->source->text.p[r->at++] != '\n') return;
    r->line++;
    r->line_start = r->at;
}

static diag_place_t here(const token_reader_t *r, uint32_t length)
{
    return (diag_place_t){r->source, r->line, (uint32_t)(r->at - r->line_start) + 1, length};
}

static void skip_blank(token_reader_t *r)
{
    while (!at_end(r)) {
        if (peek(r) == '#')
            while (!at_end(r) && peek(r) != '\n') advance(r);
        else if (is_space(peek(r)))
            advance(r);
        else
            break;
    }
}

static void advance_escaped(token_reader_t *r)
{
    advance(r);
    if (!at_end(r)) advance(r);
}

/* To the end of a bare word. A brace that follows `$` belongs to it: ${name}. */
static void skip_bare(token_reader_t *r)
{
    bool variable = false;
    while (!at_end(r)) {
        char c = peek(r);
        if (c == '{' && variable) {
            advance(r);
            continue;
        }
        if (is_space(c) || c == ';' || c == '{') return;
        variable = c == '$';
        if (c == '\\')
            advance_escaped(r);
        else
            advance(r);
    }
}

/* To the closing quote; false when there is none. */
static bool skip_quoted(token_reader_t *r, char quote)
{
    while (!at_end(r) && peek(r) != quote) {
        if (peek(r) == '\\')
            advance_escaped(r);
        else
            advance(r);
    }
    return !at_end(r);
}

static char unescaped(char c)
{
    switch (c) {
    case 't': return '\t';
    case 'r': return '\r';
    case 'n': return '\n';
    case '"':
    case '\'':
    case '\\': return c;
    default: return '\0';
    }
}

/* Escapes that mean nothing here (of regular expressions) stay as they are. */
static str_t unescape(pool_t *pool, str_t raw)
{
    char *out = pool_bytes(pool, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '\\' && i + 1 < raw.n && unescaped(raw.p[i + 1])) c = unescaped(raw.p[++i]);
        out[n++] = c;
    }
    out[n] = '\0';
    return str_make(out, n);
}

static token_t read_bare(token_reader_t *r)
{
    size_t start = r->at;
    skip_bare(r);
    r->place.length = (uint32_t)(r->at - start);
    r->text = unescape(r->pool, str_sub(r->source->text, start, r->at));
    r->quoted = false;
    return TOKEN_WORD;
}

static token_t read_quoted(token_reader_t *r, char quote)
{
    advance(r);
    size_t start = r->at;
    if (!skip_quoted(r, quote)) {
        diag_error(r->diag, r->place, "the quote is opened here",
                   "unexpected end of %s, expecting the closing %c", r->what, quote);
        return TOKEN_BAD;
    }
    r->place.length = (uint32_t)(r->at - start) + 2;
    r->text = unescape(r->pool, str_sub(r->source->text, start, r->at));
    r->quoted = r->after_quote = true;
    advance(r);
    return TOKEN_WORD;
}

static token_t single(token_reader_t *r, token_t token)
{
    advance(r);
    return token;
}

/* A quoted word must be followed by something that ends a word, or by `)`. */
static void check_after_quote(token_reader_t *r)
{
    r->after_quote = false;
    if (at_end(r) || is_space(peek(r)) || memchr(";{})", peek(r), 4)) return;
    diag_error(r->diag, here(r, 1), "a space is missing behind the closing quote",
               "unexpected \"%c\"", peek(r));
}

/* NUL has no place in a text: words are handed on as C strings, too. */
static bool refuse_nul(token_reader_t *r)
{
    size_t nul = str_find(r->source->text, 0, '\0');
    if (nul == r->source->text.n) return false;
    while (r->at < nul) advance(r);
    diag_error(r->diag, here(r, 1), NULL, "a NUL byte in the configuration");
    return true;
}

void token_start(token_reader_t *r, pool_t *pool, diag_t *diag, const diag_source_t *source,
                 const char *what)
{
    *r = (token_reader_t){.pool = pool, .diag = diag, .source = source, .what = what, .line = 1};
}

token_t token_next(token_reader_t *r)
{
    if (r->at == 0 && refuse_nul(r)) return TOKEN_BAD;
    if (r->after_quote) check_after_quote(r);
    skip_blank(r);
    r->place = here(r, 1);
    if (at_end(r)) return TOKEN_END;
    switch (peek(r)) {
    case ';': return single(r, TOKEN_SEMICOLON);
    case '{': return single(r, TOKEN_OPEN);
    case '}': return single(r, TOKEN_CLOSE);
    case '"':
    case '\'': return read_quoted(r, peek(r));
    default: return read_bare(r);
    }
}
