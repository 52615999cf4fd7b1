// What the client talks to: a proxy that counts and breaks, the gateway, and a service.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { ask, readBody } from './http.mjs'
import { echoSocket } from './socket.mjs'

/** The surroundings that the Go test gives. */
export const { SIM_API, SIM_MANAGEMENT, WX_APPID, WX_SECRET, WX_APPID_2, TT_APPID, TT_SECRET } = process.env
if (!SIM_API) throw new Error('run these tests with: go test -run TestClient ./cmd/wxgate')

async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

// freePort is below the ports of outgoing connections, one of which might take it first.
async function freePort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000)
    const server = createServer()
    const free = await new Promise((done) => {
      server.on('error', () => done(false))
      server.listen(port, '127.0.0.1', () => done(true))
    })
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** The service behind the gateway: it returns what it received. */
async function startService(t) {
  const service = { seen: [] }
  const server = http.createServer(async (request, response) => {
    const body = await readBody(request)
    const seen = { method: request.method, url: request.url, openid: request.headers['x-wx-openid'], appid: request.headers['x-wx-appid'], headers: request.headers, body: body.toString() }
    service.seen.push(seen)
    const status = /^\/status\/(\d+)/.exec(request.url)
    response.statusCode = status ? Number(status[1]) : 200
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url.includes('mine') ? { code: 'token_expired', message: 'the service\'s' } : seen))
  })
  server.on('upgrade', echoSocket)
  service.port = await listen(server)
  t.after(() => { server.close(); server.closeAllConnections() })
  return service
}

/**
 * A proxy between the client and the gateway. `counts` has the requests by path; `next(path,
 * fault)` breaks the next request of a path: 'no request', 'no response', or a response.
 */
async function startProxy(t, target) {
  const proxy = { counts: {}, statuses: {}, faults: [], offline: false }
  proxy.next = (path, fault, times = 1) => { for (let i = 0; i < times; i++) proxy.faults.push({ path, fault }) }
  proxy.count = (path) => proxy.counts[path] || 0
  proxy.reset = () => { proxy.counts = {}; proxy.statuses = {} }
  const takeFault = (path) => {
    const at = proxy.faults.findIndex((fault) => fault.path === path)
    return at < 0 ? undefined : proxy.faults.splice(at, 1)[0].fault
  }
  const server = http.createServer(async (request, response) => {
    const body = await readBody(request)
    const path = request.url.split('?')[0]
    proxy.counts[path] = proxy.count(path) + 1
    const fault = takeFault(path)
    if (proxy.offline || fault === 'no request') return request.socket.destroy()
    if (typeof fault === 'object') return response.writeHead(fault.status, fault.headers).end(fault.body)
    const forwarded = http.request({ port: target.port, path: request.url, method: request.method, headers: request.headers, agent: false }, async (reply) => {
      const received = await readBody(reply)
      proxy.statuses[reply.statusCode] = (proxy.statuses[reply.statusCode] || 0) + 1
      if (fault === 'no response') return request.socket.destroy()
      response.writeHead(reply.statusCode, reply.headers).end(received)
    })
    forwarded.on('error', () => request.socket.destroy())
    forwarded.end(body)
  })
  server.on('upgrade', (request, socket) => {
    const upstream = connect(target.port, '127.0.0.1')
    const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${lines}\r\n`)
    upstream.pipe(socket).pipe(upstream)
    for (const end of [upstream, socket]) end.on('error', () => { upstream.destroy(); socket.destroy() })
  })
  proxy.url = 'http://127.0.0.1:' + await listen(server)
  t.after(() => { server.close(); server.closeAllConnections() })
  return proxy
}

function caddyfile({ dir, port, service, token, app, site, more }) {
  return `{
	admin unix/${dir}/admin.sock
	persist_config off
	storage file_system ${dir}/caddy
	wxgate {
		app ${WX_APPID} ${WX_SECRET} {
			api ${SIM_API}
			${app}
		}
		app ${WX_APPID_2} ${WX_SECRET} {
			api ${SIM_API}
		}
		app ${TT_APPID} ${TT_SECRET} {
			platform douyin
			api ${SIM_API}/douyin
		}
		store bolt ${dir}/wxgate.db
		token {
			access ${token}
		}
	}
}
http://127.0.0.1:${port} {
	${more.replace('{service}', '127.0.0.1:' + service.port)}
	handle {
		wxgate {
			require phone on /pay
			require fresh 4s on /fresh
			${site.replace('{port}', port)}
		}
		reverse_proxy 127.0.0.1:${service.port}
	}
}
`
}

/** Starts the gateway with a service behind it and a proxy before it, for one test. */
export async function startGateway(t, { token = '1h', app = '', site = '', more = '' } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'wx'))
  const config = join(dir, 'Caddyfile')
  const gateway = { port: await freePort() }
  t.after(async () => {
    await gateway.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  gateway.service = await startService(t)
  gateway.proxy = await startProxy(t, gateway)
  writeFileSync(config, caddyfile({ dir, port: gateway.port, service: gateway.service, token, app, site, more }))
  const env = { ...process.env, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }

  let child = null
  gateway.start = async () => {
    child = spawn('wxgate', ['run', '--config', config], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    process.once('exit', () => child.kill('SIGKILL'))
    let log = ''
    child.stderr.on('data', (chunk) => { log = (log + chunk).slice(-4000) })
    const exited = once(child, 'exit')
    let ended = false
    exited.then(() => { ended = true })
    while (!(await isReady(gateway.port))) {
      if (ended) throw new Error('the gateway ended: ' + log)
      await sleep(20)
    }
    gateway.stop = async (signal = 'SIGTERM') => {
      child.kill(signal)
      await exited
    }
  }
  gateway.stop = async () => {}

  /** Runs a command of wxgate against the gateway, and returns what it prints. */
  gateway.command = async (...args) => {
    const command = spawn('wxgate', [...args.slice(0, 2), '--config', config, ...args.slice(2)], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, errors, [status]] = await Promise.all([readBody(command.stdout), readBody(command.stderr), once(command, 'exit')])
    if (status !== 0) throw new Error(`wxgate ${args.join(' ')}: ${errors}`)
    return out.toString()
  }

  await gateway.start()
  return gateway
}

async function isReady(port) {
  try {
    return (await ask('GET', `http://127.0.0.1:${port}/v1.0/pub/ready`)).status === 200
  } catch (notYet) {
    return false
  }
}

/** Retires the key that signs: from now on every access token is invalid_token. */
export async function retireKeys(gateway) {
  const list = await gateway.command('keys', 'list')
  const id = list.split('\n').find((line) => /\bsigning\b/.test(line)).trim().split(/\s+/)[0]
  await gateway.command('keys', 'retire', '--', id)
}

/** Calls the simulator's management side. */
export async function simulator(method, path, body) {
  const { status, text } = await ask(method, SIM_MANAGEMENT + path, body && JSON.stringify(body))
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`)
  return text
}
