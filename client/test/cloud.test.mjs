import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { createCloud } from 'wxgate-client/cloud'

import { newPhone } from './phone.mjs'
import { retireKeys, startGateway } from './servers.mjs'

// As the README shows: Caddy chooses the service before wxgate removes the header.
const gateway = await startGateway({ after }, {
  more: `@ws header X-WX-SERVICE ws
	handle @ws {
		wxgate
		rewrite * /ws{uri}
		reverse_proxy {service}
	}`,
})

test('code that was written for wx.cloud.callContainer runs unchanged', async () => {
  const phone = newPhone(gateway)
  const wx = { cloud: createCloud(phone.gate) } // the one line that changes

  await wx.cloud.init({ env: 'prod-01', traceUser: true })
  const result = await wx.cloud.callContainer({
    config: { env: 'prod-01' },
    path: '/api/count?x=1',
    method: 'POST',
    header: { 'X-WX-SERVICE': 'counter', 'content-type': 'application/json' },
    data: { action: 'inc' },
  })
  assert.equal(result.statusCode, 200)
  assert.equal(result.data.url, '/api/count?x=1')
  assert.equal(result.data.method, 'POST')
  assert.equal(result.data.body, '{"action":"inc"}')
  assert.equal(result.data.headers['x-wx-source'], 'wx_client')
  assert.equal(result.data.openid, (await phone.gate.session()).openId)
  assert.equal(JSON.stringify(result.data).includes('prod-01'), false)

  const other = await wx.cloud.callContainer({ path: '/api/count', header: { 'X-WX-SERVICE': 'ws' } })
  assert.equal(other.data.url, '/ws/api/count')

  const c1 = new wx.cloud.Cloud({ resourceAppid: 'wx1', resourceEnv: 'prod-01' })
  await c1.init()
  assert.equal((await c1.callContainer({ path: 'api/count' })).data.url, '/api/count')
})

test('callbacks, a status of the service, and a refusal', async () => {
  const cloud = createCloud(newPhone(gateway).gate)
  const result = await new Promise((success, fail) => { cloud.callContainer({ path: '/status/404', success, fail }) })
  assert.equal(result.statusCode, 404)
  const failure = await new Promise((fail, success) => { cloud.callContainer({ path: '/pay', success, fail }).catch(() => {}) })
  assert.equal(failure.code, 'phone_required')
})

test('connectContainer opens a WebSocket', async () => {
  const phone = newPhone(gateway)
  const { openId } = await phone.gate.login()
  await retireKeys(gateway)
  const { socketTask } = await createCloud(phone.gate).connectContainer({ config: { env: 'prod-01' }, service: 'ws', path: '/socket' })
  const message = await new Promise((resolve) => { socketTask.onMessage(resolve) })
  assert.equal(message.data, 'hello ' + openId)
  socketTask.close({})

  const cloud = createCloud(phone.gate)
  const opened = await new Promise((success, fail) => { cloud.connectContainer({ service: 'ws', path: '/socket', success, fail }) })
  await new Promise((resolve) => { opened.socketTask.onOpen(resolve) })
  opened.socketTask.close({})
  phone.wx.connectSocket = ({ fail }) => { fail({ errMsg: 'connectSocket:fail max 5' }) }
  const calls = []
  await new Promise((complete) => { cloud.connectContainer({ path: '/socket', fail: ({ errMsg }) => calls.push(errMsg), complete }) })
  assert.deepEqual(calls, ['connectSocket:fail max 5'])
})
