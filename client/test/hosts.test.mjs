import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import * as esm from 'wxgate-client'

import { newPhone, pub, skipPauses } from './phone.mjs'
import { retireKeys, SIM_MANAGEMENT, simulator, startGateway, TT_APPID, WX_APPID_2 } from './servers.mjs'
import { newWx } from './wx.mjs'

const gateway = await startGateway({ after })
const { createClient } = esm

test('the CommonJS and the ES module have the same names', () => {
  const require = createRequire(import.meta.url)
  const names = ['GateError', 'HostError', 'createClient']
  assert.deepEqual(Object.keys(require('wxgate-client')).sort(), names)
  assert.deepEqual(Object.keys(esm).sort(), names)
  assert.deepEqual(Object.keys(require('wxgate-client/cloud')), ['createCloud'])
})

test('tools that do not read exports find wxgate-client/cloud too', () => {
  const folder = new URL('../cloud/', import.meta.url)
  const { main, module, types } = JSON.parse(readFileSync(new URL('package.json', folder)))
  assert.equal(typeof createRequire(import.meta.url)(fileURLToPath(new URL(main, folder))).createCloud, 'function')
  for (const file of [module, types]) assert.ok(existsSync(new URL(file, folder)), file)
})

test('the CommonJS module, which mini programs load, works', async () => {
  const require = createRequire(import.meta.url)
  const { createClient, GateError } = require('wxgate-client')
  const gate = createClient({ baseURL: gateway.proxy.url + '/', host: newWx({ management: SIM_MANAGEMENT, user: 'commonjs' }) })
  assert.equal((await gate.request({ url: '/orders' })).statusCode, 200)
  await assert.rejects(gate.request({ url: '/pay' }), GateError)
})

test('two clients of two apps on one phone keep their tokens apart', async () => {
  const storage = new Map()
  const one = newPhone(gateway, { storage, user: 'two-apps' })
  const other = newPhone(gateway, { storage, user: 'two-apps', appid: WX_APPID_2 })
  const [first, second] = await Promise.all([one.orders(), other.orders()])
  assert.equal(first.data.appid, process.env.WX_APPID)
  assert.equal(second.data.appid, WX_APPID_2)
  assert.equal(storage.size, 2)
  await one.gate.logout()
  assert.equal((await other.orders()).statusCode, 200)
  await assert.rejects(one.orders(), { code: 'logged_out' })
  assert.equal((await other.restart().orders()).data.appid, WX_APPID_2)
})

test('the host is found by its global name', async (t) => {
  assert.throws(() => createClient({ baseURL: gateway.proxy.url }), /no wx, tt, qq or uni found/)
  globalThis.wx = { config() {} } // of the JS-SDK for web pages
  assert.throws(() => createClient({ baseURL: gateway.proxy.url }), /no wx, tt, qq or uni found/)
  for (const name of ['wx', 'uni', 'qq']) {
    globalThis[name] = newWx({ management: SIM_MANAGEMENT, user: 'global-' + name })
    t.after(() => { delete globalThis[name] })
    assert.equal((await createClient({ baseURL: gateway.proxy.url }).request({ url: '/orders' })).statusCode, 200)
    delete globalThis[name]
  }
})

test('the messages of the client are in the language of the host', async (t) => {
  skipPauses(t)
  const wrong = async (language) => {
    const wx = Object.assign(newWx({ management: SIM_MANAGEMENT, user: 'language' }), { getAppBaseInfo: () => ({ language }) })
    const gate = createClient({ baseURL: SIM_MANAGEMENT, host: wx })
    return await gate.login().then(() => assert.fail(), (failure) => failure)
  }
  for (const [language, detail] of [['zh_CN', /^响应不是来自 wxgate/], ['en', /^Not a response of wxgate/]]) {
    const failure = await wrong(language)
    assert.equal(failure.code, 'unexpected_response')
    assert.match(failure.detail, detail)
  }
})

test('a host that does not tell its language is no error', async () => {
  for (const getAppBaseInfo of [undefined, () => undefined, () => { throw new Error('not in a plugin') }]) {
    const host = { ...newWx({ management: SIM_MANAGEMENT, user: 'language' }), getAppBaseInfo }
    assert.equal((await createClient({ baseURL: gateway.proxy.url, host }).request({ url: '/orders' })).statusCode, 200)
  }
})

test('tt of Douyin works', async () => {
  const tt = newWx({ management: SIM_MANAGEMENT, user: 'douyin', appid: TT_APPID })
  const gate = createClient({ baseURL: gateway.proxy.url, host: tt, appid: TT_APPID })
  assert.equal((await gate.request({ url: '/orders' })).data.appid, TT_APPID)

  // Since base library 3.51.0 its button gives a code too, of which the gateway knows none.
  const { encrypted_data: encryptedData, iv } = JSON.parse(await simulator('GET', `/encrypted-phone?user=douyin&appid=${TT_APPID}`))
  gateway.proxy.reset()
  assert.match((await gate.phone({ errMsg: 'getPhoneNumber:ok', code: 'x', encryptedData, iv })).purePhoneNumber, /^\d+$/)
  assert.equal(gateway.proxy.count(pub('decode')), 2)
  assert.equal((await gate.request({ url: '/pay' })).statusCode, 200)
})

test('Taro, whose functions return promises beside the callbacks, leaves none unhandled', async (t) => {
  const unhandled = []
  const note = (reason) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const wx = newWx({ management: SIM_MANAGEMENT, user: 'taro' })
  const Taro = { ...wx }
  for (const name of ['login', 'request', 'connectSocket']) {
    Taro[name] = (options) => {
      let task
      const promise = new Promise((resolve, reject) => {
        task = wx[name]({
          ...options,
          success(result) { options.success?.(result); resolve(name === 'connectSocket' ? task : result) },
          fail(failure) { options.fail?.(failure); reject(failure) },
        })
      })
      return name === 'request' ? Object.assign(promise, task) : promise
    }
  }
  const gate = createClient({ baseURL: gateway.proxy.url, host: Taro })
  assert.equal((await gate.request({ url: '/orders' })).statusCode, 200)
  const aborted = gate.request({ url: '/orders' })
  aborted.abort()
  await assert.rejects(aborted, /abort/)
  const task = await gate.connectSocket({ url: '/socket' })
  await new Promise((resolve) => { task.onOpen(resolve) })
  task.close({})
  await new Promise(setImmediate)
  assert.deepEqual(unhandled, [])
})

test('a storage may be asynchronous', async () => {
  const values = new Map()
  const storage = {
    get: async (key) => values.get(key),
    set: async (key, value) => { values.set(key, value) },
    remove: async (key) => { values.delete(key) },
  }
  const host = newWx({ management: SIM_MANAGEMENT, user: 'async-storage' })
  const options = { baseURL: gateway.proxy.url, host, storage }
  const { session } = await createClient(options).session()
  await retireKeys(gateway)
  assert.equal((await createClient(options).session()).session, session)
  assert.equal(host.codes, 1)
})

test('options that cannot work are errors at once', () => {
  const host = newWx({ management: SIM_MANAGEMENT, user: 'x' })
  for (const options of [{ baseURL: 'api.example.com' }, { baseURL: 'wss://api.example.com' }, { baseURL: 'https://' }, { baseURL: 'https://a?x=1' }, { baseURL: 'https://a/b#c' }, { baseURL: 'https://a', prefix: 'v1' }]) {
    assert.throws(() => createClient({ host, ...options }), TypeError)
  }
})

test('a listener that throws breaks no login, and a listener can be removed', async (t) => {
  const later = []
  const real = globalThis.setTimeout
  globalThis.setTimeout = (work) => later.push(work)
  t.after(() => { globalThis.setTimeout = real })
  const phone = newPhone(gateway)
  phone.gate.on('login', () => { throw new Error('the listener\'s') })
  const seen = []
  const remove = phone.gate.on('login', (event) => seen.push(event))
  await phone.gate.login()
  remove()
  await phone.gate.login()
  assert.equal(seen.length, 1)
  assert.equal(later.length, 2)
  for (const work of later) assert.throws(work, /the listener's/)
})
