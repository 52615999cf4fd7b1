package simweb

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
)

// The limits of getwxacodeunlimit.
const (
	maxScene     = 32
	sceneSymbols = "!#$&'()*+,/:;=?@-._~" // beside digits and letters
	maxPage      = 512                    // the simulator's, so that the code is readable
	defaultWidth = 430
	minWidth     = 280
	maxWidth     = 1280
	perMinute    = 5000

	// maxMade is how many codes are remembered.
	maxMade = 100

	// block is the side of a JPEG's blocks, in pixels.
	block = 8

	// quiet is the white margin of a QR code, in modules.
	quiet = 4
)

// longestPath is how long the path may be, for the calls that have one in place of page and scene.
var longestPath = map[string]int{PathCodePath: 1024, OldCodePath: 128}

// Wanted are the parameters of the calls. Colors are accepted and not drawn; whether a
// page exists is not checked, because the simulator knows no mini program's pages.
type Wanted struct {
	Scene      string `json:"scene"`
	Page       string `json:"page"`
	Path       string `json:"path"` // of getwxacode and createwxaqrcode: the page with its query
	CheckPath  bool   `json:"check_path"`
	EnvVersion string `json:"env_version"` // release (default), trial or develop
	Width      *int   `json:"width"`       // of the picture, in pixels
	AutoColor  bool   `json:"auto_color"`
	Hyaline    bool   `json:"is_hyaline"`
}

// A ProgramCode is a code that opens a page of a mini program.
type ProgramCode struct {
	AppID      string    `json:"appid"`
	Page       string    `json:"page"` // empty: the first page
	Scene      string    `json:"scene"`
	EnvVersion string    `json:"env_version"`
	Text       string    `json:"text"` // what the QR code says
	Time       time.Time `json:"time"`
}

// A minute counts calls within one minute.
type minute struct {
	began time.Time
	calls int
}

// allow counts a call, and reports whether it is within the limit.
func (m *minute) allow(now time.Time) bool {
	if now.Sub(m.began) >= time.Minute {
		m.began, m.calls = now, 0
	}
	m.calls++
	return m.calls <= perMinute
}

// ProgramCode is POST /wxa/getwxacodeunlimit (获取不限制的小程序码), getwxacode (获取小程序码) or
// createwxaqrcode (获取小程序二维码) of a mini program, whose access token the caller has checked. The picture is a QR code and not WeChat's round one.
// https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/qrcode-link/qr-code/getUnlimitedQRCode.html
//
// The page has two codes for a scene: 40169 here means its length, and 40129 its characters. It
// has none for a used up quota, and says no more than "invalid args" about the other parameters.
func (w *Web) ProgramCode(path, app string, in Wanted) protocol.Response {
	errcode := in.check(path)
	if errcode == 0 && path == UnlimitedPath && !w.within(app) {
		errcode = protocol.ErrDailyQuota
	}
	if errcode != 0 {
		return protocol.WeChat.Refuse(path, errcode)
	}
	made := ProgramCode{AppID: app, Page: in.Page, Scene: in.Scene, EnvVersion: in.EnvVersion, Time: w.accounts.Now()}
	if made.EnvVersion == "" {
		made.EnvVersion = "release"
	}
	made.Text = "https://servicewechat.com/sim?appid=" + url.QueryEscape(app) + "&page=" + url.QueryEscape(in.Page) + "&scene=" + url.QueryEscape(in.Scene)
	if path != UnlimitedPath {
		made.Page, made.Text = in.Path, "https://servicewechat.com/sim?appid="+url.QueryEscape(app)+"&path="+url.QueryEscape(in.Path)
	}
	picture, mediaType, err := in.draw(made.Text)
	if err != nil {
		return protocol.WeChat.Refuse(path, protocol.ErrBusy)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made = append(w.made, made)
	w.made = w.made[max(0, len(w.made)-maxMade):]
	return protocol.Response{Status: http.StatusOK, ContentType: mediaType, Body: picture, Class: protocol.OK}
}

// ProgramCodes returns the latest codes of mini programs, oldest first.
func (w *Web) ProgramCodes() []ProgramCode {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]ProgramCode{}, w.made...)
}

// within counts a call of an app.
func (w *Web) within(app string) bool {
	now := w.accounts.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.quotas[app] == nil {
		w.quotas[app] = &minute{began: now}
	}
	return w.quotas[app].allow(now)
}

// check returns the errcode that refuses the parameters of a call, or 0.
func (in Wanted) check(path string) int {
	longest, hasPath := longestPath[path]
	errcode := 0
	switch {
	case !hasPath:
		errcode = in.checkScene()
	case in.Path == "" || len(in.Path) > longest:
		errcode = protocol.ErrPathLength
	case strings.Contains(in.Path, "scancode_time"):
		errcode = protocol.ErrScanCodeTime
	}
	switch {
	case errcode != 0:
		return errcode
	case !slices.Contains([]string{"", "release", "trial", "develop"}, in.EnvVersion):
		return protocol.ErrArgument
	case in.width() < minWidth || in.width() > maxWidth:
		return protocol.ErrArgument
	}
	return 0
}

// checkScene returns the errcode that refuses a scene or its page, or 0.
func (in Wanted) checkScene() int {
	isSymbol := func(c rune) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune(sceneSymbols, c)
	}
	switch {
	case in.Scene == "" || len([]rune(in.Scene)) > maxScene:
		return protocol.ErrSceneLength
	case strings.TrimFunc(in.Scene, isSymbol) != "":
		return protocol.ErrScene
	case strings.Contains(in.Scene, "scancode_time"):
		return protocol.ErrScanCodeTime
	case strings.HasPrefix(in.Page, "/") || strings.ContainsAny(in.Page, "?#& ") || len(in.Page) > maxPage:
		return protocol.ErrPage
	}
	return 0
}

func (in Wanted) width() int {
	if in.Width == nil {
		return defaultWidth
	}
	return *in.Width
}

// draw draws a text as a QR code: a JPEG, or a PNG if the background is to be transparent.
func (in Wanted) draw(text string) (picture []byte, mediaType string, err error) {
	drawn, err := draw2D(text, in.width())
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	if in.Hyaline {
		err = png.Encode(&out, drawn)
		return out.Bytes(), "image/png", err
	}
	err = jpeg.Encode(&out, drawn, nil)
	return out.Bytes(), "image/jpeg", err
}

// draw2D draws a text as a QR code, in a square.
func draw2D(text string, width int) (image.Image, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, err
	}
	modules := code.Bounds().Dx()
	scale := width / (modules + 2*quiet)
	if scale == 0 {
		scale = 1
	}
	if scale > block { // whole blocks of a JPEG make it small and sharp
		scale -= scale % block
	}
	scaled, err := barcode.Scale(code, modules*scale, modules*scale)
	if err != nil {
		return nil, err
	}
	side := max(width, (modules+2*quiet)*scale)
	picture := image.NewGray(image.Rect(0, 0, side, side))
	draw.Draw(picture, picture.Bounds(), image.White, image.Point{}, draw.Src)
	margin := (side - modules*scale) / 2
	margin -= margin % block
	draw.Draw(picture, scaled.Bounds().Add(image.Pt(margin, margin)), scaled, scaled.Bounds().Min, draw.Src)
	return picture, nil
}
