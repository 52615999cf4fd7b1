package web

// Len returns how many records are in memory, expired or not.
func (l *LocalRecords) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(len(l.records), len(l.ends))
}
