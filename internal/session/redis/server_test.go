package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// admin is a plain connection for tests, which can access the whole database.
func admin(t testing.TB, option rueidis.ClientOption) rueidis.Client {
	t.Helper()
	option.DisableCache = true
	option.DisableRetry = true
	client, err := rueidis.NewClient(option)
	sessiontest.Must(t, err)
	t.Cleanup(client.Close)
	return client
}

func do(t testing.TB, client rueidis.Client, args ...string) rueidis.RedisResult {
	t.Helper()
	res := client.Do(context.Background(), client.B().Arbitrary(args...).Build())
	if err := res.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	return res
}

// age moves the deadlines of all keys closer, as the clock of the test advances, and returns how
// many sessions ended. Keys that are kept beyond their end are deleted when less than slack is
// left.
const age = `
local ended = 0
for _, k in ipairs(redis.call('KEYS', '*')) do
	local left = redis.call('PTTL', k) - ARGV[1]
	if left >= -ARGV[1] then
		if left > tonumber(ARGV[2]) then
			redis.call('PEXPIRE', k, left)
		else
			redis.call('DEL', k)
			if string.find(k, ':s:', 1, true) then ended = ended + 1 end
		end
	end
end
return ended`

// clientUnderTest is a Redis client with access to the database from outside.
type clientUnderTest struct {
	testing.TB
	*redis.Client
	cfg   redis.Config
	admin rueidis.Client
	c     *sessiontest.Clock
}

func (r *clientUnderTest) age(d, slack time.Duration) int {
	r.Helper()
	n, err := do(r, r.admin, "EVAL", age, "0", fmt.Sprint(d.Milliseconds()), fmt.Sprint(slack.Milliseconds())).AsInt64()
	sessiontest.Must(r, err)
	return int(n)
}

func (r *clientUnderTest) keys(kind string) []string {
	r.Helper()
	keys, err := do(r, r.admin, "KEYS", "*:"+kind+":*").AsStrSlice()
	sessiontest.Must(r, err)
	return keys
}

// tagOf returns the hash tag of a user's keys.
func tagOf(u auth.User) string { return fmt.Sprintf("{%x}", u.Shard()%16) }

// sweep does what Redis itself does as time passes.
func (r *clientUnderTest) sweep(ctx context.Context, now time.Time, _ int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
	}
	return r.age(0, redis.ExpirySlack) + r.Revocations().Sweep(now), nil
}

// count counts the live sessions in the users' indexes, and checks that their records
// exist.
func (r *clientUnderTest) count() session.Counts {
	r.Helper()
	var counts session.Counts
	records := map[string]string{} // session ID -> key
	for _, key := range r.keys("s") {
		records[key[strings.LastIndexByte(key, ':')+1:]] = key
	}
	indexed := map[string]bool{}
	for _, key := range r.keys("u") {
		index, err := do(r, r.admin, "HGETALL", key).AsStrMap()
		sessiontest.Must(r, err)
		live := 0
		for id, line := range index {
			indexed[id] = true
			var end, accessEnd int64
			if n, _ := fmt.Sscanf(line, "%d:%d", &end, &accessEnd); n == 2 && end > r.c.Now().UnixMilli() {
				live++
				if records[id] == "" {
					r.Errorf("the index has %s, which has no record", id)
				}
			}
		}
		counts.Sessions += live
		counts.Users += min(live, 1)
	}
	for id, key := range records {
		if indexed[id] {
			continue
		}
		if value, err := do(r, r.admin, "GET", key).ToString(); err == nil && strings.HasPrefix(value, "replaced:") {
			continue // kept until the session would have ended
		}
		left, err := do(r, r.admin, "PTTL", key).AsInt64()
		sessiontest.Must(r, err)
		if left > redis.ExpirySlack.Milliseconds() {
			r.Errorf("no index has %s, which has not ended", id)
		}
	}
	return counts
}

// openStore opens a separate database of the shared server. Its deadlines follow the test's
// clock.
func openStore(t testing.TB, c *sessiontest.Clock) sessiontest.Store {
	t.Helper()
	r, _ := openWith(t, c, redis.Config{})
	c.Moved = func(d time.Duration) { r.age(d, 0) }
	return storeOn(t, r, c)
}

func openWith(t testing.TB, c *sessiontest.Clock, cfg redis.Config) (*clientUnderTest, redis.Config) {
	t.Helper()
	if len(cfg.Addresses) == 0 {
		addr, database := sessiontest.SharedRedis(t)
		cfg.Addresses, cfg.Database = []string{addr}, database
	}
	r, err := redis.Open(t.Context(), cfg, session.Options{Now: c.Now, OnError: func(err error) { t.Log("reported:", err) }})
	sessiontest.Must(t, err)
	t.Cleanup(func() { sessiontest.Must(t, r.Close()) })
	client := admin(t, rueidis.ClientOption{
		InitAddress: cfg.Addresses, SelectDB: cfg.Database, Username: cfg.Username, Password: cfg.Password,
		TLSConfig: cfg.TLS, ForceSingleClient: cfg.Sentinel == "" && !cfg.Cluster,
		Sentinel: rueidis.SentinelOption{MasterSet: cfg.Sentinel},
	})
	return &clientUnderTest{TB: t, Client: r, cfg: cfg, admin: client, c: c}, cfg
}

func storeOn(t testing.TB, r *clientUnderTest, c *sessiontest.Clock) sessiontest.Store {
	t.Helper()
	store, err := r.Store(t.Context(), sessiontest.MustBox(t, sessiontest.SecretOne), c.Now)
	sessiontest.Must(t, err)
	return sessiontest.Store{Store: store, Set: r.Revocations(), Sweep: r.sweep, Count: r.count, Gauge: r.Counts}
}
