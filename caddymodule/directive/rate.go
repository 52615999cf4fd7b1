package directive

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// ParseRate parses a rate such as 20/1m: a number and a duration, both above zero.
func ParseRate(s string) (n int, per time.Duration, err error) {
	count, duration, ok := strings.Cut(s, "/")
	if ok {
		n, err = strconv.Atoi(count)
	}
	if ok && err == nil {
		per, err = caddy.ParseDuration(duration)
	}
	if !ok || err != nil || n < 1 || per <= 0 {
		return 0, 0, fmt.Errorf("%q: write <n>/<duration>, such as 20/1m", s)
	}
	return n, per, nil
}
