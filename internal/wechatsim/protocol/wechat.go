package protocol

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
)

// The error codes of WeChat, from the global list and the pages of the calls.
// https://developers.weixin.qq.com/doc/oplatform/developers/errCode/errCode.html
const (
	ErrBusy             = -1
	ErrNotEncrypted     = 1 // of checkencryptedmsg
	ErrPluginArgument   = 1001
	ErrPluginApp        = 1005
	ErrNoOpenPID        = 1007
	ErrPluginJSON       = 1022
	ErrInvalidToken     = 40001
	ErrGrantType        = 40002
	ErrOpenID           = 40003
	ErrAppID            = 40013
	ErrInvalidCode      = 40029
	ErrSecret           = 40125
	ErrScene            = 40129
	ErrURL              = 40066
	ErrRefreshToken     = 40030
	ErrTemplate         = 40037
	ErrPathLength       = 40159
	ErrCodeUsed         = 40163
	ErrSceneLength      = 40169 // of getwxacodeunlimit, as ErrPage and ErrScanCodeTime
	ErrHighRisk         = 40226
	ErrTokenMissing     = 41001
	ErrAppIDMissing     = 41002
	ErrSecretMissing    = 41004
	ErrCodeMissing      = 41008
	ErrOpenIDMissing    = 41009
	ErrArgument         = 40097
	ErrPage             = 41030
	ErrTokenExpired     = 42001
	ErrRequireGet       = 43001
	ErrRequirePost      = 43002
	ErrOpenIDOfOther    = 43104
	ErrEmptyBody        = 44002
	ErrDailyQuota       = 45009
	ErrMinuteQuota      = 45011
	ErrDataFormat       = 47001
	ErrMessageData      = 47003
	ErrNoPermission     = 48001
	ErrClearLimit       = 48006
	ErrNotAuthorized    = 61003
	ErrNoComponentRight = 61007
	ErrNotVisited       = 61010 // of getuserriskrank, as the next three
	ErrRiskDown         = 61080
	ErrRiskTooOften     = 61081
	ErrRiskQuota        = 9410009
	ErrScanCodeTime     = 85096
	ErrSessionKeyAbsent = 87007
	ErrSigMethod        = 87008
	ErrSignature        = 87009
	ErrNoOpenPlatform   = 89002
	ErrTrade            = 89300
)

// messages are WeChat's messages for its codes, without the request ID.
var messages = map[int]string{
	ErrBusy:             "system error",
	ErrNotEncrypted:     "encrypted data not exist",
	ErrPluginArgument:   "invalid args", // the page has no messages of 1001 to 1022
	ErrPluginApp:        "plugin appid does not match",
	ErrNoOpenPID:        "openpid does not exist",
	ErrPluginJSON:       "json parse error",
	ErrArgument:         "invalid args",
	ErrInvalidToken:     "invalid credential, access_token is invalid or not latest",
	ErrGrantType:        "invalid grant_type",
	ErrOpenID:           "invalid openid",
	ErrAppID:            "invalid appid",
	ErrInvalidCode:      "invalid code",
	ErrSecret:           "invalid appsecret",
	ErrScene:            "invalid scene",
	ErrURL:              "invalid url",
	ErrRefreshToken:     "invalid refresh_token",
	ErrTemplate:         "invalid template_id",
	ErrPathLength:       "invalid length for path, or the data is not json string",
	ErrCodeUsed:         "code been used",
	ErrMessageData:      "argument invalid!",
	ErrClearLimit:       "forbid to clear quota because of reaching the limit",
	ErrNoOpenPlatform:   "open not exists",
	ErrTrade:            "invalid trade",
	ErrSceneLength:      "invalid length for scene, or the data is not json string",
	ErrHighRisk:         "code blocked",
	ErrTokenMissing:     "access_token missing",
	ErrAppIDMissing:     "appid missing",
	ErrSecretMissing:    "appsecret missing",
	ErrCodeMissing:      "missing code",
	ErrOpenIDMissing:    "missing openid",
	ErrPage:             "invalid page",
	ErrTokenExpired:     "access_token expired",
	ErrRequireGet:       "require GET method",
	ErrRequirePost:      "require POST method",
	ErrOpenIDOfOther:    "The openid does not match the appid",
	ErrEmptyBody:        "empty post data",
	ErrDailyQuota:       "reach max api daily quota limit",
	ErrMinuteQuota:      "api minute-quota reach limit  mustslower  retry next minute",
	ErrDataFormat:       "data format error",
	ErrScanCodeTime:     "not allow include scancode_time field",
	ErrSessionKeyAbsent: "session_key is not existed or expired",
	ErrSigMethod:        "invalid sig_method",
	ErrSignature:        "invalid signature",
	40230:               "missing wechatmp serial", // 40230 to 40240: see package apisecurity
	40231:               "missing wechatmp timestamp",
	40232:               "missing wechatmp signature",
	40233:               "missing wechatmp appid",
	40234:               "invalid wechatmp signature",
	40235:               "invalid encrypt",
	40236:               "invalid wechatmp appid",
	40237:               "wechatmp appid does not match the token",
	40238:               "no symmetric key is set",
	40239:               "no public key is set",
	40240:               "wechatmp timestamp expired",
	ErrNoPermission:     "api unauthorized",
	ErrNotAuthorized:    "component is not authorized by this account",
	ErrNoComponentRight: "api is unauthorized to component",
	ErrNotVisited:       "code is expired",
	ErrRiskDown:         "the service of getuserriskrank is unavailable now",
	ErrRiskTooOften:     "get riskrank too frequently",
	ErrRiskQuota:        "the quota is not enough;please apply again!",
}

// weixinRefusal is the shape of WeChat's refusals, and of those of QQ and WeCom.
func weixinRefusal(code json.RawMessage, message, path string) any {
	return struct {
		ErrCode json.RawMessage `json:"errcode"`
		ErrMsg  string          `json:"errmsg"`
	}{code, message + requestID(path)}
}

// WeChat refuses as WeChat does.
var WeChat = &Host{Busy: ErrBusy, Daily: ErrDailyQuota, Minute: ErrMinuteQuota, unknown: ErrURL, messages: messages, refusal: weixinRefusal}

// requestID is the end of an errmsg; WeChat has two forms of it.
func requestID(path string) string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails: see crypto/rand
	if strings.HasPrefix(path, "/sns/") {
		return fmt.Sprintf(", hints: [ req_id: %x ]", id[:8])
	}
	return fmt.Sprintf(" rid: %x-%x-%x", id[:4], id[4:8], id[8:])
}

// TraceID returns an ID of one request.
func TraceID() string { return requestID("")[len(" rid: "):] }
