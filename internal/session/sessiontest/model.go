package sessiontest

import (
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// model predicts the gateway's responses. It is written from the requirements and not from the
// stores: plain lists, nothing expires, nothing is sealed.
type model struct {
	sessions []*modelSession
	keys     map[auth.User][]string // newest first
	badKeys  map[auth.KeyID]bool    // signing keys that were revoked
	frees    bool                   // expired sessions free their place before a sweep
}

type modelSession struct {
	id       auth.SessionID
	user     auth.User
	refresh  []string // every refresh token it had, the current one last
	rotated  time.Time
	replays  int
	idleEnd  time.Time
	absEnd   time.Time
	phone    string
	endedBy  string // what ended it before its time
	occupies bool   // still occupies a place in the store
}

// modelToken is an access token that a client has.
type modelToken struct {
	raw     string
	session *modelSession
	key     auth.KeyID
	expires time.Time
	phone   string
}

func newModel() *model {
	return &model{keys: map[auth.User][]string{}, badKeys: map[auth.KeyID]bool{}}
}

func (s *modelSession) end() time.Time {
	if s.absEnd.Before(s.idleEnd) {
		return s.absEnd
	}
	return s.idleEnd
}

func (s *modelSession) ended(now time.Time) bool { return s.endedBy != "" || !now.Before(s.end()) }

func (m *model) stop(s *modelSession, by string) {
	if s.endedBy == "" {
		s.endedBy = by
	}
	s.occupies = false
}

// login adds a session; a user with too many sessions loses the oldest.
func (m *model) login(s *modelSession, key string, now time.Time) {
	places := slices.DeleteFunc(m.places(s.user), func(s *modelSession) bool { return s.ended(now) })
	if len(places) >= auth.MaxUserSessions {
		m.stop(slices.MinFunc(places, func(a, b *modelSession) int { return a.id.Began().Compare(b.id.Began()) }), "the cap")
	}
	s.occupies = true
	m.sessions = append(m.sessions, s)
	m.putKey(s.user, key)
}

func (m *model) places(u auth.User) []*modelSession {
	var places []*modelSession
	for _, s := range m.sessions {
		if s.user == u && s.occupies {
			places = append(places, s)
		}
	}
	return places
}

// settle applies the effect of time: a user whose last session has expired has no session keys.
func (m *model) settle(now time.Time) {
	alive := map[auth.User]bool{}
	for _, s := range m.sessions {
		alive[s.user] = alive[s.user] || !s.ended(now)
		s.occupies = s.occupies && !(m.frees && s.ended(now))
	}
	for u := range m.keys {
		if !alive[u] {
			delete(m.keys, u)
		}
	}
}

// present refreshes with a token of the session, or with a forged one.
func (m *model) present(s *modelSession, token string, now time.Time) (successor string, want error) {
	last := len(s.refresh) - 1
	switch {
	case s.ended(now):
		return "", auth.ErrSessionRevoked
	case token == s.refresh[last]:
		return "", nil // a new token
	case last > 0 && token == s.refresh[last-1] && now.Sub(s.rotated) <= 20*time.Second && s.replays < 5:
		s.replays++
		return s.refresh[last], nil
	case !slices.Contains(s.refresh, token):
		return "", auth.ErrInvalidToken
	default:
		m.stop(s, "reuse")
		return "", auth.ErrRefreshReused
	}
}

func (m *model) rotated(s *modelSession, successor string, now time.Time) {
	s.refresh = append(s.refresh, successor)
	s.rotated, s.replays, s.idleEnd = now, 0, now.Add(Idle)
}

// revokeRefresh is RFC 7009: the current token and the previous one end a session.
func (m *model) revokeRefresh(s *modelSession, token string, now time.Time) {
	if i := slices.Index(s.refresh, token); !s.ended(now) && i >= 0 && i >= len(s.refresh)-2 {
		m.stop(s, "RFC 7009")
	}
}

func (m *model) admits(t modelToken, now time.Time) error {
	switch {
	case !now.Before(t.expires):
		return auth.ErrTokenExpired
	case t.session.endedBy != "" || m.badKeys[t.key]:
		return auth.ErrSessionRevoked
	default:
		return nil
	}
}

func (m *model) endUser(u auth.User) {
	for _, s := range m.sessions {
		if s.user == u {
			m.stop(s, "log out everywhere")
		}
	}
	delete(m.keys, u)
}

func (m *model) putKey(u auth.User, key string) {
	keys := slices.DeleteFunc(slices.Clone(m.keys[u]), func(k string) bool { return k == key })
	keys = append([]string{key}, keys...)
	m.keys[u] = keys[:min(len(keys), 5)]
}

func (m *model) dropKey(u auth.User, key string) {
	m.keys[u] = slices.DeleteFunc(slices.Clone(m.keys[u]), func(k string) bool { return k == key })
}

// sweep frees the places of ended sessions, and forgets sessions that no operation of the test
// uses any more.
func (m *model) sweep(now time.Time) {
	for _, s := range m.sessions {
		if s.ended(now) {
			s.occupies = false
		}
	}
	if over := len(m.sessions) - 500; over > 0 {
		kept := m.sessions[:0:0]
		for i, s := range m.sessions {
			if i >= over || !s.ended(now) {
				kept = append(kept, s)
			}
		}
		m.sessions = kept
	}
}

// stored returns the counts of sessions and users that the store must report.
func (m *model) stored() (sessions, users int) {
	seen := map[auth.User]bool{}
	for _, s := range m.sessions {
		if s.occupies {
			sessions++
			seen[s.user] = true
		}
	}
	return sessions, len(seen)
}
