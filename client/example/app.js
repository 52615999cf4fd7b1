const gate = require('./gate')

App({
  onLaunch() {
    // 在其他设备登录后，本机会话失效。不自动登录，提示用户即可。
    gate.on('logout', ({ reason }) => {
      if (reason !== 'session_replaced') return
      wx.showModal({ title: '已下线', content: '账号已在其他设备登录', showCancel: false })
    })
  },
})
