package problem

import (
	"fmt"
	"net/http"

	"golang.org/x/text/language"
)

// maxAcceptLanguage is how much of the header Accept-Language is read, in bytes: browsers
// and WeChat send some 40.
const maxAcceptLanguage = 256

// languages are the languages of details. The first is the default.
var languages = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// SetDetail sets the detail, a format of [fmt.Sprintf], in each language.
func (p *Problem) SetDetail(detail string, args ...any) {
	p.Detail = fmt.Sprintf(detail, args...)
	if translated, ok := chinese[detail]; ok {
		p.Chinese = fmt.Sprintf(translated, args...)
	}
}

// For returns the problem in the language that a request prefers (RFC 9110 section
// 12.5.4). The challenge stays English: RFC 6750 section 3 allows only ASCII there.
func (p *Problem) For(r *http.Request) *Problem {
	if p.Chinese == "" || !PrefersChinese(r) {
		return p
	}
	in := *p // requests share problems
	in.inChinese = true
	return &in
}

// PrefersChinese reports whether a request prefers Chinese to English.
func PrefersChinese(r *http.Request) bool {
	accepted := r.Header.Get("Accept-Language")
	if accepted == "" || len(accepted) > maxAcceptLanguage {
		return false
	}
	_, index := language.MatchStrings(languages, accepted)
	return index != 0
}

// Text returns the detail in the language of [Problem.For].
func (p *Problem) Text() string {
	if p.inChinese {
		return p.Chinese
	}
	return p.Detail
}
