// A small gateway with browser sign-in: logins, tickets, and a scan with the number 0421. It shows
// what the client sends, and breaks; browser.test.mjs has the same calls with the real gateway.

import { once } from 'node:events'
import http from 'node:http'

import { readBody } from './http.mjs'
import { problem, pub } from './phone.mjs'

export const scan = 'abcDEF012-_ghiJKL345mn'

/** Starts it for one test. `calls` has what was sent, `next` breaks the next response of a call. */
export async function startWebsite(t) {
  const site = { proxy: {}, calls: [], tokens: new Set(), tickets: 0, wrong: 0, state: 'waiting', place: undefined, faults: {} }
  site.next = (call, fault) => { (site.faults[call] ||= []).push(fault) }
  site.sent = (call) => site.calls.filter((made) => made.call === call)
  const pair = () => {
    const access = 'access-' + site.calls.length
    site.tokens.add(access)
    return { access_token: access, refresh_token: 'refresh-' + site.calls.length, token_type: 'Bearer', expires_in: 3600 }
  }
  const handlers = {
    'POST openId': () => ({ openId: 'openid', appId: 'appid', session_key: 'handle', ...pair() }),
    'POST refresh': pair,
    'POST logout': () => ({ status: 204 }),
    'GET session': () => ({ openId: 'openid', appId: 'appid', session: 'session', expires_in: 3600, phone_verified: false }),
    'POST web/ticket': () => ({ ticket: 'ticket-' + ++site.tickets, url: `https://www.example.com${pub('web/enter')}?ticket=ticket-${site.tickets}`, expires_in: 60 }),
    [`GET web/scan/${scan}/request`]: () => {
      if (site.state !== 'waiting') return problem(404, 'scan_not_found')
      return { browser: 'Chrome on Windows', address: '203.0.113.*', place: site.place, expires_in: 119 }
    },
    [`POST web/scan/${scan}`]: ({ confirm, number }) => {
      if (site.state !== 'waiting') return problem(404, 'scan_not_found')
      if (confirm && number !== '0421') {
        if (++site.wrong < 3) return problem(400, 'wrong_number')
        site.state = 'refused'
        return problem(404, 'scan_not_found')
      }
      site.state = confirm ? 'confirmed' : 'refused'
      return { state: site.state }
    },
  }

  const server = http.createServer(async (request, response) => {
    const body = (await readBody(request)).toString()
    const call = request.url.replace(pub(''), '')
    const token = (request.headers.authorization || '').replace('Bearer ', '')
    site.calls.push({ call, method: request.method, token, body })
    const handle = handlers[`${request.method} ${call}`] || (() => problem(404, 'not_found'))
    let result = (site.faults[call] || []).shift()
    if (!result && call.startsWith('web/') && !site.tokens.has(token)) result = problem(401, 'token_expired')
    result ||= handle(body && JSON.parse(body))
    if (!result.status) result = { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(result) }
    response.writeHead(result.status, result.headers).end(result.body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  site.proxy.url = 'http://127.0.0.1:' + server.address().port
  t.after(() => { server.close(); server.closeAllConnections() })
  return site
}
