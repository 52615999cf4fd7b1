package web_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/wxgate/wxgate/internal/web"
	"github.com/wxgate/wxgate/internal/web/recordstest"
)

func TestLocalRecords(t *testing.T) {
	t.Parallel()
	clock := new(recordstest.Clock)
	records := web.NewLocalRecords(clock.Now)
	recordstest.Conform(t, recordstest.Store{Open: func(testing.TB) web.Records { return records }, Now: clock.Now, Pass: clock.Pass})
}

func TestModelScans(t *testing.T) {
	t.Parallel()
	clock := new(recordstest.Clock)
	records := web.NewLocalRecords(clock.Now)
	recordstest.ModelScans(t, recordstest.Store{Open: func(testing.TB) web.Records { return records }, Now: clock.Now, Pass: clock.Pass}, 20_000, false)
}

// TestLocalRecordsAreSwept: memory does not grow with the number of expired records.
func TestLocalRecordsAreSwept(t *testing.T) {
	t.Parallel()
	clock := new(recordstest.Clock)
	records := web.NewLocalRecords(clock.Now)
	s := recordstest.Store{Now: clock.Now}
	for i := range 1000 {
		s.Add(t, records, strconv.Itoa(i), "value", time.Minute)
		clock.Pass(time.Second)
	}
	if n := records.Len(); n > 100 {
		t.Errorf("%d records are in memory, of 60 that have not expired", n)
	}
	clock.Pass(time.Hour)
	for i := range 30 {
		s.Add(t, records, "later "+strconv.Itoa(i), "value", time.Minute)
	}
	if n := records.Len(); n != 30 {
		t.Errorf("%d records are in memory, want the 30 that have not expired", n)
	}
}
