// A wx that behaves as WeChat's documentation says, with a simulator in the place of WeChat:
// a response of any status is a success, only the network fails; ten requests at a time, the
// others wait; uploads return text, downloads a file; the storage has limits.

import { request as httpRequest } from 'node:http'
import { clearTimeout, setTimeout } from 'node:timers'

import { ask } from './http.mjs'
import { connectSocket } from './socket.mjs'

const maxRequests = 10
const maxValue = 1 << 20
const maxStorage = 10 << 20

/** One phone with one mini program. Pass the storage of an earlier one to restart it. */
export function newWx({ management, user, appid = '', storage = new Map(), files = new Map() }) {
  const waiting = []
  const running = new Set()

  // start runs a request when there is a place, and reports to the callbacks later, as wx does.
  function start(name, options, work) {
    const task = newTask(name)
    const run = () => {
      running.add(task)
      const timer = setTimeout(() => task.end('timeout'), options.timeout || 60000)
      work(task).then(
        (result) => ({ success: { ...result, errMsg: name + ':ok' } }),
        (failure) => ({ fail: { errMsg: `${name}:fail ${failure.message}`, errno: 600001 } }),
      ).then(({ success, fail }) => {
        clearTimeout(timer)
        running.delete(task)
        if (waiting.length > 0 && running.size < maxRequests) waiting.shift()()
        if (success) options.success?.(success)
        else options.fail?.(fail)
        options.complete?.(success || fail)
      })
    }
    if (running.size < maxRequests) setImmediate(run)
    else waiting.push(run)
    return task.methods
  }

  const referer = `https://servicewechat.com/${appid || 'wx0000000000000001'}/0/page-frame.html`
  const sending = (task, options, body, more = {}) => send(task, {
    url: options.url,
    method: options.method || 'GET',
    header: { Referer: referer, ...(hasType(options.header) ? {} : more), ...options.header },
    body,
  })

  const wx = {
    codes: 0, // how often wx.login was called
    loginFails: false,

    login(options) {
      if (!options) return new Promise((success, fail) => { wx.login({ success, fail }) })
      wx.codes++
      const query = new URLSearchParams(appid ? { user, appid } : { user })
      const code = wx.loginFails ? Promise.reject(new Error('network')) : ask('GET', `${management}/code?${query}`).then(({ text }) => text)
      code.then(
        (code) => options.success?.({ code, errMsg: 'login:ok' }),
        (failure) => options.fail?.({ errMsg: 'login:fail ' + failure.message }),
      )
    },

    request(options) {
      return start('request', options, async (task) => {
        const { url, body } = encode(options)
        const response = await sending(task, { ...options, url }, body, { 'content-type': 'application/json' })
        return { statusCode: response.statusCode, header: response.header, cookies: [], data: decode(options, response.body) }
      })
    },

    uploadFile(options) {
      return start('uploadFile', options, async (task) => {
        const file = files.get(options.filePath)
        if (!file) throw new Error('file not found')
        const boundary = 'wx-boundary'
        const head = `--${boundary}\r\nContent-Disposition: form-data; name="${options.name}"; filename="file"\r\n\r\n`
        const body = Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)])
        const response = await sending(task, { ...options, method: 'POST' }, body, { 'content-type': 'multipart/form-data; boundary=' + boundary })
        task.emit('ProgressUpdate', { progress: 100, totalBytesSent: body.length })
        return { statusCode: response.statusCode, data: response.body.toString() } // no header, and never JSON
      })
    },

    downloadFile(options) {
      return start('downloadFile', options, async (task) => {
        const response = await sending(task, options)
        const tempFilePath = 'wxfile://tmp_' + files.size
        files.set(tempFilePath, response.body) // whatever the status
        task.emit('ProgressUpdate', { progress: 100, totalBytesWritten: response.body.length })
        return { statusCode: response.statusCode, tempFilePath }
      })
    },

    connectSocket: (options) => connectSocket({ ...options, header: { Referer: referer, ...options.header } }),

    getStorageSync: (key) => (storage.has(key) ? JSON.parse(storage.get(key)) : ''),
    setStorageSync(key, value) {
      const text = JSON.stringify(value)
      let total = text.length
      storage.forEach((other, name) => { if (name !== key) total += other.length })
      if (text.length > maxValue || total > maxStorage) throw new Error('setStorageSync:fail exceed storage max size 10Mb')
      storage.set(key, text)
    },
    removeStorageSync(key) { storage.delete(key) },

    /** What WeChat does when the mini program has been in the background for five seconds. */
    interrupt() { running.forEach((task) => task.end('interrupted')) },
  }
  return wx
}

function hasType(header = {}) {
  return Object.keys(header).some((name) => name.toLowerCase() === 'content-type')
}

function newTask() {
  const listeners = {}
  let ended = null
  const task = {
    emit: (event, result) => (listeners[event] || []).forEach((listener) => listener(result)),
    onEnd(end) { task.stop = end; if (ended) end(ended) },
    end(reason) { ended = reason; task.stop?.(reason) },
    methods: { abort: () => task.end('abort') },
  }
  for (const event of ['HeadersReceived', 'ProgressUpdate', 'ChunkReceived']) {
    task.methods['on' + event] = (listener) => { (listeners[event] ||= []).push(listener) }
    task.methods['off' + event] = (listener) => { listeners[event] = listener ? (listeners[event] || []).filter((l) => l !== listener) : [] }
  }
  return task
}

function send(task, { url, method, header, body }) {
  const names = Object.keys(header).map((name) => name.toLowerCase())
  if (new Set(names).size < names.length) throw new Error('a header in two spellings: ' + names) // phones send both
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers: header, agent: false }, (response) => {
      task.emit('HeadersReceived', { statusCode: response.statusCode, header: response.headers })
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ statusCode: response.statusCode, header: titled(response.headers), body: Buffer.concat(chunks) }))
    })
    request.on('error', (failure) => reject(new Error(failure.reason || 'errcode:-102 ' + failure.code)))
    task.onEnd((reason) => request.destroy(Object.assign(new Error(reason), { reason })))
    request.end(body)
  })
}

// Some versions of WeChat write Content-Type, others content-type.
function titled(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()), value]))
}

function encode({ url, method = 'GET', data }) {
  if (data === undefined) return { url }
  if (method === 'GET') return { url: url + (url.includes('?') ? '&' : '?') + new URLSearchParams(data) }
  return { url, body: typeof data === 'string' || data instanceof ArrayBuffer ? Buffer.from(data) : JSON.stringify(data) }
}

function decode({ dataType = 'json', responseType = 'text' }, body) {
  if (responseType === 'arraybuffer') return new Uint8Array(body).buffer
  const text = body.toString()
  if (dataType !== 'json') return text
  try {
    return JSON.parse(text)
  } catch (notJSON) {
    return text
  }
}
