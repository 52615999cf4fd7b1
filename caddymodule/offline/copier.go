// Package offline is for commands that use the configuration of a gateway without starting it: it
// copies the store, and lists what the configuration names.
package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/certmagic"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/redisstore"
	"github.com/wxgate/wxgate/caddymodule/storage"
	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/storecopy"
)

var (
	errCopyTarget = errors.New("name a store as bolt:[<path>], or redis:[<url>] with the URL as in store redis; without one it is the configuration's")
	errNoApp      = errors.New("the configuration has no wxgate block; set the gateway's with --config")
	errCopyRoot   = errors.New("the configuration names no root secret and Caddy's storage holds none: this is not the configuration of a gateway that has run")
)

// CopyStore copies a session store into another, and reports to out what it copied. The
// configuration file names the root secret and Caddy's storage, which has the signing keys
// of a file. A store is bolt:[<path>] or redis:[<url>]; without a path or URL it is the
// configuration's.
func CopyStore(ctx context.Context, out io.Writer, config, adapter, from, to string) error {
	c, closeConfig, err := openCopier(ctx, config, adapter)
	if err != nil {
		return err
	}
	defer closeConfig()
	source, err := c.open(ctx, from, true)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // nothing was written there
	target, err := c.open(ctx, to, false)
	if err != nil {
		return err
	}
	copied, err := storecopy.Run(ctx, c.box, source, target)
	if err := errors.Join(err, target.Close()); err != nil {
		return fmt.Errorf("after %s: %w; it can be repeated", copied, err)
	}
	_, err = fmt.Fprintf(out, "%s to %s: %s\nthe queues of events_to and of pushes are not copied\n", source.Name, target.Name, copied)
	return err
}

// copier has what is needed to open both stores.
type copier struct {
	app     *app.App
	box     *seal.Box
	storage certmagic.Storage
}

// copyConfig has the parts of a configuration that a copy needs.
type copyConfig struct {
	StorageRaw json.RawMessage            `caddy:"namespace=caddy.storage inline_key=module" json:"storage"`
	Apps       map[string]json.RawMessage `json:"apps"`
}

// openCopier reads the configuration as `wxgate run` does, and starts nothing. The
// caller calls done when it no longer uses the copier.
func openCopier(ctx context.Context, file, adapter string) (c *copier, done func(), err error) {
	text, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return nil, nil, err
	}
	a, config, err := decodeApp(text)
	if err != nil {
		return nil, nil, err
	}
	c = &copier{app: a, storage: caddy.DefaultStorage}
	// A storage may be a module with a connection, which ends with the context.
	moduleCtx, cancel := caddy.NewContext(caddy.Context{Context: ctx})
	if err := c.provision(moduleCtx, config); err != nil {
		cancel()
		return nil, nil, err
	}
	return c, cancel, nil
}

// decodeApp reads the app of a configuration, without provisioning it.
func decodeApp(text []byte) (*app.App, *copyConfig, error) {
	config := new(copyConfig)
	if len(text) > 0 {
		if err := json.Unmarshal(text, config); err != nil {
			return nil, nil, fmt.Errorf("reading the configuration: %w", err)
		}
	}
	if config.Apps[app.Name] == nil {
		return nil, nil, errNoApp
	}
	a := new(app.App)
	if err := caddy.StrictUnmarshalJSON(config.Apps[app.Name], a); err != nil {
		return nil, nil, fmt.Errorf("reading the wxgate app of the configuration: %w", err)
	}
	return a, config, nil
}

func (c *copier) provision(ctx caddy.Context, config *copyConfig) error {
	if config.StorageRaw != nil {
		module, err := ctx.LoadModule(config, "StorageRaw")
		if err != nil {
			return fmt.Errorf("the storage of the configuration: %w", err)
		}
		if c.storage, err = module.(caddy.StorageConverter).CertMagicStorage(); err != nil {
			return fmt.Errorf("the storage of the configuration: %w", err)
		}
	}
	if err := c.app.Resolve(); err != nil {
		return err
	}
	secrets := c.app.RootSecrets()
	if len(secrets) == 0 {
		generated, err := storage.Item{Storage: c.storage, Name: storage.SecretName}.Load(ctx)
		if err != nil {
			return err
		}
		if generated == nil {
			return errCopyRoot
		}
		secrets = [][]byte{generated}
	}
	var err error
	c.box, err = seal.New(secrets...)
	return err
}

// open opens bolt:[<path>] or redis:[<url>]. A source must exist.
func (c *copier) open(ctx context.Context, target string, source bool) (*storecopy.End, error) {
	kind, where, _ := strings.Cut(target, ":")
	switch {
	case kind == app.StoreBolt:
		return c.openBolt(where, source)
	case kind == app.StoreRedis && strings.HasPrefix(where, "//"), kind == "rediss":
		return c.openRedis(ctx, target)
	case kind == app.StoreRedis:
		return c.openRedis(ctx, where)
	}
	return nil, errCopyTarget
}

func (c *copier) openBolt(path string, source bool) (*storecopy.End, error) {
	if path == "" && c.app.Store.Kind == app.StoreBolt {
		path = c.app.Store.Path
	}
	path, err := app.BoltPath(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil && source {
		return nil, err // opening would create it
	}
	file, err := bolt.Open(path, session.Options{})
	if err != nil {
		return nil, err
	}
	store, err := file.Store(c.box, time.Now)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &storecopy.End{Name: app.StoreBolt + ":" + path, Store: store, Keys: storage.Item{Storage: c.storage, Name: storage.KeysName}, Close: file.Close}, nil
}

func (c *copier) openRedis(ctx context.Context, address string) (*storecopy.End, error) {
	opening := c.app.Store.Opening()
	if address != "" {
		cfg := redisstore.Config{URLs: []string{address}}
		if err := cfg.Check(); err != nil {
			return nil, err
		}
		var err error
		if opening, err = cfg.Resolve(caddy.NewReplacer(), caddy.Log()); err != nil {
			return nil, err
		}
	}
	if opening == nil {
		return nil, errCopyTarget
	}
	client, err := redis.Open(ctx, opening.Config, session.Options{})
	if err != nil {
		return nil, err
	}
	store, err := client.Store(ctx, c.box, time.Now)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &storecopy.End{Name: app.StoreRedis + ":" + strings.Join(opening.Config.Addresses, ","), Store: store, Keys: client.Value(storage.KeysValue), Close: client.Close}, nil
}
