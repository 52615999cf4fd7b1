package bolt

import (
	"go.etcd.io/bbolt"

	"github.com/wxgate/wxgate/internal/session/sessiontest"
)

// SmallSteps has files merge the index of users every few logins, and upgrade in many
// transactions. It is not safe for concurrent use with files.
func SmallSteps() { recentLimit, upgradeStep = 16, 7 }

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
