package bolt

// What an operator can do about a store that does not open. Losing one is no disaster,
// and the advice says so.
const (
	adviseLocked = "another wxgate or `wxgate store` has it open; stop that one, or configure a separate path"

	adviseCorrupt = "restore it from a backup, or move it away; the next start creates a new one and every user logs in again silently (wx.login). It contains no business data"

	adviseNewer = "run the newer wxgate again, or move the file away; every user then logs in again silently (wx.login)"

	adviseSecret = "add the root secret that it was written with after the new one (secret <new> <old>), or move the file away; every user then logs in again silently (wx.login)"
)
