package simweb_test

import (
	"bytes"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/protocol"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
	"github.com/wxgate/wxgate/internal/wechatsim/simweb"
)

const programCodePath = "/wxa/getwxacodeunlimit"

// programCode is the URL of the call, with a token of an app.
func programCode(t *testing.T, srv *simserver.Server, app wechatsim.App) string {
	t.Helper()
	return simtest.Query(srv.URL+programCodePath, "access_token", simtest.StableToken(t, srv, app, false).AccessToken)
}

// decode reads the QR code of a JPEG or PNG.
func decode(t *testing.T, picture []byte) (text string, side int) {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	// The library takes the data of one code in some hundreds for a corner. With this hint it does
	// not look for corners: the picture has nothing but the code.
	read, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds().Dx() != img.Bounds().Dy() {
		t.Errorf("the picture is %v", img.Bounds())
	}
	return read.GetText(), img.Bounds().Dx()
}

// TestProgramCode reads what the picture says, and what the management side remembers.
func TestProgramCode(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	target := programCode(t, srv, simtest.Apps[0])
	const text = "https://servicewechat.com/sim?appid=wxaaaaaaaaaaaaaaaa"
	for _, test := range []struct {
		name, body, want string
		side             int
		kind             string
	}{
		{"scene alone", `{"scene": "a=1"}`, text + "&page=&scene=a%3D1", 430, "image/jpeg"},
		{"page", `{"scene": "AAAAAAAAAAAAAAAAAAAAAA", "page": "pages/scan/scan", "check_path": false, "env_version": "develop", "width": 280}`, text + "&page=pages%2Fscan%2Fscan&scene=AAAAAAAAAAAAAAAAAAAAAA", 280, "image/jpeg"},
		{"all symbols", `{"scene": "!#$&'()*+,/:;=?@-._~", "width": 1280, "line_color": {"r": 1, "g": 2, "b": 3}}`, text + "&page=&scene=%21%23%24%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40-._~", 1280, "image/jpeg"},
		{"the longest", `{"scene": "` + strings.Repeat("=", 32) + `", "page": "` + strings.Repeat("p", 512) + `", "width": 280}`, text + "&page=" + strings.Repeat("p", 512) + "&scene=" + strings.Repeat("%3D", 32), 0, "image/jpeg"},
		{"transparent", `{"scene": "a=1", "is_hyaline": true}`, text + "&page=&scene=a%3D1", 430, "image/png"},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := simtest.Send(t, http.MethodPost, target, test.body)
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != test.kind {
				t.Fatalf("%d %s: %.200s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
			}
			got, side := decode(t, []byte(body))
			if got != test.want || test.side != 0 && side != test.side {
				t.Errorf("%q of %d pixels, want %q of %d", got, side, test.want, test.side)
			}
			made := srv.Sim.ProgramCodes()
			if last := made[len(made)-1]; last.Text != test.want || last.AppID != simtest.Apps[0].ID || !last.Time.Equal(simtest.Epoch) {
				t.Errorf("%+v", last)
			}
		})
	}
}

// TestProgramCodeRefuses asserts which errcode each mistake has.
func TestProgramCodeRefuses(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	target := programCode(t, srv, simtest.Apps[0])
	for _, test := range []struct {
		name, target, body string
		errcode            int
	}{
		{"no token", srv.URL + programCodePath, `{"scene": "a"}`, 41001},
		{"wrong token", srv.URL + programCodePath + "?access_token=x", `{"scene": "a"}`, 40001},
		{"an official account", programCode(t, srv, simtest.OfficialApp), `{"scene": "a"}`, 48001},
		{"no body", target, ``, 44002},
		{"a form", target, `scene=a`, 47001},
		{"a number as the scene", target, `{"scene": 1}`, 47001},
		{"no scene", target, `{}`, 40169},
		{"33 characters", target, `{"scene": "` + strings.Repeat("a", 33) + `"}`, 40169},
		{"a percent sign", target, `{"scene": "a%20"}`, 40129},
		{"a space", target, `{"scene": "a b"}`, 40129},
		{"Chinese", target, `{"scene": "场景"}`, 40129},
		{"a reserved name", target, `{"scene": "scancode_time=1"}`, 85096},
		{"a slash before the page", target, `{"scene": "a", "page": "/pages/index"}`, 41030},
		{"parameters of the page", target, `{"scene": "a", "page": "pages/index?a=1"}`, 41030},
		{"a page too long", target, `{"scene": "a", "page": "` + strings.Repeat("p", 513) + `"}`, 41030},
		{"env_version", target, `{"scene": "a", "env_version": "release_error"}`, 40097},
		{"too narrow", target, `{"scene": "a", "width": 279}`, 40097},
		{"too wide", target, `{"scene": "a", "width": 1281}`, 40097},
	} {
		t.Run(test.name, func(t *testing.T) {
			simtest.WantCode(t, simtest.Call(t, http.MethodPost, test.target, test.body), test.errcode)
		})
	}
	if made := srv.Sim.ProgramCodes(); len(made) != 0 {
		t.Errorf("%+v", made)
	}
	simtest.Arm(t, srv, fault.Fault{Path: programCodePath, Kind: fault.ErrCode, ErrCode: protocol.ErrPage, Times: 1})
	simtest.WantCode(t, simtest.Call(t, http.MethodPost, target, `{"scene": "a"}`), 41030)
}

// TestProgramCodesKept remembers the latest hundred.
func TestProgramCodesKept(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	target := programCode(t, srv, simtest.Apps[0])
	for i := range 102 {
		simtest.Send(t, http.MethodPost, target, `{"scene": "`+strings.Repeat("a", 1+i%2)+`", "width": 280}`)
	}
	if made := srv.Sim.ProgramCodes(); len(made) != 100 || made[99].Scene != "aa" {
		t.Errorf("%d codes, the last of %+v", len(made), made[len(made)-1])
	}
}

// A clock is all that codes of mini programs need.
type clock struct {
	simweb.Accounts
	now func() time.Time
}

func (c clock) Now() time.Time { return c.now() }

// FuzzWanted has any scene and page: what is accepted can be drawn, and says the same.
func FuzzWanted(f *testing.F) {
	f.Add("a=1", "pages/index")
	f.Add("%", "?")
	f.Add("", "/")
	f.Fuzz(func(t *testing.T, scene, page string) {
		web := simweb.New(clock{now: time.Now})
		r := web.ProgramCode(programCodePath, "wxa", simweb.Wanted{Scene: scene, Page: page})
		if r.ErrCode != 0 {
			if len(web.ProgramCodes()) != 0 {
				t.Error("a refused code is remembered")
			}
			return
		}
		if text, _ := decode(t, r.Body); text != web.ProgramCodes()[0].Text {
			t.Errorf("the picture says %q, not %q", text, web.ProgramCodes()[0].Text)
		}
	})
}

// TestPathCode has the calls that have a path in place of a page and a scene.
func TestPathCode(t *testing.T) {
	t.Parallel()
	srv := simtest.Start(t)
	token := simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken
	for path, longest := range map[string]int{simweb.PathCodePath: 1024, simweb.OldCodePath: 128} {
		target := simtest.Query(srv.URL+path, "access_token", token)
		resp, body := simtest.Send(t, http.MethodPost, target, `{"path": "pages/a?b=c", "width": 430}`)
		if resp.Header.Get("Content-Type") != "image/jpeg" {
			t.Fatalf("%s: %.200s", path, body)
		}
		if text, _ := decode(t, []byte(body)); text != "https://servicewechat.com/sim?appid=wxaaaaaaaaaaaaaaaa&path=pages%2Fa%3Fb%3Dc" {
			t.Errorf("%s: %s", path, text)
		}
		for body, errcode := range map[string]int{
			`{"path": ""}`: 40159,
			`{"path": "` + strings.Repeat("p", longest+1) + `"}`: 40159,
			`{"path": "a?scancode_time=1"}`:                      85096,
			`{"path": "a", "env_version": "none"}`:               40097,
			`{"path": "a", "width": 100}`:                        40097,
		} {
			simtest.WantCode(t, simtest.Call(t, http.MethodPost, target, body), errcode)
		}
	}
	made := srv.Sim.ProgramCodes()
	if len(made) != 2 || made[0].Page != "pages/a?b=c" || made[0].Scene != "" {
		t.Errorf("%+v", made)
	}
}
