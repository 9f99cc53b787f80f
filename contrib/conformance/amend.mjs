/*
 * amend.mjs: the suite's tests as they read today. Version 0.4.5 is the last one that npm has; RFC
 * 9110, 9111 and 9213 came after it, and the suite's own later sources follow them. What differs
 * stands here, each with its reason; everything else is run as it was published.
 */

const cached = { expected_type: 'cached' }
const notCached = { expected_type: 'not_cached' }

function byId (groups) {
  return new Map(groups.flatMap(group => group.tests).map(test => [test.id, test]))
}

/* --- RFC 9111 5.1: the first member of Age counts, and what is no number is ignored --- */

function age (tests) {
  for (const name of ['nonnumeric', 'negative', 'float', 'prefix-twoline', 'dup-0', 'dup-0-twoline',
    'dup-old']) tests.get(`age-parse-${name}`).requests[1] = { ...cached }
  for (const name of ['parameter', 'numeric-parameter']) {
    tests.get(`age-parse-${name}`).kind = 'check'
  }
}

/* --- RFC 9111 4.2.4: the answer that is due in place of a forbidden stale one is the proxy's own,
       so it cannot carry the origin's count of requests --- */

function stale (tests) {
  for (const name of ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=2']) {
    tests.get(`stale-close-${name}`).requests[1] = {
      disconnect: true,
      expected_status: 502,
      check_body: false,
      expected_response_headers_missing: ['server-request-count']
    }
  }
}

/* --- RFC 9111 3.2: a 304 updates every field but Content-Length --- */

function update (tests) {
  const asked = ['Test-Header', 'X-Test-Header', 'Content-Foo', 'X-Content-Foo', 'Cache-Control',
    'Content-Length'].map(name => `304-etag-update-response-${name}`)
  for (const [id, test] of tests) {
    if (id.startsWith('304-etag-update-response-') && !asked.includes(id)) test.kind = 'check'
  }
}

/* --- RFC 9110 5.6.7: three forms of a date and no other; two of the tests had lost a comma --- */

function dates (tests) {
  for (const [id, value] of [['32bit', 'Tue, 19 Jan 2038 14:14:08 GMT'],
    ['far-future', 'Sun, 21 Nov 2286 04:46:39 GMT']]) {
    tests.get(`freshness-expires-${id}`).requests[0].response_headers[0][1] = value
  }
  for (const [id, test] of tests) {
    const form = /^freshness-expires-(32bit|far-future|rfc850|ansi-c|wrong|invalid-.)/
    if (!form.test(id)) continue
    if (id === 'freshness-expires-invalid-date') continue // is about Date
    const invalid = id.includes('invalid')
    test.kind = invalid ? 'required' : 'optimal'
    if (invalid) test.requests[1] = { ...notCached }
  }
}

/* --- RFC 9111 4.4: other URIs may be invalidated, and need not --- */

function invalidation (tests) {
  for (const [id, test] of tests) if (/^invalidate-.*-(location|cl)$/.test(id)) test.kind = 'check'
}

/* --- RFC 9213: CDN-Cache-Control, in place of Surrogate-Control of a note of 2001 --- */

function pair (id, kind, headers, then) {
  const answer = { response_headers: headers, setup: true, pause_after: true }
  return { id, name: id, kind, browser_skip: true, requests: [answer, { ...then }] }
}

function target (group) {
  const gone = ['surrogate-max-age-me-target', 'surrogate-max-age-other-target',
    'surrogate-no-store', 'surrogate-append-capabilities']
  const text = JSON.stringify(group.tests.filter(test => !gone.includes(test.id)))
    .replaceAll('Surrogate-Control', 'CDN-Cache-Control').replaceAll(';CAPABILITY_TARGET', '')
  const name = 'CDN-Cache-Control'
  const fresh = ['Cache-Control', 'max-age=10000']
  const never = ['Cache-Control', 'no-store']
  group.id = 'cdn-cache-control'
  group.tests = [
    ...JSON.parse(text),
    pair('cdn-private', 'required', [[name, 'private', false], fresh], notCached),
    pair('cdn-no-cache', 'required', [[name, 'no-cache', false], fresh], notCached),
    pair('cdn-invalid', 'required', [[name, 'max-age=10000, &&&&&', false], never], notCached),
    pair('cdn-wrong-type', 'required', [[name, 'max-age="10000"', false], never], notCached)
  ]
  /* Keys of a Dictionary are in lower case (RFC 8941 3.2). */
  byId([group]).get('surrogate-max-age-case-insensitive').kind = 'check'
  for (const test of group.tests) delete test.depends_on
}

/* --- RFC 5861 3, RFC 9111 5.2.2.3, RFC 9111 5.1: what had no test --- */

function more (groups) {
  const old = ['Cache-Control', 'max-age=1, stale-while-revalidate=3600']
  const understood = ['Cache-Control', 'max-age=3600, no-store, must-understand']
  const tests = [
    pair('stale-while-revalidate', 'optimal', [old, ['ETag', '"abc"']], cached),
    pair('status-200-must-understand', 'optimal', [understood], cached),
    ...['2147483647', '2147483648', '2147483649'].map(value =>
      pair(`age-parse-${value}`, 'required',
        [['Date', 0], ['Cache-Control', 'max-age=3600'], ['Age', value, false]], notCached))
  ]
  groups.push({ id: 'more', name: 'Tests of RFCs after the suite', tests })
}

export function amend (groups) {
  const tests = byId(groups)
  for (const change of [age, stale, update, dates, invalidation]) change(tests)
  target(groups.find(group => group.id === 'surrogate-control'))
  more(groups)
}
