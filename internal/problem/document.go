package problem

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// docsOfCode is the URL of a code's entry in the documentation, without the code.
const docsOfCode = "https://github.com/wxgate/wxgate/blob/main/docs/api.md#code-"

// Write sends the problem as a response. instance is the ID of the request in the
// access log.
func (p *Problem) Write(w http.ResponseWriter, instance string) error {
	body, err := p.Document(instance)
	if err != nil {
		return err
	}
	return p.WriteBody(w, "application/problem+json", body)
}

// WriteBody sends the status and the headers of the problem, with another body. Every 401 has a
// challenge (RFC 9110 section 15.5.2).
func (p *Problem) WriteBody(w http.ResponseWriter, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.inChinese {
		h.Set("Content-Language", "zh-CN")
	}
	p.Advise(h)
	w.WriteHeader(p.Status)
	_, err := w.Write(body)
	return err
}

// Advise sets the headers WWW-Authenticate and Retry-After.
func (p *Problem) Advise(h http.Header) {
	if challenge := p.challenge(); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	if p.RetryAfter > 0 {
		seconds := int64((p.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
}

// document is the JSON form of a problem.
type document struct {
	Type      string         `json:"type"`
	Status    int            `json:"status"`
	Title     string         `json:"title"`
	Code      any            `json:"code"` // a string, or CodeNumber
	Detail    string         `json:"detail,omitzero"`
	Instance  string         `json:"instance,omitzero"` // the request ID
	Errcode   int            `json:"errcode,omitzero"`
	Extension jsontext.Value `json:",embed"`
}

// Document returns the JSON of the problem (RFC 9457 section 3). instance is the ID of
// the request in the access log.
func (p *Problem) Document(instance string) ([]byte, error) {
	d := document{docsOfCode + p.Code, p.Status, http.StatusText(p.Status), p.Code, p.Text(), instance, p.Errcode, p.Extension}
	if p.CodeNumber != 0 {
		d.Code = p.CodeNumber
	}
	return json.Marshal(d)
}

// challenge returns the header WWW-Authenticate; "" for none.
func (p *Problem) challenge() string {
	if p.Bearer != "" {
		challenge := `Bearer realm="wxgate", error="` + p.Bearer + `", error_description="` + p.Detail + `"`
		if p.MaxAge > 0 {
			challenge += `, max_age="` + strconv.FormatInt(int64(p.MaxAge/time.Second), 10) + `"`
		}
		return challenge
	}
	if p.Status == http.StatusUnauthorized {
		return `Bearer realm="wxgate"`
	}
	return ""
}
