const { webPage } = require('../../config')
const gate = require('../../gate')
const message = require('../../message')

Page({
  data: { src: '', error: '' },

  onLoad() {
    return this.open()
  },

  // 地址只能用一次，60 秒内有效，所以每次打开都重新取。
  async open() {
    this.setData({ src: '', error: '' })
    try {
      this.setData({ src: await gate.openWebView(webPage) })
    } catch (failure) {
      this.setData({ error: message(failure) })
    }
  },

  onError() {
    this.setData({ src: '', error: '网页打不开，请检查网络后重试' })
  },
})
