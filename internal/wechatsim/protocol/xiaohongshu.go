package protocol

import "encoding/json"

// The error codes of Xiaohongshu. ErrXiaohongshuBusy and ErrXiaohongshuToken are
// documented or were seen in responses. The page on the others requires an account:
// their numbers are the simulator's choice.
const (
	ErrXiaohongshuBusy      = 2
	ErrXiaohongshuToken     = 410101
	ErrXiaohongshuParameter = 400000
	ErrXiaohongshuCode      = 400001
	ErrXiaohongshuApp       = 400002
)

var xiaohongshuMessages = map[int]string{
	ErrXiaohongshuBusy:      "系统异常，请稍后重试",
	ErrXiaohongshuToken:     "应用访问令牌不匹配",
	ErrXiaohongshuParameter: "参数错误",
	ErrXiaohongshuCode:      "code无效",
	ErrXiaohongshuApp:       "应用不存在或密钥错误",
}

func xiaohongshuRefusal(code json.RawMessage, message, _ string) any {
	return struct {
		Success bool            `json:"success"`
		Msg     string          `json:"msg"`
		Data    any             `json:"data"`
		Code    json.RawMessage `json:"code"`
	}{false, message, nil, code}
}

// XiaohongshuSuccess is a successful response with its result as data.
func XiaohongshuSuccess(data any) Response {
	return Success(struct {
		Data    any    `json:"data"`
		Success bool   `json:"success"`
		Msg     string `json:"msg"`
		Code    int    `json:"code"`
	}{data, true, "success", 0})
}

// Xiaohongshu refuses as Xiaohongshu does.
var Xiaohongshu = &Host{Busy: ErrXiaohongshuBusy, messages: xiaohongshuMessages, refusal: xiaohongshuRefusal}
