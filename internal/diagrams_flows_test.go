package internal_test

// The lanes of several flows.
var (
	gatewayLane = words{"wxgate", "wxgate"}
	wechatLane  = words{"WeChat", "微信"}
	serviceLane = words{"Your service", "业务服务"}
)

// flows are the ways in which browsers log in.
var flows = map[string]flow{
	"web-official": {
		title: words{"Login on a page inside WeChat", "微信内网页的登录"},
		lanes: []words{{"Browser inside WeChat", "微信内的浏览器"}, gatewayLane, wechatLane, serviceLane},
		steps: []step{
			{request, 0, 1, words{"GET /orders", "GET /orders"}},
			{response, 1, 0, words{"to WeChat, with a state", "跳到微信，带 state"}},
			{request, 0, 2, words{"authorize: the state, the scope", "网页授权：state、scope"}},
			{response, 2, 0, words{"back to web/callback: a code, the state", "回到 web/callback：code、state"}},
			{request, 0, 1, words{"code, state, cookie of the login", "code、state、登录 Cookie"}},
			{note, 1, 1, words{"this browser's login? first use?", "由这个浏览器发起？首次使用？"}},
			{request, 1, 2, words{"code, AppSecret", "code、AppSecret"}},
			{response, 2, 1, words{"openid, unionid", "openid、unionid"}},
			{login, 1, 0, words{"to /orders, session cookie", "回到 /orders，会话 Cookie"}},
			{request, 0, 1, words{"GET /orders, session cookie", "GET /orders，会话 Cookie"}},
			{request, 1, 3, words{"GET /orders, X-WX-OPENID, X-WX-UNIONID, no cookie", "GET /orders，X-WX-OPENID、X-WX-UNIONID，不带 Cookie"}},
		},
	},
	"web-website": {
		title: words{"Login on a PC with WeChat's QR code", "电脑上扫微信二维码登录"},
		lanes: []words{{"Browser on a PC", "电脑上的浏览器"}, gatewayLane, wechatLane, {"WeChat on the phone", "手机上的微信"}},
		steps: []step{
			{request, 0, 1, words{"GET /orders", "GET /orders"}},
			{response, 1, 0, words{"to WeChat, with a state", "跳到微信，带 state"}},
			{request, 0, 2, words{"qrconnect: the state", "qrconnect：state"}},
			{response, 2, 0, words{"a page with a QR code", "带二维码的页面"}},
			{request, 3, 2, words{"scans, agrees", "扫码，同意"}},
			{response, 2, 0, words{"back to web/callback: a code, the state", "回到 web/callback：code、state"}},
			{request, 0, 1, words{"code, state, cookie of the login", "code、state、登录 Cookie"}},
			{note, 1, 1, words{"this browser's login? first use?", "由这个浏览器发起？首次使用？"}},
			{request, 1, 2, words{"code, AppSecret", "code、AppSecret"}},
			{response, 2, 1, words{"openid, unionid", "openid、unionid"}},
			{login, 1, 0, words{"to /orders, session cookie", "回到 /orders，会话 Cookie"}},
		},
	},
	"web-ticket": {
		title: words{"Login in the web-view of a mini program", "小程序 web-view 里的登录"},
		lanes: []words{{"Mini program", "小程序"}, {"web-view", "web-view"}, gatewayLane, serviceLane},
		steps: []step{
			{request, 0, 2, words{"POST web/ticket, access token", "POST web/ticket，访问令牌"}},
			{response, 2, 0, words{"a ticket: once, 60 seconds", "票据：只用一次，60 秒有效"}},
			{request, 0, 1, words{"opens the URL with the ticket", "打开带票据的 URL"}},
			{request, 1, 2, words{"GET web/enter: ticket, return", "GET web/enter：票据、return"}},
			{note, 2, 2, words{"same address, same device?", "地址、设备相同？"}},
			{login, 2, 1, words{"to /account, session cookie", "跳到 /account，会话 Cookie"}},
			{request, 1, 2, words{"GET /account, session cookie", "GET /account，会话 Cookie"}},
			{request, 2, 3, words{"X-WX-OPENID of the mini program", "小程序的 X-WX-OPENID"}},
			{note, 0, 1, words{"a logout of the mini program ends both sessions", "小程序退出登录时，两个会话一起结束"}},
		},
	},
	"web-scan": {
		title: words{"Login on a PC with the mini program's code", "电脑上扫小程序码登录"},
		lanes: []words{{"Browser on a PC", "电脑上的浏览器"}, gatewayLane, wechatLane, {"Mini program, phone", "手机上的小程序"}},
		steps: []step{
			{request, 0, 1, words{"POST web/scan", "POST web/scan"}},
			{request, 1, 2, words{"getwxacodeunlimit: a scene", "getwxacodeunlimit：scene"}},
			{response, 2, 1, words{"a mini program code", "小程序码"}},
			{response, 1, 0, words{"code, number 4821, scan cookie", "小程序码、数字 4821、扫码 Cookie"}},
			{request, 0, 1, words{"waits: GET web/scan/…", "等待：GET web/scan/…"}},
			{note, 2, 3, words{"the user scans the code; the mini program opens with the scene", "用户扫码，打开小程序，scene 随之传入"}},
			{request, 3, 1, words{"GET web/scan/…/request, access token", "GET web/scan/…/request，访问令牌"}},
			{response, 1, 3, words{"Chrome on Windows, 203.0.113.*", "Chrome on Windows，203.0.113.*"}},
			{request, 3, 1, words{"POST web/scan/…: the user typed 4821", "POST web/scan/…：用户输入 4821"}},
			{response, 1, 0, words{"confirmed", "confirmed"}},
			{request, 0, 1, words{"POST …/finish, scan cookie", "POST …/finish，扫码 Cookie"}},
			{login, 1, 0, words{"session cookie", "会话 Cookie"}},
		},
	},
}
