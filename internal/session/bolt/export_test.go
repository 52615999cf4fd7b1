package bolt

import (
	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// Count counts what the file keeps, by a walk over it.
func (f *File) Count() sessiontest.Counts {
	var counts contents
	err := f.db.View(func(tx *bbolt.Tx) (err error) {
		counts, err = walk(tx)
		return err
	})
	if err != nil {
		panic(err)
	}
	return sessiontest.Counts{Sessions: counts.Sessions, Users: counts.Users}
}
