package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/wxgate/wxgate/internal/queue"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

// ErrRights means that the ACL user may not run a command of the queue: no message could be stored.
var ErrRights = errors.New("the ACL user may not run commands of the queue")

// called matches a command in a script.
var called = regexp.MustCompile(`redis\.call\('(\w+)'`)

// commands returns the commands of the scripts, and that of [Store.Dead].
func commands() []string {
	all := []string{"hgetall"}
	for _, source := range []string{common, appendSource, onceSource, markSource, claimSource, settleSource, resendSource, purgeSource, statusSource} {
		for _, found := range called.FindAllStringSubmatch(source, -1) {
			all = append(all, strings.ToLower(found[1]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// CheckRights returns [ErrRights], with the commands, if the ACL user lacks a right for a queue
// whose keys begin with prefix. Any other error means that the check itself failed.
func CheckRights(ctx context.Context, redis *connection.Connection, prefix, kind string) error {
	refused, err := redis.Refused(ctx, New(redis, prefix, kind, queue.Limits{}).keys[0], commands())
	if err != nil {
		return fmt.Errorf("the queue: %w", redis.Explain(err))
	}
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("redis at %s: %w: %s; grant it the permissions listed in SECURITY.md", redis.Where(), ErrRights, strings.Join(refused, ", "))
}
