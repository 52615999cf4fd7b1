// A phone with a mini program that uses the package as it is published.

import { createClient } from 'wxgate-client'

import { SIM_MANAGEMENT } from './servers.mjs'
import { newWx } from './wx.mjs'

let users = 0

/** A new user with a phone, whose mini program is behind the gateway. */
export function newPhone(gateway, { user = `user-${process.pid}-${++users}`, appid, storage = new Map(), ...options } = {}) {
  const wx = newWx({ management: SIM_MANAGEMENT, user, appid, storage, files: options.files })
  const gate = createClient({ baseURL: gateway.proxy.url, host: wx, appid, ...options })
  const events = []
  for (const name of ['login', 'refresh', 'logout', 'error']) gate.on(name, (event) => events.push([name, event]))
  return {
    user, wx, gate, storage, events,
    /** How often an event came. */
    count: (name) => events.filter(([event]) => event === name).length,
    /** Ends the mini program and starts it again, with its storage as it is now, or was. */
    restart: (earlier = storage) => newPhone(gateway, { user, appid, storage: earlier, ...options }),
    orders: () => gate.request({ url: '/orders' }),
  }
}

/** Calls at the same moment. */
export function atOnce(n, call) {
  return Promise.all(Array.from({ length: n }, () => call()))
}

/** Holds a response of the gateway back until a promise is settled. Returns when it has arrived. */
export function holdResponse(phone, path, until) {
  const { request } = phone.wx
  return new Promise((arrived) => {
    phone.wx.request = (options) => {
      if (!options.url.endsWith(path)) return request(options)
      phone.wx.request = request
      return request({ ...options, success: (response) => { arrived(); until.then(() => options.success(response)) } })
    }
  })
}

/** Lets the client's pauses end at once, and returns how long they would have been, in seconds. */
export function skipPauses(t) {
  const pauses = []
  const real = globalThis.setTimeout
  globalThis.setTimeout = (work, milliseconds, ...args) => {
    if (!(milliseconds >= 1000 && milliseconds <= 5000)) return real(work, milliseconds, ...args)
    pauses.push(milliseconds / 1000)
    return real(work, 0)
  }
  t.after(() => { globalThis.setTimeout = real })
  return pauses
}

/** Sets the clock of the phones, in milliseconds since 1970; the function returns the time. */
export function setClock(t, now) {
  const real = Date.now
  Date.now = () => now(real())
  t.after(() => { Date.now = real })
}

/** What the gateway writes when it refuses. */
export function problem(status, code, headers = {}) {
  const type = 'https://github.com/wxgate/wxgate/blob/main/docs/api.md#code-' + code
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
    body: JSON.stringify({ type, status, title: 'x', code, detail: `the detail of ${code}`, instance: 'request-1' }),
  }
}

export const pub = (call) => '/v1.0/pub/' + call
