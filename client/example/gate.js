// 整个小程序共用一个 client。
const { createClient } = require('wxgate-client')

const { baseURL } = require('./config')

module.exports = createClient({ baseURL })
