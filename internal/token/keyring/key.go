package keyring

import (
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/token/signing"
)

// Key is a signing key of a [Ring], with the profiles that it signs under or
// signed under. It never changes.
type Key struct {
	*signing.Key
	record   *record
	until    time.Time // when its last token expires; zero while it signs
	profiles []profileSpan
}

// profileSpan is a profile with the expiry of its last token.
type profileSpan struct {
	Profile
	until time.Time // zero while the key signs under it
}

// Profile returns the profile that the key signs under.
func (k *Key) Profile() *Profile { return &k.profiles[len(k.profiles)-1].Profile }

// HasAudience reports whether access tokens of the key have the audience, under
// any of its profiles.
func (k *Key) HasAudience(audience string) bool {
	return slices.ContainsFunc(k.profiles, func(p profileSpan) bool { return slices.Contains(p.Audiences, audience) })
}

// ProfileFor returns the profile that has issuer and one of audiences. It returns
// nil if there is none, or if its last token has expired. If several profiles
// match, it returns the one with the longest lifetime: a token does not say under
// which of them it was issued.
func (k *Key) ProfileFor(issuer string, audiences []string, now time.Time) *Profile {
	var longest *Profile
	for i := range k.profiles {
		p := &k.profiles[i]
		if p.Issuer != issuer || !p.until.IsZero() && !now.Before(p.until) || longest != nil && longest.Access >= p.Access {
			continue
		}
		if slices.ContainsFunc(p.Audiences, func(own string) bool { return slices.Contains(audiences, own) }) {
			longest = &p.Profile
		}
	}
	return longest
}
