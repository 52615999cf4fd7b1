package keyring

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/token/signing"
)

// at returns a time in minutes; at(0) is the zero time.
func at(minutes int) time.Time {
	if minutes == 0 {
		return time.Time{}
	}
	return time.Date(2026, 10, 1, 12, minutes, 0, 0, time.UTC)
}

// minutes is the inverse of at.
func minutes(t time.Time) int {
	if t.IsZero() {
		return 0
	}
	return int(t.Sub(time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)) / time.Minute)
}

// rec returns a record that signs from one time and is retired at another.
func rec(id string, from, until int) *record {
	return &record{
		ID: auth.KeyID(id), Alg: signing.EdDSA, SignsFrom: at(from), RetiredAt: at(until),
		Profiles: []Profile{{Issuer: "i", Audiences: []string{"a"}, Access: 10 * time.Minute}},
	}
}

// keysOf formats a state as "id:from-until", in the order of succession.
func keysOf(s *state) string {
	var keys []string
	for _, r := range s.Keys {
		keys = append(keys, fmt.Sprintf("%s:%d-%d", r.ID, minutes(r.SignsFrom), minutes(r.RetiredAt)))
	}
	return strings.Join(keys, " ")
}

func idOf(r *record) string {
	if r == nil {
		return ""
	}
	return string(r.ID)
}

func TestSignerAndNext(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		keys         []*record
		now          int
		signer, next string
	}{
		"no keys":                  {nil, 10, "", ""},
		"one":                      {[]*record{rec("a", 10, 0)}, 20, "a", ""},
		"one, at its start":        {[]*record{rec("a", 10, 0)}, 10, "a", ""},
		"one, clock behind":        {[]*record{rec("a", 10, 0)}, 9, "a", ""},
		"two, clock behind":        {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, 9, "a", "b"},
		"two, before the second":   {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, 19, "a", "b"},
		"two, at the second":       {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, 20, "b", ""},
		"a reused key is the last": {[]*record{rec("b", 20, 30), rec("a", 10, 0)}, 40, "a", ""},
	} {
		s := &state{Keys: row.keys}
		if signer, next := idOf(s.signer(at(row.now))), idOf(s.next(at(row.now))); signer != row.signer || next != row.next {
			t.Errorf("%s: %q signs and %q is next, want %q and %q", name, signer, next, row.signer, row.next)
		}
	}
}

func TestSucceed(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		keys []*record
		r    *record
		at   int
		want string
	}{
		"the first":                 {nil, rec("a", 10, 0), 10, "a:10-0"},
		"now":                       {[]*record{rec("a", 10, 0)}, rec("b", 20, 0), 20, "a:10-20 b:20-0"},
		"later":                     {[]*record{rec("a", 10, 0)}, rec("b", 20, 0), 30, "a:10-30 b:30-0"},
		"a waiting key, at once":    {[]*record{rec("a", 10, 30), rec("b", 30, 0)}, nil, 20, "a:10-20 b:20-0"},
		"in place of a waiting key": {[]*record{rec("a", 10, 30), rec("b", 30, 0)}, rec("c", 20, 0), 20, "a:10-20 c:20-0"},
		"after a retired key":       {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, rec("c", 30, 0), 30, "a:10-20 b:20-30 c:30-0"},
		"retired at that time":      {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, rec("c", 20, 0), 20, "a:10-20 b:20-20 c:20-0"},
		"a key that signed before":  {[]*record{rec("b", 10, 20), rec("a", 20, 0)}, nil, 30, "a:20-30 b:10-0"},
	} {
		s := &state{Keys: row.keys}
		r := row.r
		if r == nil {
			r = s.find("b")
		}
		s.succeed(r, at(row.at))
		if got := keysOf(s); got != row.want {
			t.Errorf("%s: got %s, want %s", name, got, row.want)
		}
	}
}

// TestSucceedBeforeTheClock: a next key is not removed if another replica, whose clock is ahead,
// may already sign with it.
func TestSucceedBeforeTheClock(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]bool{MaxSkew: true, MaxSkew + 1: false} {
		waiting := rec("b", 30, 0)
		waiting.SignsFrom = at(20).Add(ahead)
		s := &state{Keys: []*record{rec("a", 10, 30), waiting}}
		s.succeed(rec("c", 20, 0), at(20))
		if kept := s.find("b") != nil; kept != want {
			t.Errorf("%v ahead: kept is %v", ahead, kept)
		}
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	end := at(30).Add(10*time.Minute + replicaLag) // of the last token of a key retired at 30
	for name, row := range map[string]struct {
		now  time.Time
		want string
	}{
		"while it signs": {at(25), "a:10-30 b:30-0"},
		"before its end": {end.Add(-1), "a:10-30 b:30-0"},
		"at its end":     {end, "b:30-0"},
		"long after":     {end.Add(time.Hour), "b:30-0"},
	} {
		s := &state{Keys: []*record{rec("a", 10, 30), rec("b", 30, 0)}, Retired: []retired{{ID: "r", Until: end}}}
		s.forget(row.now)
		if got := keysOf(s); got != row.want || len(s.Retired) != len(s.Keys)-1 {
			t.Errorf("%s: got %s and %d retired, want %s", name, got, len(s.Retired), row.want)
		}
	}
	// A replaced profile is dropped; the current profile is not, even if its key is retired.
	r := rec("a", 10, 0)
	r.Profiles = append([]Profile{{Issuer: "old", Access: time.Minute, EndedAt: at(20)}}, r.Profiles...)
	s := &state{Keys: []*record{r}}
	s.forget(at(21).Add(replicaLag - 1))
	if len(r.Profiles) != 2 {
		t.Errorf("dropped before its last token expired: %+v", r.Profiles)
	}
	s.forget(at(21).Add(replicaLag))
	if len(r.Profiles) != 1 || r.Profiles[0].Issuer != "i" {
		t.Errorf("got %+v", r.Profiles)
	}
}

// TestVerifyUntil: the last of all profiles decides, and a key that still signs has no end.
func TestVerifyUntil(t *testing.T) {
	t.Parallel()
	r := rec("a", 10, 40)
	r.Profiles = []Profile{
		{Issuer: "x", Access: 20 * time.Minute, EndedAt: at(30)},
		{Issuer: "long", Access: 60 * time.Minute, EndedAt: at(20)},
		{Issuer: "i", Access: 5 * time.Minute},
	}
	if got, want := r.verifyUntil(), at(80).Add(replicaLag); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if r.RetiredAt = at(0); !r.verifyUntil().IsZero() || !r.until(&r.Profiles[2]).IsZero() {
		t.Errorf("it signs and ends at %v", r.verifyUntil())
	}
}

func TestMergeKeys(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		into, from []*record
		refused    string
		want       string
		added      int
	}{
		"nothing":             {[]*record{rec("a", 10, 0)}, nil, "", "a:10-0", 0},
		"older":               {[]*record{rec("b", 20, 0)}, []*record{rec("a", 10, 0)}, "", "a:10-50 b:20-0", 1},
		"newer":               {[]*record{rec("a", 10, 0)}, []*record{rec("b", 20, 0)}, "", "a:10-50 b:20-0", 1},
		"waiting":             {[]*record{rec("a", 10, 0)}, []*record{rec("b", 60, 0)}, "", "a:10-60 b:60-0", 1},
		"at the same time":    {[]*record{rec("a", 10, 0)}, []*record{rec("b", 10, 0)}, "", "a:10-50 b:10-0", 1},
		"retired stays":       {[]*record{rec("b", 20, 0)}, []*record{rec("a", 10, 15)}, "", "a:10-15 b:20-0", 1},
		"the last is retired": {[]*record{rec("a", 10, 0)}, []*record{rec("b", 20, 30)}, "", "a:10-50 b:20-0", 1},
		"known":               {[]*record{rec("a", 10, 20), rec("b", 20, 0)}, []*record{rec("b", 20, 0)}, "", "a:10-20 b:20-0", 0},
		"refused":             {[]*record{rec("a", 10, 0)}, []*record{rec("b", 20, 0)}, "b", "a:10-0", 1},
		"refused, all":        {[]*record{rec("a", 10, 0)}, nil, "a", "", 0},
		"two and two":         {[]*record{rec("a", 10, 30), rec("c", 30, 0)}, []*record{rec("b", 20, 40), rec("d", 40, 0)}, "", "a:10-30 b:20-40 c:30-50 d:40-0", 2},
	} {
		s := &state{Keys: row.into}
		added := s.merge(&state{Keys: row.from}, func(id auth.KeyID) bool { return string(id) == row.refused }, at(50))
		if got := keysOf(s); got != row.want || added != row.added {
			t.Errorf("%s: got %s, %d added, want %s, %d", name, got, added, row.want, row.added)
		}
	}
}

func TestMergeLists(t *testing.T) {
	t.Parallel()
	s := &state{Keys: []*record{rec("a", 10, 0), rec("b", 20, 0)}, Refused: []auth.KeyID{"x"}, Retired: []retired{{ID: "x"}, {ID: "z"}}}
	s.merge(&state{Refused: []auth.KeyID{"x", "b"}, Retired: []retired{{ID: "x", Issuer: "there"}}}, func(auth.KeyID) bool { return false }, at(30))
	if keysOf(s) != "a:10-0" || !slices.Equal(s.Refused, []auth.KeyID{"x", "b"}) {
		t.Errorf("keys %s, refused %v", keysOf(s), s.Refused)
	}
	if len(s.Retired) != 2 || s.Retired[0].ID != "z" || s.Retired[1].Issuer != "there" {
		t.Errorf("retired %+v", s.Retired)
	}
}

func TestMergeProfiles(t *testing.T) {
	t.Parallel()
	here, there := rec("a", 10, 0), rec("a", 10, 0)
	here.mergeProfiles(there, at(30))
	if len(here.Profiles) != 1 {
		t.Errorf("the same profile twice: %+v", here.Profiles)
	}
	there.Profiles = []Profile{
		{Issuer: "ended", Access: time.Minute, EndedAt: at(20)},
		{Issuer: "i", Audiences: []string{"a"}, Access: time.Hour},
		{Issuer: "there", Access: time.Minute},
	}
	here.mergeProfiles(there, at(30))
	var got []string
	for _, p := range here.Profiles {
		got = append(got, fmt.Sprintf("%s:%v-%d", p.Issuer, p.Access, minutes(p.EndedAt)))
	}
	if want := []string{"there:1m0s-30", "ended:1m0s-20", "i:1h0m0s-0"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	here.mergeProfiles(rec("a", 10, 0), at(40))
	if len(here.Profiles) != 3 || here.current().Access != time.Hour {
		t.Errorf("a shorter lifetime there: %+v", here.Profiles)
	}
}

// TestStateLimits: each limit is an error when exceeded, and not before.
func TestStateLimits(t *testing.T) {
	t.Parallel()
	s := &state{}
	for i := range maxKeys {
		s.Keys = append(s.Keys, rec(fmt.Sprint(i), 10, 20))
	}
	s.Keys[0].Profiles = make([]Profile, maxProfiles)
	if _, err := s.text(); err != nil {
		t.Fatal(err)
	}
	s.Keys[0].Profiles = make([]Profile, maxProfiles+1)
	if _, err := s.text(); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "key 0 under 33 issuers and audiences, at most 32") {
		t.Errorf("got %v, want ErrFull", err)
	}
	s.Keys[0].Profiles = nil
	s.Keys = append(s.Keys, rec("x", 10, 20))
	if _, err := s.text(); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "65, at most 64") {
		t.Errorf("got %v, want ErrFull", err)
	}
	for i := range maxRefused + 2 {
		s.refuse(auth.KeyID(fmt.Sprint(i)))
		s.refuse(auth.KeyID(fmt.Sprint(i)))
		s.list(retired{ID: auth.KeyID(fmt.Sprint(i))})
		s.list(retired{ID: auth.KeyID(fmt.Sprint(i))})
	}
	if len(s.Refused) != maxRefused || s.Refused[0] != "2" || s.Refused[maxRefused-1] != "257" {
		t.Errorf("%d refused: %v", len(s.Refused), s.Refused)
	}
	if len(s.Retired) != maxRetired || s.Retired[0].ID != "194" || s.Retired[maxRetired-1].ID != "257" {
		t.Errorf("%d retired: %v", len(s.Retired), s.Retired)
	}
}
