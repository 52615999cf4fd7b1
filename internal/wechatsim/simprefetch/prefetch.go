// Package simprefetch makes the GET with which WeChat's servers fetch data from the server
// of a mini program while it starts (数据预拉取).
// https://developers.weixin.qq.com/miniprogram/dev/framework/ability/pre-fetch.html
package simprefetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/wechatsim"
)

const (
	// maxKept is the largest response that WeChat keeps for the mini program, 256 KB.
	maxKept = 256 << 10

	// timeout is how long the server may take. The page does not say how long WeChat waits.
	timeout = 30 * time.Second
)

// ErrBadURL means that the URL is not one at which WeChat could fetch data.
var ErrBadURL = errors.New("the url is not an http or https URL with a host")

// A Fetch is one start of a mini program.
type Fetch struct {
	URL  string // 数据下载地址, of the console
	User wechatsim.User

	// Token is what the mini program passed to wx.setBackgroundFetchToken. Without one,
	// WeChat sends a login code.
	Token string

	Path    string // the page that the user opens
	Query   string // of that page
	Scene   int    // how the user opened it; 0 is not sent
	Version string // of the mini program
}

// A Result is what the mini program gets from wx.getBackgroundFetchData.
type Result struct {
	Status int    `json:"status"`
	Kept   bool   `json:"kept"` // false: the response is no success, or too large
	Body   string `json:"body"` // at most 256 KB
}

// Do makes the GET. A redirect is a response as any other. The errors are ErrBadURL,
// [wechatsim.ErrUnknownApp], and those of the network.
func Do(ctx context.Context, s *wechatsim.Sim, f Fetch) (Result, error) {
	target, err := f.target(s)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return Result{}, ErrBadURL
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return Result{}, fmt.Errorf("fetching data: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read, or an error is returned
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKept+1))
	if err != nil {
		return Result{}, fmt.Errorf("fetching data: %w", err)
	}
	large := len(body) > maxKept
	return Result{
		Status: response.StatusCode, Kept: response.StatusCode == http.StatusOK && !large, Body: string(body[:min(len(body), maxKept)]),
	}, nil
}

// target returns the URL with its parameters.
func (f Fetch) target(s *wechatsim.Sim) (string, error) {
	u, err := url.Parse(f.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", ErrBadURL
	}
	user, err := s.Resolve(f.User)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("appid", user.App)
	query.Set("timestamp", strconv.FormatInt(s.Now().UnixMilli(), 10))
	query.Set("token", f.Token)
	if f.Token == "" {
		code, err := s.MintCode(f.User, wechatsim.Login{})
		if err != nil {
			return "", err
		}
		query.Del("token")
		query.Set("code", code.Code)
	}
	for name, value := range map[string]string{"path": f.Path, "query": f.Query, "customMiniprogramVersion": f.Version} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.Scene != 0 {
		query.Set("scene", strconv.Itoa(f.Scene))
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}
