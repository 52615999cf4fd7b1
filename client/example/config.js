// 网关地址，改成你自己的；同时把它加入小程序后台的服务器域名。
module.exports = { baseURL: 'https://api.example.com' }
