#include "modules/site/rewrite_ops.h"

#include <sys/stat.h>

#include "http/request.h"

typedef struct run {
    request_t *r;
    bool log;      /* rewrite_log */
    bool changed;  /* the URI, since the last break */
} run_t;

#define NOTE(run, ...) ((run)->log ? LOG(&(run)->r->log, LOG_NOTICE, 0, __VA_ARGS__) : (void)0)

/* --- if --- */

static bool test_file(rewrite_test_t test, request_t *r, str_t path)
{
    struct stat st;
    if (path.n == 0 || memchr(path.p, '\0', path.n)) return false;
    if (stat(pool_cstr(r->pool, path), &st) != 0) return false;
    switch (test) {
    case REWRITE_FILE: return S_ISREG(st.st_mode);
    case REWRITE_DIR: return S_ISDIR(st.st_mode);
    case REWRITE_EXEC: return S_ISREG(st.st_mode) && st.st_mode & S_IXUSR;
    default: return true;
    }
}

static void note_match(const run_t *run, const pattern_t *p, str_t subject, bool matches)
{
    NOTE(run, matches ? "\"" STR_FMT "\" matches \"" STR_FMT "\""
                      : "\"" STR_FMT "\" does not match \"" STR_FMT "\"",
         STR_ARG(p->source), STR_ARG(subject));
}

static bool matches(const run_t *run, const pattern_t *p, str_t subject)
{
    bool yes = pattern_match(p, run->r, subject) > 0;
    note_match(run, p, subject, yes);
    return yes;
}

static bool holds(const run_t *run, const rewrite_if_t *test)
{
    str_t left = text_eval(&test->left, run->r);
    switch (test->test) {
    case REWRITE_TRUE: return left.n && !str_eq(left, STR("0"));
    case REWRITE_EQUAL: return str_eq(left, text_eval(&test->right, run->r));
    case REWRITE_MATCH: return matches(run, &test->pattern, left);
    default: return test_file(test->test, run->r, left);
    }
}

/* --- rewrite --- */

/* Bytes that may not stand in a field or a URL, as %HH: a decoded URI can hold a line break. */
static str_t safe_location(pool_t *pool, str_t s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t bad = 0;
    for (size_t i = 0; i < s.n; i++) bad += (unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f;
    if (bad == 0) return s;
    char *out = pool_bytes(pool, s.n + 2 * bad), *at = out;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c > ' ' && c != 0x7f) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = hex[c >> 4];
        *at++ = hex[c & 15];
    }
    return str_make(out, (size_t)(at - out));
}

static verdict_t redirect(request_t *r, int status, str_t location)
{
    location = safe_location(r->pool, location);
    bool relative = location.n && location.p[0] == '/';
    return reply_redirect(r, status, relative ? request_absolute(r, location) : location);
}

/* "path?args", without "?" when there are no args. */
static str_t with_args(pool_t *pool, str_t path, str_t args)
{
    return args.n ? pool_printf(pool, STR_FMT "?" STR_FMT, STR_ARG(path), STR_ARG(args)) : path;
}

/* Whether the client has escaped anything in the path; if not, captures need no escapes either. */
static bool is_escaped(const request_t *r)
{
    str_t target = request_target(r);
    size_t end = str_find(target, 0, '?');
    return str_find(target, 0, '%') < end || str_find(target, 0, '+') < end;
}

/* The replacement's arguments and behind them, unless dropped, the request's. */
static str_t new_args(const rewrite_rule_t *rule, request_t *r)
{
    str_t own = STR("");
    if (rule->args.set)
        own = is_escaped(r) ? text_eval_escaped(&rule->args, r, URI_ESCAPE_ARGS)
                            : text_eval(&rule->args, r);
    if (rule->drop_args || r->args.n == 0) return own;
    if (!rule->args.set) return r->args;
    return pool_printf(r->pool, STR_FMT "&" STR_FMT, STR_ARG(own), STR_ARG(r->args));
}

static bool has_dot_segments(str_t path)
{
    str_t segment;
    while (str_cut(&path, '/', &segment))
        if (str_eq(segment, STR(".")) || str_eq(segment, STR(".."))) return true;
    return false;
}

static verdict_t set_uri(run_t *run, str_t uri, str_t args)
{
    request_t *r = run->r;
    if (uri.n == 0) return verdict_refuse(500, LOG_ERR, "the rewritten URI has a zero length");
    if (uri.p[0] != '/')
        return verdict_refuse(500, LOG_ERR, "the rewritten URI does not begin with \"/\"");
    if (has_dot_segments(uri) || memchr(uri.p, '\0', uri.n))
        return verdict_refuse(400, LOG_ERR, "unsafe URI was detected in a rewrite");
    r->uri = uri;
    r->args = args;
    r->uri_changed = r->internal = run->changed = true;
    NOTE(run, "rewritten data: \"" STR_FMT "\", args: \"" STR_FMT "\"", STR_ARG(uri),
         STR_ARG(args));
    return VERDICT(NEXT);
}

static verdict_t apply_rule(run_t *run, const rewrite_rule_t *rule, bool *stop)
{
    request_t *r = run->r;
    if (!matches(run, &rule->pattern, r->uri)) return VERDICT(NEXT);
    str_t args = new_args(rule, r);
    if (rule->redirect) {
        str_t path = text_eval_escaped(&rule->path, r, URI_ESCAPE_PATH);
        str_t location = with_args(r->pool, path, args);
        NOTE(run, "rewritten redirect: \"" STR_FMT "\"", STR_ARG(location));
        return redirect(r, rule->redirect, location);
    }
    verdict_t v = set_uri(run, text_eval(&rule->path, r), args);
    if (rule->flag == REWRITE_BREAK) {
        run->changed = false;
        r->uri_broken = true;
    }
    *stop = rule->flag != REWRITE_GO_ON;
    return v;
}

/* --- return --- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static verdict_t answer(request_t *r, int status, const text_t *text)
{
    str_t value = text->set ? text_eval(text, r) : STR("");
    if (is_redirect(status) && value.n) return redirect(r, status, value);
    if (status >= 400 && !text->set) return verdict_refuse(status, LOG_INFO, NULL);
    if (status >= 300 && !value.n) return reply_page(r, status);
    reply_reset(r, status);
    r->reply.content_type = status == 204 ? (str_t){NULL, 0} : STR("text/plain");
    r->reply.type_by_uri = status != 204;
    piece_t piece = PIECE_MEMORY(value);
    return reply_send(r, &piece, value.n ? 1 : 0);
}

/* --- the loop --- */

/* Runs the step at *i and sets *i to the one that follows. */
static verdict_t step(run_t *run, const rewrite_ops_t *ops, uint32_t *i)
{
    const rewrite_op_t *op = &ops->ops.v[(*i)++];
    verdict_t v = VERDICT(NEXT);
    bool stop = false;
    switch (op->kind) {
    case REWRITE_OP_SET: var_put(run->r, op->set.var, text_eval(&op->set.value, run->r)); break;
    case REWRITE_OP_RULE: v = apply_rule(run, op->rule, &stop); break;
    case REWRITE_OP_IF:
        if (holds(run, op->test) == op->test->negate) *i = op->test->after;
        else request_set_conf(run->r, op->test->conf);
        break;
    case REWRITE_OP_RETURN: return answer(run->r, op->reply.status, &op->reply.text);
    case REWRITE_OP_STOP:
        run->changed = false;
        stop = true;
        break;
    }
    if (stop) *i = ops->ops.n;
    return v;
}

verdict_t rewrite_ops_run(const rewrite_ops_t *ops, request_t *r, bool log)
{
    run_t run = {.r = r, .log = log};
    for (uint32_t i = 0; i < ops->ops.n;) {
        verdict_t v = step(&run, ops, &i);
        if (r->pattern_failed) return verdict_refuse(500, LOG_INFO, NULL);
        if (v.kind != VERDICT_NEXT) return v;
    }
    return run.changed ? VERDICT(REROUTE) : VERDICT(NEXT);
}
