// Package connection is the connection to a Redis: it finds the master, sends commands and
// scripts with deadlines, and adds advice for the operator to errors.
package connection

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

var errNoCluster = errors.New("not a Cluster")

// The errors of a server that is not the master, or may not be.
var (
	// errIsolated means that a server lost all replicas that its configuration requires.
	// Another server may have become the master, with revocations that this server does
	// not have.
	errIsolated = errors.New("NOREPLICAS: the server has no replica left; another server may be the master")
	errDemoted  = errors.New("READONLY: the server is a replica")
	errMoved    = errors.New("the Sentinels name another master")
)

// Connection is the connection of one process to a server, a Cluster or the master of
// some Sentinels. It is safe for concurrent use.
type Connection struct {
	rueidis.Client
	*Settings

	sentinels *sentinels   // nil without Sentinels
	masters   *masterConns // unused with a Cluster
}

// Open connects to the server, to the Cluster, or to the master that the Sentinels name.
func Open(settings Settings) (*Connection, error) {
	c := &Connection{Settings: &settings, masters: new(masterConns)}
	option := settings.clientOption()
	option.ForceSingleClient = !settings.Cluster
	switch {
	case settings.Cluster: // its nodes redirect clients to the master
		option.ClusterOption.ShardsRefreshInterval = topologyEvery
	case settings.Sentinel != "":
		c.sentinels = newSentinels(&settings, c.masters)
		option.InitAddress = []string{settings.Sentinel} // a name: dial finds the address
		option.DialCtxFn = c.sentinels.dial
	default:
		option.DialCtxFn = c.masters.dial
	}
	client, err := newClient(&settings, option)
	if err != nil {
		if c.sentinels != nil {
			c.sentinels.close()
		}
		return nil, err
	}
	c.Client = client
	return c, nil
}

func newClient(settings *Settings, option rueidis.ClientOption) (rueidis.Client, error) {
	client, err := rueidis.NewClient(option)
	if err == nil && settings.Cluster && client.Mode() != rueidis.ClientModeCluster {
		err = errNoCluster
	}
	if err != nil && client != nil {
		client.Close()
		client = nil
	}
	return client, err
}

// CheckMaster returns an error if the server is not the master, or may not be. The server
// reports role and goodReplicas; goodReplicas is empty if its configuration requires none.
func (c *Connection) CheckMaster(ctx context.Context, role, goodReplicas string) error {
	if role != "master" {
		c.masters.closeAllBut("")
		return errDemoted
	}
	if goodReplicas == "0" {
		return errIsolated
	}
	if c.sentinels == nil {
		return nil
	}
	moved, err := c.sentinels.follow(ctx)
	if err == nil && moved {
		return errMoved
	}
	// Unreachable Sentinels are no problem as long as the master responds.
	return nil
}

// Close disconnects.
func (c *Connection) Close() {
	c.Client.Close()
	if c.sentinels != nil {
		c.sentinels.close()
	}
}
