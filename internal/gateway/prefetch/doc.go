// Package prefetch handles the GET with which WeChat's servers fetch data for a mini program
// while it starts (数据预拉取). The query contains a credential, which neither the upstream nor a
// log may get: it is removed from the request, which is then served from its beginning.
// https://developers.weixin.qq.com/miniprogram/dev/framework/ability/pre-fetch.html
package prefetch
