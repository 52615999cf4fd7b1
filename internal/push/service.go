package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/queue/webhook"
	"github.com/wxgate/wxgate/internal/token"
	"github.com/wxgate/wxgate/internal/wechat/callback"
)

// The headers of a request to a service, as WeChat Cloud Hosting (微信云托管) names them.
const (
	headerSource    = "X-WX-SOURCE"
	headerAppID     = "X-WX-APPID"
	headerOpenID    = "X-WX-OPENID"
	headerUnionID   = "X-WX-UNIONID"
	headerAssertion = "X-WX-ASSERTION"

	// source is a value that requests of clients never have.
	source = "wx_push"
)

// maxResponseBytes bounds the response of a service without replies: only its status is used.
const maxResponseBytes = 4 << 10

// stored is a message in the queue.
type stored struct {
	App     auth.AppID   `json:"app"`
	OpenID  auth.OpenID  `json:"openid,omitempty"`
	UnionID auth.UnionID `json:"unionid,omitempty"`
	Body    []byte       `json:"body"`
}

func encode(p *callback.Push) []byte {
	payload, _ := json.Marshal(stored{App: p.App, OpenID: p.From, UnionID: p.UnionID, Body: p.Message}) // strings and bytes cannot fail
	return payload
}

// Service delivers messages to one service. It is safe for concurrent use.
type Service struct {
	url     string
	tokens  *token.Tokens
	replies *Replies
	sender  *webhook.Sender
}

// NewService returns a service at a URL, which is also the audience of its assertions. Its
// responses become replies, unless replies is nil. The caller must close it.
func NewService(url string, tokens *token.Tokens, replies *Replies) *Service {
	return &Service{url: url, tokens: tokens, replies: replies, sender: webhook.New()}
}

// Close closes the idle connections.
func (s *Service) Close() { s.sender.Close() }

// Send implements the Send of [queue.Route]. Each attempt signs its assertion again: a service
// that was down for hours gets an assertion that has not expired.
func (s *Service) Send(ctx context.Context, m queue.Message) error {
	var p stored
	if err := json.Unmarshal(m.Payload, &p); err != nil || len(p.Body) == 0 {
		return fmt.Errorf("%w: decoding a push: %w", queue.ErrRefused, err)
	}
	header, err := s.header(m.ID, &p)
	if err != nil {
		return err
	}
	request := webhook.Request{URL: s.url, Header: header, Body: p.Body, MaxReply: maxResponseBytes}
	if s.replies != nil {
		request.MaxReply = maxReplyBytes + 1 // a longer reply is truncated, and so invalid
	}
	response, err := s.sender.Post(ctx, request)
	if err != nil {
		return err
	}
	if err := response.Err(""); err != nil {
		return err
	}
	if s.replies != nil {
		s.replies.put(ctx, m.ID, response.Body)
	}
	return nil
}

// header returns the headers of the request for a message.
func (s *Service) header(id string, p *stored) (http.Header, error) {
	assertion, err := s.tokens.IssuePush(&token.Push{ID: id, Audience: s.url, App: p.App, OpenID: p.OpenID, Body: p.Body})
	if errors.Is(err, token.ErrAssertion) {
		return nil, fmt.Errorf("%w: %w", queue.ErrRefused, err)
	}
	if err != nil {
		return nil, err
	}
	h := make(http.Header)
	h.Set("Content-Type", "application/json")
	h.Set(headerSource, source)
	h.Set(headerAssertion, assertion)
	h.Set(headerAppID, string(p.App))
	if p.OpenID != "" {
		h.Set(headerOpenID, string(p.OpenID))
	}
	if p.UnionID != "" {
		h.Set(headerUnionID, string(p.UnionID))
	}
	return h, nil
}
