package prefetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// serve calls a handler to write a response, and sends the response if it is not refused.
func serve(t *testing.T, handler func(http.ResponseWriter, *http.Request) error) (*httptest.ResponseRecorder, error) {
	t.Helper()
	to := httptest.NewRecorder()
	w, r, end := NewResponse(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/boot", nil))
	defer end()
	err := w.Serve(func(w http.ResponseWriter) error { return handler(w, r) })
	if err == nil {
		err = w.Send(to)
	}
	return to, err
}

func TestResponse(t *testing.T) {
	t.Parallel()
	got, err := serve(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("X-Data", "1")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusTeapot)
		_, err := io.WriteString(w, strings.Repeat("x", MaxBytes))
		return err
	})
	header := got.Result().Header
	if err != nil || got.Code != http.StatusAccepted || got.Body.Len() != MaxBytes || header.Get("Content-Length") != "262144" {
		t.Errorf("status %d, %d bytes, %v, %v", got.Code, got.Body.Len(), header, err)
	}
	if header.Get("Cache-Control") != "no-store" || header.Get("X-Data") != "1" {
		t.Errorf("headers %v", header)
	}
	if got, err := serve(t, func(http.ResponseWriter, *http.Request) error { return nil }); err != nil || got.Code != http.StatusOK || got.Body.Len() != 0 {
		t.Errorf("a handler that writes nothing: %d, %v", got.Code, err)
	}
}

// TestLargeResponse: no part of the response is sent, and the handler's call of the upstream
// ends.
func TestLargeResponse(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(http.ResponseWriter, *http.Request) error{
		"at once": func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, strings.Repeat("x", MaxBytes+1))
			return err
		},
		"in pieces, endless": func(w http.ResponseWriter, _ *http.Request) error {
			for {
				if _, err := io.WriteString(w, "data"); err != nil {
					return err
				}
			}
		},
		"announced": func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Length", "262145")
			w.WriteHeader(http.StatusOK)
			return r.Context().Err()
		},
		"a proxy that aborts": func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = io.WriteString(w, strings.Repeat("x", MaxBytes+1))
			panic(http.ErrAbortHandler) // as reverse_proxy does
		},
	} {
		got, err := serve(t, func(w http.ResponseWriter, r *http.Request) error {
			defer func() {
				if !errors.Is(context.Cause(r.Context()), auth.ErrResponseTooLarge) {
					t.Errorf("%s: the call continues: %v", name, r.Context().Err())
				}
			}()
			return handler(w, r)
		})
		if !errors.Is(err, auth.ErrResponseTooLarge) || got.Body.Len() != 0 {
			t.Errorf("%s: %v, %d bytes sent", name, err, got.Body.Len())
		}
	}
}

func TestOtherPanicsContinue(t *testing.T) {
	t.Parallel()
	for _, large := range []bool{false, true} {
		func() {
			defer func() {
				if v := recover(); v != "a bug" {
					t.Errorf("large %v: recovered %v", large, v)
				}
			}()
			_, _ = serve(t, func(w http.ResponseWriter, _ *http.Request) error {
				if large {
					_, _ = io.WriteString(w, strings.Repeat("x", MaxBytes+1))
				}
				panic("a bug")
			})
		}()
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := serve(t, func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != Timeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
