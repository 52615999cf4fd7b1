package keyring

import (
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/seal"
)

// Merge adds the keys of one stored ring to another, where sessions move from
// one store to another: the tokens of both go on being good. Of all keys the one
// that signs from the latest time signs; refused are those that were retired and
// must not return. merged is into itself when that has all of it; added counts the
// keys that were new to it. Errors: [ErrOtherSecret], [ErrUnreadable],
// [ErrFull].
func Merge(box *seal.Box, into, from []byte, refused func(auth.KeyID) bool, now time.Time) (merged []byte, added int, err error) {
	other, err := parseState(box, from)
	if err != nil {
		return nil, 0, err
	}
	_, sealed, err := amend(box, into, func(s *state) error {
		added = s.merge(other, refused, now)
		return nil
	})
	if err != nil || sealed != nil {
		return sealed, added, err
	}
	return into, added, nil
}

func (s *state) merge(other *state, refused func(auth.KeyID) bool, now time.Time) (added int) {
	for _, id := range other.Refused {
		if !slices.Contains(s.Refused, id) {
			s.Refused = append(s.Refused, id)
		}
	}
	s.Refused = s.Refused[max(0, len(s.Refused)-maxRefused):]
	for _, r := range other.Retired {
		s.unlist(r.ID)
		s.Retired = append(s.Retired, r)
	}
	s.Retired = s.Retired[max(0, len(s.Retired)-maxRetired):]
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
	for i, r := range s.Keys {
		switch {
		case i == len(s.Keys)-1:
			r.RetiredAt = time.Time{}
		case r.RetiredAt.IsZero():
			r.RetiredAt = now // it may have signed until this moment
			if next := s.Keys[i+1].SignsFrom; next.After(now) {
				r.RetiredAt = next
			}
		}
	}
	return added
}

// mergeProfiles adds the names under which the same key signed elsewhere.
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
		r.Profiles = slices.Insert(r.Profiles, 0, p) // the last is the current one
	}
}
