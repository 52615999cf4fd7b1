package adminapi

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/gateway"
	"github.com/wxgate/wxgate/internal/problem"
	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/token/keyring"
	"github.com/wxgate/wxgate/internal/version"
)

// started is when the process started, almost: packages are initialized a little later.
var started = time.Now()

// Status is the state of the gateway.
type Status struct {
	Version   string    `json:"version" jsonschema:"of wxgate"`
	Caddy     string    `json:"caddy" jsonschema:"its version"`
	Go        string    `json:"go" jsonschema:"its version"`
	StartedAt time.Time `json:"started_at"`
	Uptime    int       `json:"uptime" jsonschema:"seconds"`

	Apps     []AppStatus `json:"apps"`
	Store    StoreStatus `json:"store"`
	Keys     KeyStatus   `json:"keys"`
	Queue    QueueStatus `json:"queue"`
	Pushes   []PushQueue `json:"pushes" jsonschema:"each forward of a callback"`
	Outcomes Outcomes    `json:"outcomes"`
}

// AppStatus is the state of an app and of the calls to its platform.
type AppStatus struct {
	App      auth.AppID `json:"app"`
	Platform string     `json:"platform"`
	Breaker  string     `json:"breaker" jsonschema:"of the gateway's calls: closed, half-open or open"`
	Forwards string     `json:"openapi_breaker" jsonschema:"of the calls of wxgate_openapi: closed, half-open or open"`
	TokenAge *int       `json:"token_age,omitzero" jsonschema:"seconds since the access token was fetched; missing while there is none"`
}

// StoreStatus is the session store.
type StoreStatus struct {
	Kind        string `json:"kind" jsonschema:"bolt, redis or memory"`
	Ready       bool   `json:"ready"`
	Problem     string `json:"problem,omitzero" jsonschema:"why it is not ready: an error code"`
	Sessions    *int   `json:"sessions,omitzero" jsonschema:"with redis those of all machines, else with those that expired less than a minute ago; missing while a large file is being checked, or while Redis does not respond"`
	Users       *int   `json:"users,omitzero" jsonschema:"who have a session, each once for each app; missing with sessions"`
	Revocations int    `json:"revocations" jsonschema:"in effect"`
	Staleness   *int   `json:"staleness,omitzero" jsonschema:"milliseconds since all revocations of other machines were known; missing without redis"`
}

// QueueStatus is the state of a queue: of the events for events_to, or of a forward.
type QueueStatus struct {
	Entries int       `json:"entries" jsonschema:"that wait"`
	Bytes   int64     `json:"bytes"`
	Oldest  time.Time `json:"oldest,omitzero" jsonschema:"when the oldest entry began to wait"`
	Dead    int       `json:"dead" jsonschema:"letters that the receiver refused"`
	Problem string    `json:"problem,omitzero" jsonschema:"why the queue cannot be read: an error code"`
}

// KeyStatus is the state of the signing keys.
type KeyStatus struct {
	Signing   auth.KeyID `json:"signing" jsonschema:"the key that signs; empty for none"`
	SignsFrom time.Time  `json:"signs_from,omitzero"`
	Count     int        `json:"count" jsonschema:"of all keys, retired ones too"`
}

// Outcomes are how requests and calls of the login API ended in the last minutes.
type Outcomes struct {
	Since time.Time      `json:"since" jsonschema:"at most five minutes ago"`
	Calls []OutcomeCount `json:"calls"`
}

// OutcomeCount counts one outcome of one call.
type OutcomeCount struct {
	Call    string `json:"call" jsonschema:"request is any guarded request"`
	Outcome string `json:"outcome" jsonschema:"ok, admitted, anonymous or an error code"`
	Count   int    `json:"count"`
}

// ShowStatus returns the state of the gateway. It names no user.
var ShowStatus = get("status", "show the state of the gateway: version, apps, store, keys, outcomes of the last minutes", showStatus)

func showStatus(ctx context.Context, rt *gateway.Runtime) (Status, error) {
	status := Status{
		Version: version.String(), Caddy: version.Caddy(), Go: runtime.Version(), StartedAt: started, Uptime: int(time.Since(started).Seconds()),
		Apps: []AppStatus{}, Store: storeStatus(ctx, rt), Keys: keyStatus(rt), Queue: queueStatus(ctx, rt.Events), Pushes: pushQueues(ctx, rt),
	}
	for app, client := range rt.Platforms {
		s := AppStatus{App: app, Platform: string(client.Platform()), Breaker: client.Breaker(), Forwards: client.ForwardBreaker()}
		if age, ok := client.TokenAge(); ok {
			s.TokenAge = new(int(age.Seconds()))
		}
		status.Apps = append(status.Apps, s)
	}
	slices.SortFunc(status.Apps, func(a, b AppStatus) int { return cmp.Compare(a.App, b.App) })
	since, rates := rt.Recent.Rates()
	status.Outcomes = Outcomes{Since: since, Calls: []OutcomeCount{}}
	for _, rate := range rates {
		status.Outcomes.Calls = append(status.Outcomes.Calls, OutcomeCount(rate))
	}
	return status, nil
}

func storeStatus(ctx context.Context, rt *gateway.Runtime) StoreStatus {
	s := StoreStatus{Kind: rt.StoreKind, Ready: true, Revocations: rt.Revocations.Len()}
	if err := rt.Ready(ctx); err != nil {
		s.Ready, s.Problem = false, problem.Of(err).Code
	}
	if n, known := rt.Counts(ctx); known {
		s.Sessions, s.Users = &n.Sessions, &n.Users
	}
	if rt.Stale != nil {
		s.Staleness = new(int(rt.Stale().Milliseconds()))
	}
	return s
}

func queueStatus(ctx context.Context, q *queue.Queue) QueueStatus {
	s, err := q.Status(ctx)
	if err != nil {
		return QueueStatus{Problem: problem.Of(err).Code}
	}
	return queueStatusOf(s)
}

func queueStatusOf(q queue.Status) QueueStatus {
	return QueueStatus{Entries: q.Entries, Bytes: q.Bytes, Oldest: q.Oldest, Dead: q.Dead}
}

func keyStatus(rt *gateway.Runtime) KeyStatus {
	keys := rt.Ring.Keys()
	s := KeyStatus{Count: len(keys)}
	for _, key := range keys {
		if key.State == keyring.KeySigning {
			s.Signing, s.SignsFrom = key.ID, key.SignsFrom
		}
	}
	return s
}
