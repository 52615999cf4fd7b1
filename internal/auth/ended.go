package auth

import "time"

// Ended is the end of a session, or of all sessions of a user, before their time.
type Ended struct {
	User    User
	Session SessionID // empty for all of the user's
	Cause   Cause
	At      time.Time
}

// Cause is why something ended.
type Cause string

// The causes.
const (
	CauseLogout    Cause = "logout"                  // the user's
	CauseRevoked   Cause = "token_revoked"           // by a client that has the token (RFC 7009)
	CauseReused    Cause = "refresh_token_reused"    // a refresh token was used twice
	CauseWithdrawn Cause = "authorization_withdrawn" // WeChat says so
	CauseOperator  Cause = "operator"
	CauseErased    Cause = "erased" // an operator erased what is stored about the user
)

// ended reports what ended now.
func (s *Service) ended(u User, session SessionID, cause Cause) {
	if s.cfg.Ended != nil {
		s.cfg.Ended(Ended{User: u, Session: session, Cause: cause, At: s.cfg.Now()})
	}
}
