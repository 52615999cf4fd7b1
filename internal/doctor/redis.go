package doctor

import (
	"context"
	"fmt"
)

// RedisServer is what a check needs to know of a Redis server, from its INFO.
type RedisServer struct {
	Version     string
	Eviction    string // maxmemory-policy
	AppendOnly  bool   // it writes each change to a file
	Snapshots   bool   // it has written a snapshot (RDB)
	WriteFailed bool   // its last write to disk failed
}

// Redis reports whether a server keeps what it has acknowledged: read connects to it and
// returns what it reports.
func Redis(ctx context.Context, address string, read func(context.Context) (RedisServer, error)) []Finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	server, err := read(ctx)
	if err != nil {
		return []Finding{{CheckStore, address, Failed, err.Error(), "Check that Redis runs, that this machine can reach it, and the user, password and TLS."}}
	}
	found := []Finding{{Check: CheckStore, About: address, Status: OK, Detail: "Redis " + server.Version}}
	if server.Eviction != "noeviction" {
		found = append(found, Finding{CheckStore, address, Failed, fmt.Sprintf("maxmemory-policy is %s: a full server deletes sessions and revocations", server.Eviction),
			"Set maxmemory-policy to noeviction."})
	}
	switch {
	case server.WriteFailed:
		found = append(found, Finding{CheckStore, address, Failed, "its last write to disk failed", "Check the disk of the server and its log."})
	case !server.AppendOnly && !server.Snapshots:
		found = append(found, Finding{CheckStore, address, Failed, "it keeps nothing on disk: a restart logs out every user, and forgets who was logged out",
			"Set appendonly yes, or use Sentinel with replicas on other machines."})
	case !server.AppendOnly:
		found = append(found, Finding{CheckStore, address, Warning, "it writes snapshots only: a crash loses the logins and logouts since the last one", "Set appendonly yes."})
	}
	return found
}
