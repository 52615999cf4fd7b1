package keyring

const (
	PublishAhead = publishAhead
	ReplicaLag   = replicaLag
	ReloadEvery  = reloadEvery
	HintGap      = hintGap
	MaxKeys      = maxKeys
	MaxProfiles  = maxProfiles
)
