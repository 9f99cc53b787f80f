/*
 * run.mjs PROXYD [--as-published] [TEST-ID]: the public caching tests over a proxyd of its own. See
 * README.
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer, Server } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { amend } from './amend.mjs'

const VERSION = '0.4.5'

function fail (text) {
  console.error(text)
  process.exit(1)
}

/* --- the suite --- */

/* Installed once, beside what other programs keep for next time. */
function install () {
  const kept = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const dir = process.env.CONFORMANCE_DIR || join(kept, 'proxyd-conformance')
  const suite = join(dir, 'node_modules', 'http-cache-tests')
  if (existsSync(join(suite, 'package.json'))) return suite
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{"private": true}\n')
  const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts',
    `http-cache-tests@${VERSION}`], { cwd: dir, stdio: 'inherit' })
  if (npm.status !== 0) fail(`npm could not install http-cache-tests ${VERSION} in ${dir}`)
  return suite
}

async function load (suite, path) {
  return import(pathToFileURL(join(suite, path)))
}

async function tests (suite, published, id) {
  const groups = [...(await load(suite, 'tests/index.mjs')).default]
  groups.push((await load(suite, 'tests/surrogate-control.mjs')).default)
  if (!published) amend(groups)
  if (!id) return groups
  for (const group of groups) group.tests = group.tests.filter(test => test.id === id)
  if (!groups.some(group => group.tests.length)) fail(`there is no test ${id}`)
  for (const group of groups) for (const test of group.tests) test.dump = true
  return groups
}

/* --- origin and proxy --- */

async function freePort () {
  const server = createServer()
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

/* The suite's own origin, in this process; on the loopback only, whatever it asks for. */
async function startOrigin (suite, dir, port) {
  const listen = Server.prototype.listen
  Server.prototype.listen = function () { return listen.call(this, port, '127.0.0.1') }
  Object.assign(process.env, {
    npm_config_port: String(port),
    npm_config_protocol: 'http',
    npm_config_pidfile: join(dir, 'origin.pid')
  })
  await load(suite, 'server/server.mjs')
  Server.prototype.listen = listen
}

async function startProxy (proxyd, dir, port, origin) {
  const conf = join(dir, 'proxyd.conf')
  writeFileSync(conf, `worker_processes 2;
pid ${dir}/proxyd.pid;
events { worker_connections 1024; }
http {
    access_log off;
    proxy_cache_path ${dir}/cache keys_zone=tests:8m;
    server {
        listen 127.0.0.1:${port};
        location / {
            proxy_pass http://127.0.0.1:${origin};
            proxy_cache tests;
        }
    }
}
`)
  const args = ['-p', dir, '-c', conf, '-e', join(dir, 'error.log'), '-g', 'daemon off;']
  const child = spawn(resolve(proxyd), args, { stdio: 'inherit' })
  child.on('error', err => fail(`${proxyd}: ${err.message}`))
  while (!existsSync(join(dir, 'proxyd.pid'))) {
    if (child.exitCode !== null) fail(`${proxyd} did not start`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return child
}

/* --- what came of it --- */

/* A test counts as passed when those that it builds upon are, too. */
function outcome (all, results, id) {
  const test = all.get(id)
  const needs = (test.depends_on || []).find(other => outcome(all, results, other) !== true)
  if (needs) return [`builds upon ${needs}`]
  return results[id]
}

function report (groups, results) {
  const all = new Map(groups.flatMap(group => group.tests).map(test => [test.id, test]))
  const counts = { required: [0, 0], optimal: [0, 0], check: [0, 0] }
  for (const group of groups) {
    for (const test of group.tests) {
      if (!(test.id in results)) continue
      const kind = test.kind || 'required'
      const got = outcome(all, results, test.id)
      counts[kind][1]++
      if (got === true) {
        counts[kind][0]++
        continue
      }
      console.log(`${kind.padEnd(9)}${group.id}: ${test.id}: ${test.name}`)
      console.log(`         ${got.join(': ')}`)
    }
  }
  const text = Object.entries(counts).map(([kind, [n, of]]) => `${kind} ${n} of ${of}`)
  console.log(`\n${text.join(', ')}`)
}

/* --- all of it --- */

const args = process.argv.slice(2)
const published = args.includes('--as-published')
const [proxyd, id] = args.filter(arg => arg !== '--as-published')
if (!proxyd) fail('usage: node run.mjs PROXYD [--as-published] [TEST-ID]')

const suite = install()
const version = JSON.parse(readFileSync(join(suite, 'package.json'))).version
const dir = mkdtempSync(join(tmpdir(), 'proxyd-conformance.'))
chmodSync(dir, 0o755) // the workers are somebody else when this runs as root
const origin = await freePort()
const port = await freePort()
await startOrigin(suite, dir, origin)
const proxy = await startProxy(proxyd, dir, port, origin)
process.on('exit', () => {
  proxy.kill('SIGTERM')
  rmSync(dir, { recursive: true, force: true })
})
const groups = await tests(suite, published, id)
const { runTests, getResults } = await load(suite, 'client/runner.mjs')
const fetch = createRequire(join(suite, 'cli.mjs'))('node-fetch')
await runTests(groups, fetch, false, `http://127.0.0.1:${port}`)
console.log(`http-cache-tests ${version}, ${published ? 'as published' : 'as amended'}\n`)
report(groups, getResults())
process.exit(0)
