package page

// Text has the texts of the built-in pages in one language. The operator's templates may use
// them as .Text.ScanTitle and so on.
type Text struct {
	ScanTitle  string
	StepScan   string
	StepNumber string
	ImageAlt   string
	Warning    string
	Again      string
	Website    string
	NoScript   string

	// The states of the scan page. {seconds} is the time until the next attempt.
	Starting  string
	Waiting   string
	Scanned   string
	Confirmed string
	Refused   string
	Expired   string
	Failed    string
	Offline   string
	Limited   string

	ContinueTitle  string
	ContinueAs     string // with %s for the name
	ContinueWhy    string
	ContinueButton string
	ContinueElse   string

	ErrorTitle string
	Retry      string
	Code       string
	Request    string
}

// english and inChinese are the texts. Warning protects users from a page that relays its code
// to a victim (RFC 8628 section 5.4, remote phishing).
var (
	english = Text{
		ScanTitle:  "Sign in with WeChat",
		StepScan:   "Scan this code with WeChat on your phone.",
		StepNumber: "Type this number in the mini program that opens.",
		ImageAlt:   "Mini program code to scan with WeChat",
		Warning:    "The number must be typed on your phone: confirm only a sign-in that you started yourself on this page, never one that someone sent you.",
		Again:      "Get a new code",
		Website:    "Sign in on WeChat’s page instead",
		NoScript:   "This page needs JavaScript. Allow it and reload the page.",

		Starting:  "Getting a code…",
		Waiting:   "Waiting for your phone…",
		Scanned:   "Scanned. Type the number on your phone.",
		Confirmed: "Confirmed. Signing you in…",
		Refused:   "The sign-in was refused on the phone.",
		Expired:   "The code has expired.",
		Failed:    "The sign-in failed.",
		Offline:   "No connection. Trying again…",
		Limited:   "Too many requests. Trying again in {seconds} s.",

		ContinueTitle:  "Continue to sign in?",
		ContinueAs:     "Continue as %s?",
		ContinueWhy:    "This sign-in was started in a mini program on another device or network, or another user is signed in here.",
		ContinueButton: "Continue",
		ContinueElse:   "Continue only if you opened this page yourself from the mini program. Otherwise close the page: nothing has changed.",

		ErrorTitle: "The sign-in failed",
		Retry:      "Try again",
		Code:       "Error",
		Request:    "Request ID",
	}
	inChinese = Text{
		ScanTitle:  "微信登录",
		StepScan:   "用手机微信扫描此小程序码。",
		StepNumber: "在打开的小程序中输入这个数字。",
		ImageAlt:   "用微信扫描的小程序码",
		Warning:    "必须在手机上输入这个数字：只确认您本人在此页面发起的登录，不要确认别人发给您的登录。",
		Again:      "获取新的小程序码",
		Website:    "改用微信的登录页面",
		NoScript:   "此页面需要 JavaScript。请启用后刷新页面。",

		Starting:  "正在获取小程序码…",
		Waiting:   "等待手机扫码…",
		Scanned:   "已扫码，请在手机上输入数字。",
		Confirmed: "已确认，正在登录…",
		Refused:   "手机上已拒绝此次登录。",
		Expired:   "小程序码已过期。",
		Failed:    "登录失败。",
		Offline:   "网络连接失败，正在重试…",
		Limited:   "请求过于频繁，{seconds} 秒后重试。",

		ContinueTitle:  "继续登录？",
		ContinueAs:     "以“%s”的身份继续？",
		ContinueWhy:    "此次登录由另一台设备或另一个网络上的小程序发起，或者此浏览器已登录其他用户。",
		ContinueButton: "继续",
		ContinueElse:   "只有您本人从小程序打开此页面时才继续。否则请关闭页面，一切保持不变。",

		ErrorTitle: "登录失败",
		Retry:      "重试",
		Code:       "错误码",
		Request:    "请求 ID",
	}
)
