// WebSockets of short text messages (RFC 6455): wx.connectSocket, and an echo server.

import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'

function accept(key) {
  return createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
}

function frame(opcode, payload, mask) {
  const bytes = Buffer.from(payload)
  if (bytes.length > 125) throw new Error('too long for this test')
  if (!mask) return Buffer.concat([Buffer.from([0x80 | opcode, bytes.length]), bytes])
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length]), mask, bytes.map((byte, i) => byte ^ mask[i % 4])])
}

// frames calls back for each complete frame of a connection.
function frames(socket, received) {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 2) {
      const masked = rest[1] & 0x80
      const length = rest[1] & 0x7f
      const start = masked ? 6 : 2
      if (rest.length < start + length) return
      const payload = rest.subarray(start, start + length).map((byte, i) => (masked ? byte ^ rest[2 + (i % 4)] : byte))
      const opcode = rest[0] & 0x0f
      rest = rest.subarray(start + length)
      received(opcode, Buffer.from(payload))
    }
  })
}

/** wx.connectSocket. A refused handshake is an error without a status, as in WeChat. */
export function connectSocket({ url, header, success }) {
  const listeners = { Open: [], Message: [], Close: [], Error: [] }
  const emit = (event, result) => listeners[event].forEach((listener) => listener(result))
  const key = randomBytes(16).toString('base64')
  let connection = null
  const handshake = request(url.replace(/^ws/, 'http'), {
    agent: false,
    headers: { ...header, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key },
  })
  handshake.on('upgrade', (response, socket, head) => {
    connection = socket
    frames(socket, (opcode, payload) => {
      if (opcode === 1) emit('Message', { data: payload.toString() })
      if (opcode === 8) socket.end()
    })
    socket.on('error', () => {})
    socket.on('close', () => emit('Close', { code: 1006 }))
    if (head.length > 0) socket.unshift(head)
    emit('Open', { header: response.headers })
  })
  handshake.on('response', (response) => {
    response.resume()
    emit('Error', { errMsg: 'Error during WebSocket handshake' })
  })
  handshake.on('error', (failure) => emit('Error', { errMsg: failure.message }))
  handshake.end()
  setImmediate(() => success?.({ errMsg: 'connectSocket:ok' }))

  const task = {
    send({ data }) { connection.write(frame(1, data, randomBytes(4))) },
    close() { connection.end(frame(8, '', randomBytes(4))) },
  }
  for (const event of Object.keys(listeners)) task['on' + event] = (listener) => listeners[event].push(listener)
  return task
}

/** Accepts an upgrade, greets with the user's openid, and echoes. */
export function echoSocket(request, socket) {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    `Sec-WebSocket-Accept: ${accept(request.headers['sec-websocket-key'])}\r\n\r\n`)
  socket.write(frame(1, 'hello ' + request.headers['x-wx-openid']))
  frames(socket, (opcode, payload) => {
    if (opcode === 1) socket.write(frame(1, 'echo ' + payload))
    if (opcode === 8) socket.end()
  })
  socket.on('error', () => {})
}
