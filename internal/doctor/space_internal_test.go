package doctor

import (
	"errors"
	"strings"
	"testing"
)

func TestSpace(t *testing.T) {
	for name, test := range map[string]struct {
		free   uint64
		err    error
		status Status
		text   string
	}{
		"enough":  {minFreeBytes, nil, OK, "256 MiB are free"},
		"full":    {minFreeBytes - 1, nil, Failed, "only 255 MiB are free"},
		"unknown": {0, errors.New("not supported"), OK, "not known: not supported"},
	} {
		if f := space(CheckStorage, "/data", test.free, test.err); f.Status != test.status || !strings.Contains(f.Detail, test.text) {
			t.Errorf("%s: %s, %s", name, f.Status, f.Detail)
		}
	}
}
