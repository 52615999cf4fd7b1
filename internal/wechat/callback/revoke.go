package callback

// Ends is the data of a user that the gateway must delete after a push.
type Ends int

// What a push ends.
const (
	EndsNothing  Ends = iota
	EndsKeys          // the session keys: data that was encrypted before can no longer be decrypted
	EndsSessions      // every session, with its phone number, and the session keys
)

// withdrawn has the values of RevokeInfo: the data that the user no longer allows the mini
// program to use. Of these, the gateway stores only the phone number, in sessions and access
// tokens, and the keys that decrypt earlier results of wx.getUserInfo and wx.getWeRunData.
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

// ends returns which data an event deletes. If the value is missing or not documented, that is
// all data: the user has withdrawn something that may be stored here.
func ends(event Event, revokeInfo string) Ends {
	if event == Other {
		return EndsNothing
	}
	if what, ok := withdrawn[revokeInfo]; ok && event == Revoked {
		return what
	}
	return EndsSessions
}
