package wechatsim

// A Profile is a user's profile. The zero value is what WeChat returns today: a name and a
// picture that are the same for all users.
type Profile struct {
	NickName  string `json:"nickName"`
	Gender    int    `json:"gender"` // 0 unknown, 1 male, 2 female
	Language  string `json:"language"`
	City      string `json:"city"`
	Province  string `json:"province"`
	Country   string `json:"country"`
	AvatarURL string `json:"avatarUrl"`
}

// profileData is a profile as it is encrypted.
type profileData struct {
	OpenID string `json:"openId"`
	Profile
	UnionID   string    `json:"unionId,omitempty"`
	Watermark watermark `json:"watermark"`
}

// normal sets the default name and picture.
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
// Kuaishou has two fields and no watermark. Xiaohongshu's fields are not documented: here
// they are WeChat's, without a watermark, which its page on open data does not mention.
// WeCom's are those of wx.qy.getMobile.
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

// profileData is a profile as the app's platform encrypts it. WeCom's is that of
// wx.qy.getEnterpriseUserInfo.
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
