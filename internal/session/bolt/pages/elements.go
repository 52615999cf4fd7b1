package pages

import (
	"encoding/binary"
	"fmt"

	"github.com/wxgate/wxgate/internal/session"
)

// branch checks an element that points to another page.
func (p *tree) branch(id uint64, page []byte, at int) error {
	position, key := word(page, at), word(page, at+4)
	if at+position+key > len(page) {
		return damaged(id, "a key ends outside of it")
	}
	return p.follow(binary.NativeEndian.Uint64(page[at+8:]))
}

// leaf checks an entry, which may be a bucket.
func (p *tree) leaf(id uint64, page []byte, at int) error {
	flags, position, key, value := word(page, at), word(page, at+4), word(page, at+8), word(page, at+12)
	if at+position+key+value > len(page) {
		return damaged(id, "an entry ends outside of it")
	}
	if flags&bucketFlag == 0 {
		p.see(p.bucket, page[at+position:][:key])
		return nil
	}
	bucket := page[at+position+key:][:value]
	if len(bucket) < bucketHead {
		return damaged(id, "a bucket of %d bytes", len(bucket))
	}
	p.bucket = page[at+position:][:key]
	if p.skip(p.bucket) {
		return nil
	}
	if root := binary.NativeEndian.Uint64(bucket); root != 0 {
		return p.follow(root)
	}
	return p.inline(id, bucket[bucketHead:])
}

// inline checks the page of a small bucket, which lies within another page and contains no
// buckets.
func (p *tree) inline(id uint64, page []byte) error {
	if len(page) < pageHead || binary.NativeEndian.Uint16(page[8:]) != leafFlag {
		return damaged(id, "a bucket without a page")
	}
	count := int(binary.NativeEndian.Uint16(page[10:]))
	if pageHead+count*elementHead > len(page) {
		return damaged(id, "a bucket of %d elements", count)
	}
	for i := range count {
		at := pageHead + i*elementHead
		if word(page, at)&bucketFlag != 0 || at+word(page, at+4)+word(page, at+8)+word(page, at+12) > len(page) {
			return damaged(id, "an entry ends outside of its bucket")
		}
		p.see(p.bucket, page[at+word(page, at+4):][:word(page, at+8)])
	}
	return nil
}

// word reads 4 bytes. Sums of three words do not overflow an int of 64 bits, and the file does
// not fit on a 32-bit machine.
func word(page []byte, at int) int { return int(binary.NativeEndian.Uint32(page[at:])) }

func damaged(page uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: "+format, append([]any{session.ErrCorrupt, page}, args...)...)
}
