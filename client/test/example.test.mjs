import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { atOnce, pub } from './phone.mjs'
import { loadProgram } from './program.mjs'
import { retireKeys, SIM_MANAGEMENT, simulator, startGateway } from './servers.mjs'
import { newWx } from './wx.mjs'

const gateway = await startGateway({ after })
const folder = fileURLToPath(new URL('../example', import.meta.url))
const files = new Map([['wxfile://photo', Buffer.from('photo')]])

/** The example on a new phone. */
function start(user) {
  const shown = []
  globalThis.wx = Object.assign(newWx({ management: SIM_MANAGEMENT, user, files }), {
    showToast: ({ title }) => shown.push(title),
    showModal: ({ content }) => shown.push(content),
    chooseMedia: ({ success }) => success({ tempFiles: [{ tempFilePath: 'wxfile://photo' }] }),
  })
  const program = loadProgram(folder, globalThis.wx, { 'config.js': { baseURL: gateway.proxy.url } })
  return { program, shown, wx: globalThis.wx }
}
after(() => { delete globalThis.wx })

test('every page and tab has its files, and every handler of a page exists', () => {
  const { program } = start('files')
  const { pages, tabBar, sitemapLocation } = program.config
  for (const { pagePath } of tabBar.list) assert.ok(pages.includes(pagePath))
  for (const file of [sitemapLocation, 'app.wxss', 'project.config.json', 'package.json']) assert.ok(existsSync(`${folder}/${file}`), file)
  for (const page of pages) {
    JSON.parse(readFileSync(`${folder}/${page}.json`, 'utf8'))
    const handlers = [...readFileSync(`${folder}/${page}.wxml`, 'utf8').matchAll(/bind\w+="(\w+)"/g)].map(([, name]) => name)
    assert.ok(handlers.length > 0)
    for (const name of handlers) assert.equal(typeof program.pages[page][name], 'function', `${page}: ${name}`)
  }
  assert.equal(JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).dependencies['wxgate-client'], 'file:..')
})

test('the pages log in, show the user, bind a phone number, upload, log out, and log in again', async () => {
  const { program, shown, wx } = start('example')
  const service = program.open('pages/service/service')
  const me = program.open('pages/me/me')
  await Promise.all([service.onShow(), me.onShow()])
  assert.equal(service.data.statusCode, 200)
  assert.equal(me.data.session.openId, JSON.parse(service.data.text).openid)
  assert.equal(wx.codes, 1)

  await me.onPhone({ detail: { errMsg: 'getPhoneNumber:fail user deny' } })
  assert.deepEqual(shown.splice(0), ['已取消'])
  await me.onPhone({ detail: { code: await simulator('GET', '/phone-code?user=example') } })
  assert.match(me.data.phone, /^\d+$/)
  assert.equal(me.data.session.phone_verified, true)

  await service.send('wxfile://photo')
  assert.deepEqual(shown.splice(0), ['已上传'])
  assert.equal(service.data.progress, 100)

  await me.logout()
  assert.equal(me.data.session, null)
  await service.load()
  assert.equal(service.data.error, '请先登录')
  await me.login()
  assert.match(me.data.session.openId, /./)
  await me.logoutAll()
  assert.equal(me.data.session, null)
})

test('without a network the pages say so', async (t) => {
  const { program } = start('offline')
  const me = program.open('pages/me/me')
  await me.onShow()
  gateway.proxy.offline = true
  t.after(() => { gateway.proxy.offline = false })
  const service = program.open('pages/service/service')
  await service.onShow()
  assert.match(service.data.error, /网络不可用/)
})

/** The blocks of JavaScript of a page. */
function blocks(name) {
  const text = readFileSync(new URL('../' + name, import.meta.url), 'utf8')
  return [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code)
}

test('the code of the READMEs runs', async () => {
  for (const name of ['README.md', 'README.zh-CN.md']) {
    const [create, page, errors, socket, uni, taro, cloud] = blocks(name)
    const { wx } = start('readme')
    const require = (module) => (module.endsWith('gate') ? gate : published[module.replace('wxgate-client', 'x')])
    const published = { x: await import('wxgate-client'), 'x/cloud': await import('wxgate-client/cloud') }
    const run = (code, names) => new Function('require', 'wx', ...Object.keys(names), code)(require, wx, ...Object.values(names))

    const module = { exports: {} }
    run(create.replace('https://api.example.com', gateway.proxy.url), { module })
    const gate = module.exports

    let options
    run(page, { Page: (given) => { options = given } })
    const opened = Object.assign(Object.create(options), { setData(changes) { Object.assign(this.data, changes) } })
    await opened.onLoad()
    await opened.onPhone({ detail: { code: await simulator('GET', '/phone-code?user=readme') } })
    assert.match(opened.data.phone, /^\d+$/)

    const visited = []
    wx.navigateTo = ({ url }) => visited.push(url)
    const pay = run(errors + '\nreturn pay', { gate })
    assert.equal((await pay({ id: 1 })).statusCode, 200)
    await gate.logout()
    await pay({ id: 1 })
    await gate.login() // a session without a number
    await pay({ id: 1 })
    assert.deepEqual(visited, ['/pages/login/login', '/pages/phone/phone'])

    const message = await new Promise((show) => { run(socket + '\nreturn connect()', { gate, show, setTimeout() {} }) })
    assert.match(message, /^hello /)

    const module1 = (code) => code.replace(/^import .*$/gm, '').replace('export default', 'return')
    for (const code of [uni, taro]) {
      const client = run(module1(code).replace('https://api.example.com', gateway.proxy.url), {
        uni: wx, Taro: wx, createClient: published.x.createClient,
      })
      assert.equal(typeof client.request, 'function')
    }

    const counted = await run(cloud.replace('cloud.callContainer(', 'return cloud.callContainer('), {})
    assert.equal(counted.data.body, '{"action":"inc"}')
  }
})

test('the client that docs/sessions.md shows works, and 20 calls make one refresh', async () => {
  const [sample] = blocks('../docs/sessions.md')
  const { wx } = start('sample')
  const call = new Function('wx', 'setTimeout', sample.replace('https://api.example.com', gateway.proxy.url) + '\nreturn call')(wx, setTimeout)
  const login = (await call('/orders')).data.openid
  await retireKeys(gateway)
  gateway.proxy.reset()
  const responses = await atOnce(20, () => call('/orders', { item: 1 }))
  assert.ok(responses.every(({ statusCode, data }) => statusCode === 200 && data.openid === login))
  assert.equal(gateway.proxy.count(pub('refresh')), 1)
  assert.equal(wx.codes, 1)
})

test('the code of SKILL.md runs', async () => {
  const [code] = blocks('../SKILL.md')
  const [create, use] = code.split('// in a page')
  const { wx } = start('skill')
  const published = await import('wxgate-client')
  const module = {}
  new Function('require', 'module', 'wx', create.replace('https://api.example.com', gateway.proxy.url))(() => published, module, wx)
  const e = { detail: { code: await simulator('GET', '/phone-code?user=skill') } }
  const AsyncFunction = (async () => {}).constructor
  const { statusCode, purePhoneNumber } = await new AsyncFunction('gate', 'e', use + '\nreturn { statusCode, purePhoneNumber }')(module.exports, e)
  assert.equal(statusCode, 200)
  assert.match(purePhoneNumber, /^\d+$/)
})

test('both READMEs have the same code, but for the text that users see', () => {
  const skeleton = (code) => code.replace(/ *\/\/.*$/gm, '').replace(/'[^']*'/g, '\'\'')
  assert.deepEqual(blocks('README.zh-CN.md').map(skeleton), blocks('README.md').map(skeleton))
})
