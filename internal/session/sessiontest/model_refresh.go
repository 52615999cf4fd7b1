package sessiontest

import (
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// refresh presents the refresh token that was issued back rotations before the current one.
func (r *ModelRun) refresh(back int) {
	s := r.session()
	if s == nil || back >= len(s.refresh) {
		return
	}
	r.present(s, s.refresh[len(s.refresh)-1-back])
}

// replayOften presents one token until it ends its session.
func (r *ModelRun) replayOften() {
	if s := r.session(); s != nil && len(s.refresh) > 1 {
		for token := s.refresh[len(s.refresh)-2]; !s.ended(r.c.Now()); {
			r.present(s, token)
			r.c.Advance(time.Millisecond)
		}
	}
}

// replayLate presents the previous token, around the end of its grace.
func (r *ModelRun) replayLate() {
	s := r.session()
	if s == nil || s.ended(r.c.Now()) {
		return
	}
	spent := s.refresh[len(s.refresh)-1]
	r.present(s, spent)
	around := []time.Duration{-time.Millisecond, 0, time.Millisecond}
	r.c.Advance(auth.RefreshGrace + around[r.Rand.IntN(len(around))])
	r.present(s, spent)
}

func (r *ModelRun) refreshForged() {
	s := r.session()
	if s == nil {
		return
	}
	if r.Rand.IntN(2) == 0 {
		unknown := auth.NewRefreshToken(auth.NewSessionID(r.c.Now(), s.user))
		_, err := r.service.Refresh(r.Context(), unknown.String(), AnyApp)
		r.wantErr("refresh of no session", err, auth.ErrSessionRevoked)
		return
	}
	r.present(s, auth.NewRefreshToken(s.id).String())
}

func (r *ModelRun) present(s *modelSession, token string) {
	now := r.c.Now()
	successor, want := r.model.present(s, token, now)
	grant, err := r.service.Refresh(r.Context(), token, AnyApp)
	if !r.wantErr("refresh", err, want) {
		return
	}
	switch {
	case successor != "" && grant.RefreshToken != successor:
		r.Error("a replay got a different successor")
	case successor == "" && slices.Contains(s.refresh, grant.RefreshToken):
		r.Error("a rotation returned an earlier token")
	case successor == "":
		r.model.rotated(s, grant.RefreshToken, now)
	}
	if !grant.RefreshExpires.Equal(s.end()) {
		r.Errorf("the session ends at %v, want %v", grant.RefreshExpires, s.end())
	}
	r.keep(grant, s)
}

func (r *ModelRun) revokeRefresh() {
	s := r.session()
	if s == nil {
		return
	}
	token := auth.NewRefreshToken(s.id).String()
	if back := r.Rand.IntN(4); back < len(s.refresh) {
		token = s.refresh[len(s.refresh)-1-back]
	}
	r.model.revokeRefresh(s, token, r.c.Now())
	_, err := r.service.RevokeRefresh(r.Context(), token, AnyApp)
	r.wantErr("revoke refresh", err, nil)
}
