package connection

import (
	"fmt"
	"strings"
)

// Explain adds advice for the operator to an error.
func (s *Settings) Explain(err error) error {
	advice := "check that it is running and reachable, and that the port expects redis:// or rediss:// (TLS, with a client certificate if it requires one) as configured"
	for _, known := range adviceByText {
		if strings.Contains(err.Error(), known.text) {
			advice = known.advice
			break
		}
	}
	return fmt.Errorf("redis at %s: %w: %s", s.Where(), err, advice)
}

// adviceByText is the advice for errors of Redis or of the connection, by a part of their text.
var adviceByText = []struct{ text, advice string }{
	{"WRONGPASS", "check username and password"},
	{"NOAUTH", "it requires a password; set username and password"},
	{"NOPERM", "grant the ACL user the permissions listed in SECURITY.md"},
	{"LOADING", "it is still loading its data from the disk; wait"},
	{"READONLY", "it is a replica; configure the master's address, or use sentinel"},
	{"OOM", "its memory is full; raise maxmemory (with policy noeviction)"},
	{"MISCONF", "it cannot save to its disk; free disk space"},
	{"MASTERDOWN", "it is a replica that lost its master; configure the master's address"},
	{ErrFewAcks.Error(), "its replicas are down or behind; restore them (option acks sets how many must confirm a write)"},
	{"NOREPLICAS", "too few of its replicas are connected (min-replicas-to-write)"},
	{"CLUSTERDOWN", "a master or some slots of the Cluster are missing; fix the Cluster"},
	{errNoCluster.Error(), "remove the option cluster"},
	{"MOVED", "it is a node of a Cluster; add the option cluster"},
	{"'SENTINEL'", "it is not a Sentinel; configure the addresses of the Sentinels, or remove the option sentinel"},
	{"No such master", "the Sentinels know no master with this name; check the name"},
	{"BUSY ", "it is blocked by another client's script; run SCRIPT KILL"},
	{"max number of clients", "too many clients are connected; raise maxclients"},
	{"unknown command", "it is too old, or the command was renamed; Redis 7.0 or Valkey 7.2 is required"},
	{"x509", "check the certificate, its CA (option ca) and its name (option server_name)"},
	{"first record does not look like a TLS handshake", "it does not use TLS on this port; use redis://"},
	{"certificate required", "it requires a client certificate; set cert and key"},
}
