package keyring

import (
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
)

// Merge adds the keys of the stored ring from to the stored ring into, when sessions
// move from one store to another: the tokens of both rings stay valid. The key with
// the latest start signs. refused reports the keys that were retired and must not
// return. merged is into itself if into already has all keys of from; added is the number
// of keys that were new to into. Errors: [ErrOtherSecret], [ErrUnreadable], [ErrFull].
func Merge(box *seal.Box, into, from []byte, refused func(auth.KeyID) bool, now time.Time) (merged []byte, added int, err error) {
	other, err := parseState(box, from)
	if err != nil {
		return nil, 0, err
	}
	_, sealed, err := amend(box, into, func(s *state) error {
		added = s.merge(other, refused, now)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if sealed == nil {
		return into, added, nil
	}
	return sealed, added, nil
}

func (s *state) merge(other *state, refused func(auth.KeyID) bool, now time.Time) (added int) {
	for _, id := range other.Refused {
		s.refuse(id)
	}
	for _, r := range other.Retired {
		s.list(r)
	}
	for _, r := range other.Keys {
		if known := s.find(r.ID); known != nil {
			known.mergeProfiles(r, now)
			continue
		}
		s.Keys = append(s.Keys, r)
		added++
	}
	s.Keys = slices.DeleteFunc(s.Keys, func(r *record) bool { return refused(r.ID) || slices.Contains(s.Refused, r.ID) })
	slices.SortStableFunc(s.Keys, func(a, b *record) int { return a.SignsFrom.Compare(b.SignsFrom) })
	var next *record
	for _, r := range slices.Backward(s.Keys) {
		if next == nil {
			r.RetiredAt = time.Time{}
		} else if r.RetiredAt.IsZero() {
			r.RetiredAt = later(now, next.SignsFrom) // it may have signed until this moment
		}
		next = r
	}
	return added
}

// mergeProfiles adds the profiles under which the gateway of another store signed with the
// same key.
func (r *record) mergeProfiles(other *record, now time.Time) {
	for _, p := range other.Profiles {
		i := slices.IndexFunc(r.Profiles, func(known Profile) bool { return known.same(p.Issuer, p.Audiences) })
		if i >= 0 {
			r.Profiles[i].Access = max(r.Profiles[i].Access, p.Access)
			continue
		}
		if p.EndedAt.IsZero() {
			p.EndedAt = now
		}
		r.Profiles = slices.Insert(r.Profiles, 0, p) // the last one is the current one
	}
}

// later returns the later one of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
