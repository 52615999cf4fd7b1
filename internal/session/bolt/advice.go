package bolt

// The ways out of a store that does not open. Losing one is no disaster, which
// an operator in the middle of the night has to be told.
const (
	adviseLocked = "another wxgate or `wxgate store` has it open: stop that one, or give this one a path of its own"

	adviseCorrupt = "restore it from a backup, or move it away: the next start makes a new one and every user logs in again silently (wx.login); no data of the business is in it"

	adviseNewer = "run the newer wxgate again, or move the file away: every user logs in again silently (wx.login)"

	adviseSecret = "add the root secret that it was made with behind the new one (secret <new> <old>), or move the file away: every user logs in again silently (wx.login)"
)
