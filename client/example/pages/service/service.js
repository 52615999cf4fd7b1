const gate = require('../../gate')
const message = require('../../message')

Page({
  data: { statusCode: 0, text: '', error: '', loading: false, progress: 0 },

  onShow() {
    return this.load()
  },

  async load() {
    this.setData({ loading: true, error: '' })
    try {
      const { statusCode, data } = await gate.request({ url: '/orders' })
      this.setData({ statusCode, text: typeof data === 'string' ? data : JSON.stringify(data) })
    } catch (failure) {
      this.setData({ error: message(failure) })
    }
    this.setData({ loading: false })
  },

  upload() {
    wx.chooseMedia({
      count: 1,
      mediaType: ['image'],
      success: ({ tempFiles }) => this.send(tempFiles[0].tempFilePath),
    })
  },

  async send(filePath) {
    try {
      const task = gate.uploadFile({ url: '/photos', filePath, name: 'photo' })
      task.onProgressUpdate(({ progress }) => this.setData({ progress }))
      const { statusCode } = await task
      wx.showToast({ title: statusCode === 200 ? '已上传' : '上传失败：' + statusCode, icon: 'none' })
    } catch (failure) {
      wx.showToast({ title: message(failure), icon: 'none' })
    }
  },
})
