const gate = require('../../gate')
const message = require('../../message')

// 扫电脑上的小程序码打开本页，网关配置：scan <appid> page pages/scan/scan
Page({
  data: { browser: '', address: '', place: '', number: '', error: '', done: '', loggedOut: false, sending: false },

  onLoad({ scene }) {
    this.scene = scene
    return this.load()
  },

  async load() {
    try {
      this.scan = await gate.confirmScan(this.scene)
      const { browser, address, place = '' } = this.scan
      this.setData({ browser, address, place, error: '', loggedOut: false })
    } catch (failure) {
      this.fail(failure)
    }
  },

  async login() {
    await gate.login().catch(() => {}) // load 会再报一次错
    await this.load()
  },

  onInput({ detail }) {
    this.setData({ number: detail.value, error: '' })
  },

  confirm() {
    return this.decide(() => this.scan.confirm(this.data.number), '已登录，请回到电脑继续')
  },

  refuse() {
    return this.decide(() => this.scan.refuse(), '已拒绝')
  },

  async decide(send, done) {
    if (this.data.sending) return
    this.setData({ sending: true })
    try {
      await send()
      this.setData({ browser: '', done })
    } catch (failure) {
      this.fail(failure)
    }
    this.setData({ sending: false, number: '' })
  },

  // 扫码作废后不再显示按钮；数字输错或断网时可以再试。
  fail(failure) {
    const ended = failure.code === 'scan_not_found' || failure.code === 'logged_out'
    this.setData({ error: message(failure), loggedOut: failure.code === 'logged_out', browser: ended ? '' : this.data.browser })
  },
})
