// Package scan lists the sessions in a Redis with SCAN, in steps of a bounded size.
package scan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wxgate/wxgate/internal/auth"
)

// Step is how many keys one call of SCAN reads at most, which takes the server less than a
// millisecond.
const Step = 500

// Servers are the servers of a store.
type Servers struct {
	Nodes   map[string]rueidis.Client // by address
	Timeout time.Duration             // of one command
	Prefix  string                    // of every key
}

// Master is a server that has keys.
type Master struct {
	address string
	run     string // the run ID, which changes with each start of the server
	node    rueidis.Client
}

// Masters returns the servers that have keys, in the order of their addresses. Replicas are
// not included: their masters have the same keys.
func (s Servers) Masters(ctx context.Context) ([]Master, error) {
	var masters []Master
	for address, node := range s.Nodes {
		info, err := s.send(ctx, node, node.B().Info().Section("server", "replication").Build()).ToString()
		if err != nil {
			return nil, fmt.Errorf("reading which server is the master: %w", err)
		}
		if infoField(info, "role") == "master" {
			masters = append(masters, Master{address: address, run: infoField(info, "run_id"), node: node})
		}
	}
	slices.SortFunc(masters, func(a, b Master) int { return cmp.Compare(a.address, b.address) })
	return masters, nil
}

// infoField returns a field of the response to INFO.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Sessions reads about count keys of a master, beginning at a cursor of SCAN. It returns the
// session IDs among them and the next cursor, which is 0 after the last key.
func (s Servers) Sessions(ctx context.Context, m Master, cursor uint64, count int64) (ids []auth.SessionID, next uint64, err error) {
	pattern := escapeGlob(s.Prefix) + ":{?}:s:*"
	keys, err := s.send(ctx, m.node, m.node.B().Scan().Cursor(cursor).Match(pattern).Count(count).Build()).AsScanEntry()
	if err != nil {
		return nil, 0, fmt.Errorf("listing keys: %w", err)
	}
	for _, key := range keys.Elements {
		ids = append(ids, auth.SessionID(key[strings.LastIndexByte(key, ':')+1:]))
	}
	return ids, keys.Cursor, nil
}

// send sends one command to one server, with a deadline.
func (s Servers) send(ctx context.Context, node rueidis.Client, cmd rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return node.Do(ctx, cmd)
}

// escapeGlob escapes a prefix for the patterns of SCAN.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}

// Fields returns the fields of hashes, in one round trip for each server.
func Fields(ctx context.Context, client rueidis.Client, timeout time.Duration, keys []string) (fields [][]string, err error) {
	var commands []rueidis.Completed
	for _, key := range keys {
		commands = append(commands, client.B().Hkeys().Key(key).Build())
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, response := range client.DoMulti(ctx, commands...) {
		names, err := response.AsStrSlice()
		if err != nil {
			return nil, fmt.Errorf("reading the fields of a hash: %w", err)
		}
		fields = append(fields, names)
	}
	return fields, nil
}
