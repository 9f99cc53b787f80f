#include "modules/cache/structured.h"

enum { INTEGER_DIGITS = 15, DECIMAL_DIGITS = 12, FRACTION_DIGITS = 3 };

static char front(const str_t *s)
{
    return s->n ? s->p[0] : '\0';
}

static void advance(str_t *s, size_t n)
{
    *s = str_sub(*s, n, s->n);
}

static bool take(str_t *s, char c)
{
    if (s->n == 0 || s->p[0] != c) return false;
    advance(s, 1);
    return true;
}

static void skip_spaces(str_t *s)
{
    while (take(s, ' ')) continue;
}

static void skip_blank(str_t *s)
{
    while (take(s, ' ') || take(s, '\t')) continue;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_key(char c)
{
    return is_lower(c) || ascii_digit(c) || (c && strchr("_-.*", c));
}

static bool is_token(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || (c && strchr("!#$%&'*+-.^_`|~:/", c));
}

static bool is_base64(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || (c && strchr("+/=", c));
}

static str_t take_while(str_t *s, bool (*is)(char))
{
    size_t n = 0;
    while (n < s->n && is(s->p[n])) n++;
    str_t taken = str_sub(*s, 0, n);
    advance(s, n);
    return taken;
}

static bool take_key(str_t *s, str_t *key)
{
    if (!is_lower(front(s)) && front(s) != '*') return false;
    *key = take_while(s, is_key);
    return true;
}

/* sf-integer or sf-decimal (RFC 8941 4.2.4). */
static bool take_number(str_t *s, structured_member_t *out)
{
    bool negative = take(s, '-');
    str_t digits = take_while(s, ascii_digit);
    uint64_t v;
    if (digits.n > INTEGER_DIGITS || !str_to_u64(digits, &v)) return false;
    out->type = STRUCTURED_INTEGER;
    out->number = negative ? -(int64_t)v : (int64_t)v;
    if (!take(s, '.')) return true;
    str_t fraction = take_while(s, ascii_digit);
    out->type = STRUCTURED_DECIMAL;
    return digits.n <= DECIMAL_DIGITS && fraction.n >= 1 && fraction.n <= FRACTION_DIGITS;
}

static bool take_string(str_t *s, structured_member_t *out)
{
    advance(s, 1);
    out->type = STRUCTURED_STRING;
    for (size_t i = 0; i < s->n; i++) {
        char c = s->p[i];
        if (c == '"') {
            out->text = str_sub(*s, 0, i);
            advance(s, i + 1);
            return true;
        }
        if (c < ' ' || c == 0x7f) return false;
        if (c == '\\' && (++i == s->n || (s->p[i] != '"' && s->p[i] != '\\'))) return false;
    }
    return false;
}

static bool take_bytes(str_t *s, structured_member_t *out)
{
    advance(s, 1);
    out->type = STRUCTURED_BYTES;
    out->text = take_while(s, is_base64);
    return take(s, ':');
}

static bool take_boolean(str_t *s, structured_member_t *out)
{
    advance(s, 1);
    out->type = STRUCTURED_BOOLEAN;
    out->number = front(s) == '1';
    return take(s, '1') || take(s, '0');
}

static bool take_date(str_t *s, structured_member_t *out)
{
    advance(s, 1);
    if (!take_number(s, out) || out->type != STRUCTURED_INTEGER) return false;
    out->type = STRUCTURED_DATE;
    return true;
}

static bool is_lower_hex(char c)
{
    return ascii_digit(c) || (c >= 'a' && c <= 'f');
}

/* %"..." (RFC 9651 4.2.10); whether the bytes are UTF-8 does not matter here. */
static bool take_display(str_t *s, structured_member_t *out)
{
    advance(s, 1);
    if (!take(s, '"')) return false;
    out->type = STRUCTURED_DISPLAY;
    for (size_t i = 0; i < s->n; i++) {
        char c = s->p[i];
        if (c == '"') {
            advance(s, i + 1);
            return true;
        }
        if (c < ' ' || c >= 0x7f) return false;
        if (c == '%' && (s->n - i < 3 || !is_lower_hex(s->p[i + 1]) || !is_lower_hex(s->p[i + 2])))
            return false;
    }
    return false;
}

static bool take_bare_item(str_t *s, structured_member_t *out)
{
    char c = front(s);
    if (c == '-' || ascii_digit(c)) return take_number(s, out);
    if (c == '"') return take_string(s, out);
    if (c == ':') return take_bytes(s, out);
    if (c == '?') return take_boolean(s, out);
    if (c == '@') return take_date(s, out);
    if (c == '%') return take_display(s, out);
    if (!ascii_alpha(c) && c != '*') return false;
    out->type = STRUCTURED_TOKEN;
    out->text = take_while(s, is_token);
    return true;
}

static bool take_parameters(str_t *s)
{
    structured_member_t ignored;
    while (take(s, ';')) {
        skip_spaces(s);
        if (!take_key(s, &ignored.key)) return false;
        if (take(s, '=') && !take_bare_item(s, &ignored)) return false;
    }
    return true;
}

static bool take_inner_list(str_t *s, structured_member_t *out)
{
    structured_member_t item;
    advance(s, 1);
    for (;;) {
        skip_spaces(s);
        if (take(s, ')')) break;
        if (!take_bare_item(s, &item) || !take_parameters(s)) return false;
        if (front(s) != ' ' && front(s) != ')') return false;
    }
    out->type = STRUCTURED_LIST;
    return true;
}

static bool take_value(str_t *s, structured_member_t *out)
{
    if (!take(s, '=')) {
        out->type = STRUCTURED_BOOLEAN;
        out->number = 1;
        return true;
    }
    return front(s) == '(' ? take_inner_list(s, out) : take_bare_item(s, out);
}

/* What may stand behind a member: the end, or a comma and another member. */
static bool take_separator(str_t *s)
{
    skip_blank(s);
    if (s->n == 0) return true;
    if (!take(s, ',')) return false;
    skip_blank(s);
    return s->n > 0;
}

int structured_member(str_t *rest, structured_member_t *out)
{
    skip_spaces(rest);
    if (rest->n == 0) return 0;
    *out = (structured_member_t){0};
    if (!take_key(rest, &out->key) || !take_value(rest, out) || !take_parameters(rest)) return -1;
    return take_separator(rest) ? 1 : -1;
}
