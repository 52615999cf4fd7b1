package scan

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/wxgate/wxgate/internal/auth"
)

const (
	// listSteps is how many times one page calls SCAN, each for at most Step keys:
	// most of the sessions may be of other apps.
	listSteps = 40
	// listLeast is how many keys one call of SCAN reads at least. With fewer, a page
	// would take a round trip for each of its last sessions; with more, a cursor would
	// have to remember more sessions that did not fit the page.
	listLeast = 10
)

// errRestarted is returned for a cursor of a server that no longer runs: a restarted server
// scans in a different order.
var errRestarted = fmt.Errorf("%w: Redis restarted or failed over meanwhile", auth.ErrInvalidCursor)

// pager collects one page.
type pager struct {
	servers Servers
	masters []Master
	query   auth.Query
	read    Read

	position

	page auth.Page
	seen map[auth.SessionID]bool // on this page
}

// position is where a page begins.
type position struct {
	order  [8]byte          // a hash of all servers and their runs
	server uint16           // the number of the server being read
	cursor uint64           // of SCAN
	left   []auth.SessionID // read, but not yet on a page
}

// Read reads sessions by their IDs. It skips sessions that have ended.
type Read func(ctx context.Context, ids []auth.SessionID) ([]*auth.Session, error)

// Page returns a page of all sessions and, if there are more, the position of the next page. A
// session appears twice only if Redis shrinks the table of its keys meanwhile. A position is
// invalid after a server restarted or failed over, because its order is then different:
// [auth.ErrInvalidCursor].
func (s Servers) Page(ctx context.Context, q auth.Query, begin []byte, read Read) (page auth.Page, next []byte, err error) {
	masters, err := s.Masters(ctx)
	if err != nil {
		return auth.Page{}, nil, err
	}
	p := &pager{servers: s, masters: masters, query: q, read: read, seen: make(map[auth.SessionID]bool)}
	p.order = orderOf(masters)
	if begin != nil {
		if p.position, err = decode(begin); err != nil {
			return auth.Page{}, nil, err
		}
		if p.order != orderOf(masters) {
			return auth.Page{}, nil, errRestarted
		}
	}
	for steps := 0; p.room() > 0 && !p.done(); {
		if len(p.left) > 0 {
			err = p.take(ctx)
		} else if steps++; steps > listSteps {
			break
		} else {
			err = p.scan(ctx)
		}
		if err != nil {
			return auth.Page{}, nil, err
		}
	}
	if !p.done() {
		next = p.encode()
	}
	return p.page, next, nil
}

// done reports whether every session was on a page.
func (p *pager) done() bool { return len(p.left) == 0 && int(p.server) == len(p.masters) }

// room returns how many more sessions fit on the page.
func (p *pager) room() int { return p.query.Limit - len(p.page.Sessions) }

// scan reads more session IDs.
func (p *pager) scan(ctx context.Context) (err error) {
	count := int64(min(max(p.room(), listLeast), Step))
	p.left, p.cursor, err = p.servers.Sessions(ctx, p.masters[p.server], p.cursor, count)
	if err == nil && p.cursor == 0 {
		p.server++
	}
	return err
}

// take adds to the page the sessions whose IDs were read.
func (p *pager) take(ctx context.Context) error {
	ids := p.left[:min(len(p.left), p.room())]
	sessions, err := p.read(ctx, ids)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if !p.seen[s.ID] && (p.query.App == "" || p.query.App == s.User.App) {
			p.page.Sessions = append(p.page.Sessions, s)
		}
		p.seen[s.ID] = true
	}
	p.left = p.left[len(ids):]
	return nil
}

func orderOf(masters []Master) [8]byte {
	h := sha256.New()
	for _, m := range masters {
		_, _ = fmt.Fprintf(h, "%s %s\n", m.address, m.run) // a hash returns no error
	}
	return [8]byte(h.Sum(nil))
}

// The sizes of an encoded position, in bytes.
const (
	headSize = 8 + 2 + 8
	idSize   = 16
)

func (p *position) encode() []byte {
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(p.order[:], p.server), p.cursor)
	for _, id := range p.left {
		raw, _ := id.Bytes()
		b = append(b, raw[:]...)
	}
	return b
}

// decode reads what encode wrote. Cursors are sealed, so b comes from encode.
func decode(b []byte) (p position, err error) {
	if len(b) < headSize || (len(b)-headSize)%idSize != 0 {
		return p, auth.ErrInvalidCursor
	}
	p.order = [8]byte(b)
	p.server = binary.BigEndian.Uint16(b[8:])
	p.cursor = binary.BigEndian.Uint64(b[10:])
	for b = b[headSize:]; len(b) > 0; b = b[idSize:] {
		p.left = append(p.left, auth.SessionIDOf([idSize]byte(b)))
	}
	return p, nil
}
