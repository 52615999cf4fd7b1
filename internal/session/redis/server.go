package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/layout"
)

const (
	oldestServer = 7 // major version
	noEviction   = "noeviction"
)

var (
	errClosed    = errors.New("the store is closed")
	errEvicts    = errors.New("a full server evicts sessions and revocations")
	errOldServer = errors.New("the server is too old; Redis 7.0 or Valkey 7.2 is required")
)

// checkServer returns an error if the server is too old for the scripts, and reports a server
// that may evict revocations.
func (r *Client) checkServer(ctx context.Context) error {
	info, err := r.info(ctx, "server", "memory")
	if err != nil {
		return err
	}
	major, _, _ := strings.Cut(info["redis_version"], ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestServer {
		return session.Unavailable(fmt.Errorf("redis at %s: %w, its version is %q", r.client.Where(), errOldServer, info["redis_version"]))
	}
	if policy := info["maxmemory_policy"]; policy != noEviction {
		r.opts.OnError(fmt.Errorf("redis at %s: %w: maxmemory-policy is %s; set it to %s", r.client.Where(), errEvicts, policy, noEviction))
	}
	return nil
}

// info returns sections of the server's response to INFO.
func (r *Client) info(ctx context.Context, sections ...string) (map[string]string, error) {
	info, err := r.client.Info(ctx, sections...)
	if err != nil {
		return nil, r.failed(err)
	}
	return info, nil
}

// Bytes returns the memory that the server uses for all its data. It fails at once if Redis
// does not respond, and for a Cluster, which has several servers.
func (r *Client) Bytes(ctx context.Context) (int64, error) {
	if r.cfg.Cluster {
		return 0, fmt.Errorf("the memory of a Cluster: %w", errors.ErrUnsupported)
	}
	if err := r.admit(ctx, 0); err != nil {
		return 0, err
	}
	info, err := r.info(ctx, "memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(info["used_memory"], 10, 64)
}

// Counts counts the sessions that have not expired, and their users, of all machines. It reads
// the sizes of 32 sorted sets, in one round trip for each server. The counts are not known
// while Redis does not respond. A session begun by an older wxgate, and its user, count only
// after its next refresh.
func (r *Client) Counts(ctx context.Context) (n session.Counts, known bool) {
	if r.admit(ctx, 0) != nil {
		return n, false
	}
	var commands []rueidis.Completed
	for tag := range byte(layout.HashTags) {
		for _, name := range []string{layout.CountedSessions, layout.CountedUsers} {
			later := "(" + layout.Millis(r.opts.Now())
			commands = append(commands, r.client.B().Zcount().Key(r.key(tag, name)).Min(later).Max("+inf").Build())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	for i, response := range r.client.DoMulti(ctx, commands...) {
		size, err := response.AsInt64()
		switch {
		case err != nil:
			return session.Counts{}, false
		case i%2 == 0:
			n.Sessions += int(size)
		default:
			n.Users += int(size)
		}
	}
	return n, true
}

// Persistence returns what the server, or one master of a Cluster, reports about how it stores
// data: the sections server, memory and persistence of INFO, and the configuration save,
// which managed servers often hide.
func (r *Client) Persistence(ctx context.Context) (map[string]string, error) {
	info, err := r.info(ctx, "server", "memory", "persistence")
	if err != nil {
		return nil, err
	}
	if save, ok := r.client.Configured(ctx, "save"); ok {
		info["save"] = save
	}
	return info, nil
}

// failed returns the error of a command, with advice.
func (r *Client) failed(err error) error {
	if errors.Is(err, rueidis.ErrClosing) && r.closed.Load() {
		return session.Unavailable(errClosed)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrStoreUnavailable) {
		return session.Unavailable(err)
	}
	return session.Unavailable(r.client.Explain(err))
}
