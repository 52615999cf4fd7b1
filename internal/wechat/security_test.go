package wechat_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
	"github.com/wxgate/wxgate/internal/wechat/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim"
	simsecurity "github.com/wxgate/wxgate/internal/wechatsim/apisecurity"
	"github.com/wxgate/wxgate/internal/wechatsim/fault"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
)

// securedKeys are keys whose private keys WeChat publishes in its documentation.
func securedKeys(t testing.TB) simsecurity.Keys {
	t.Helper()
	private, err := os.ReadFile("apisecurity/testdata/private.pem")
	if err != nil {
		t.Fatal(err)
	}
	return simsecurity.Keys{
		Encrypt: simsecurity.Key{Serial: "fa05fe1e5bcc79b81ad5ad4b58acf787", Value: "otUpngOjU+nVQaWJIC3D/yMLV17RKaP6t4Ot9tbnzLY="},
		Sign:    simsecurity.Key{Serial: "97845f6ed842ea860df6fdf65941ff56", Value: string(private)},
		Verify:  simsecurity.Key{Serial: "0000000000000000000000000000000a", Value: string(private)},
	}
}

// securityFrom returns a Security configured with the values of the console.
func securityFrom(t testing.TB, shown simsecurity.Console, more ...string) *apisecurity.Security {
	t.Helper()
	cfg := apisecurity.Config{
		AppID: wechatsim.DefaultApp.ID, Encrypt: apisecurity.Key(shown.Encrypt), Sign: apisecurity.Key(shown.Sign), Calls: more,
	}
	for _, key := range shown.Verify {
		cfg.Verify = append(cfg.Verify, apisecurity.Key(key))
	}
	security, err := apisecurity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return security
}

// secured is a simulator that requires signed calls, and a client that signs them.
type secured struct {
	*faulted

	url    string
	mu     sync.Mutex
	checks []wechat.SecurityCheck
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	server, err := simserver.Start(context.Background(), wechatsim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	shown, err := server.Sim.Secure(wechatsim.DefaultApp.ID, securedKeys(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &secured{faulted: &faulted{t: t, app: wechatsim.DefaultApp.ID, sim: server.Sim}, url: server.URL}
	s.connect(securityFrom(t, shown))
	return s
}

// connect replaces the client.
func (s *secured) connect(security *apisecurity.Security) {
	s.t.Helper()
	client, err := wechat.New(wechat.Config{
		AppID: auth.AppID(wechatsim.DefaultApp.ID), Secret: wechatsim.DefaultApp.Secret, API: s.url, CheckPhone: true, Security: security, Risk: riskOn(wechat.WeChat, ""),
		ObserveSecurity: func(c wechat.SecurityCheck) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.checks = append(s.checks, c)
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	s.client = client
}

// outcomes returns the outcomes that were reported since the last call.
func (s *secured) outcomes() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, c := range s.checks {
		all = append(all, string(c.Outcome))
	}
	s.checks = nil
	return strings.Join(all, " ")
}

// forward makes an upstream's call and returns the response that the upstream reads.
func (s *secured) forward(out wechat.Outgoing) (string, error) {
	resp, err := s.client.Forward(s.t.Context(), out)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(body)) || len(resp.Header) != 1 {
		s.t.Errorf("status %d, length %d, headers %v", resp.StatusCode, resp.ContentLength, resp.Header)
	}
	return string(body), err
}

// check is a forwarded call of checkencryptedmsg, about data that WeChat encrypted.
func check(f *faulted) wechat.Outgoing {
	f.t.Helper()
	sealed, err := f.sim.EncryptPhone(wechatsim.User{App: f.app}, wechatsim.PhoneNumber{}, wechatsim.Sealing{SessionKey: sampleKey})
	if err != nil {
		f.t.Fatal(err)
	}
	body := fmt.Sprintf(`{"encrypted_msg_hash":"%x"}`, sha256.Sum256([]byte(sealed.EncryptedData)))
	return wechat.Outgoing{
		Method: http.MethodPost, Path: knownPath, Body: strings.NewReader(body), Length: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}
}

// Both own calls and an upstream's are encrypted; the upstream reads plain JSON.
func TestSecuredCalls(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	wantErr(t, s.phone(), nil)
	wantErr(t, s.checkPhone(), nil)
	if _, err := s.client.Exchange(t.Context(), s.code()); err != nil {
		t.Fatal(err)
	}
	wantErr(t, s.risk(), nil)
	out := check(s.faulted)
	out.Query = "lang=zh%20CN"
	body, err := s.forward(out)
	wantErr(t, err, nil)
	if !strings.HasPrefix(body, `{"errcode":0,`) || !strings.Contains(body, `"vaild":true`) || strings.Contains(body, "_appid") {
		t.Errorf("the upstream reads %s", body)
	}
	if got := s.outcomes(); got != "verified verified verified verified" {
		t.Errorf("outcomes: %s", got)
	}
	for _, r := range s.sim.Requests(phonePath, knownPath, riskPath) {
		var sealed map[string]string
		if err := json.Unmarshal([]byte(r.Body), &sealed); err != nil || len(sealed) != 3 || sealed["iv"] == "" {
			t.Errorf("%s: body %s", r.Path, r.Body)
		}
		if r.Method != http.MethodPost || len(r.Query) != 1 || r.Query.Get("access_token") == "" {
			t.Errorf("%s %s: query %v", r.Method, r.Path, r.Query)
		}
	}
}

// A documented GET is sent as a POST: its parameters are encrypted, too.
func TestSecuredGet(t *testing.T) {
	t.Parallel()
	var got *http.Request
	p := newPlatform().on(tokenPath, respond(goodToken)).on("/wxa/business/getuserencryptkey", func(w http.ResponseWriter, r *http.Request) {
		got = r
		respond(`{"errcode":-1,"errmsg":"busy","key_info_list":[]}`)(w, r)
	})
	shown, err := wechatsim.New(wechatsim.Config{}).Secure(wechatsim.DefaultApp.ID, securedKeys(t))
	wantErr(t, err, nil)
	client := mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: p, Security: securityFrom(t, shown)})
	resp, err := client.Forward(t.Context(), wechat.Outgoing{
		Method: http.MethodGet, Path: "/wxa/business/getuserencryptkey", Query: "openid=oSECRET&signature=x&sig_method=hmac_sha256",
	})
	wantErr(t, err, nil)
	body, err := io.ReadAll(resp.Body)
	wantErr(t, err, nil)
	wantErr(t, resp.Body.Close(), nil)
	if string(body) != `{"errcode":-1,"errmsg":"busy"}` {
		t.Errorf("the upstream reads %s", body)
	}
	if got.Method != http.MethodPost || got.URL.RawQuery != "access_token="+token || got.Header.Get("Wechatmp-Signature") == "" {
		t.Errorf("%s %v %v", got.Method, got.URL, got.Header)
	}
}

// spoiledOutcomes is the fault table of responses that WeChat did not make for this call. Each
// is refused, causes no retry, and is reported with a distinct outcome.
var spoiledOutcomes = map[simsecurity.Spoil]struct {
	err     error
	outcome string
}{
	simsecurity.WrongTag:          {apisecurity.ErrDecrypt, "decrypt"},
	simsecurity.WrongSignature:    {apisecurity.ErrSignature, "signature"},
	simsecurity.UnknownSerial:     {apisecurity.ErrSerial, "serial"},
	simsecurity.DeprecatedUnknown: {apisecurity.ErrSerial, "serial"},
	simsecurity.OldTimestamp:      {apisecurity.ErrTimestamp, "timestamp"},
	simsecurity.OtherAppID:        {apisecurity.ErrAppID, "appid"},
	simsecurity.InnerAppID:        {apisecurity.ErrMismatch, "mismatch"},
	simsecurity.InnerTimestamp:    {apisecurity.ErrMismatch, "mismatch"},
	simsecurity.Unsigned:          {apisecurity.ErrUnsigned, "unsigned"},
	simsecurity.PlainSuccess:      {apisecurity.ErrNotEncrypted, "not_encrypted"},
}

func TestSecuredFaultTable(t *testing.T) {
	t.Parallel()
	for _, spoil := range simsecurity.Spoils() {
		want, ok := spoiledOutcomes[spoil]
		if !ok {
			t.Errorf("no row for %s", spoil)
		}
		s := newSecured(t)
		if err := s.sim.Arm(fault.Fault{Kind: fault.Kind(spoil)}); err != nil {
			t.Fatal(err)
		}
		for name, call := range map[string]func() error{
			phonePath: s.phone,
			knownPath: s.checkPhone,
			"forward": func() error { _, err := s.forward(check(s.faulted)); return err },
		} {
			s.sim.ClearRequests()
			err := call()
			if !errors.Is(err, want.err) || !errors.Is(err, wechat.ErrUnverified) || !errors.Is(err, auth.ErrWeChatUnreadable) {
				t.Errorf("%s, %s: %v; want %v", spoil, name, err, want.err)
			}
			if got := s.sim.Count(phonePath, knownPath); got != 1 {
				t.Errorf("%s, %s: WeChat was called %d times", spoil, name, got)
			}
			if got := s.outcomes(); got != want.outcome {
				t.Errorf("%s, %s: outcome %s", spoil, name, got)
			}
		}
		// Calls that are not encrypted are not affected.
		_, err := s.client.Exchange(t.Context(), s.code())
		wantErr(t, err, nil)
	}
}

// The other faults of the simulator, for encrypted calls: a response that is not an error in
// JSON is not passed on, whatever its status.
func TestSecuredOtherFaults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fault.Kind]outcome{
		fault.Busy:        {auth.ErrWeChatBusy, 1, nil, 1},
		fault.Quota:       {auth.ErrWeChatBusy, 1, nil, 1},
		fault.MinuteQuota: {auth.ErrRateLimited, 1, nil, 1},
		fault.Reset:       {auth.ErrWeChatUnreachable, 1, auth.ErrWeChatUnreachable, 1},
		fault.HTML:        {wechat.ErrUnverified, 1, wechat.ErrUnverified, 1},
		fault.HTTP500:     {wechat.ErrUnverified, 1, wechat.ErrUnverified, 1},
		fault.Empty:       {wechat.ErrUnverified, 1, wechat.ErrUnverified, 1},
		fault.Redirect:    {wechat.ErrUnverified, 1, wechat.ErrUnverified, 1},
		fault.Control:     {wechat.ErrUnverified, 1, wechat.ErrUnverified, 1},
		fault.Huge:        {auth.ErrWeChatUnreadable, 1, wechat.ErrUnverified, 1},
		fault.Truncated:   {auth.ErrWeChatUnreadable, 1, auth.ErrWeChatUnreadable, 1},
	} {
		s := newSecured(t)
		if err := s.sim.Arm(fault.Fault{Kind: kind, Path: phonePath}); err != nil {
			t.Fatal(err)
		}
		if err := s.sim.Arm(fault.Fault{Kind: kind, Path: knownPath}); err != nil {
			t.Fatal(err)
		}
		wantErr(t, s.phone(), want.lasting) // of an own call
		_, err := s.forward(check(s.faulted))
		wantErr(t, err, want.once) // of an upstream's
		if got := s.sim.Count(phonePath, knownPath); got != want.calls+want.again {
			t.Errorf("%s: WeChat was called %d times", kind, got)
		}
	}
}

// A plain error is not authenticated, but it causes one renewal of the token.
func TestSecuredStaleToken(t *testing.T) {
	t.Parallel()
	for _, errcode := range []int{40001, 42001, 40014} {
		s := newSecured(t)
		for name, call := range map[string]func() error{
			phonePath: s.phone,
			knownPath: func() error { _, err := s.forward(check(s.faulted)); return err },
		} {
			if err := s.sim.Arm(fault.Fault{Kind: fault.ErrCode, ErrCode: errcode, Path: name, Times: 1}); err != nil {
				t.Fatal(err)
			}
			wantErr(t, call(), nil)
			if got := s.sim.Count(name); got != 2 {
				t.Errorf("errcode %d: %s was made %d times", errcode, name, got)
			}
			if got := s.outcomes(); got != "plain_error verified" {
				t.Errorf("errcode %d: outcomes %s", errcode, got)
			}
		}
		if err := s.sim.Arm(fault.Fault{Kind: fault.ErrCode, ErrCode: errcode, Path: phonePath}); err != nil {
			t.Fatal(err)
		}
		s.sim.ClearRequests()
		wantErr(t, s.phone(), auth.ErrWeChatBusy)
		if got := s.sim.Count(phonePath); got != 2 {
			t.Errorf("lasting errcode %d: the call was made %d times", errcode, got)
		}
	}
}

// The operator must fix errors about keys, so an upstream does not get them as WeChat's
// response.
func TestSecuredErrcodes(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	wantErr(t, s.phone(), nil) // has fetched a token
	for errcode := 40230; errcode <= 40240; errcode++ {
		advice, ok := apisecurity.Advice(errcode)
		if !ok {
			t.Errorf("no advice for %d", errcode)
		}
		s.sim.ClearFaults()
		if err := s.sim.Arm(fault.Fault{Kind: fault.ErrCode, ErrCode: errcode}); err != nil {
			t.Fatal(err)
		}
		_, forwarded := s.forward(check(s.faulted))
		for _, err := range []error{s.phone(), forwarded} {
			refusal, ok := errors.AsType[*auth.PlatformError](err)
			if !ok || refusal.Code != errcode || !errors.Is(err, auth.ErrAppMisconfigured) || !strings.HasPrefix(refusal.Message, advice) {
				t.Errorf("errcode %d: %v", errcode, err)
			}
		}
	}
	if _, ok := apisecurity.Advice(40013); ok {
		t.Error("advice for an errcode that is not about encryption")
	}
}

// The simulator refuses wrong keys, as WeChat documents it.
func TestSecuredWrongKeys(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	right := securedKeys(t)
	other, err := simsecurity.Generate()
	wantErr(t, err, nil)
	encrypt, sign := right, right
	encrypt.Encrypt, sign.Sign = other.Encrypt, other.Sign
	for want, keys := range map[int]simsecurity.Keys{40235: encrypt, 40234: sign} {
		shown, err := wechatsim.New(wechatsim.Config{}).Secure(s.app, keys)
		wantErr(t, err, nil)
		s.connect(securityFrom(t, shown))
		refusal, ok := errors.AsType[*auth.PlatformError](s.phone())
		if !ok || refusal.Code != want {
			t.Errorf("%v; want errcode %d", refusal, want)
		}
	}
	s.connect(nil) // a gateway that does not encrypt
	refusal, ok := errors.AsType[*auth.PlatformError](s.phone())
	if !ok || refusal.Code != 40233 || !errors.Is(refusal, auth.ErrAppMisconfigured) {
		t.Errorf("plain: %v", refusal)
	}
}

// WeChat changes its certificate. During the change, a gateway with only the old certificate
// verifies the deprecated signature, and a gateway with both certificates verifies either
// signature. After the change, a gateway with only the old certificate refuses responses.
func TestSecuredCertificateChange(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	old := securedKeys(t)
	before, err := s.sim.SecurityConsole(s.app)
	wantErr(t, err, nil)
	next := old.Verify
	next.Serial = "0000000000000000000000000000000b"
	during, err := s.sim.ChangeCertificate(s.app, next)
	wantErr(t, err, nil)
	if len(during.Verify) != 2 || during.Verify[0].Serial != next.Serial {
		t.Fatalf("the console shows %d certificates", len(during.Verify))
	}
	wantErr(t, s.phone(), nil)
	s.connect(securityFrom(t, during))
	wantErr(t, s.phone(), nil)
	after, err := s.sim.ChangeCertificate(s.app, next)
	wantErr(t, err, nil)
	wantErr(t, s.phone(), nil)
	s.connect(securityFrom(t, after))
	wantErr(t, s.phone(), nil)
	s.connect(securityFrom(t, before))
	wantErr(t, s.phone(), apisecurity.ErrSerial)
	if got := s.outcomes(); got != "deprecated verified verified verified serial" {
		t.Errorf("outcomes: %s", got)
	}
}

func TestSecuredForwardRefuses(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	signed := check(s.faulted)
	signed.Header.Set("Wechatmp-Signature", "x")
	long := check(s.faulted)
	long.Body, long.Length = bytes.NewReader(make([]byte, wechat.MaxReplayBytes+1)), wechat.MaxReplayBytes+1
	form := check(s.faulted)
	form.Body, form.Length = strings.NewReader("a=1"), 3
	twice := check(s.faulted)
	twice.Query = "encrypted_msg_hash=x"
	for name, out := range map[string]wechat.Outgoing{"signed": signed, "long": long, "form": form, "a parameter twice": twice} {
		_, err := s.forward(out)
		if !errors.Is(err, wechat.ErrNotEncryptable) || !errors.Is(err, auth.ErrInvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := s.sim.Count(knownPath); got != 0 {
		t.Errorf("WeChat was called %d times", got)
	}
}

// Uploads are sent without encryption, and so are calls that are not covered.
func TestSecuredUpload(t *testing.T) {
	t.Parallel()
	var seen []string
	record := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.URL.Path+" "+string(body))
		respond(`{"media_id":"x"}`)(w, r)
	}
	p := newPlatform().on(tokenPath, respond(goodToken)).on("/cgi-bin/media/upload", record).on("/wxa/more", record)
	shown, err := wechatsim.New(wechatsim.Config{}).Secure(wechatsim.DefaultApp.ID, securedKeys(t))
	wantErr(t, err, nil)
	client := mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: p, Security: securityFrom(t, shown, "/wxa/more")})
	for _, path := range []string{"/cgi-bin/media/upload", "/wxa/more"} {
		resp, err := client.Forward(t.Context(), wechat.Outgoing{
			Method: http.MethodPost, Path: path, Body: strings.NewReader("--x--"), Length: 5,
			Header: http.Header{"Content-Type": {"multipart/form-data; boundary=x"}},
		})
		wantErr(t, err, nil)
		wantErr(t, resp.Body.Close(), nil)
	}
	if got := strings.Join(seen, ", "); got != "/cgi-bin/media/upload --x--, /wxa/more --x--" {
		t.Errorf("WeChat saw %s", got)
	}
}

// A wrong certificate stops the encrypted calls, but not logins: no circuit breaker opens.
func TestSecuredBreaker(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	if err := s.sim.Arm(fault.Fault{Kind: fault.Kind(simsecurity.UnknownSerial)}); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		wantErr(t, s.phone(), apisecurity.ErrSerial)
		_, err := s.forward(check(s.faulted))
		wantErr(t, err, apisecurity.ErrSerial)
	}
	if s.client.Breaker() != "closed" || s.client.ForwardBreaker() != "closed" {
		t.Errorf("breakers %s and %s", s.client.Breaker(), s.client.ForwardBreaker())
	}
}

func TestSecurityNeedsSecret(t *testing.T) {
	shown, err := wechatsim.New(wechatsim.Config{}).Secure(wechatsim.DefaultApp.ID, securedKeys(t))
	wantErr(t, err, nil)
	security := securityFrom(t, shown)
	for name, cfg := range map[string]wechat.Config{
		"component": {AppID: app, Component: &wechat.Component{AppID: "wxc", TokenURL: "http://127.0.0.1/"}, Security: security},
		"qq":        {AppID: app, Secret: secret, Platform: wechat.QQ, Security: security},
	} {
		if _, err := wechat.New(cfg); !errors.Is(err, auth.ErrAppMisconfigured) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
