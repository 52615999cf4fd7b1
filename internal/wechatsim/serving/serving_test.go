package serving

import "testing"

func TestURL(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"127.0.0.1:9911": "http://127.0.0.1:9911",
		"[::1]:9911":     "http://[::1]:9911",
		"192.0.2.1:9911": "http://192.0.2.1:9911",
		"0.0.0.0:9911":   "http://127.0.0.1:9911",
		"[::]:9911":      "http://127.0.0.1:9911",
	} {
		if got := URL(addr); got != want {
			t.Errorf("URL(%q) = %q, want %q", addr, got, want)
		}
	}
}
