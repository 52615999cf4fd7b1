// A gateway, a service, phones and their network in one process, on a clock of their own: a seed
// repeats a run exactly. random.test.mjs has them do everything in any order.

import { createClient } from 'wxgate-client'

import { problem } from './phone.mjs'

const base = 'https://api.example.com'
const accessMilliseconds = 3600_000
const graceMilliseconds = 20_000 // for which the gateway returns the same pair for a refresh token again

/** Random numbers from a seed (mulberry32). */
export function newRandom(seed) {
  const random = () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  random.below = (n) => Math.floor(random() * n)
  random.one = (list) => list[random.below(list.length)]
  random.chance = (percent) => random() * 100 < percent
  return random
}

/** Replaces the clock and the timers: time passes in run, and costs nothing. */
export function newClock(t) {
  const clock = {}
  clock.reset = () => Object.assign(clock, { now: 1_800_000_000_000, timers: [], jump: 0 }) // jump: of the phones' clock
  clock.after = (milliseconds, work) => {
    clock.timers.push({ at: clock.now + milliseconds, work })
    clock.timers.sort((a, b) => a.at - b.at)
  }
  /** Lets time pass, or without a number everything end. */
  clock.run = async (milliseconds = Infinity) => {
    const end = clock.now + milliseconds
    for (;;) {
      await new Promise(setImmediate)
      if (clock.timers.length === 0 || clock.timers[0].at > end) break
      const { at, work } = clock.timers.shift()
      clock.now = at
      work()
    }
    if (end < Infinity) clock.now = end
  }

  const real = { now: Date.now, setTimeout: globalThis.setTimeout }
  Date.now = () => clock.now + clock.jump
  globalThis.setTimeout = (work, milliseconds) => clock.after(milliseconds, work)
  t.after(() => { Date.now = real.now; globalThis.setTimeout = real.setTimeout })
  return clock
}

/** The gateway as docs/sessions.md describes it, with one user. Each user has `limit` sessions at most. */
export function newGateway(clock, limit) {
  let n = 0
  const gateway = { sessions: [], access: new Map(), codes: new Set(), served: new Map(), reused: 0 }
  const end = (session, code) => { session.ended ||= code }
  const live = () => gateway.sessions.filter(({ ended }) => !ended)
  const pairOf = (session) => {
    const access = 'access-' + ++n
    gateway.access.set(access, { session, phone: session.phone, until: clock.now + accessMilliseconds })
    return { access_token: access, refresh_token: session.refreshes.at(-1), expires_in: 3600 }
  }
  gateway.expire = () => gateway.access.forEach((token) => { token.until = 0 })
  gateway.retireKeys = () => gateway.access.forEach((token) => { token.retired = true })
  gateway.endAll = () => live().forEach((session) => end(session, 'session_revoked'))

  const calls = {
    openId({ code }) {
      if (!gateway.codes.delete(code)) return problem(401, 'code_used')
      live().slice(0, Math.max(0, live().length + 1 - limit)).forEach((session) => end(session, 'session_replaced'))
      const session = { refreshes: ['refresh-' + ++n], phone: false }
      gateway.sessions.push(session)
      return { openId: 'user', appId: 'app', session_key: 'handle', ...pairOf(session) }
    },
    refresh({ refresh_token: token }) {
      const session = gateway.sessions.find(({ refreshes }) => refreshes.includes(token))
      if (!session) return problem(401, 'invalid_token')
      if (session.ended) return problem(401, session.ended)
      const { refreshes, refreshedAt } = session
      if (token === refreshes.at(-2) && clock.now - refreshedAt <= graceMilliseconds) return pairOf(session)
      if (token !== refreshes.at(-1)) {
        end(session, 'session_revoked')
        gateway.reused++
        return problem(401, 'refresh_reused')
      }
      refreshes.push('refresh-' + ++n)
      session.refreshedAt = clock.now
      return pairOf(session)
    },
    logout({ all }, { session }) {
      for (const ending of all ? live() : [session]) end(ending, 'session_revoked')
      return { status: 204, body: '' }
    },
    session: () => ({ openId: 'user', appId: 'app' }),
    decode({ code }, { session }) {
      if (code === 'undecryptable') return problem(400, 'decrypt_failed')
      session.phone = true
      const { access_token, expires_in } = pairOf(session)
      return { phoneNumber: '1', purePhoneNumber: '1', countryCode: '86', access_token, expires_in }
    },
  }
  const refusalOf = (token) => {
    if (!token || token.retired) return 'invalid_token'
    if (token.until <= clock.now) return 'token_expired'
    return token.session.ended
  }

  /** Handles a request. `served` counts what the service did, by the header id. */
  gateway.handle = ({ url, data, header }) => {
    const name = url.split('/').pop()
    const token = gateway.access.get((header.Authorization || '').replace('Bearer ', ''))
    const refused = name !== 'openId' && name !== 'refresh' && refusalOf(token)
    if (refused) return problem(401, refused)
    if (calls[name]) return calls[name](data, token)
    if (name === 'pay' && !token.phone) return problem(403, 'phone_required')
    gateway.served.set(header.id, (gateway.served.get(header.id) || 0) + 1)
    if (name === 'code401') return { status: 401, body: '{"code":"token_expired"}' }
    if (name === 'text401') return { status: 401, body: 'no' }
    return {}
  }
  return gateway
}

/**
 * One phone, with storage and a network. `faults` says how many percent of the requests break.
 * `onLogin` hears of each wx.login, `onSession` of each session that the phone learns of.
 */
export function newDevice(clock, gateway, random, name) {
  const device = { name, faults: 0, full: false, onLogin() {}, onSession() {} }
  const storage = new Map()
  const running = new Map()
  let clients = 0

  /** Counts the logins and refreshes that one client has under way. */
  const count = (call, by) => {
    running.set(call, (running.get(call) || 0) + by)
    if (running.get(call) > 1) throw new Error('two at once: ' + call)
  }

  const send = (client, options) => {
    const call = options.url.split('/').pop()
    const counted = /^(openId|refresh)$/.test(call) && client.name + call
    const milliseconds = random.below(random.chance(device.faults / 2) ? 8000 : 300)
    const fault = random.chance(device.faults) && random.one(['no request', 'no response', 'bad gateway', 'busy', 'captive portal'])
    const answer = () => {
      if (fault === 'no request') return null
      if (fault === 'busy') return problem(503, 'store_unavailable', { 'retry-after': '1' })
      if (fault === 'bad gateway') return { status: 502, body: '<html>' }
      if (fault === 'captive portal') return { status: 200, body: '<html>' }
      const result = gateway.handle(options)
      if (fault === 'no response' || milliseconds > (options.timeout || 60_000)) return null
      return result.status ? result : { status: 200, body: JSON.stringify(result) }
    }
    const arrive = (result) => {
      if (counted) count(counted, -1)
      if (!client.alive) return
      if (!result) return options.fail({ errMsg: 'request:fail timeout' })
      const data = /^{/.test(result.body) ? JSON.parse(result.body) : result.body
      if (call === 'openId' && data.openId) device.onSession(gateway.access.get(data.access_token).session)
      options.success({ statusCode: result.status, header: result.headers || {}, data })
    }
    if (counted) count(counted, 1)
    clock.after(milliseconds / 2, () => {
      const result = answer()
      clock.after(milliseconds / 2, () => arrive(result))
    })
  }

  /** Starts a client. When it is not alive any more, nothing comes back, and nothing is stored. */
  device.start = () => {
    const client = { name: `${name}${++clients} `, alive: true }
    const host = {
      login({ success, fail }) {
        if (!client.alive) return
        device.onLogin(client)
        const code = 'code-' + gateway.codes.size + random()
        gateway.codes.add(code)
        const failed = random.chance(device.faults / 4)
        clock.after(50, () => { if (client.alive) (failed ? fail({ errMsg: 'login:fail' }) : success({ code })) })
      },
      request(options) {
        if (!options.url.startsWith(base + '/')) throw new Error('another host: ' + options.url)
        if (client.alive) send(client, options)
      },
      getStorageSync: (key) => storage.get(key) || '',
      setStorageSync(key, value) {
        if (device.full) throw new Error('setStorageSync:fail exceed storage max size 10Mb')
        if (client.alive) storage.set(key, value)
      },
      removeStorageSync: (key) => client.alive && storage.delete(key),
    }
    return Object.assign(client, { gate: createClient({ baseURL: base, host }) })
  }
  return device
}
