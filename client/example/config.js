// 网关地址，改成你自己的；同时把它加入小程序后台的服务器域名。
module.exports = {
  baseURL: 'https://api.example.com',
  webPage: '/', // web-view 里打开的网页；把站点域名加入业务域名
}
