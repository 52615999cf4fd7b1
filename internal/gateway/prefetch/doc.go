// Package prefetch has the GET with which WeChat's servers fetch data for a mini program
// while it starts (数据预拉取). Its query has a credential, which neither the upstream nor
// any log may get: a request is detached from it, and then served from its beginning.
// https://developers.weixin.qq.com/miniprogram/dev/framework/ability/pre-fetch.html
package prefetch
