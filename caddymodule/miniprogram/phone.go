package miniprogram

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/wxgate/wxgate/caddymodule/directive"
	"github.com/wxgate/wxgate/internal/budget"
	"github.com/wxgate/wxgate/internal/wechat/testphone"
)

// parseBudget reads a budget such as "1000/1d".
func parseBudget(value string) (rate budget.Rate, err error) {
	if rate.Calls, rate.Per, err = directive.ParseRate(value); err == nil {
		err = rate.Check()
	}
	if err != nil {
		return rate, fmt.Errorf("phone_budget %w", err)
	}
	return rate, nil
}

func checkBudget(value string) error {
	_, err := parseBudget(value)
	return err
}

// parseTestPhone reads test_phone, which may appear once for each virtual number.
func (m *Config) parseTestPhone(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("write test_phone <virtual number> <number>")
	}
	if _, twice := m.TestPhones[args[0]]; twice {
		return d.Errf("duplicate test_phone %s", args[0])
	}
	if err := new(testphone.Numbers).Set(args[0], args[1]); err != nil {
		return d.WrapErr(err)
	}
	if m.TestPhones == nil {
		m.TestPhones = make(map[string]string)
	}
	m.TestPhones[args[0]] = args[1]
	return nil
}

// provisionPhones resolves the budget and the test numbers. It warns of test numbers at every
// load, so that an operator does not forget them after the tests.
func (m *Config) provisionPhones(logger *zap.Logger) error {
	m.budget, m.testPhones = nil, testphone.Numbers{}
	if m.PhoneBudget != "" {
		rate, err := parseBudget(m.PhoneBudget)
		if err != nil {
			return err
		}
		m.budget = &rate
	}
	for _, number := range slices.Sorted(maps.Keys(m.TestPhones)) {
		if err := m.testPhones.Set(number, m.TestPhones[number]); err != nil {
			return err
		}
	}
	if len(m.TestPhones) > 0 {
		logger.Warn("test_phone is on: users of WeChat's virtual accounts get the phone numbers of the configuration, which upstreams cannot tell from verified ones; remove it after the tests",
			zap.String("app", string(m.id)))
	}
	return nil
}
