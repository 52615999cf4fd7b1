package callback

// Ends says what the gateway must delete of a user after a push.
type Ends int

// What a push ends.
const (
	EndsNothing  Ends = iota
	EndsKeys          // the session keys: nothing that was encrypted before can be decrypted
	EndsSessions      // every session, with its phone number, and the session keys
)

// withdrawn has the values of RevokeInfo, the data that the user no longer lets the mini
// program have. The gateway stores a phone number, in sessions and access tokens, and the keys
// that decrypt what wx.getUserInfo and wx.getWeRunData returned before; nothing of the rest.
// https://developers.weixin.qq.com/miniprogram/dev/framework/security.html
var withdrawn = map[string]Ends{
	"1":  EndsNothing,  // number plate
	"2":  EndsNothing,  // address
	"3":  EndsNothing,  // invoice
	"4":  EndsNothing,  // Bluetooth
	"5":  EndsNothing,  // microphone
	"6":  EndsKeys,     // nickname and avatar
	"7":  EndsNothing,  // camera
	"8":  EndsSessions, // phone number
	"12": EndsKeys,     // WeRun steps
	"13": EndsNothing,  // location
	"14": EndsNothing,  // chosen image or video
	"15": EndsNothing,  // chosen file
	"16": EndsKeys,     // email address
	"18": EndsNothing,  // chosen location
	"19": EndsNothing,  // nickname from the keyboard
	"20": EndsNothing,  // avatar from the component
}

// ends returns what an event ends. A value that is not documented, or absent, ends all: the
// user has withdrawn something that may be stored here.
func ends(event Event, revokeInfo string) Ends {
	if event == Other {
		return EndsNothing
	}
	if what, ok := withdrawn[revokeInfo]; ok && event == Revoked {
		return what
	}
	return EndsSessions
}
