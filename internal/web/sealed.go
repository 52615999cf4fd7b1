package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

// The purposes of sealed data, which are also the kinds of records.
const (
	purposeState  = "web state"
	purposeTicket = "web ticket"
	purposeScan   = "web scan"
)

// maxSwaps bounds the attempts to change a record that others change at the same time: a
// browser and one phone.
const maxSwaps = 10

// randomText returns n random bytes in base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand.Read
	return base64.RawURLEncoding.EncodeToString(b)
}

// recordID returns the ID of the record of a text. The text itself is not stored.
func recordID(purpose, text string) RecordID {
	return sha256.Sum256([]byte(purpose + "\x00" + text))
}

// add stores a sealed record.
func (s *Service) add(ctx context.Context, purpose, text string, record any, until time.Time) error {
	id := recordID(purpose, text)
	sealed, err := s.seal(purpose, id, record)
	if err != nil {
		return err
	}
	return s.cfg.Records.Add(ctx, id, sealed, until)
}

func (s *Service) seal(purpose string, id RecordID, record any) ([]byte, error) {
	plain, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encoding a %s: %w", purpose, err)
	}
	return s.cfg.Box.Seal(purpose, plain, id[:])
}

// read returns the stored bytes of a record, and decodes them: [ErrNoRecord].
func (s *Service) read(ctx context.Context, purpose, text string, record any) (stored []byte, err error) {
	id := recordID(purpose, text)
	stored, err = s.cfg.Records.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	plain, err := s.cfg.Box.Open(purpose, stored, id[:])
	if err != nil {
		return nil, fmt.Errorf("opening a %s: %w", purpose, err)
	}
	if err := json.Unmarshal(plain, record); err != nil {
		return nil, fmt.Errorf("decoding a %s: %w", purpose, err)
	}
	return stored, nil
}

// remove deletes a record that was read as stored. Of all callers one succeeds; the others get
// [ErrNoRecord] or [ErrRecordChanged].
func (s *Service) remove(ctx context.Context, purpose, text string, stored []byte) error {
	return s.cfg.Records.Swap(ctx, recordID(purpose, text), stored, nil)
}

// errSwapped means that other requests changed a record again and again.
var errSwapped = fmt.Errorf("%w: a record is changed by too many requests at once", auth.ErrStoreUnavailable)

// update calls change to edit a record, and stores it if change returns true, even with an error.
func update[R any](ctx context.Context, s *Service, purpose, text string, change func(*R) (bool, error)) error {
	id := recordID(purpose, text)
	for range maxSwaps {
		var record R
		stored, err := s.read(ctx, purpose, text, &record)
		if err != nil {
			return err
		}
		save, refusal := change(&record)
		if !save {
			return refusal
		}
		next, err := s.seal(purpose, id, &record)
		if err != nil {
			return err
		}
		switch err := s.cfg.Records.Swap(ctx, id, stored, next); {
		case err == nil:
			return refusal
		case !errors.Is(err, ErrRecordChanged):
			return err
		}
	}
	return errSwapped
}
