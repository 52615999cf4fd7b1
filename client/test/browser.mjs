// A browser on the site of the gateway: it keeps cookies, and sends Origin as browsers do.

import http from 'node:http'

import { readBody } from './http.mjs'

const chrome = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'

/** A browser with no cookies. `agent` is its User-Agent. */
export function newBrowser(gateway, { agent = chrome } = {}) {
  const origin = 'http://127.0.0.1:' + gateway.port
  const cookies = new Map()

  function keep(lines = []) {
    for (const line of lines) {
      const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(line)
      if (value === '' || /max-age=0/i.test(attributes)) cookies.delete(name)
      else cookies.set(name, value)
    }
  }

  const send = (method, url, body) => new Promise((resolve, reject) => {
    const headers = { 'user-agent': agent, cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    if (cookies.size === 0) delete headers.cookie
    if (method === 'POST') Object.assign(headers, { origin, 'content-type': 'application/json' })
    const request = http.request(new URL(url, origin), { method, headers, agent: false }, async (response) => {
      keep(response.headers['set-cookie'])
      const text = (await readBody(response)).toString()
      resolve({ status: response.statusCode, location: response.headers.location, text, data: /json/.test(response.headers['content-type']) ? JSON.parse(text) : null })
    })
    request.on('error', reject)
    request.end(body)
  })

  return { origin, cookies, get: (url) => send('GET', url), post: (url, data = {}) => send('POST', url, JSON.stringify(data)) }
}
