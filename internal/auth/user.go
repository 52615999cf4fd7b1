package auth

import (
	"context"
	"time"
)

// UserRecord is what a store has about a user. Session keys themselves are not in it: anyone
// who has one can forge data of the user.
type UserRecord struct {
	Sessions []*Session  // that have not ended, newest first
	KeysAt   []time.Time // when each session key was obtained, newest first
	Attempts *Attempts   // to decrypt open data
	// EndedUntil is until when sessions of the user began that were ended together; the
	// zero time if none were, or so long ago that it is forgotten.
	EndedUntil time.Time
}

// IsEmpty reports whether the store has nothing about the user.
func (r *UserRecord) IsEmpty() bool {
	return len(r.Sessions) == 0 && len(r.KeysAt) == 0 && r.Attempts.Empty() && r.EndedUntil.IsZero()
}

// User returns what the store has about a user.
func (s *Service) User(ctx context.Context, u User) (*UserRecord, error) {
	record := &UserRecord{EndedUntil: s.cfg.Revocations.NotAfter(u)}
	q := Query{User: u, Limit: MaxPageSize}
	for more := true; more; more = q.Cursor != "" {
		page, err := s.cfg.Store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		record.Sessions = append(record.Sessions, page.Sessions...)
		q.Cursor = page.Next
	}
	keys, err := s.cfg.Store.SessionKeys(ctx, u)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		record.KeysAt = append(record.KeysAt, key.ObtainedAt)
	}
	record.Attempts, err = s.cfg.Store.Attempts(ctx, u)
	return record, err
}
