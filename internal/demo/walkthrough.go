package demo

import (
	"cmp"
	"io"
	"strings"
	"text/template"
)

// Walkthrough is what `wxgate dev` prints, in at most 80 columns. Its curl lines work in any
// shell, in this order.
type Walkthrough struct {
	Playground, Gateway, Simulator, Management, Upstream string // addresses

	Own  bool // the upstream is the user's service
	Down bool // which does not respond yet

	Chinese bool // the lines between the commands are in Chinese
}

// IsChinese reports whether a user reads the messages of programs in Chinese: by LC_ALL,
// LC_MESSAGES or LANG, the first that is set (POSIX.1-2024, section 8.2).
func IsChinese(getenv func(string) string) bool {
	return strings.HasPrefix(cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")), "zh")
}

// Path is what the lines call, which any service has.
func (w Walkthrough) Path() string {
	if w.Own {
		return "/"
	}
	return "/api/orders"
}

// texts are the lines between the commands, in one language.
type texts struct {
	Down, Intro, Login, Call, CallOwn, Forge, Refused, Phone, PhoneOwn, Refresh, Logout string
}

var english = texts{
	Down:     "does not respond yet; start it",
	Intro:    "Open it in a browser, or paste these lines into another terminal, one by one.\nThe page shows what they do, too. Ctrl-C ends everything.",
	Login:    "Alice logs in: her code becomes an openid and tokens.",
	Call:     "She calls the API. The upstream gets her openid in a header.",
	CallOwn:  "She calls your service; set path to one that it has. It gets her openid.",
	Forge:    "She claims to be mallory. The upstream doesn't see it.",
	Refused:  "This path requires a phone number: 403.",
	Phone:    "She shares her number, and may call it.",
	PhoneOwn: " A 404 is from your service.",
	Refresh:  "Her access token is renewed.",
	Logout:   "She logs out. The next call is refused: 401.",
}

// A Chinese character takes two columns.
var chinese = texts{
	Down:     "还没有响应，请启动它",
	Intro:    "在浏览器里打开，或者把下面的命令逐行粘贴到另一个终端。\n每条命令做了什么，页面上也能看到。按 Ctrl-C 全部结束。",
	Login:    "alice 登录：用登录凭证换取 openid 和令牌。",
	Call:     "她调用接口，上游服务从请求头里得到她的 openid。",
	CallOwn:  "她调用你的服务，服务得到她的 openid。path 请换成服务里有的路径。",
	Forge:    "她冒充 mallory，上游服务看不到。",
	Refused:  "这个路径要求手机号：403。",
	Phone:    "她提供手机号，然后就能调用了。",
	PhoneOwn: "404 来自你的服务。",
	Refresh:  "刷新她的访问令牌。",
	Logout:   "她退出登录，再调用就被拒绝：401。",
}

// text returns the lines between the commands.
func (w Walkthrough) text() texts {
	if w.Chinese {
		return chinese
	}
	return english
}

var walkthrough = template.Must(template.New("walkthrough").Parse(`playground  http://{{.Playground}}/
{{if .Own}}your service http://{{.Upstream}}/{{if .Down}}  {{.Text.Down}}{{end}}
{{end}}
{{.Text.Intro}}

# 1. {{.Text.Login}}
curl -d user=alice {{.Playground}}/sh/login

# 2. {{if .Own}}{{.Text.CallOwn}}{{else}}{{.Text.Call}}{{end}}
curl -d path={{.Path}} {{.Playground}}/sh/call

# 3. {{.Text.Forge}}
curl -d path={{.Path}} -d forge=yes {{.Playground}}/sh/call

# 4. {{.Text.Refused}}
curl -d path=/vip/orders {{.Playground}}/sh/call

# 5. {{.Text.Phone}}{{if .Own}}{{.Text.PhoneOwn}}{{end}}
curl -d way=code {{.Playground}}/sh/phone
curl -d path=/vip/orders {{.Playground}}/sh/call

# 6. {{.Text.Refresh}}
curl -d user=alice {{.Playground}}/sh/refresh

# 7. {{.Text.Logout}}
curl -d user=alice {{.Playground}}/sh/logout
curl -d path={{.Path}} {{.Playground}}/sh/call

web login   http://{{.Gateway}}{{.Path}}
gateway     http://{{.Gateway}}
upstream    http://{{.Upstream}}
simulator   http://{{.Simulator}}
controls    http://{{.Management}}
`))

// Print writes the lines.
func (w Walkthrough) Print(out io.Writer) error {
	return walkthrough.Execute(out, struct {
		Walkthrough
		Text texts
	}{w, w.text()})
}
