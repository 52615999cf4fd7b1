// Requests without the pools of fetch, whose timers these tests would skip.

import http from 'node:http'

/** Sends a request and returns { status, text }. */
export function ask(method, url, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, async (response) => {
      resolve({ status: response.statusCode, text: (await readBody(response)).toString() })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** The whole body of a request or a response. */
export function readBody(stream) {
  return new Promise((resolve, reject) => {
    const chunks = []
    stream.on('data', (chunk) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('end', () => resolve(Buffer.concat(chunks)))
  })
}
