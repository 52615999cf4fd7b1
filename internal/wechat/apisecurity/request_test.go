package apisecurity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// A sealed request can be decrypted with the keys, and no two are equal.
func TestSeal(t *testing.T) {
	f := newFakeWeChat(t)
	target := mustURL(t, vectorURL+"?access_token=TOKEN")
	query := url.Values{"access_token": {"TOKEN"}, "b": {"x&y"}, "a": {"1"}}
	one, err := f.Seal(target, query, []byte(" {\"c\": 1.50, \"d\":[]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := f.Seal(target, query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(one.Body) == string(two.Body) || one.Header.Get("Wechatmp-Signature") == two.Header.Get("Wechatmp-Signature") {
		t.Error("two requests are the same")
	}
	for body, want := range map[string]string{
		string(one.Body): `{"a":"1","b":"x&y","c":1.50,"d":[]}`,
		string(two.Body): `{"a":"1","b":"x&y"}`,
	} {
		h := http.Header{"Wechatmp-Serial": {ownSerial}}
		sealed := one
		if body == string(two.Body) {
			sealed = two
		}
		maps.Copy(h, sealed.Header)
		opened, err := f.Open(target, h, []byte(body))
		if err != nil || string(opened.Body) != want {
			t.Errorf("%s, %v; want %s", opened.Body, err, want)
		}
		if strings.Contains(body, "TOKEN") {
			t.Error("the token is in the body")
		}
	}
}

func TestSealRefuses(t *testing.T) {
	s := mustNew(t, vectorConfig())
	for name, test := range map[string]struct {
		query url.Values
		body  string
	}{
		"duplicate parameter in the query":  {url.Values{"a": {"1", "2"}}, ""},
		"a parameter in the query and body": {url.Values{"a": {"1"}}, `{"a":1}`},
		"duplicate parameter in the body":   {nil, `{"a":1,"a":2}`},
		"a reserved name in the query":      {url.Values{"_appid": {"x"}}, ""},
		"a reserved name in the body":       {nil, `{"_timestamp":1}`},
		"a token in the body":               {nil, `{"access_token":"x"}`},
		"a form":                            {nil, `a=1&b=2`},
		"an array":                          {nil, `[1]`},
		"two objects":                       {nil, `{}{}`},
		"an object that ends early":         {nil, `{"a":1`},
		"a nonce set by the caller":         {nil, `{"_n":""}`},
	} {
		t.Run(name, func(t *testing.T) {
			if sealed, err := s.Seal(mustURL(t, vectorURL), test.query, []byte(test.body)); !errors.Is(err, ErrRequest) || sealed.Body != nil {
				t.Errorf("%s, %v", sealed.Body, err)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, raw []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
	}
	block, _ := pem.Decode([]byte(vectorKey))
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*Config)
		want   string // substring of the error; "" for no error
	}{
		"as published": {func(*Config) {}, ""},
		"PKCS 8":       {func(c *Config) { c.Sign.Value = encode("PRIVATE KEY", pkcs8) }, ""},
		"public key":   {func(c *Config) { c.Verify[0].Value = publicPEM(t) }, ""},
		"public key, PKCS 1": {func(c *Config) {
			c.Verify[0].Value = encode("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey))
		}, ""},
		"a line end":              {func(c *Config) { c.Encrypt.Value += "\n" }, ""},
		"no key":                  {func(c *Config) { c.Encrypt.Value = "" }, "encrypt: the key is not base64"},
		"SM4":                     {func(c *Config) { c.Encrypt.Value = "YXBwaWRkdXNlZm9ydGVzdA==" }, "SM4 is not supported"},
		"no number":               {func(c *Config) { c.Encrypt.Serial = "" }, "encrypt: serial"},
		"a number with colons":    {func(c *Config) { c.Verify[0].Serial = "78:4f" }, "verify 78:4f: serial"},
		"sign key in base64":      {func(c *Config) { c.Sign.Value = vectorSymmetric }, "sign: the key is not in PEM"},
		"a certificate in sign":   {func(c *Config) { c.Sign.Value = vectorCertificate }, "sign: the key is not an RSA private key"},
		"a private key in verify": {func(c *Config) { c.Verify[0].Value = vectorKey }, "neither a certificate nor"},
		"no verify":               {func(c *Config) { c.Verify = nil }, "verify is required"},
		"a duplicate":             {func(c *Config) { c.Verify = append(c.Verify, c.Verify[0]) }, "duplicate serial"},
		"a short sign key": {func(c *Config) {
			c.Sign.Value = encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small))
		}, "the RSA key has 1024 bits"},
		"more calls":                   {func(c *Config) { c.Calls = []string{"/cgi-bin/express/intracity/addorder"} }, ""},
		"calls already documented":     {func(c *Config) { c.Calls = []string{"/wxa/plugin"} }, "encrypted already"},
		"calls by a wildcard":          {func(c *Config) { c.Calls = []string{"/wxa/*"} }, "expected an exact path"},
		"calls without a slash":        {func(c *Config) { c.Calls = []string{"wxa/plugin"} }, "expected an exact path"},
		"calls with a query":           {func(c *Config) { c.Calls = []string{"/wxa/x?y=1"} }, "expected an exact path"},
		"calls on a host":              {func(c *Config) { c.Calls = []string{"//host/wxa"} }, "expected an exact path"},
		"a login":                      {func(c *Config) { c.Calls = []string{"/sns/jscode2session"} }, "never encrypted"},
		"plain":                        {func(c *Config) { c.Plain = []string{"/wxa/getwxacode"} }, ""},
		"plain, not a documented call": {func(c *Config) { c.Plain = []string{"/wxa/x"} }, "not one of the calls"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := vectorConfig()
			test.change(&cfg)
			_, err := New(cfg)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v; want %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), cfg.Encrypt.Value) && cfg.Encrypt.Value != "":
				t.Errorf("the error contains a key: %v", err)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	cfg := vectorConfig()
	cfg.Calls, cfg.Plain = []string{"/wxa/more"}, []string{"/wxa/getwxacode"}
	s := mustNew(t, cfg)
	if len(documented) != 35 || !slices.IsSorted(documented) {
		t.Errorf("%d documented calls; the documentation has 35", len(documented))
	}
	for path, want := range map[string]bool{
		"/wxa/getuserriskrank": true, "/wxa/more": true, "/wxa/getwxacode": false, "/sns/jscode2session": false, "/cgi-bin/stable_token": false,
	} {
		if s.Covers(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

func TestExpires(t *testing.T) {
	cfg := vectorConfig()
	serial, at, ok := mustNew(t, cfg).Expires()
	if !ok || serial != responseSerial || at.Year() != 2027 {
		t.Errorf("%s, %v, %v", serial, at, ok)
	}
	cfg.Verify[0].Value = publicPEM(t)
	if _, _, ok := mustNew(t, cfg).Expires(); ok {
		t.Error("a bare key expires")
	}
}

// Every documented outcome has one name.
func TestOutcomes(t *testing.T) {
	all := Outcomes()
	slices.Sort(all)
	if len(slices.Compact(all)) != 11 || OutcomeOf(os.ErrClosed) != "" {
		t.Errorf("%v", all)
	}
}
