const gate = require('../../gate')
const message = require('../../message')

Page({
  data: { session: null, phone: '', error: '' },

  onShow() {
    return this.show()
  },

  async show() {
    try {
      this.setData({ session: await gate.session(), error: '' })
    } catch (failure) {
      this.setData({ session: null, phone: '', error: message(failure) })
    }
  },

  async login() {
    await gate.login().catch(() => {}) // show 会再报一次错
    await this.show()
  },

  async onPhone(e) {
    try {
      const { purePhoneNumber } = await gate.phone(e.detail)
      this.setData({ phone: purePhoneNumber })
      await this.show()
    } catch (failure) {
      wx.showToast({ title: message(failure), icon: 'none' })
    }
  },

  logout() {
    return this.leave(false)
  },

  logoutAll() {
    return this.leave(true)
  },

  async leave(all) {
    try {
      await gate.logout({ all })
    } catch (failure) {
      return wx.showToast({ title: message(failure), icon: 'none' })
    }
    await this.show()
  },
})
