package session_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// recode decodes a record and encodes it again, for each kind of record.
var recode = map[string]func([]byte) ([]byte, error){
	"session": recodeSession,
	"ranked":  recodeSession,
	"child":   recodeSession,
	"keys": func(b []byte) ([]byte, error) {
		keys, err := session.DecodeKeys(b)
		if err != nil {
			return nil, err
		}
		return session.EncodeKeys(keys)
	},
	"revocation": recodeRevocation,
	"erasure":    recodeRevocation,
	"replaced":   recodeRevocation,
}

func recodeSession(b []byte) ([]byte, error) {
	s, err := session.DecodeSession(b)
	if err != nil {
		return nil, err
	}
	if b[0] == 1 {
		return encodeFirst(s)
	}
	return session.EncodeSession(s)
}

func recodeRevocation(b []byte) ([]byte, error) {
	rev, err := session.DecodeRevocation(b)
	if err != nil {
		return nil, err
	}
	return session.EncodeRevocation(rev)
}

// encodeFirst writes a session as a record of version 1, which ends before the device.
func encodeFirst(s *auth.Session) ([]byte, error) {
	record, err := session.EncodeSession(s)
	if err != nil {
		return nil, err
	}
	record = record[:len(record)-2]
	record[0] = 1
	return record, nil
}

// records are one valid record of each kind.
func records(t testing.TB) map[string][]byte {
	t.Helper()
	c := sessiontest.NewClock()
	s := sessiontest.NewSession(sessiontest.Alice, c)
	s.Refresh.RotatedAt, s.Refresh.Replays = c.Now(), 2
	s.Refresh.Successor, s.Phone = []byte("sealed successor"), "+8610000000000"
	s.Device, s.Door = auth.DeviceIOS, auth.DoorMinted
	out := map[string][]byte{}
	var err error
	out["session"], err = session.EncodeSession(s)
	sessiontest.Must(t, err)
	s.Risk = 5
	out["ranked"], err = session.EncodeSession(s)
	sessiontest.Must(t, err)
	s.Risk, s.Door, s.Parent = 0, auth.DoorWebView, auth.NewSessionID(c.Now(), s.User)
	out["child"], err = session.EncodeSession(s)
	sessiontest.Must(t, err)
	out["keys"], err = session.EncodeKeys([]auth.SessionKey{{Key: "k2", ObtainedAt: c.Now()}, {Key: "k1"}})
	sessiontest.Must(t, err)
	out["revocation"], err = session.EncodeRevocation(auth.Revocation{User: sessiontest.Alice, NotAfter: c.Now(), Until: c.Now()})
	sessiontest.Must(t, err)
	erased := auth.NewErasedUser(bytes.Repeat([]byte("k"), 32), sessiontest.Alice)
	out["erasure"], err = session.EncodeRevocation(auth.Revocation{Erased: erased, NotAfter: c.Now(), Until: c.Now()})
	sessiontest.Must(t, err)
	out["replaced"], err = session.EncodeRevocation(auth.Revocation{Session: s.ID, Until: c.Now(), Replaced: true})
	sessiontest.Must(t, err)
	return out
}

func TestRecordsAreStrict(t *testing.T) {
	t.Parallel()
	for kind, good := range records(t) {
		if again, err := recode[kind](good); err != nil || !bytes.Equal(again, good) {
			t.Errorf("%s: encoded again as %x, %v", kind, again, err)
		}
		newer := bytes.Clone(good)
		newer[0] = 9
		bad := map[string][]byte{"empty": {}, "newer": newer, "trailing byte": append(bytes.Clone(good), 0)}
		for n := range good {
			bad["cut at "+strconv.Itoa(n)] = good[:n]
		}
		for name, record := range bad {
			if _, err := recode[kind](record); !errors.Is(err, session.ErrBadRecord) {
				t.Errorf("%s, %s: got %v, want ErrBadRecord", kind, name, err)
			}
		}
		if _, err := recode[kind](newer); !strings.Contains(err.Error(), "version 9, this wxgate supports ") {
			t.Errorf("%s: %v does not name the version", kind, err)
		}
	}
}

// TestFirstSessionRecord reads a session from a wxgate that did not yet store devices.
func TestFirstSessionRecord(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/session1.hex")
	sessiontest.Must(t, err)
	record, err := hex.DecodeString(strings.TrimSpace(string(text)))
	sessiontest.Must(t, err)
	s, err := session.DecodeSession(record)
	sessiontest.Must(t, err)
	if record[0] != 1 || s.User != sessiontest.Alice || s.UnionID != "union" || s.Phone != "+8610000000000" || string(s.Refresh.Successor) != "sealed successor" {
		t.Errorf("version %d was read as %+v", record[0], s)
	}
	if s.Device != auth.DeviceOther || s.Door != auth.DoorMiniProgram || !s.LastSeen().Equal(s.Refresh.RotatedAt) || s.LastSeen().IsZero() {
		t.Errorf("device %v, door %v, last seen %v", s.Device, s.Door, s.LastSeen())
	}
	if again, err := encodeFirst(s); err != nil || !bytes.Equal(again, record) {
		t.Errorf("a field was lost: %x, %v", again, err)
	}
}

// TestChildSessionRecord reads a session with a parent, written by the first wxgate that
// stored parents.
func TestChildSessionRecord(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/session4.hex")
	sessiontest.Must(t, err)
	record, err := hex.DecodeString(strings.TrimSpace(string(text)))
	sessiontest.Must(t, err)
	s, err := session.DecodeSession(record)
	sessiontest.Must(t, err)
	if record[0] != 4 || s.User != sessiontest.Alice || s.Door != auth.DoorWebView || s.Risk != 3 || s.Parent != "AZ9_QlgAGJSyT3vJ4pJ9Ow" {
		t.Errorf("version %d was read as %+v", record[0], s)
	}
	if again, err := session.EncodeSession(s); err != nil || !bytes.Equal(again, record) {
		t.Errorf("a field was lost: %x, %v", again, err)
	}
}

// TestRevocationVersions: each kind of revocation has the lowest version that can express it.
// A wxgate from before session_limit, which supports 2, reads all but those of replaced sessions.
func TestRevocationVersions(t *testing.T) {
	t.Parallel()
	all := records(t)
	for kind, version := range map[string]byte{"revocation": 1, "erasure": 2, "replaced": 3} {
		rev, err := session.DecodeRevocation(all[kind])
		if err != nil || all[kind][0] != version || rev.Replaced != (version == 3) {
			t.Errorf("%s: version %d was read as %+v, %v; want version %d", kind, all[kind][0], rev, err, version)
		}
	}
	whose := bytes.Clone(all["revocation"]) // of a user
	whose[0] = 3
	if _, err := session.DecodeRevocation(whose); !errors.Is(err, session.ErrBadRecord) {
		t.Errorf("a replaced session without its ID: %v", err)
	}
}

// TestSessionVersions: a session without a risk has a record that an older wxgate can read, and
// so has a session without a parent.
func TestSessionVersions(t *testing.T) {
	t.Parallel()
	all := records(t)
	if plain, ranked, child := all["session"][0], all["ranked"][0], all["child"][0]; plain != 2 || ranked != 3 || child != 4 {
		t.Errorf("versions %d without a risk, %d with one, %d with a parent, want 2, 3 and 4", plain, ranked, child)
	}
	s, err := session.DecodeSession(all["ranked"])
	if rank, known := s.Risk.Rank(); err != nil || rank != 4 || !known || s.Door != auth.DoorMinted {
		t.Errorf("read as %+v, %v", s, err)
	}
	for _, risk := range []byte{0, 6, 255} {
		record := bytes.Clone(all["ranked"])
		record[len(record)-1] = risk
		if _, err := session.DecodeSession(record); !errors.Is(err, session.ErrBadRecord) {
			t.Errorf("risk %d: %v, want ErrBadRecord", risk, err)
		}
	}
	child, err := session.DecodeSession(all["child"])
	if err != nil || child.Parent == "" || child.Risk != 0 || child.Door != auth.DoorWebView {
		t.Errorf("read as %+v, %v", child, err)
	}
	const parentBytes = 22
	for name, change := range map[string]func([]byte) []byte{
		"a parent that is not a session": func(r []byte) []byte { r[len(r)-1] = '?'; return r },
		"no parent": func(r []byte) []byte { // its length is before it
			r[len(r)-parentBytes-1] = 0
			return r[:len(r)-parentBytes]
		},
		"a risk of 6": func(r []byte) []byte { r[len(r)-parentBytes-3] = 6; return r },
	} {
		if _, err := session.DecodeSession(change(bytes.Clone(all["child"]))); !errors.Is(err, session.ErrBadRecord) {
			t.Errorf("%s: %v, want ErrBadRecord", name, err)
		}
	}
}

func TestRecordsRefuseWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	s := sessiontest.NewSession(sessiontest.Alice, sessiontest.NewClock())
	s.Phone = strings.Repeat("1", 1025)
	_, long := session.EncodeSession(s)
	s.Phone, s.Refresh.Replays = "", -1
	_, negative := session.EncodeSession(s)
	_, many := session.DecodeKeys([]byte{1, 0, auth.MaxSessionKeys + 1})
	for name, err := range map[string]error{"long field": long, "negative count": negative, "too many keys": many} {
		if !errors.Is(err, session.ErrBadRecord) {
			t.Errorf("%s: got %v, want ErrBadRecord", name, err)
		}
	}
}

func TestZeroTimesSurvive(t *testing.T) {
	t.Parallel()
	want := &auth.Session{}
	record, err := session.EncodeSession(want)
	sessiontest.Must(t, err)
	got, err := session.DecodeSession(record)
	sessiontest.Must(t, err)
	for _, at := range []time.Time{got.CreatedAt, got.AbsoluteEnd, got.IdleEnd, got.AccessEnd, got.Refresh.RotatedAt} {
		if !at.IsZero() {
			t.Fatalf("the zero time came back as %v", at)
		}
	}
	if !reflect.DeepEqual(got.Refresh.Current, want.Refresh.Current) {
		t.Fatal("digests differ")
	}
}

// FuzzRecord: an accepted record is the only encoding of its content.
func FuzzRecord(f *testing.F) {
	seeds, err := filepath.Glob("testdata/fuzz/FuzzRecord/*")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no committed seeds: %v", err)
	}
	for _, record := range records(f) {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		for kind, again := range recode {
			got, err := again(bytes.Clone(record))
			switch {
			case err == nil && !bytes.Equal(got, record):
				t.Errorf("%s: %x is also encoded as %x", kind, record, got)
			case err != nil && !errors.Is(err, session.ErrBadRecord):
				t.Errorf("%s: %v, want ErrBadRecord", kind, err)
			}
		}
	})
}
