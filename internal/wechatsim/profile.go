package wechatsim

// A Profile is what a user shows of themselves. The zero value is what WeChat
// gives since it stopped showing more: a name and a picture everyone has.
type Profile struct {
	NickName  string `json:"nickName"`
	Gender    int    `json:"gender"` // 0 unknown, 1 male, 2 female
	Language  string `json:"language"`
	City      string `json:"city"`
	Province  string `json:"province"`
	Country   string `json:"country"`
	AvatarURL string `json:"avatarUrl"`
}

// profileData is a profile as it stands in a ciphertext.
type profileData struct {
	OpenID string `json:"openId"`
	Profile
	UnionID   string    `json:"unionId,omitempty"`
	Watermark watermark `json:"watermark"`
}

// normal fills in the anonymous user's name and picture.
func (p Profile) normal() Profile {
	if p.NickName == "" {
		p.NickName = "微信用户"
	}
	if p.AvatarURL == "" {
		p.AvatarURL = "https://thirdwx.qlogo.cn/mmopen/vi_32/anonymous/132"
	}
	return p
}
