package redis_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// monitor records every command that a server receives.
type monitor struct {
	mu   sync.Mutex
	b    bytes.Buffer
	done chan struct{}
}

func startMonitor(t testing.TB, addr string) *monitor {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	sessiontest.Must(t, err)
	_, err = conn.Write([]byte("MONITOR\r\n"))
	sessiontest.Must(t, err)
	m := &monitor{done: make(chan struct{})}
	go func() {
		defer close(m.done)
		_, _ = io.Copy(m, conn) // until the connection is closed
	}()
	t.Cleanup(func() {
		sessiontest.Must(t, conn.Close())
		<-m.done
	})
	eventually(t, "monitored", func() bool { return m.has("OK") })
	return m
}

func (m *monitor) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b.Write(p)
}

func (m *monitor) has(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Contains(m.b.String(), text)
}

// everything returns each key of a database with its content.
func (r *clientUnderTest) everything() string {
	r.Helper()
	var all strings.Builder
	for _, entry := range r.entries() {
		all.WriteString(strings.Join(entry, " ") + "\n")
	}
	return all.String()
}

// entries returns all keys with their values: strings, members of sets, and fields of hashes and streams.
func (r *clientUnderTest) entries() (entries [][]string) {
	r.Helper()
	keys, err := do(r, r.admin, "KEYS", "*").AsStrSlice()
	sessiontest.Must(r, err)
	add := func(fields map[string]string) {
		for field, value := range fields {
			entries = append(entries, []string{field, value})
		}
	}
	for _, key := range keys {
		entries = append(entries, []string{key})
		kind, err := do(r, r.admin, "TYPE", key).ToString()
		sessiontest.Must(r, err)
		switch kind {
		case "string":
			value, err := do(r, r.admin, "GET", key).ToString()
			sessiontest.Must(r, err)
			entries = append(entries, []string{value})
		case "hash":
			fields, err := do(r, r.admin, "HGETALL", key).AsStrMap()
			sessiontest.Must(r, err)
			add(fields)
		case "zset":
			members, err := do(r, r.admin, "ZRANGE", key, "0", "-1").AsStrSlice()
			sessiontest.Must(r, err)
			for _, member := range members {
				entries = append(entries, []string{member})
			}
		case "stream":
			stream, err := do(r, r.admin, "XRANGE", key, "-", "+").AsXRange()
			sessiontest.Must(r, err)
			for _, entry := range stream {
				add(entry.FieldValues)
			}
		default:
			r.Errorf("%s is a %s, which this test cannot read", key, kind)
		}
	}
	return entries
}

// TestNothingReadableInRedis: neither the content of Redis nor the commands sent to it reveal
// anything about any user, at any moment.
func TestNothingReadableInRedis(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	server := sessiontest.StartRedis(t)
	received := startMonitor(t, server.Addr)
	r, _ := openWith(t, c, redis.Config{Addresses: []string{server.Addr}})
	store := storeOn(t, r, c)
	user := auth.User{App: "wxMarkedApp", OpenID: "oMarkedOpenid"}
	s := sessiontest.NewSession(user, c)
	s.UnionID, s.Phone = "uMarkedUnionid", "+8610012345678"
	first := auth.NewRefreshToken(s.ID)
	s.Refresh = auth.StartRefresh(first)
	_, err := s.Refresh.Rotate(first, auth.NewRefreshToken(s.ID), c.Now(), auth.RefreshGrace)
	sessiontest.Must(t, err)
	marks := map[string]string{
		"openid": "oMarkedOpenid", "unionid": "uMarkedUnionid", "appid": "wxMarkedApp", "phone": "10012345678",
		"session_key": "MarkedSessionKey", "second session_key": "MarkedSecondKey", "signing key": "MarkedKeyID",
		"digest": string(s.Refresh.Current[:]), "previous digest": string(s.Refresh.Previous[:]),
		"successor": string(s.Refresh.Successor), "refresh token": strings.TrimPrefix(first.String(), "wxr_"),
		"root secret": string(sessiontest.SecretOne), "client address": "198.51.100.7",
	}
	look := func(when string, err error) {
		t.Helper()
		sessiontest.Must(t, err)
		all := r.everything()
		for name, mark := range marks {
			if strings.Contains(all, mark) {
				t.Errorf("%s: the %s is readable in Redis", when, name)
			}
			if received.has(mark) || received.has(strings.Trim(strconv.Quote(mark), `"`)) {
				t.Errorf("%s: the %s was sent unencrypted", when, name)
			}
		}
	}
	look("created", sessiontest.ErrOf(store.Create(t.Context(), s, auth.SessionKey{Key: "MarkedSessionKey=="}, auth.SessionLimit{})))
	look("key put", store.PutSessionKey(t.Context(), user, auth.SessionKey{Key: "MarkedSecondKey=="}))
	look("updated", store.Update(t.Context(), s.ID, func(*auth.Session) (auth.Verdict, error) { return auth.Save, nil }))
	look("key dropped", store.DropSessionKey(t.Context(), user, auth.SessionKey{Key: "MarkedSecondKey=="}))
	other := sessiontest.Begin(t, store, user, c, "")
	look("ended", store.Update(t.Context(), other.ID, func(*auth.Session) (auth.Verdict, error) { return auth.End, nil }))
	_, err = r.Take(t.Context(), "login", []byte("198.51.100.7"), 3, time.Minute)
	look("limited", err)
	look("key revoked", store.RevokeKey(t.Context(), "MarkedKeyID", c.Now().Add(sessiontest.Access)))
	look("user ended", sessiontest.ErrOf(store.EndUser(t.Context(), user, c.Now(), time.Time{})))
	if !received.has("XADD") {
		t.Error("the monitor does not record the commands")
	}
}

// TestEverythingInRedisEnds: all keys expire, except for the key of the store and values that
// are kept forever.
func TestEverythingInRedisEnds(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	r, _ := openWith(t, c, redis.Config{})
	store := storeOn(t, r, c)
	kept := sessiontest.Begin(t, store, sessiontest.Alice, c, "k1")
	ended := sessiontest.Begin(t, store, sessiontest.Bob, c, "k2")
	sessiontest.End(t, store, ended.ID)
	sessiontest.Must(t, sessiontest.ErrOf(store.EndUser(t.Context(), sessiontest.OtherAlice, c.Now(), time.Time{})))
	sessiontest.Must(t, store.RevokeKey(t.Context(), "key9", c.Now().Add(sessiontest.Access)))
	sessiontest.Must(t, r.Value("token").Put(t.Context(), []byte("x"), time.Minute))
	_, _, err := r.Value("token").Lease(t.Context(), time.Minute)
	sessiontest.Must(t, err)
	_, err = r.Take(t.Context(), "login", []byte("x"), 1, time.Minute)
	sessiontest.Must(t, err)
	sessiontest.Must(t, r.Value("keys").Update(t.Context(), func([]byte) ([]byte, error) { return []byte("x"), nil }))
	forever := map[string]bool{"wxgate:{0}:meta": true, "wxgate:{0}:v:keys": true}
	ends := func(key string) time.Duration {
		left, err := do(t, r.admin, "PTTL", key).AsInt64()
		sessiontest.Must(t, err)
		return time.Duration(left) * time.Millisecond
	}
	keys, err := do(t, r.admin, "KEYS", "*").AsStrSlice()
	sessiontest.Must(t, err)
	for _, key := range keys {
		most := sessiontest.Idle + redis.ExpirySlack
		if strings.HasSuffix(key, ":sessions") || strings.HasSuffix(key, ":users") {
			most += time.Hour // so that most logins need not extend it
		}
		if left := ends(key); (left < 0) != forever[key] || left > most {
			t.Errorf("%s has %v to live", key, left)
		}
	}
	// A refresh extends the life of every key that the session needs.
	c.Advance(time.Hour)
	sessiontest.Must(t, store.Update(t.Context(), kept.ID, func(s *auth.Session) (auth.Verdict, error) {
		s.IdleEnd = c.Now().Add(2 * sessiontest.Idle)
		return auth.Save, nil
	}))
	for _, key := range append(append(r.keys("s"), r.keys("u")...), r.keys("k")...) {
		if left := ends(key); left < 2*sessiontest.Idle {
			t.Errorf("%s has %v to live after the refresh", key, left)
		}
	}
}

// TestRedisTrimsStreams: entries are deleted when no token can match them, a few with each new
// entry.
func TestRedisTrimsStreams(t *testing.T) {
	t.Parallel()
	c := sessiontest.NewClock()
	r, _ := openWith(t, c, redis.Config{})
	store := storeOn(t, r, c)
	const stream = "wxgate:{0}:revoked"
	revoke := func() { sessiontest.Must(t, store.RevokeKey(t.Context(), "key9", c.Now().Add(sessiontest.Access))) }
	length := func() int64 {
		n, err := do(t, r.admin, "XLEN", stream).AsInt64()
		sessiontest.Must(t, err)
		return n
	}
	revoke()
	entries, err := do(t, r.admin, "XRANGE", stream, "-", "+").AsXRange()
	sessiontest.Must(t, err)
	old := entries[0].FieldValues
	do(t, r.admin, "DEL", stream)
	const expired = 100
	for range expired {
		do(t, r.admin, "XADD", stream, "*", "b", old["b"], "u", "1", "t", old["t"], "r", old["r"])
	}
	const each = 16 // entries deleted with each new one
	for i := range int64(expired/each + 1) {
		revoke()
		if want := max(expired-each*(i+1), 0) + i + 1; length() != want {
			t.Fatalf("%d entries after %d revocations, want %d", length(), i+1, want)
		}
	}
}

// TestRedisSweeps: a replica forgets expired revocations by itself.
func TestRedisSweeps(t *testing.T) {
	t.Parallel()
	addr, database := sessiontest.SharedRedis(t)
	cfg := redis.Config{Addresses: []string{addr}, Database: database}
	r, err := redis.Open(t.Context(), cfg, session.Options{SweepEvery: 10 * time.Millisecond})
	sessiontest.Must(t, err)
	t.Cleanup(func() { sessiontest.Must(t, r.Close()) })
	store, err := r.Store(context.Background(), sessiontest.MustBox(t, sessiontest.SecretOne), time.Now)
	sessiontest.Must(t, err)
	sessiontest.Must(t, store.RevokeKey(t.Context(), "key9", time.Now().Add(50*time.Millisecond)))
	eventually(t, "forgotten", func() bool { return r.Revocations().Len() == 0 })
}
