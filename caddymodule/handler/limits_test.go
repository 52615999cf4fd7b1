package handler

import (
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/gateway/limit"
)

func TestParseRate(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "5", "5/", "/1m", "0/1m", "-1/1m", "x/1m", "5/x", "5/0s", "5/-1m", "2/1ns"} {
		if _, err := parseRate(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if rate, err := parseRate("20/1m"); rate != (limit.Rate{N: 20, Per: time.Minute}) || err != nil {
		t.Errorf("20/1m read as %v, %v", rate, err)
	}
}
