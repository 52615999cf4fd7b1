import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { runInNewContext } from 'node:vm'

import { newPhone, problem, pub, skipPauses } from './phone.mjs'
import { retireKeys, startGateway } from './servers.mjs'

const gateway = await startGateway({ after })

const photo = () => new Map([['wxfile://photo', Buffer.from('the bytes of a photo')]])
const upload = { url: '/photos', filePath: 'wxfile://photo', name: 'photo', formData: { album: '1' } }

test('an upload is repeated after a refresh, and its progress is reported', async () => {
  const phone = newPhone(gateway, { files: photo() })
  const { openId } = await phone.gate.login()
  await retireKeys(gateway)
  const progress = []
  const task = phone.gate.uploadFile(upload)
  task.onProgressUpdate(({ progress: percent }) => progress.push(percent))
  const response = await task
  assert.equal(response.statusCode, 200)
  const seen = JSON.parse(response.data) // uploads return text
  assert.equal(seen.openid, openId)
  assert.match(seen.body, /the bytes of a photo/)
  assert.ok(progress.length >= 1)
  assert.equal(phone.count('refresh'), 1)
})

test('the refusal of an upload is read from its text', async () => {
  const phone = newPhone(gateway, { files: photo() })
  await assert.rejects(phone.gate.uploadFile({ ...upload, url: '/pay' }), { code: 'phone_required', statusCode: 403 })
})

test('a download whose token is refused is repeated, although the refusal is in a file', async () => {
  const files = new Map()
  const phone = newPhone(gateway, { files })
  const { openId } = await phone.gate.login()
  await retireKeys(gateway)
  const { statusCode, tempFilePath } = await phone.gate.downloadFile({ url: '/file' })
  assert.equal(statusCode, 200)
  assert.equal(JSON.parse(files.get(tempFilePath)).openid, openId)
  assert.equal(phone.count('refresh'), 1)
})

test('a 401 of the service on a download is returned', async () => {
  const phone = newPhone(gateway)
  assert.equal((await phone.gate.downloadFile({ url: '/status/401' })).statusCode, 401)
  assert.equal(phone.wx.codes, 1)
  assert.equal(phone.count('refresh'), 0)
})

test('a request that the service refused without a body is not repeated when the gateway cannot say whose refusal it is', async (t) => {
  const pauses = skipPauses(t)
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.service.seen.length = 0
  gateway.proxy.next(pub('session'), problem(503, 'store_unavailable', { 'retry-after': '1' }))
  assert.equal((await phone.gate.request({ url: '/status/401', method: 'HEAD' })).statusCode, 401)
  assert.equal(gateway.service.seen.length, 1)
  assert.deepEqual(pauses, [])
})

test('a HEAD, whose refusal has no body, is repeated', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  await retireKeys(gateway)
  assert.equal((await phone.gate.request({ url: '/orders', method: 'HEAD' })).statusCode, 200)
  assert.equal(phone.count('refresh'), 1)
})

/** Passes bytes as WeChat's developer tools do: their ArrayBuffer is not the one of the page. */
function passForeignBuffers(wx) {
  const { request } = wx
  const copy = runInNewContext('(bytes) => Uint8Array.from(bytes).buffer')
  wx.request = (options) => request({
    ...options,
    success: (response) => options.success({ ...response, data: response.data instanceof ArrayBuffer ? copy([...new Uint8Array(response.data)]) : response.data }),
  })
}

test('refusals are read whatever form of data the caller asks for', async () => {
  for (const form of [{ responseType: 'arraybuffer' }, { responseType: 'arraybuffer', foreign: true }, { dataType: 'text' }]) {
    const phone = newPhone(gateway)
    if (form.foreign) passForeignBuffers(phone.wx)
    await phone.orders()
    await retireKeys(gateway)
    const { data } = await phone.gate.request({ url: '/orders', ...form })
    assert.match(Buffer.from(data).toString(), /"openid":/)
    assert.equal(phone.count('refresh'), 1)
    const chinese = problem(403, 'phone_required')
    gateway.proxy.next('/orders', { ...chinese, body: chinese.body.replace('the detail of phone_required', '需要手机号') })
    await assert.rejects(phone.gate.request({ url: '/orders', ...form }), { code: 'phone_required', detail: '需要手机号' })
  }
})

test('a request that is aborted rejects, and is not sent if the client still logs in or refreshes', async () => {
  const phone = newPhone(gateway, { files: photo() })
  const started = { request: 0, uploadFile: 0 }
  for (const name of Object.keys(started)) {
    const start = phone.wx[name]
    phone.wx[name] = (options) => {
      if (/orders|photos/.test(options.url)) started[name]++
      return start(options)
    }
  }
  const early = phone.orders()
  early.abort()
  await assert.rejects(early, { errMsg: 'request:fail abort' })
  await retireKeys(gateway)
  const refreshed = phone.gate.uploadFile(upload)
  const refresh = new Promise((resolve) => { phone.gate.on('refresh', resolve) })
  refresh.then(() => refreshed.abort())
  await assert.rejects(refreshed, { errMsg: 'uploadFile:fail abort' })
  assert.deepEqual(started, { request: 0, uploadFile: 1 })
  const late = phone.orders()
  late.onHeadersReceived(() => {})
  setImmediate(() => late.abort())
  await assert.rejects(late, { errMsg: 'request:fail abort' })
  assert.equal((await phone.orders()).statusCode, 200)
})

test('callbacks in the style of wx are called', async () => {
  const phone = newPhone(gateway)
  const calls = []
  const options = (url) => ({
    url,
    success: ({ statusCode }) => calls.push(['success', statusCode]),
    fail: ({ code }) => calls.push(['fail', code]),
    complete: () => calls.push(['complete']),
  })
  await phone.gate.request(options('/status/404'))
  await phone.gate.request(options('/pay')).catch(() => {})
  assert.deepEqual(calls, [['success', 404], ['complete'], ['fail', 'phone_required'], ['complete']])
})

/** Opens a socket, sends a message, and returns what came until the echo. */
async function talk(task) {
  const messages = []
  await new Promise((resolve, reject) => {
    task.onOpen(() => task.send({ data: 'ping' }))
    task.onError(({ errMsg }) => reject(new Error(errMsg)))
    task.onMessage(({ data }) => {
      messages.push(data)
      if (data.startsWith('echo')) resolve()
    })
  })
  return messages
}

test('a WebSocket carries the token, and an expired one is refreshed before it', async () => {
  const phone = newPhone(gateway)
  const { openId } = await phone.gate.login()
  await retireKeys(gateway)
  const task = await phone.gate.connectSocket({ url: '/socket' })
  assert.deepEqual(await talk(task), ['hello ' + openId, 'echo ping'])
  assert.equal(phone.count('refresh'), 1)
  task.close({})
  const whole = await phone.gate.connectSocket({ url: gateway.proxy.url.replace('http', 'ws') + '/socket' })
  assert.deepEqual(await talk(whole), ['hello ' + openId, 'echo ping'])
  whole.close({})
})

test('a logout closes the WebSocket', async () => {
  const phone = newPhone(gateway)
  const task = await phone.gate.connectSocket({ url: '/socket' })
  await talk(task)
  const closed = new Promise((resolve) => { task.onClose(resolve) })
  await phone.gate.logout()
  await closed
})

test('a WebSocket that the host does not open rejects', async () => {
  const phone = newPhone(gateway)
  phone.wx.connectSocket = ({ fail }) => { fail({ errMsg: 'connectSocket:fail max 5' }) }
  await assert.rejects(phone.gate.connectSocket({ url: '/socket' }), { name: 'HostError', errMsg: 'connectSocket:fail max 5' })
})

test('no token is sent to another host', async () => {
  const phone = newPhone(gateway)
  await phone.orders()
  gateway.proxy.reset()
  const { url } = gateway.proxy
  for (const other of ['https://example.com/', url + '.example.com/', url + '@example.com/', 'orders', '', 'https:/example.com']) {
    await assert.rejects(phone.gate.request({ url: other }), TypeError)
    await assert.rejects(phone.gate.downloadFile({ url: other }), TypeError)
    await assert.rejects(phone.gate.connectSocket({ url: other }), TypeError)
  }
  assert.deepEqual(gateway.proxy.counts, {})
  await assert.rejects(phone.gate.request({ url: '//example.com/' }), { code: 'invalid_request' }) // it reached the gateway
  assert.equal(gateway.proxy.count('//example.com/'), 1)
  assert.equal((await phone.gate.request({ url: url + '/orders' })).statusCode, 200)
  assert.equal(gateway.proxy.count(pub('openId')), 0)
})
