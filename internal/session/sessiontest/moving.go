package sessiontest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
)

// Mover is a store that can be copied.
type Mover interface {
	auth.Store
	Export(ctx context.Context, do func(session.Entry) error) error
	Import(ctx context.Context, e session.Entry) error
}

// Export returns everything that a store exports.
func Export(t testing.TB, store Store) []session.Entry {
	t.Helper()
	var all []session.Entry
	Must(t, store.Store.(Mover).Export(t.Context(), func(e session.Entry) error {
		all = append(all, e)
		return nil
	}))
	return all
}

// CopyStore imports into a store everything that another store exports.
func CopyStore(t testing.TB, from, to Store) {
	t.Helper()
	for _, e := range Export(t, from) {
		Must(t, to.Store.(Mover).Import(t.Context(), e))
	}
}

// Content returns the exported entries of a store as text, in a fixed order.
func Content(t testing.TB, store Store) []string {
	t.Helper()
	var lines []string
	for _, e := range Export(t, store) {
		switch {
		case e.Session != nil:
			lines = append(lines, fmt.Sprintf("session %+v", *e.Session))
		case e.Keys != nil:
			lines = append(lines, fmt.Sprintf("keys of %v: %v", e.User, e.Keys))
		case e.Attempts != nil:
			lines = append(lines, fmt.Sprintf("attempts of %v: %+v", e.User, *e.Attempts))
		default:
			lines = append(lines, fmt.Sprintf("revocation %+v", *e.Revocation))
		}
	}
	slices.Sort(lines)
	return lines
}
