// Package protocol has what the responses of each platform look like: their shape,
// error codes and messages, written from the platforms' documentation.
package protocol

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// ContentType is the content type of WeChat's JSON, both on success and on failure.
const ContentType = "text/plain"

// Class says whether a request succeeded.
type Class string

// The classes. None is the class of a request that has no response yet, or whose work
// was not done because of a fault.
const (
	None     Class = ""
	OK       Class = "ok"
	Error    Class = "error"
	NotFound Class = "not_found"
)

// Response is a whole HTTP response. It is built before anything is sent, so that a
// fault can change it.
type Response struct {
	Status      int
	ContentType string
	Location    string
	Header      http.Header // further ones
	Body        []byte
	Class       Class
	ErrCode     int
}

// Success is a response with status 200 and v as JSON.
func Success(v any) Response {
	return Response{Status: http.StatusOK, ContentType: ContentType, Body: slashed(v), Class: OK}
}

// ErrorAsJSON gives an error the content type by which SDKs tell it from a picture, as silenceper/wechat
// and WxJava do; they write that WeChat sends it.
func (r Response) ErrorAsJSON() Response {
	if r.Class == Error {
		r.ContentType = "application/json; encoding=utf-8"
	}
	return r
}

// A Watermark says for which app, and when, WeChat gave out the data.
type Watermark struct {
	Timestamp int64  `json:"timestamp"`
	AppID     string `json:"appid"`
}

// Host is how a platform refuses a request.
type Host struct {
	// Busy says that the system is busy. Daily and Minute say that a quota is used
	// up; they are 0 if the documentation has no such code.
	Busy, Daily, Minute int

	unknown  int // says that no call has the path; 0: a response without JSON
	messages map[int]string
	refusal  func(code json.RawMessage, message, path string) any
}

// Refuse returns the response for an error code: HTTP 200 and the code. WeChat's
// messages end with "hints: [ req_id ]" on paths below /sns, and with "rid" on others.
func (h *Host) Refuse(path string, code int) Response {
	return h.refuse(path, code, strconv.Itoa(code))
}

// RefuseAsString does so with the number as a string, as WeChat sometimes writes it.
func (h *Host) RefuseAsString(path string, code int) Response {
	return h.refuse(path, code, strconv.Quote(strconv.Itoa(code)))
}

// Unknown returns the response to a path that is not simulated.
func (h *Host) Unknown(path string) Response {
	if h.unknown == 0 {
		return Response{Status: http.StatusNotFound, ContentType: ContentType, Body: []byte("404 page not found\n"), Class: NotFound}
	}
	r := h.Refuse(path, h.unknown)
	r.Class = NotFound
	return r
}

func (h *Host) refuse(path string, code int, raw string) Response {
	message := h.messages[code]
	if message == "" {
		message = "errcode " + strconv.Itoa(code)
	}
	return Response{
		Status: http.StatusOK, ContentType: ContentType, Body: slashed(h.refusal(json.RawMessage(raw), message, path)),
		Class: Error, ErrCode: code,
	}
}

// slashed encodes v as WeChat does: as [JSON] does, with "\/" for every slash.
func slashed(v any) []byte {
	return bytes.ReplaceAll(JSON(v), []byte("/"), []byte(`\/`))
}

// JSON encodes v as a phone does: without HTML escapes and without a newline. It cannot
// fail: v is one of the simulator's structs, a map of strings or valid JSON.
func JSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte("{}")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// SetHeader sets the headers of the response.
func (r Response) SetHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", r.ContentType)
	maps.Copy(w.Header(), r.Header)
	if r.Location != "" {
		w.Header().Set("Location", r.Location)
	}
}

// Write sends the response. It ignores errors: the client may have left.
func (r Response) Write(w http.ResponseWriter) {
	r.SetHeader(w)
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}
