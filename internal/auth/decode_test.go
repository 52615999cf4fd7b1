package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// keyStore is an onlyStore whose user has a session key.
type keyStore struct{ *onlyStore }

func (s keyStore) Session(context.Context, auth.SessionID) (*auth.Session, error) {
	session, _, _ := s.look()
	return session, nil
}

func (keyStore) SessionKeys(context.Context, auth.User) ([]auth.SessionKey, error) {
	return []auth.SessionKey{{Key: "k1"}}, nil
}

func (keyStore) UpdateAttempts(_ context.Context, _ auth.User, change func(*auth.Attempts)) error {
	change(new(auth.Attempts))
	return nil
}

// phonePlatform opens a phone number in whatever it is given.
type phonePlatform struct{ onlyPlatform }

func (phonePlatform) Open([]auth.SessionKey, auth.OpenData) (auth.Opened, error) {
	return auth.Opened{Phone: &auth.Phone{PurePhoneNumber: "10012345678", CountryCode: "86"}}, nil
}

// TestDecodeRemembers: the number is written on the session, whoever proved it. An
// access token is made for its bearer alone, and only what was made is noted.
func TestDecodeRemembers(t *testing.T) {
	t.Parallel()
	for name, bearer := range map[string]bool{"bearer": true, "handle": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_800_000_000, 0)
			store := keyStore{&onlyStore{}}
			service := auth.NewService(auth.Config{
				Apps:   map[auth.AppID]auth.Platform{theApp: phonePlatform{}},
				Tokens: plainTokens{}, Store: store,
				Access: time.Hour, Refresh: theLife, Idle: theLife,
				Now: func() time.Time { return now },
			})
			login, err := service.Login(t.Context(), theApp, "code")
			if err != nil {
				t.Fatal(err)
			}
			who, ends := auth.Caller{Handle: login.Handle}, login.AccessExpires
			now = now.Add(time.Minute)
			if bearer {
				who, ends = auth.Caller{Identity: &login.Identity}, now.Add(time.Hour)
			}
			decoded, err := service.Decode(t.Context(), who, auth.OpenData{}, anyApp)
			if err != nil || decoded.NotRemembered != nil || (decoded.Grant != nil) != bearer {
				t.Fatalf("got %+v, %v", decoded, err)
			}
			session, _, _ := store.look()
			if session.Phone != "+8610012345678" || !session.AccessEnd.Equal(ends) {
				t.Errorf("phone %q, the last token ends %v, want %v", session.Phone, session.AccessEnd, ends)
			}
		})
	}
}
