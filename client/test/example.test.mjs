import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { atOnce, problem, pub } from './phone.mjs'
import { loadProgram } from './program.mjs'
import { retireKeys, SIM_MANAGEMENT, simulator, startGateway } from './servers.mjs'
import { scan, startWebsite } from './website.mjs'
import { newWx } from './wx.mjs'

const gateway = await startGateway({ after })
const folder = fileURLToPath(new URL('../example', import.meta.url))
const files = new Map([['wxfile://photo', Buffer.from('photo')]])

/** The example on a new phone. */
function start(user, site = gateway) {
  const shown = []
  globalThis.wx = Object.assign(newWx({ management: SIM_MANAGEMENT, user, files }), {
    showToast: ({ title }) => shown.push(title),
    showModal: ({ content }) => shown.push(content),
    chooseMedia: ({ success }) => success({ tempFiles: [{ tempFilePath: 'wxfile://photo' }] }),
  })
  const program = loadProgram(folder, globalThis.wx, { 'config.js': { baseURL: site.proxy.url, webPage: '/account' } })
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
  const undeclared = 'getPhoneNumber:fail api scope is not declared in the privacy agreement'
  await me.onPhone({ detail: { errMsg: undeclared, errno: 112 } })
  assert.deepEqual(shown.splice(0), ['已取消', '调用失败：' + undeclared])
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

test('the web page opens with a ticket, and again after an error', async (t) => {
  const site = await startWebsite(t)
  const { program } = start('web', site)
  const web = program.open('pages/web/web')
  await web.onLoad({})
  assert.match(web.data.src, /ticket=ticket-1&return=%2Faccount$/)
  web.onError()
  assert.deepEqual(web.data, { src: '', error: '网页打不开，请检查网络后重试' })
  await web.open()
  assert.match(web.data.src, /ticket=ticket-2&/)
  site.next('web/ticket', problem(403, 'forbidden'))
  await web.open()
  assert.deepEqual(web.data, { src: '', error: '出错了，请联系客服：request-1' })
})

test('the page of a scan shows the browser, and confirms with the number or refuses', async (t) => {
  const site = await startWebsite(t)
  const { program } = start('scan', site)
  const opened = async () => {
    const page = program.open('pages/scan/scan')
    await page.onLoad({ scene: scan })
    return page
  }
  const page = await opened()
  assert.deepEqual([page.data.browser, page.data.address, page.data.place], ['Chrome on Windows', '203.0.113.*', ''])
  page.onInput({ detail: { value: '1234' } })
  await page.confirm()
  assert.match(page.data.error, /^数字不对/)
  assert.equal(page.data.browser, 'Chrome on Windows')
  page.onInput({ detail: { value: '0421' } })
  await Promise.all([page.confirm(), page.confirm()]) // a button that is pressed twice
  assert.deepEqual([site.state, page.data.browser, page.data.done], ['confirmed', '', '已登录，请回到电脑继续'])
  assert.equal(site.sent('web/scan/' + scan).length, 2)

  site.state = 'waiting'
  const other = await opened()
  await other.refuse()
  assert.deepEqual([site.state, other.data.browser, other.data.done], ['refused', '', '已拒绝'])
  assert.match((await opened()).data.error, /^登录码无效或已过期/)

  site.state = 'waiting'
  const late = await opened()
  site.state = 'expired'
  await late.confirm()
  assert.deepEqual([late.data.browser, late.data.error.slice(0, 5)], ['', '登录码无效'])
})

test('a user who has logged out logs in on the page of a scan', async (t) => {
  const { program, wx } = start('scan-out', await startWebsite(t))
  const me = program.open('pages/me/me')
  await me.onShow()
  await me.logout()
  const page = program.open('pages/scan/scan')
  await page.onLoad({ scene: scan })
  assert.deepEqual([page.data.browser, page.data.error, page.data.loggedOut], ['', '请先登录', true])
  await page.login()
  assert.deepEqual([page.data.browser, page.data.error, page.data.loggedOut], ['Chrome on Windows', '', false])
  assert.equal(wx.codes, 2)
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

test('the code of the READMEs runs', async (t) => {
  for (const name of ['README.md', 'README.zh-CN.md']) {
    const [create, page, errors, socket, web, confirmation, uni, taro, cloud] = blocks(name)
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

    const site = await startWebsite(t)
    const website = published.x.createClient({ baseURL: site.proxy.url })
    const show = async (code, query) => {
      let page
      run(code, { gate: website, Page: (given) => { page = given } })
      page.setData = (changes) => Object.assign(page.data, changes)
      await page.onLoad(query)
      return page
    }
    assert.match((await show(web, {})).data.src, /ticket=ticket-1&return=%2Faccount$/)
    const asked = await show(confirmation, { scene: scan })
    assert.deepEqual(asked.data, { browser: 'Chrome on Windows', address: '203.0.113.*' })
    wx.showToast = ({ title }) => visited.push(title)
    wx.navigateBack = () => visited.push('back')
    await asked.onSubmit({ detail: { value: { number: '0421' } } })
    assert.equal(site.state, 'confirmed')
    site.state = 'waiting'
    await asked.onRefuse()
    assert.equal(site.state, 'refused')
    assert.deepEqual(visited.splice(0).slice(2), [name === 'README.md' ? 'Signed in' : '已登录', 'back'])

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
  assert.equal((await call('/status/401/mine', { item: 1 })).statusCode, 401) // of the service, which is sent once
  assert.equal(gateway.proxy.count('/status/401/mine'), 1)
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
