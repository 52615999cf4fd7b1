package wechat_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/wechat"
)

// parallelTests is how many tests run at once. Most of them wait for a deadline and use no CPU.
// With the default of -parallel, the number of CPUs, they would take minutes.
const parallelTests = "32"

// TestMain ignores goroutines that toxiproxy leaves behind when a connection ends while it
// delays data.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" { // when fuzzing, -parallel is the number of processes
		if err := flag.Set("test.parallel", parallelTests); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"))
}

// The values in the tests' requests. No error may contain a secret, a code or a token.
const (
	app    auth.AppID  = "wx0123456789abcdef"
	secret             = "SECRET+app/secret="
	code               = "SECRETcode&0001"
	token              = "SECRETtoken-1"
	openid auth.OpenID = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
)

// sampleKey is the session key of WeChat's published samples.
const sampleKey = "tiihtNczf5v6AKRyjwEUhQ=="

const (
	loginPath = "/sns/jscode2session"
	phonePath = "/wxa/business/getuserphonenumber"
	tokenPath = "/cgi-bin/stable_token"
	checkPath = "/wxa/checksession"
	resetPath = "/wxa/resetusersessionkey"
	knownPath = "/wxa/business/checkencryptedmsg"

	addressesPath = "/cgi-bin/getcallbackip"
)

const (
	goodLogin = `{"openid":"oABCDEFGHIJKLMNOPQRSTUVWXYZ0","session_key":"tiihtNczf5v6AKRyjwEUhQ==","unionid":"u1"}`
	goodToken = `{"access_token":"` + token + `","expires_in":7200}`
	goodPhone = `{"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":"10058006666","purePhoneNumber":"10058006666",` +
		`"countryCode":"86","watermark":{"timestamp":1637744274,"appid":"wx0123456789abcdef"}}}`
)

// fakePlatform is a fake WeChat with the responses of a test.
type fakePlatform struct {
	mu       sync.Mutex
	handlers map[string][]http.HandlerFunc // by path; the last handler is used again
	seen     map[string]int
}

func newPlatform() *fakePlatform {
	return &fakePlatform{handlers: map[string][]http.HandlerFunc{}, seen: map[string]int{}}
}

func (p *fakePlatform) on(path string, handlers ...http.HandlerFunc) *fakePlatform {
	p.handlers[path] = handlers
	return p
}

func (p *fakePlatform) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[path]
}

func (p *fakePlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	handlers, n := p.handlers[r.URL.Path], p.seen[r.URL.Path]
	p.seen[r.URL.Path]++
	p.mu.Unlock()
	if len(handlers) == 0 {
		http.NotFound(w, r)
		return
	}
	handlers[min(n, len(handlers)-1)](w, r)
}

// RoundTrip calls the platform without a network, for synctest.
func (p *fakePlatform) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.ServeHTTP(recorder, r)
	}()
	select {
	case <-done:
		return recorder.Result(), nil
	case <-r.Context().Done():
		<-done // the handlers of tests observe the context
		return nil, r.Context().Err()
	}
}

// respond responds like WeChat, with 200 and text/plain for any body.
func respond(body string) http.HandlerFunc { return respondAs(http.StatusOK, "text/plain", body) }

func respondAs(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangs until the client gives up.
func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func mustClient(t testing.TB, cfg wechat.Config) *wechat.Client {
	t.Helper()
	if cfg.AppID == "" {
		cfg.AppID = app
	}
	cfg.Secret = secret
	client, err := wechat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// dial returns a client of p over TCP.
func dial(t testing.TB, p *fakePlatform) *wechat.Client {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return mustClient(t, wechat.Config{API: server.URL})
}

// direct returns a client of p without a network.
func direct(t testing.TB, p *fakePlatform) *wechat.Client {
	t.Helper()
	return mustClient(t, wechat.Config{API: "http://wechat.invalid", Transport: p})
}

func wantErr(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (want == nil) != (got == nil) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if got != nil && bytes.Contains([]byte(got.Error()), []byte("SECRET")) {
		t.Fatalf("the error contains a secret: %v", got)
	}
}

func wantCalls(t testing.TB, p *fakePlatform, path string, want int) {
	t.Helper()
	if got := p.count(path); got != want {
		t.Fatalf("%s was called %d times, want %d", path, got, want)
	}
}

// seal encrypts like WeChat, independently of the code under test.
func seal(t testing.TB, key, iv, plain []byte) string {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	padded := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return base64.StdEncoding.EncodeToString(padded)
}

func keys(spelled ...string) []auth.SessionKey {
	all := make([]auth.SessionKey, len(spelled))
	for i, key := range spelled {
		all[i].Key = key
	}
	return all
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
