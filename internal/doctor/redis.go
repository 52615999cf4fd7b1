package doctor

import (
	"context"
	"fmt"
)

// Redis reports whether a server keeps acknowledged writes, and allows the commands of the
// gateway. read connects to the server and returns the sections server, memory and persistence of
// INFO (https://redis.io/docs/latest/commands/info/), the setting save if the server shows it,
// and as refused_commands the commands that the ACL user may not run.
func Redis(ctx context.Context, address string, read func(context.Context) (map[string]string, error)) []Finding {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := read(ctx)
	if err != nil {
		return []Finding{{CheckStore, address, Failed, err.Error(), "Check that Redis runs, that this machine can reach it, and the user, password and TLS."}}
	}
	found := []Finding{{Check: CheckStore, About: address, Status: OK, Detail: "Redis " + info["redis_version"]}}
	if policy := info["maxmemory_policy"]; policy != "noeviction" {
		found = append(found, Finding{CheckStore, address, Failed, fmt.Sprintf("maxmemory-policy is %s: a full server deletes sessions and revocations", policy),
			"Set maxmemory-policy to noeviction."})
	}
	if refused := info["refused_commands"]; refused != "" {
		found = append(found, Finding{CheckStore, address, Failed, "its ACL user may not run " + refused, "Grant it the permissions listed in SECURITY.md."})
	}
	appends := info["aof_enabled"] == "1"
	switch {
	case info["rdb_last_bgsave_status"] == "err", appends && info["aof_last_write_status"] == "err":
		found = append(found, Finding{CheckStore, address, Failed, "its last write to disk failed", "Check the disk of the server and its log."})
	case !appends && !snapshots(info):
		found = append(found, Finding{CheckStore, address, Failed, "it keeps nothing on disk: a restart logs out every user, and forgets who was logged out",
			"Set appendonly yes, or use Sentinel with replicas on other machines."})
	case !appends:
		found = append(found, Finding{CheckStore, address, Warning, "it writes snapshots only: a crash loses the logins and logouts since the last one", "Set appendonly yes."})
	}
	return found
}

// snapshots reports whether the server writes snapshots. If the server hides its configuration,
// it reports whether a snapshot was written since the start.
func snapshots(info map[string]string) bool {
	if save, ok := info["save"]; ok {
		return save != ""
	}
	return info["rdb_saves"] != "0"
}
