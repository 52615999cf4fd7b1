package wechat

import (
	"errors"
	"net/url"
)

// errURL does not quote the URL, which may contain a credential.
var errURL = errors.New("not an http or https URL with a host and without credentials")

// ParseURL parses the URL of an API: http or https, with a host, and without
// credentials or a fragment. A component's token URL may have a query; the base of
// WeChat's API must not.
func ParseURL(raw string, mayHaveQuery bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" && !mayHaveQuery {
		return nil, errURL
	}
	return u, nil
}
