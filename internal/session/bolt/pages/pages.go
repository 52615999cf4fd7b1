// Package pages checks the pages of a bbolt file before bbolt uses them.
package pages

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session"
)

// bbolt trusts its pages: a page with a damaged header can make it read past the mapping,
// follow a cycle, or count to four billion, in separate goroutines where recover cannot
// catch a panic (https://github.com/etcd-io/bbolt/issues/105). A write to a damaged leaf
// allocates as much as its sizes claim: 14 GB in a test. So every page is checked before
// bbolt uses it: those that opening needs at once, all others in the background. bbolt has
// checked the checksums of the metadata pages by then.
//
// The layout is bbolt's, file format 2, in the byte order of the machine:
//
//	page    id (8) | flags (2) | count (2) | overflow pages (4) | elements | data
//	branch  position (4) | key size (4) | page (8)
//	leaf    flags (4) | position (4) | key size (4) | value size (4)
//	bucket  root page (8), 0 when the page follows inline | sequence (8)
//	free    page (8)...; of 65535 or more the first is how many
//	meta    ... root page at 32 | free page at 48 | pages at 56 | transaction at 64
const (
	pageHead    = 16
	elementHead = 16 // of a branch and of a leaf alike
	bucketHead  = 16

	branchFlag = 0x01
	leafFlag   = 0x02
	freeFlag   = 0x10
	bucketFlag = 0x01 // of a leaf element

	metaBytes    = 80
	metaFree     = 48
	metaID       = 64
	noFreePage   = math.MaxUint64 // the list of free pages was not written
	manyFree     = 0xffff
	freeIDBytes  = 8
	metadataSize = 2 // pages
)

// tree follows the pages of one file.
type tree struct {
	file   io.ReaderAt
	stop   func() error           // returns why to stop, or nil
	skip   func(name []byte) bool // buckets whose pages are not read
	see    func(bucket, key []byte)
	bucket []byte // the bucket being read
	size   int64  // of a page, in bytes
	n      uint64 // number of pages in use
	seen   []bool

	// buffers has a page for each level of the tree: a page is read while the pages above it
	// are in use. A new page for each read would produce as much garbage as the file has bytes.
	buffers [][]byte
	depth   int
}

// Check reads every page that tx can reach, once, and the list of free pages. It does not read
// the buckets that skip selects. If see is not nil, Check calls it with each key in order; the
// key is valid only during the call. It returns early if ctx ends.
func Check(ctx context.Context, tx *bbolt.Tx, file *os.File, skip func(name []byte) bool, see func(bucket, key []byte)) error {
	p, err := newTree(ctx, tx, file)
	if err != nil {
		return err
	}
	p.skip, p.see = skip, see
	if see == nil {
		p.see = func(_, _ []byte) {}
	}
	if err := p.follow(uint64(tx.Cursor().Bucket().Root())); err != nil {
		return err
	}
	return p.free(lastCommit(tx))
}

func newTree(ctx context.Context, tx *bbolt.Tx, file *os.File) (*tree, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("measuring the file: %w", err)
	}
	if info.Size() < tx.Size() {
		return nil, fmt.Errorf("%w: %d bytes, %d are in use", session.ErrCorrupt, info.Size(), tx.Size())
	}
	size := int64(tx.DB().Info().PageSize)
	p := &tree{file: file, stop: ctx.Err, size: size, n: uint64(tx.Size() / size)} //nolint:gosec // G115: not negative, and below the file's size
	p.seen = make([]bool, p.n)
	return p, nil
}

// Free returns the numbers of the pages that were free after the last commit. No other commit
// may end during the call.
func Free(ctx context.Context, tx *bbolt.Tx, file *os.File) ([]uint64, error) {
	p, err := newTree(ctx, tx, file)
	if err != nil {
		return nil, err
	}
	list, err := p.freeIDs(lastCommit(tx))
	if err != nil {
		return nil, err
	}
	ids := make([]uint64, 0, len(list)/freeIDBytes)
	for id := range slices.Chunk(list, freeIDBytes) {
		ids = append(ids, binary.NativeEndian.Uint64(id))
	}
	return ids, nil
}

// lastCommit returns the transaction with the newest metadata.
func lastCommit(tx *bbolt.Tx) uint64 {
	id := uint64(tx.ID()) //nolint:gosec // G115: not negative
	if tx.Writable() {
		id-- // the metadata of tx is not written yet
	}
	return id
}

// free checks the list of free pages in a transaction's metadata: a page that is both in use
// and free would be overwritten.
func (p *tree) free(transaction uint64) error {
	ids, err := p.freeIDs(transaction)
	if err != nil {
		return err
	}
	for id := range slices.Chunk(ids, freeIDBytes) {
		if err := p.mark(binary.NativeEndian.Uint64(id)); err != nil {
			return err
		}
	}
	return nil
}

// freeIDs reads the list of free pages.
func (p *tree) freeIDs(transaction uint64) ([]byte, error) {
	list := uint64(noFreePage)
	for i := range int64(metadataSize) {
		meta := make([]byte, metaBytes)
		if _, err := p.file.ReadAt(meta, i*p.size); err != nil {
			return nil, fmt.Errorf("%w: reading page %d: %w", session.ErrCorrupt, i, err)
		}
		if binary.NativeEndian.Uint64(meta[metaID:]) == transaction {
			list = binary.NativeEndian.Uint64(meta[metaFree:])
		}
	}
	if list == noFreePage {
		return nil, nil
	}
	page, err := p.read(list)
	if err != nil {
		return nil, err
	}
	flags, count := binary.NativeEndian.Uint16(page[8:]), uint64(binary.NativeEndian.Uint16(page[10:]))
	ids := page[pageHead:]
	if count == manyFree {
		count, ids = binary.NativeEndian.Uint64(ids), ids[freeIDBytes:]
	}
	if flags != freeFlag || count > uint64(len(ids)/freeIDBytes) {
		return nil, damaged(list, "it has flags %#x and %d free pages", flags, count)
	}
	return ids[:count*freeIDBytes], nil
}

// mark records that a page is referenced, and refuses a second reference: a tree has no
// cycles.
func (p *tree) mark(id uint64) error {
	if id < metadataSize || id >= p.n {
		return damaged(id, "the file has only %d pages", p.n)
	}
	if p.seen[id] {
		return damaged(id, "it is referenced twice")
	}
	p.seen[id] = true
	return nil
}

// follow checks a page and the pages below it.
func (p *tree) follow(id uint64) error {
	p.depth++
	defer func() { p.depth-- }()
	page, err := p.read(id)
	if err != nil {
		return err
	}
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if pageHead+count*elementHead > len(page) || count == 0 && flags == branchFlag {
		return damaged(id, "it has %d elements", count)
	}
	for i := range count {
		switch flags {
		case branchFlag:
			err = p.branch(id, page, pageHead+i*elementHead)
		case leafFlag:
			err = p.leaf(id, page, pageHead+i*elementHead)
		}
		if err != nil {
			return err
		}
	}
	if flags != branchFlag && flags != leafFlag {
		return damaged(id, "it has flags %#x", flags)
	}
	return nil
}

// buffer returns the buffer of the current level.
func (p *tree) buffer() []byte {
	for len(p.buffers) <= p.depth {
		p.buffers = append(p.buffers, make([]byte, p.size))
	}
	return p.buffers[p.depth]
}

// read reads a page with its overflow pages. The result is valid until the next page of the
// same level is read.
func (p *tree) read(id uint64) ([]byte, error) {
	if err := p.stop(); err != nil {
		return nil, err
	}
	if err := p.mark(id); err != nil {
		return nil, err
	}
	page := p.buffer()
	if _, err := p.file.ReadAt(page, int64(id)*p.size); err != nil { //nolint:gosec // G115: not negative, and below the file's size
		return nil, fmt.Errorf("%w: reading page %d: %w", session.ErrCorrupt, id, err)
	}
	overflow := uint64(binary.NativeEndian.Uint32(page[12:]))
	if self := binary.NativeEndian.Uint64(page); self != id || id+overflow >= p.n {
		return nil, damaged(id, "its header names page %d with %d overflow pages", self, overflow)
	}
	if overflow == 0 {
		return page, nil
	}
	for i := range overflow {
		if err := p.mark(id + 1 + i); err != nil {
			return nil, err
		}
	}
	rest := make([]byte, int64(overflow)*p.size)                       //nolint:gosec // G115: not negative, and below the file's size
	if _, err := p.file.ReadAt(rest, int64(id+1)*p.size); err != nil { //nolint:gosec // G115: not negative, and below the file's size
		return nil, fmt.Errorf("%w: reading page %d: %w", session.ErrCorrupt, id, err)
	}
	return slices.Concat(page, rest), nil
}
