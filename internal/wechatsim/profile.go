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

// phoneData is a phone number as the app's platform encrypts it.
//
// Kuaishou gives two fields and no watermark. What Xiaohongshu gives is not
// documented: here it is WeChat's fields, without the watermark that its page on
// open data does not speak of. WeCom's is what wx.qy.getMobile gives.
func (s *Sim) phoneData(key userKey, p PhoneNumber, how Sealing) any {
	app, _ := s.app(key.app) // resolved before
	switch app.Platform {
	case Kuaishou:
		return struct {
			CountryCode string `json:"countryCode"`
			PhoneNumber string `json:"phoneNumber"`
		}{p.Country, p.Number}
	case Xiaohongshu:
		return struct {
			PhoneNumber     string `json:"phoneNumber"`
			PurePhoneNumber string `json:"purePhoneNumber"`
			CountryCode     string `json:"countryCode"`
		}{p.full(), p.Number, p.Country}
	case WeCom:
		return struct {
			Mobile    string    `json:"mobile"`
			Watermark watermark `json:"watermark"`
		}{p.full(), s.watermark(key, how)}
	default:
		return p.info(s.watermark(key, how))
	}
}

// profileData is a profile as the app's platform encrypts it. WeCom's is what
// wx.qy.getEnterpriseUserInfo gives.
func (s *Sim) profileData(key userKey, p Profile, unionid string, how Sealing) any {
	app, _ := s.app(key.app) // resolved before
	data := profileData{OpenID: key.openid, Profile: p, UnionID: unionid, Watermark: s.watermark(key, how)}
	switch app.Platform {
	case Kuaishou, Xiaohongshu:
		return struct {
			OpenID string `json:"openId"`
			Profile
		}{key.openid, p}
	case WeCom:
		return struct {
			CorpID    string    `json:"corpid"`
			UserID    string    `json:"userid"`
			Name      string    `json:"name"`
			Gender    int       `json:"gender"`
			Watermark watermark `json:"watermark"`
		}{key.app, key.openid, p.NickName, p.Gender, data.Watermark}
	default:
		return data
	}
}
