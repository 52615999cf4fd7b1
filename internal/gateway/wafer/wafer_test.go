package wafer

import (
	"errors"
	"net/http"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/edge"
	"github.com/wxgate/wxgate/internal/problem"
)

func TestTake(t *testing.T) {
	t.Parallel()
	header := http.Header{
		"X-Wx-Code": {"c"}, "X-Wx-Encrypted-Data": {"d"}, "X-Wx-Iv": {"i"}, "X-Wx-Id": {"id"}, "X-Wx-Skey": {"s"},
		"X-Wx-Openid": {"mallory"}, "X_Wx_Skey": {"other"},
	}
	if got := Take(header); got == nil || *got != (Headers{Code: "c", Data: "d", IV: "i", ID: "id", Skey: "s"}) {
		t.Errorf("got %+v", got)
	}
	if len(header) != 2 {
		t.Errorf("left %v", header)
	}
	if got := Take(header); got != nil {
		t.Errorf("a request without them: %+v", got)
	}
	for _, values := range [][]string{{"a", "b"}, {}} {
		header := http.Header{"X-Wx-Skey": values, "X-Wx-Id": {"id"}}
		got := Take(header)
		var p *problem.Problem
		if !errors.As(got.Err, &p) || p.Status != http.StatusBadRequest || got.Skey != "" || got.ID != "id" || len(header) != 0 {
			t.Errorf("%v: got %+v, left %v", values, got, header)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	bad := errors.New("two tokens elsewhere")
	twice := problem.BadRequest("Send each X-WX header once.")
	for name, test := range map[string]struct {
		headers *Headers
		token   string
		err     error
		query   string
		want    string
		wantErr error
	}{
		"neither":                   {nil, "", nil, "", "", nil},
		"a token":                   {nil, "t", nil, "", "t", nil},
		"a token, other headers":    {&Headers{ID: "x"}, "t", nil, "", "t", nil},
		"an error":                  {nil, "", bad, "", "", bad},
		"an error and a skey":       {&Headers{Skey: "s"}, "", bad, "", "", bad},
		"a header twice":            {&Headers{Err: twice}, "t", nil, "", "", twice},
		"a skey":                    {&Headers{Skey: "s"}, "", nil, "a=b", "s", nil},
		"a skey and a token":        {&Headers{Skey: "s"}, "s", nil, "", "", edge.ErrTwoTokens},
		"a skey and one in a query": {&Headers{Skey: "s"}, "", nil, "access_token=s", "", edge.ErrTwoTokens},
		"two skeys in one header":   {&Headers{Skey: "s, s"}, "", nil, "", "", edge.ErrTwoTokens},
		"a skey with a space":       {&Headers{Skey: "Bearer s"}, "", nil, "", "", edge.ErrTwoTokens},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := test.headers.Join(test.token, test.err, test.query)
			if got != test.want || !errors.Is(err, test.wantErr) {
				t.Errorf("got %q, %v, want %q, %v", got, err, test.want, test.wantErr)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	id := &auth.Identity{Session: "one"}
	for name, test := range map[string]struct {
		headers *Headers
		want    error
	}{
		"no headers":              {nil, nil},
		"no skey":                 {&Headers{ID: "two"}, nil},
		"no ID":                   {&Headers{Skey: "s"}, nil},
		"the same ID":             {&Headers{Skey: "s", ID: "one"}, nil},
		"the ID of another login": {&Headers{Skey: "s", ID: "two"}, auth.ErrInvalidToken},
	} {
		if err := test.headers.Check(id); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestCheckLogin(t *testing.T) {
	t.Parallel()
	for path, ok := range map[string]bool{
		"/weapp/login": true, "/login": true,
		"": false, "/": false, "login": false, "/a/../b": false, "/a/*": false, "/a%62": false, "//a": false,
	} {
		if err := CheckLogin(path); (err == nil) != ok {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestExtend(t *testing.T) {
	t.Parallel()
	const magic = `{"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"error":`
	skey := &Headers{Skey: "s"}
	for name, test := range map[string]struct {
		err       error
		headers   *Headers
		login     bool
		extension string
		code      int
	}{
		"a token":             {auth.ErrInvalidToken, nil, false, magic + `"ERR_INVALID_SESSION","message":"m"}`, 0},
		"a skey":              {auth.ErrInvalidToken, skey, false, magic + `"ERR_INVALID_SESSION","message":"m"}`, -1},
		"no skey among them":  {auth.ErrInvalidToken, &Headers{ID: "x"}, false, magic + `"ERR_INVALID_SESSION","message":"m"}`, 0},
		"a login":             {auth.ErrInvalidCode, nil, true, magic + `"invalid_code","message":"m"}`, 0},
		"a login, store down": {auth.ErrStoreUnavailable, skey, true, magic + `"store_unavailable","message":"m"}`, 0},
		"the store is down":   {auth.ErrStoreUnavailable, skey, false, "", 0},
		"not admitted":        {auth.ErrAppNotAdmitted, skey, false, "", 0},
		"replaced":            {auth.ErrSessionReplaced, skey, false, "", 0},
		"replaced, a token":   {auth.ErrSessionReplaced, nil, false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := problem.Of(test.err)
			status := before.Status
			if test.err == auth.ErrSessionReplaced && test.headers != nil { //nolint:errorlint // compares identity
				status = http.StatusForbidden
			}
			before.Detail = "m"
			err := Extend(before, test.headers, test.login)
			var p *problem.Problem
			if !errors.As(err, &p) || string(p.Extension) != test.extension || p.CodeNumber != test.code || p.Code != before.Code || p.Status != status {
				t.Errorf("got %+v, want %s with the code %d", p, test.extension, test.code)
			}
			if before.Extension != nil || before.CodeNumber != 0 || before.Status != problem.Of(test.err).Status {
				t.Error("a shared problem was changed")
			}
		})
	}
}

// FuzzJoin: for any input, at most one token is accepted.
func FuzzJoin(f *testing.F) {
	f.Add("s", "t", "access_token=x")
	f.Add("a, b", "", "")
	f.Fuzz(func(t *testing.T, skey, token, query string) {
		header := http.Header{headerSkey: {skey}}
		got, err := Take(header).Join(token, nil, query)
		if len(header) != 0 || err != nil && got != "" || got != "" && got != skey && got != token || skey != "" && token != "" && err == nil {
			t.Errorf("skey %q, token %q: %q, %v", skey, token, got, err)
		}
	})
}
