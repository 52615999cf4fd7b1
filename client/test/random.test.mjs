// Runs of 50 random operations, with faults, on one or two phones of a user. Each phone has one or
// two clients with the same storage. SEED and RUNS choose other runs: a failure names its seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { GateError, HostError } from 'wxgate-client'

import { newClock, newDevice, newGateway, newRandom } from './world.mjs'

const { SEED = '1', RUNS = '150' } = process.env

const operations = [
  'request', 'request', 'requests', 'phone', 'undecryptable', 'session', 'login', 'logout', 'logout all',
  'end', 'fill', 'revoke', 'expire', 'retire', 'clock', 'wait', 'wait',
]
const urls = ['/orders', '/orders', '/code401', '/text401', '/pay']

/** A phone and what is expected of it. */
function newSubject(clock, gateway, random, name) {
  const phone = {
    device: newDevice(clock, gateway, random, name),
    calls: new Set(), // that have not settled
    failures: [], // of what is expected
    session: null, // the latest that it learnt of
    out: false, // the user has logged out, and not called login since
    mayBeOut: false, // there is a reason for logged_out
    unsure: false, // a login or a refresh may not have been stored
    filled: false, // the storage may be empty, because it was full once
  }
  const expect = (holds, message) => { if (!holds) phone.failures.push(new Error(message)) }
  const has = (what) => [...phone.calls].some((call) => call.what === what)
  phone.device.onSession = (session) => { phone.session = session }
  phone.device.onLogin = () => {
    if (has('login') || has('logout all')) return
    expect(!phone.out, 'a login after the logout')
    if (phone.unsure || has('undecryptable') || phone.clients.length > 1) return
    expect(!phone.session || phone.session.ended, 'a login although there is a session')
  }
  phone.start = (clients) => { phone.clients = Array.from({ length: clients }, () => phone.device.start()) }

  /** Watches a call of a client until it settles. The client may have ended before. */
  phone.watch = (client, what, promise, settled = () => {}) => {
    const call = { client, what }
    phone.calls.add(call)
    promise.then(() => null, (failure) => failure).then((failure) => {
      if (!phone.calls.delete(call)) return
      expect(!failure || failure instanceof GateError || failure instanceof HostError, String(failure))
      if (failure?.code === 'logged_out') expect(phone.mayBeOut, 'logged out without a reason')
      settled(failure)
    })
  }
  phone.expect = expect
  return phone
}

async function run(clock, seed) {
  clock.reset()
  const random = newRandom(seed)
  const limit = random.chance(30) ? 1 : Infinity
  const gateway = newGateway(clock, limit)
  const faulty = random.chance(70)
  const phones = Array.from({ length: random.chance(30) ? 2 : 1 }, (_, i) => newSubject(clock, gateway, random, 'ab'[i]))
  for (const phone of phones) phone.start(random.chance(30) ? 2 : 1)
  let requests = 0
  let ended = false

  const request = (phone, client) => {
    const url = random.one(urls)
    const id = `request ${++requests}`
    phone.watch(client, 'request', client.gate.request({ url, method: 'POST', header: { id } }), () => {
      // The client cannot know whose a 401 without JSON is, if the session ends at this moment.
      if (url !== '/text401') phone.expect((gateway.served.get(id) || 0) <= 1, 'served twice: ' + url)
    })
  }
  const logOut = (phone, client, what) => {
    const alone = () => ![...phone.calls].some((call) => call.what === 'login' || call.client !== client)
    const before = alone()
    phone.mayBeOut = true
    phone.watch(client, what, client.gate.logout({ all: what === 'logout all' }), (failure) => {
      if (!failure) phone.out = before && alone() && !phone.filled
    })
  }
  const perform = {
    request,
    requests: (phone, client) => { for (let i = 0; i < 5; i++) request(phone, client) },
    phone: (phone, client) => phone.watch(client, 'phone', client.gate.phone({ code: 'x' })),
    undecryptable: (phone, client) => phone.watch(client, 'undecryptable', client.gate.phone({ code: 'undecryptable' })),
    session: (phone, client) => phone.watch(client, 'session', client.gate.session()),
    login(phone, client) {
      phone.out = false
      phone.watch(client, 'login', client.gate.login())
    },
    logout: (phone, client) => logOut(phone, client, 'logout'),
    'logout all': (phone, client) => logOut(phone, client, 'logout all'),
    /** The mini program is ended, at any moment, and starts again. */
    end(phone) {
      for (const client of phone.clients) client.alive = false
      phone.calls.clear()
      phone.unsure = ended = true
      phone.start(phone.clients.length)
    },
    fill(phone) {
      if (!faulty) return
      phone.device.full = !phone.device.full
      phone.unsure = phone.filled = true
      phone.out = false
    },
    revoke: () => gateway.endAll(),
    expire: () => gateway.expire(),
    retire: () => gateway.retireKeys(),
    clock: () => { clock.jump = random.one([0, -86400_000, 1800_000, 86400_000]) },
    wait: () => clock.run(random.one([100, 1000, 30_000, 3600_000])),
  }
  const check = () => { for (const { failures } of phones) if (failures.length > 0) throw failures[0] }

  for (let i = 0; i < 50; i++) {
    const phone = random.one(phones)
    phone.device.faults = faulty ? random.one([0, 0, 20, 60]) : 0
    // With a limit, another login replaces the session: also one whose response is lost.
    if (limit === 1 && (faulty || ended || phones.length > 1 || phone.clients.length > 1)) phone.mayBeOut = true
    await perform[random.one(operations)](phone, random.one(phone.clients))
    if (random.chance(50)) await clock.run(random.one([1, 100, 1000]))
    check()
  }

  // Everything settles, and afterwards everything works.
  await clock.run()
  for (const { calls } of phones) assert.deepEqual([...calls].map(({ what }) => what), [])
  if (!faulty && !ended) assert.equal(gateway.reused, 0, 'a session that the client itself ended')
  for (const phone of phones) {
    Object.assign(phone.device, { faults: 0, full: false })
    for (const client of phone.clients) {
      phone.watch(client, 'last', client.gate.request({ url: '/orders', header: {} }), (failure) => {
        // One of two clients may get tokens of the other that are old too, and needs a second call.
        if (failure && phone.clients.length === 1) phone.expect(failure.code === 'logged_out', String(failure))
      })
      await clock.run()
    }
    assert.equal(phone.calls.size, 0)
  }
  check()
}

test('any operations in any order', async (t) => {
  const clock = newClock(t)
  for (let seed = Number(SEED); seed < Number(SEED) + Number(RUNS); seed++) {
    await run(clock, seed).catch((failure) => {
      failure.message = `SEED=${seed} RUNS=1: ${failure.message}`
      throw failure
    })
  }
})
