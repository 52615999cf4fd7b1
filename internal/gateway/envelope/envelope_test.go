package envelope

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/problem"
)

func newEnvelope(t *testing.T, c Config) *Envelope {
	t.Helper()
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config   Config
		document []byte
		want     string
	}{
		"defaults": {Config{}, []byte(`{"a":1}`), `{"code":0,"message":"ok","data":{"a":1}}`},
		"no data":  {Config{}, nil, `{"code":0,"message":"ok","data":{}}`},
		"names": {
			Config{Code: "errno", Message: `a"b`, Data: "结果", OK: jsontext.Value(`"0000"`)},
			[]byte(`[ 1 ]`), `{"errno":"0000","a\"b":"ok","结果":[ 1 ]}`, // byte for byte
		},
		"two default names swapped": {Config{Code: "data", Data: "code"}, []byte(`1`), `{"data":0,"message":"ok","code":1}`},
		"a number":                  {Config{OK: jsontext.Value(`2e2`)}, []byte(`1`), `{"code":2e2,"message":"ok","data":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(newEnvelope(t, test.config).Wrap(test.document)); got != test.want || !json.Valid([]byte(got)) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	var none *Envelope
	if got := string(none.Wrap([]byte(`1`))); got != `1` {
		t.Errorf("without an envelope: %s", got)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"two equal names":        {Config{Code: "a", Data: "a"}, `member name "a" is used twice`},
		"a name and a default":   {Config{Code: "message"}, `member name "message" is used twice`},
		"a name that is not UTF": {Config{Data: "\xff"}, "member name"},
		"an object":              {Config{OK: jsontext.Value(`{}`)}, "ok must be a number or a string"},
		"null":                   {Config{OK: jsontext.Value(`null`)}, "ok must be a number or a string"},
		"not JSON":               {Config{OK: jsontext.Value(`0 1`)}, "ok must be a number or a string"},
		"an empty value":         {Config{OK: jsontext.Value(``)}, "ok must be a number or a string"},
		"the code of an error":   {Config{OK: jsontext.Value(`"token_expired"`)}, `ok "token_expired" is also the code of an error`},
		"the code internal":      {Config{OK: jsontext.Value(`"internal"`)}, `ok "internal" is also the code of an error`},
		"an escaped error code":  {Config{OK: jsontext.Value(`"\u0069nternal"`)}, `ok "internal" is also the code of an error`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(test.config); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestWriteProblem: the envelope has the code, the detail and the whole problem. Headers that
// belong to a status are sent only with that status.
func TestWriteProblem(t *testing.T) {
	t.Parallel()
	expired := problem.Of(auth.ErrTokenExpired)
	limited := problem.Of(&auth.LimitError{RetryAfter: 1})
	for name, test := range map[string]struct {
		config    Config
		problem   *problem.Problem
		status    int
		challenge bool
		retry     string
	}{
		"401":               {Config{}, expired, 401, true, ""},
		"401 as 200":        {Config{Always: true}, expired, 200, false, ""},
		"429":               {Config{}, limited, 429, false, "1"},
		"429 as 200":        {Config{Always: true}, limited, 200, false, "1"},
		"403 and challenge": {Config{}, problem.Of(auth.ErrAppNotAdmitted), 403, true, ""},
		"403 as 200":        {Config{Always: true}, problem.Of(auth.ErrAppNotAdmitted), 200, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := *test.problem
			w := httptest.NewRecorder()
			if err := newEnvelope(t, test.config).WriteProblem(w, test.problem, "the-request"); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Code, Message string
				Data          struct {
					Status         int
					Code, Instance string
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || got.Code != before.Code || got.Message != before.Detail {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if got.Data.Status != before.Status || got.Data.Code != before.Code || got.Data.Instance != "the-request" {
				t.Errorf("the problem is %s", w.Body)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != test.challenge || w.Header().Get("Retry-After") != test.retry {
				t.Errorf("headers %v", w.Header())
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("headers %v", w.Header())
			}
			if test.problem.Status != before.Status || test.problem.Bearer != before.Bearer { // requests share problems
				t.Errorf("the problem changed: %+v", test.problem)
			}
		})
	}
}
