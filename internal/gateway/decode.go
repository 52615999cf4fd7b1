package gateway

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/wxgate/wxgate/internal/audit"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/metrics"
	"github.com/wxgate/wxgate/internal/problem"
)

// openDataRequest has the fields of decode and userInfo, in the spellings of old backends
// (snake_case) and of wx.getUserInfo (camelCase).
type openDataRequest struct {
	Code               string `json:"code"`
	EncryptedData      string `json:"encrypted_data"`
	EncryptedDataCamel string `json:"encryptedData"`
	IV                 string `json:"iv"`
	SessionKey         string `json:"session_key"`
	SessionKeyCamel    string `json:"sessionKey"`
	RawData            string `json:"raw_data"`
	RawDataCamel       string `json:"rawData"`
	Signature          string `json:"signature"`

	// The app of a raw session_key. Without a session_key these fields are ignored: old clients
	// use them for other values.
	AppID      jsontext.Value `json:"appid"`
	AppIDCamel jsontext.Value `json:"appId"`
	AppIDSnake jsontext.Value `json:"app_id"`
}

// openData is an [openDataRequest] whose spellings are resolved.
type openData struct {
	code   string
	handle string
	appids []jsontext.Value
	data   auth.OpenData
}

func (in openDataRequest) resolve() (openData, error) {
	out := openData{code: in.Code, data: auth.OpenData{IV: in.IV, Signature: in.Signature}}
	for _, f := range []struct {
		name         string
		into         *string
		snake, camel string
	}{
		{"encrypted_data", &out.data.EncryptedData, in.EncryptedData, in.EncryptedDataCamel},
		{"session_key", &out.handle, in.SessionKey, in.SessionKeyCamel},
		{"raw_data", &out.data.RawData, in.RawData, in.RawDataCamel},
	} {
		var err error
		if *f.into, err = problem.Either(f.name, f.snake, f.camel); err != nil {
			return out, err
		}
	}
	out.appids = []jsontext.Value{in.AppID, in.AppIDCamel, in.AppIDSnake}
	return out, nil
}

type watermark struct {
	Timestamp int64      `json:"timestamp"`
	AppID     auth.AppID `json:"appid"`
}

// phoneResponse has the shape of WeChat's phone data, which old pages read, and adds an access
// token with the number.
type phoneResponse struct {
	PhoneNumber     string    `json:"phoneNumber"`
	PurePhoneNumber string    `json:"purePhoneNumber"`
	CountryCode     string    `json:"countryCode"`
	Watermark       watermark `json:"watermark,omitzero"` // where the platform has one
	*accessToken
}

func newPhoneResponse(phone *auth.Phone) phoneResponse {
	return phoneResponse{
		PhoneNumber:     phone.PhoneNumber,
		PurePhoneNumber: phone.PurePhoneNumber,
		CountryCode:     phone.CountryCode,
		Watermark:       watermark{Timestamp: phone.Watermark.Timestamp, AppID: phone.Watermark.AppID},
	}
}

// readOpenData reads the body of both calls that open data.
func readOpenData(c *call) (openData, error) {
	var request openDataRequest
	if err := problem.ReadJSON(c.w, c.r, &request); err != nil {
		return openData{}, err
	}
	return request.resolve()
}

// serveDecode is POST {prefix}/decode: a phone code with a token, or encrypted
// data with a token or a handle.
func (g *Gateway) serveDecode(c *call) error {
	in, err := readOpenData(c)
	if err != nil {
		return err
	}
	switch {
	case in.code != "" && in.data.EncryptedData != "":
		return problem.BadRequest("Send code, or encrypted_data and iv, not both.")
	case in.code != "":
		return g.decodePhoneCode(c, in.code)
	}
	return g.decodeOpenData(c, in)
}

// serveUserInfo is POST {prefix}/userInfo.
func (g *Gateway) serveUserInfo(c *call) error {
	in, err := readOpenData(c)
	if err != nil {
		return err
	}
	if (in.data.RawData == "") != (in.data.Signature == "") {
		return problem.BadRequest("Send raw_data and signature together, or neither.")
	}
	return g.decodeOpenData(c, in)
}

func (g *Gateway) decodePhoneCode(c *call, code string) error {
	id, err := g.bearerOnly(c) // the response has a token, and browser sessions have no tokens
	if err != nil {
		return err
	}
	decoded, err := g.spendPhoneCode(c, id, code)
	g.recordDecode(c, id, decoded, err)
	if err != nil {
		return err
	}
	return g.writeDecoded(c, decoded)
}

// spendPhoneCode exchanges a phone code, within the site's limits.
func (g *Gateway) spendPhoneCode(c *call, id *auth.Identity, code string) (*auth.Decoded, error) {
	if err := g.config.Limits.AdmitPhone(c.r.Context(), c.runtime.Take, id.User); err != nil {
		return nil, err
	}
	leave, err := g.config.Limits.Enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	decoded, err := c.runtime.Service.DecodePhoneCode(c.r.Context(), id, code, g.admits)
	return decoded, c.runtime.OfApp(id.App, err)
}

// recordDecode audits an attempt to get a phone number. Data that was decrypted and has no
// number is not such an attempt.
func (g *Gateway) recordDecode(c *call, id *auth.Identity, decoded *auth.Decoded, err error) {
	e := audit.Event{Action: audit.Decode}
	if err == nil {
		e.Phone = phoneOf(decoded.Opened)
	}
	if err != nil || e.Phone != "" {
		g.record(c, e, id, err)
	}
}

func phoneOf(opened auth.Opened) audit.Phone {
	switch {
	case opened.Phone == nil:
		return ""
	case opened.Unverified:
		return audit.Unverified
	case opened.Phone.Test:
		return audit.Test
	}
	return audit.Verified
}

func (g *Gateway) decodeOpenData(c *call, in openData) error {
	if in.data.EncryptedData == "" || in.data.IV == "" {
		return problem.BadRequest("Send encrypted_data and iv, or the code of getPhoneNumber.")
	}
	var id *auth.Identity
	if c.bearer.sent() {
		var err error
		if id, err = g.identity(c); err != nil {
			return err
		}
	}
	if key, ok := g.rawSessionKey(in.handle); ok {
		return g.decodeRaw(c, id, key, in)
	}
	owner := new(auth.Identity) // set by Admit
	caller := auth.Caller{Identity: id, Handle: in.handle, Admit: func(u auth.User) error {
		owner.User = u
		if id != nil {
			owner.Session = id.Session
		}
		return g.config.Limits.AdmitDecode(c.r.Context(), c.runtime.Take, u)
	}}
	decoded, err := c.runtime.Service.Decode(c.r.Context(), caller, in.data, g.admits)
	metrics.ObserveDecode(owner.App, err)
	if owner.User != (auth.User{}) {
		g.recordDecode(c, owner, decoded, err)
	}
	if err != nil {
		return c.runtime.OfApp(owner.App, err) // WeChat may have been called
	}
	metrics.UnknownMembers.Add(float64(decoded.Opened.Unknown))
	return g.writeDecoded(c, decoded)
}

// writeDecoded responds with a phone number in WeChat's shape, and with any other data
// unchanged, byte for byte.
func (g *Gateway) writeDecoded(c *call, d *auth.Decoded) error {
	if d.NotRemembered != nil {
		g.log("a verified phone number was returned but not stored", problem.Of(d.NotRemembered), c.r)
	}
	phone := d.Opened.Phone
	if phone == nil {
		return c.respondBytes(d.Opened.JSON)
	}
	if d.Opened.Unverified {
		return c.respond(unverifiedPhone{phoneResponse: newPhoneResponse(phone)})
	}
	response := newPhoneResponse(phone)
	if d.Grant != nil {
		access := newAccessToken(d.Grant)
		response.accessToken = &access
	}
	return c.respond(response)
}
