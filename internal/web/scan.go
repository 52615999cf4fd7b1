package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// ScanLife is how long a code can be scanned and confirmed: long enough for a user to
	// find a phone and type a number.
	ScanLife = 2 * time.Minute
	// MaxWrongNumbers is how often a phone may send a different number than the browser shows.
	MaxWrongNumbers = 3

	scanBytes       = 16
	scanChars       = 22 // of scanBytes in base64url; the scene of a mini program code has at most 32
	numberDigits    = 4
	numbers         = 10_000 // of numberDigits
	browserKeyBytes = 32
	browserKeyChars = 43
)

// The errors of refused scans.
var (
	ErrScan        = auth.ErrScanNotFound
	ErrWrongNumber = auth.ErrWrongNumber
)

// ScanState is the state of a scan.
type ScanState string

// The states. A scan that does not exist is expired, is finished or was never created.
const (
	ScanWaiting   ScanState = "waiting"
	ScanScanned   ScanState = "scanned"   // a phone has opened it
	ScanConfirmed ScanState = "confirmed" // its user confirmed it with the number
	ScanRefused   ScanState = "refused"   // its user refused it, or sent wrong numbers
	ScanExpired   ScanState = "expired"
)

// Final reports whether the browser has nothing more to wait for.
func (s ScanState) Final() bool { return s != ScanWaiting && s != ScanScanned }

// Scan is a browser that waits for a phone.
type Scan struct {
	App     auth.AppID     `json:"a"` // whose code is shown, and whose users confirm
	Browser string         `json:"b"` // the hash of its [BrowserKey]
	Number  string         `json:"n"`
	State   ScanState      `json:"s"`
	Wrong   int            `json:"w,omitempty"`
	Phone   auth.SessionID `json:"p,omitempty"` // the session that opened it
	Until   time.Time      `json:"u"`

	Asker
}

// Asker describes the browser to the phone's user.
type Asker struct {
	Agent   string `json:"g"`           // such as Chrome on Windows
	Address string `json:"d"`           // masked
	Place   string `json:"l,omitempty"` // as stated by the operator's proxy
}

// BrowserKey is a random text that a browser keeps in a cookie. It binds a scan to the browser:
// a different browser can neither poll nor finish it.
type BrowserKey string

// NewBrowserKey returns a new random key.
func NewBrowserKey() BrowserKey { return BrowserKey(randomText(browserKeyBytes)) }

// Valid reports whether the key has the form of a browser key.
func (k BrowserKey) Valid() bool {
	raw, err := strictBase64.DecodeString(string(k))
	return err == nil && len(k) == browserKeyChars && len(raw) == browserKeyBytes
}

func (k BrowserKey) hash() string {
	h := sha256.Sum256([]byte(k))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// NewScan creates a scan for a browser and returns its name and its number.
func (s *Service) NewScan(ctx context.Context, app auth.AppID, browser BrowserKey, asker Asker) (name, number string, err error) {
	n, err := rand.Int(rand.Reader, big.NewInt(numbers))
	if err != nil {
		return "", "", fmt.Errorf("making a number: %w", err)
	}
	name, number = randomText(scanBytes), fmt.Sprintf("%0*d", numberDigits, n)
	until := s.cfg.Now().Add(ScanLife)
	scan := Scan{App: app, Browser: browser.hash(), Number: number, State: ScanWaiting, Until: until, Asker: asker}
	return name, number, s.add(ctx, purposeScan, name, &scan, until)
}

// ScanState returns the state of a browser's scan. A scan that does not exist is expired, for
// every browser. [ErrScan] for the scan of another browser.
func (s *Service) ScanState(ctx context.Context, name string, browser BrowserKey) (ScanState, error) {
	scan, _, err := s.scanOf(ctx, name, browser)
	switch {
	case errors.Is(err, ErrNoRecord):
		return ScanExpired, nil
	case err != nil:
		return "", err
	}
	return scan.State, nil
}

// scanOf returns a browser's scan; [ErrScan] for any other scan.
func (s *Service) scanOf(ctx context.Context, name string, browser BrowserKey) (scan Scan, stored []byte, err error) {
	if !validScan(name) || !browser.Valid() {
		return scan, nil, fmt.Errorf("%w: not a scan of this browser", ErrScan)
	}
	if stored, err = s.read(ctx, purposeScan, name, &scan); err != nil {
		return scan, nil, gone(ErrScan, err)
	}
	if !equal(scan.Browser, browser.hash()) {
		return scan, nil, fmt.Errorf("%w: the scan of another browser", ErrScan)
	}
	return scan, stored, nil
}

// OpenScan returns what the phone's user must know before confirming. It binds the scan to the
// session of the phone: [ErrScan] for a user of another app, and for a second phone.
func (s *Service) OpenScan(ctx context.Context, name string, phone *auth.Identity) (scan Scan, err error) {
	err = s.scanned(ctx, name, phone, func(found *Scan) (bool, error) {
		scan = *found
		if found.State == ScanRefused {
			return false, fmt.Errorf("%w: it is refused", ErrScan)
		}
		if found.State != ScanWaiting {
			return false, nil
		}
		found.State, found.Phone = ScanScanned, phone.Session
		return true, nil
	})
	return scan, err
}

// ConfirmScan confirms a scan that the phone has opened: [ErrWrongNumber], and [ErrScan] after
// the last of [MaxWrongNumbers]. A phone may repeat a confirmation.
func (s *Service) ConfirmScan(ctx context.Context, name, number string, phone *auth.Identity) error {
	return s.scanned(ctx, name, phone, func(scan *Scan) (bool, error) {
		switch {
		case scan.Phone != phone.Session || scan.State == ScanRefused:
			return false, fmt.Errorf("%w: it is %s, or another phone has opened it", ErrScan, scan.State)
		case equal(scan.Number, number):
			scan.State = ScanConfirmed
			return true, nil
		case scan.State == ScanConfirmed:
			return false, ErrWrongNumber
		}
		if scan.Wrong++; scan.Wrong >= MaxWrongNumbers {
			scan.State = ScanRefused
			return true, fmt.Errorf("%w: %d wrong numbers", ErrScan, scan.Wrong)
		}
		return true, ErrWrongNumber
	})
}

// RefuseScan refuses a scan that the phone has opened: [ErrScan].
func (s *Service) RefuseScan(ctx context.Context, name string, phone *auth.Identity) error {
	return s.scanned(ctx, name, phone, func(scan *Scan) (bool, error) {
		if scan.Phone != phone.Session {
			return false, fmt.Errorf("%w: this phone has not opened it", ErrScan)
		}
		scan.State = ScanRefused
		return true, nil
	})
}

// scanned calls change to edit the scan that a phone opens or has opened.
func (s *Service) scanned(ctx context.Context, name string, phone *auth.Identity, change func(*Scan) (bool, error)) error {
	if !validScan(name) {
		return fmt.Errorf("%w: not the name of a scan", ErrScan)
	}
	err := update(ctx, s, purposeScan, name, func(scan *Scan) (bool, error) {
		switch {
		case scan.App != phone.App || phone.Browser || phone.Dev:
			return false, fmt.Errorf("%w: a scan of app %s, opened with a token of app %s, a cookie or a minted token", ErrScan, scan.App, phone.App)
		case scan.Phone != "" && scan.Phone != phone.Session:
			return false, fmt.Errorf("%w: another phone has opened it", ErrScan)
		}
		return change(scan)
	})
	return gone(ErrScan, err)
}

// Finish ends a confirmed scan, and begins a session for the phone's user: [ErrScan].
func (s *Service) Finish(ctx context.Context, name string, browser BrowserKey, device auth.Device) (*Opened, error) {
	scan, stored, err := s.scanOf(ctx, name, browser)
	if err != nil {
		return nil, err
	}
	if scan.State != ScanConfirmed {
		return nil, fmt.Errorf("%w: it is %s", ErrScan, scan.State)
	}
	if err := s.remove(ctx, purposeScan, name, stored); err != nil {
		return nil, gone(ErrScan, err)
	}
	opened, err := s.derive(ctx, scan.Phone, "", auth.DoorScan, device)
	return opened, gone(ErrScan, err)
}

func validScan(name string) bool {
	raw, err := strictBase64.DecodeString(name)
	return err == nil && len(name) == scanChars && len(raw) == scanBytes
}

// equal compares secrets in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
