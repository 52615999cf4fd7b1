package auth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// phonePlatform counts the phone codes that it gets, and fails or panics.
type phonePlatform struct {
	onlyPlatform
	err   error
	panic bool
	calls *int
}

func (p phonePlatform) PhoneNumber(context.Context, string, auth.OpenID) (auth.Phone, error) {
	*p.calls++
	if p.panic {
		panic("phone")
	}
	return thePhone, p.err
}

// TestPhoneBudget: a code reaches the platform only within the budget, and counts unless it
// certainly cost nothing.
func TestPhoneBudget(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		err, refused, down error // of the platform, the budget and the store
		want               error
		calls              int
		settled            string
	}{
		"success":       {calls: 1, settled: "charged"},
		"invalid code":  {err: fmt.Errorf("%w: %w", auth.ErrNotCharged, auth.ErrInvalidPhoneCode), want: auth.ErrInvalidPhoneCode, calls: 1, settled: "returned"},
		"timeout":       {err: auth.ErrWeChatTimeout, want: auth.ErrWeChatTimeout, calls: 1, settled: "charged"},
		"exhausted":     {refused: &auth.BudgetError{RetryAfter: time.Hour}, want: auth.ErrBudgetExhausted},
		"store fails":   {refused: auth.ErrStoreUnavailable, want: auth.ErrStoreUnavailable},
		"store is down": {down: auth.ErrStoreUnavailable, want: auth.ErrStoreUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls, reserved, settled := 0, 0, ""
			service := newBudgeted(phonePlatform{err: row.err, calls: &calls}, row.down, func(context.Context) (func(bool), error) {
				reserved++
				return func(charged bool) { settled += map[bool]string{true: "charged", false: "returned"}[charged] }, row.refused
			})
			_, err := service.DecodePhoneCode(t.Context(), &auth.Identity{User: theUser}, "code", anyApp)
			if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) || calls != row.calls || settled != row.settled {
				t.Errorf("got %v after %d calls, settled %q; want %v, %d, %q", err, calls, settled, row.want, row.calls, row.settled)
			}
			if row.down != nil && reserved != 0 {
				t.Error("reserved although the store is down")
			}
		})
	}
}

func newBudgeted(platform auth.Platform, down error, budget auth.PhoneBudget) *auth.Service {
	return auth.NewService(auth.Config{
		Revocations: revoked(false), Tokens: plainTokens{}, Store: &sharedStore{},
		Apps:         map[auth.AppID]auth.Platform{theApp: platform},
		PhoneBudgets: map[auth.AppID]auth.PhoneBudget{theApp: budget},
		Available:    func(context.Context) error { return down },
		Access:       time.Hour, Refresh: theLife, Idle: theLife,
	})
}

// TestPhoneBudgetPanic: a call that panics counts, and its reservation ends.
func TestPhoneBudgetPanic(t *testing.T) {
	t.Parallel()
	calls, settled := 0, false
	service := newBudgeted(phonePlatform{panic: true, calls: &calls}, nil, func(context.Context) (func(bool), error) {
		return func(charged bool) { settled = charged }, nil
	})
	defer func() {
		if recover() == nil || !settled {
			t.Errorf("settled %t", settled)
		}
	}()
	_, _ = service.DecodePhoneCode(t.Context(), &auth.Identity{User: theUser}, "code", anyApp)
}
