package simcalls_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
	"github.com/wxgate/wxgate/internal/wechatsim/simserver"
	"github.com/wxgate/wxgate/internal/wechatsim/simtest"
)

// reply has the members of all responses.
type reply struct {
	ErrCode   int      `json:"errcode"`
	ErrMsg    string   `json:"errmsg"`
	Addresses []string `json:"ip_list"`
	Ticket    string   `json:"ticket"`
	ExpiresIn int      `json:"expires_in"`
	UnionID   string   `json:"unionid"`
	Result    struct {
		Suggest string `json:"suggest"`
		Label   int    `json:"label"`
	} `json:"result"`
	Keys []struct {
		Key     string `json:"encrypt_key"`
		Version int    `json:"version"`
		Expires int    `json:"expire_in"`
		IV      string `json:"iv"`
		Created int64  `json:"create_time"`
	} `json:"key_info_list"`
}

// a service calls the API with the access token of the first app.
type service struct {
	*testing.T
	srv   *simserver.Server
	token string
}

func start(t *testing.T) service {
	t.Helper()
	srv := simtest.Start(t)
	return service{t, srv, simtest.StableToken(t, srv, simtest.Apps[0], false).AccessToken}
}

// call makes a call with more parameters in the query, by GET unless it has a body.
func (s service) call(path, body string, query ...string) reply {
	s.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	_, text := simtest.Send(s.T, method, simtest.Query(s.srv.URL+path, append([]string{"access_token", s.token}, query...)...), body)
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		s.Fatalf("%s: %v: %s", path, err, text)
	}
	return r
}

func (s service) want(r reply, errcode int) {
	s.Helper()
	if r.ErrCode != errcode {
		s.Errorf("errcode = %d %s, want %d", r.ErrCode, r.ErrMsg, errcode)
	}
}

// TestToken needs an access token and the right method for every call.
func TestToken(t *testing.T) {
	t.Parallel()
	s := start(t)
	if r := s.call("/cgi-bin/get_api_domain_ip", ""); len(r.Addresses) != 2 {
		t.Errorf("%+v", r)
	}
	s.want(s.call("/cgi-bin/get_api_domain_ip", "{}"), 43001)
	s.want(s.call("/wxa/msg_sec_check", ""), 43002)
	s.srv.Sim.ExpireTokens()
	s.want(s.call("/cgi-bin/get_api_domain_ip", ""), 42001)
	s.token = ""
	s.want(s.call("/cgi-bin/ticket/getticket", "", "type", "jsapi"), 41001)
}

// TestTicket returns one ticket of each type for two hours.
func TestTicket(t *testing.T) {
	t.Parallel()
	s := start(t)
	first := s.call("/cgi-bin/ticket/getticket", "", "type", "jsapi")
	card := s.call("/cgi-bin/ticket/getticket", "", "type", "wx_card")
	if len(first.Ticket) < 80 || first.ExpiresIn != 7200 || first.ErrMsg != "ok" || card.Ticket == first.Ticket {
		t.Errorf("%+v, %+v", first, card)
	}
	s.srv.Sim.Advance(time.Hour)
	if again := s.call("/cgi-bin/ticket/getticket", "", "type", "jsapi"); again.Ticket != first.Ticket || again.ExpiresIn > 3600 {
		t.Errorf("%+v after an hour, want the same", again)
	}
	s.want(s.call("/cgi-bin/ticket/getticket", ""), 40097)
}

// TestClearQuota works ten times a month, for the app of the token.
func TestClearQuota(t *testing.T) {
	t.Parallel()
	s := start(t)
	app := `{"appid":"` + simtest.Apps[0].ID + `"}`
	for range 10 {
		s.want(s.call("/cgi-bin/clear_quota", app), 0)
	}
	s.want(s.call("/cgi-bin/clear_quota", app), 48006)
	s.want(s.call("/cgi-bin/clear_quota", `{"appid":"wxother"}`), 40013)
	s.want(s.call("/cgi-bin/clear_quota", "appid=x"), 47001)
}

// TestUsers has the calls that name a user.
func TestUsers(t *testing.T) {
	t.Parallel()
	s := start(t)
	login := simtest.Login(t, s.srv, wechatsim.User{Name: "alice"}, wechatsim.Login{UnionID: "union-alice"})
	other := simtest.Login(t, s.srv, wechatsim.User{Name: "bob"}, wechatsim.Login{})

	if r := s.call("/wxa/getpaidunionid", "", "openid", login.OpenID, "transaction_id", "1"); r.UnionID != "union-alice" || r.ErrMsg != "ok" {
		t.Errorf("%+v", r)
	}
	s.want(s.call("/wxa/getpaidunionid", "", "openid", login.OpenID, "mch_id", "1"), 89300)
	s.want(s.call("/wxa/getpaidunionid", "", "openid", other.OpenID, "mch_id", "1", "out_trade_no", "2"), 89002)
	s.want(s.call("/wxa/getpaidunionid", "", "openid", "none", "transaction_id", "1"), 40003)

	s.want(s.call("/cgi-bin/message/subscribe/send", `{"touser":"`+login.OpenID+`","template_id":"t","data":{"thing1":{"value":"x"},"number2":{"value":3}}}`), 0)
	s.want(s.call("/cgi-bin/message/subscribe/send", `{"touser":"none","template_id":"t","data":{"thing1":{"value":"x"}}}`), 40003)
	s.want(s.call("/cgi-bin/message/subscribe/send", `{"touser":"`+login.OpenID+`","data":{"thing1":{"value":"x"}}}`), 40037)
	s.want(s.call("/cgi-bin/message/subscribe/send", `{"touser":"`+login.OpenID+`","template_id":"t"}`), 47003)

	check := func(content, more string) reply {
		return s.call("/wxa/msg_sec_check", `{"content":"`+content+`","version":2,"openid":"`+login.OpenID+`"`+more+`}`)
	}
	if r := check("hello", `,"scene":1`); r.Result.Suggest != "pass" || r.Result.Label != 100 {
		t.Errorf("%+v", r)
	}
	if r := check("a特3456书yuuo莞6543李zxcz蒜7782法fgnv级b", `,"scene":1`); r.Result.Suggest != "risky" {
		t.Errorf("%+v", r)
	}
	s.want(check("hello", ""), 40129)
	s.want(check("", `,"scene":1`), 47001)
	s.srv.Sim.Advance(3 * time.Hour)
	s.token = simtest.StableToken(t, s.srv, simtest.Apps[0], false).AccessToken
	s.want(check("hello", `,"scene":1`), 61010)
}

// TestEncryptKeys has a new key each hour, and returns the last three.
func TestEncryptKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	login := simtest.Login(t, s.srv, wechatsim.User{Name: "alice"}, wechatsim.Login{})
	signed := []string{"openid", login.OpenID, "signature", wechatsim.Signature(login.SessionKey), "sig_method", "hmac_sha256"}
	var last reply
	for range 4 {
		last = s.call("/wxa/business/getuserencryptkey", "", signed...)
		s.srv.Sim.Advance(61 * time.Minute)
		s.token = simtest.StableToken(t, s.srv, simtest.Apps[0], false).AccessToken
	}
	if len(last.Keys) != 3 || last.Keys[0].Version != 4 || last.Keys[2].Version != 2 {
		t.Fatalf("%+v", last)
	}
	newest, old := last.Keys[0], last.Keys[1]
	if newest.Expires < 3590 || old.Expires != 0 || len(newest.Key) != 24 || len(newest.IV) != 16 || newest.Created <= old.Created {
		t.Errorf("%+v", last.Keys)
	}
	signed[3] = "wrong"
	s.want(s.call("/wxa/business/getuserencryptkey", "", signed...), 87009)
}
