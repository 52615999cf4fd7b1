package session

// Counts are how many sessions a store has, and how many users have one of them.
type Counts struct{ Sessions, Users int }

// Plus returns the sum.
func (c Counts) Plus(d Counts) Counts {
	return Counts{Sessions: c.Sessions + d.Sessions, Users: c.Users + d.Users}
}
