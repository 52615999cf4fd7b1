package problem_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/wxgate/wxgate/internal/problem"
)

// request has the fields of a call of the API.
type request struct {
	Code     string `json:"code"`
	Remember bool   `json:"remember"`
}

func read(body io.Reader) (request, error) {
	var in request
	err := problem.ReadJSON(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", body), &in)
	return in, err
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return `{"code":"` + strings.Repeat("x", n-len(`{"code":""}`)) + `"}` }
	for body, want := range map[string]struct {
		code   string
		detail string
		status int
	}{
		``:                           {},
		`{"code":"abc"}`:             {code: "abc"},
		`{"code":"abc","other":[1]}`: {code: "abc"},
		long(8 << 10):                {code: strings.Repeat("x", 8<<10-len(`{"code":""}`))},
		long(8<<10 + 1):              {detail: "The body may have 8 KiB at most.", status: 413},
		`{"code":1}`:                 {detail: `"code" must be a string.`},
		`{"remember":"yes"}`:         {detail: `"remember" must be true or false.`},
		`{"code":"a","code":"b"}`:    {detail: `Duplicate key "code".`},
		`{"secret":1,"secret":2}`:    {detail: "The body has a duplicate key."},
		`{"code":"abc"`:              {detail: "The body must be one JSON object in UTF-8."},
		`{"code":"abc"} {}`:          {detail: "The body must be one JSON object in UTF-8."},
		`["abc"]`:                    {detail: "The body must be one JSON object in UTF-8."},
		"{\"code\":\"\xff\"}":        {detail: "The body must be one JSON object in UTF-8."},
	} {
		in, err := read(strings.NewReader(body))
		if want.detail == "" {
			if err != nil || in.Code != want.code {
				t.Errorf("%.40q: %+v, %v", body, in, err)
			}
			continue
		}
		p := problem.Of(err)
		if want.status == 0 {
			want.status = http.StatusBadRequest
		}
		if p.Code != "invalid_request" || p.Status != want.status || p.Detail != want.detail {
			t.Errorf("%.40q: %d %s %q, want %q", body, p.Status, p.Code, p.Detail, want.detail)
		}
	}
}

func TestReadOfIncompleteBody(t *testing.T) {
	t.Parallel()
	broken := io.MultiReader(strings.NewReader(`{"code":`), iotest.ErrReader(errors.New("reset")))
	if _, err := read(broken); problem.Of(err).Detail != "The request body was incomplete." {
		t.Error(err)
	}
}

// deadlines records the read deadlines of a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// TestReadDeadline: a body has 10 seconds to arrive, and the response has no deadline.
func TestReadDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		if _, err := problem.ReadBody(w, httptest.NewRequest(http.MethodPost, "/", nil)); err != nil {
			t.Fatal(err)
		}
		if want := []time.Time{time.Now().Add(10 * time.Second), {}}; !slices.EqualFunc(w.set, want, time.Time.Equal) {
			t.Errorf("the deadlines were %v, want %v", w.set, want)
		}
	})
}

func TestEither(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []string
		want   string
		ok     bool
	}{
		{nil, "", true},
		{[]string{"", "a", ""}, "a", true},
		{[]string{"a", "a"}, "a", true},
		{[]string{"a", "b"}, "", false},
	} {
		got, err := problem.Either("appid", test.values...)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("%q: %q, %v", test.values, got, err)
		}
	}
}

// FuzzReadJSON: a body is either read, or refused with a bad request that does not quote it.
func FuzzReadJSON(f *testing.F) {
	f.Add(`{"code":"abc"}`)
	f.Add(`{"code":1,"code":2}`)
	f.Fuzz(func(t *testing.T, body string) {
		in, err := read(strings.NewReader(body))
		if err == nil {
			if !utf8.ValidString(in.Code) {
				t.Errorf("%q is read as %q", body, in.Code)
			}
			return
		}
		if p := problem.Of(err); p.Code != "invalid_request" || len(body) > 40 && strings.Contains(p.Detail, body) {
			t.Errorf("%q: %+v", body, p)
		}
	})
}
