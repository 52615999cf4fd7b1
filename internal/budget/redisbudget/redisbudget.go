// Package redisbudget keeps the counts of budgets in Redis, for any number of machines. Each
// step is one script, which uses the clock of Redis: the clocks of machines may differ.
package redisbudget

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"strconv"
	"time"

	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis/connection"
)

// The scripts. They use only commands that the session store uses, so that the ACL user needs no
// additional right.
var (
	//go:embed lua/common.lua
	common string
	//go:embed lua/reserve.lua
	reserveSource string
	//go:embed lua/return.lua
	returnSource string
	//go:embed lua/report.lua
	reportSource string
	//go:embed lua/current.lua
	currentSource string

	scriptReserve = connection.NewScript("#!lua\n" + common + reserveSource)
	scriptReturn  = connection.NewScript("#!lua\n" + common + returnSource)
	scriptReport  = connection.NewScript("#!lua\n" + common + reportSource)
	scriptCurrent = connection.NewScript("#!lua flags=no-writes\n" + common + currentSource)
)

// Store is a [budget.Store] in Redis.
type Store struct {
	redis  *connection.Connection
	prefix string
}

// New returns the counts of a Redis. Keys begin with prefix; the connection must outlive it.
func New(redis *connection.Connection, prefix string) *Store {
	return &Store{redis: redis, prefix: prefix}
}

// call returns the key of a count, and the arguments that all scripts begin with.
func (s *Store) call(name string, rate budget.Rate, more ...int64) (keys, args []string) {
	for _, n := range append([]int64{rate.Per.Milliseconds(), rate.Offset().Milliseconds()}, more...) {
		args = append(args, strconv.FormatInt(n, 10))
	}
	return []string{s.prefix + ":{b-" + name + "}"}, args
}

// failed returns the error of a command, with advice.
func (s *Store) failed(err error) error {
	return session.Unavailable(fmt.Errorf("phone_budget: %w", s.redis.Explain(err)))
}

// Reserve implements [budget.Store].
func (s *Store) Reserve(ctx context.Context, name string, rate budget.Rate) (budget.Reserved, error) {
	keys, args := s.call(name, rate, int64(rate.Calls))
	reply, err := s.redis.RunAckedInts(ctx, scriptReserve, keys, args)
	if err != nil {
		return budget.Reserved{}, s.failed(err)
	}
	return budget.Reserved{Window: window(rate, reply), OK: reply[2] == 1}, nil
}

// window converts when a window began, in ms, and how many calls it has.
func window(rate budget.Rate, reply []int64) budget.Window {
	begin := time.UnixMilli(reply[0])
	return budget.Window{Count: budget.Count{Begin: begin, Used: int(reply[1])}, End: begin.Add(rate.Per)}
}

// Return implements [budget.Store]. It does not wait for replicas: if a failover loses the
// return, one call too many is counted, and not one too few.
func (s *Store) Return(ctx context.Context, name string, rate budget.Rate, begin time.Time) error {
	keys, args := s.call(name, rate, begin.UnixMilli())
	if err := s.redis.Run(ctx, scriptReturn, keys, args).Error(); err != nil {
		return s.failed(err)
	}
	return nil
}

// Report implements [budget.Store].
func (s *Store) Report(ctx context.Context, name string, rate budget.Rate, begin time.Time) (first bool, err error) {
	keys, args := s.call(name, rate, begin.UnixMilli())
	n, err := s.redis.Run(ctx, scriptReport, keys, args).AsInt64()
	if err != nil {
		return false, s.failed(err)
	}
	return n == 1, nil
}

// Current implements [budget.Store].
func (s *Store) Current(ctx context.Context, name string, rate budget.Rate) (budget.Window, error) {
	keys, args := s.call(name, rate)
	reply, err := s.redis.Run(ctx, scriptCurrent, keys, args).AsIntSlice()
	if err != nil {
		return budget.Window{}, s.failed(err)
	}
	return window(rate, reply), nil
}
