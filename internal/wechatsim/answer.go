package wechatsim

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
)

// contentType is what WeChat calls its JSON, on success and on failure alike.
const contentType = "text/plain"

// Error codes, from the global list and the pages of the single calls.
// https://developers.weixin.qq.com/doc/oplatform/developers/errCode/errCode.html
const (
	errBusy             = -1
	errInvalidToken     = 40001
	errGrantType        = 40002
	errAppID            = 40013
	errInvalidCode      = 40029
	errSecret           = 40125
	errCodeUsed         = 40163
	errHighRisk         = 40226
	errTokenMissing     = 41001
	errAppIDMissing     = 41002
	errSecretMissing    = 41004
	errCodeMissing      = 41008
	errOpenIDMissing    = 41009
	errTokenExpired     = 42001
	errRequireGet       = 43001
	errRequirePost      = 43002
	errEmptyBody        = 44002
	errDailyQuota       = 45009
	errMinuteQuota      = 45011
	errDataFormat       = 47001
	errSessionKeyAbsent = 87007
	errSigMethod        = 87008
	errSignature        = 87009
)

// messages are WeChat's words for its codes, without the request id.
var messages = map[int]string{
	errBusy:             "system error",
	errInvalidToken:     "invalid credential, access_token is invalid or not latest",
	errGrantType:        "invalid grant_type",
	errAppID:            "invalid appid",
	errInvalidCode:      "invalid code",
	errSecret:           "invalid appsecret",
	errCodeUsed:         "code been used",
	errHighRisk:         "code blocked",
	errTokenMissing:     "access_token missing",
	errAppIDMissing:     "appid missing",
	errSecretMissing:    "appsecret missing",
	errCodeMissing:      "missing code",
	errOpenIDMissing:    "missing openid",
	errTokenExpired:     "access_token expired",
	errRequireGet:       "require GET method",
	errRequirePost:      "require POST method",
	errEmptyBody:        "empty post data",
	errDailyQuota:       "reach max api daily quota limit",
	errMinuteQuota:      "api minute-quota reach limit  mustslower  retry next minute",
	errDataFormat:       "data format error",
	errSessionKeyAbsent: "session_key is not existed or expired",
	errSigMethod:        "invalid sig_method",
	errSignature:        "invalid signature",
	errNotAuthorized:    "component is not authorized by this account",
}

// An answer is a whole HTTP answer, made before a byte of it is sent: a fault
// can then bend it.
type answer struct {
	status      int
	contentType string
	location    string
	body        []byte
	class       AnswerClass
	errcode     int
}

// success is the answer 200 with v as JSON.
func success(v any) answer {
	return answer{status: http.StatusOK, contentType: contentType, body: marshal(v), class: AnswerOK}
}

// failure is the answer with which the path's platform refuses: HTTP 200 and a
// code. WeChat's paths under /sns end their errmsg in "hints: [ req_id ]", the
// others in "rid".
func failure(path string, errcode int) answer {
	return failureBody(path, errcode, strconv.Itoa(errcode))
}

// failureBody is failure with errcode's JSON given, for the answers in which
// WeChat writes the number as a string.
func failureBody(path string, errcode int, raw string) answer {
	h := hosts[platformOf(path)]
	message := h.messages[errcode]
	if message == "" {
		message = "errcode " + strconv.Itoa(errcode)
	}
	return answer{
		status: http.StatusOK, contentType: contentType, body: marshal(h.refuse(json.RawMessage(raw), message, path)),
		class: AnswerError, errcode: errcode,
	}
}

// requestID is the end of an errmsg, in the two shapes WeChat has for it.
func requestID(path string) string {
	id := rand.Text()
	if len(path) >= 5 && path[:5] == "/sns/" {
		return ", hints: [ req_id: " + id[:16] + " ]"
	}
	return " rid: " + id[:8] + "-" + id[8:16] + "-" + id[16:24]
}

// marshal writes v as WeChat does: no HTML escapes, no newline, and "\/" for
// every slash, which base64 keys are full of.
func marshal(v any) []byte {
	return bytes.ReplaceAll(marshalPlain(v), []byte("/"), []byte(`\/`))
}

// marshalPlain writes v as a phone does, with bare slashes. The values are our
// own structs, maps of strings and JSON already checked: it cannot fail.
func marshalPlain(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []byte("{}")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// header sets what goes before the body.
func (a answer) header(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.contentType)
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
}

// write sends the answer whole. A client that has gone is no news here.
func (a answer) write(w http.ResponseWriter) {
	a.header(w)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}
