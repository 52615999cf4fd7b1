package caddymodule

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
	"github.com/spf13/cobra"

	"github.com/wxgate/wxgate/internal/seal"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/bolt"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/token"
)

var (
	errCopyTarget = errors.New("name a store as bolt:[<path>], or redis:[<url>] with the URL as in store redis; without one it is the configuration's")
	errCopyConfig = errors.New("name the configuration of the gateway by --config: it says where the root secret and the signing keys are")
	errCopyRoot   = errors.New("the configuration names no root secret and Caddy's storage holds none: this is not the configuration of a gateway that has run")
)

// copyCommand is `wxgate store copy`.
func copyCommand() *cobra.Command {
	var config, adapter string
	cmd := &cobra.Command{
		Use:   "copy <from> <to>",
		Short: "Copies sessions, session keys, revocations and signing keys to another store",
		Long: `
Copies from bolt:[<path>] to redis:[<url>], or back. The gateway that uses the
first must be stopped. Nothing is taken away there, and the copy may be repeated.

The configuration names the root secret and Caddy's storage, where the signing
keys are that belong to a file. Without a path or URL, a store is the
configuration's own: redis: is best written so, because a password in a command
line is seen by every process. A URL may hold placeholders, {env.X} or {file.X}.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			return copyStore(ctx, cmd.OutOrStdout(), config, adapter, args[0], args[1])
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "Configuration file of the gateway")
	cmd.Flags().StringVarP(&adapter, "adapter", "a", "", "Adapter of the configuration file")
	return cmd
}

func copyStore(ctx context.Context, out io.Writer, config, adapter, from, to string) error {
	c, closeConfig, err := openCopier(ctx, config, adapter)
	if err != nil {
		return err
	}
	defer closeConfig()
	source, err := c.open(ctx, from, true)
	if err != nil {
		return err
	}
	defer func() { _ = source.close() }() // nothing was written there
	target, err := c.open(ctx, to, false)
	if err != nil {
		return err
	}
	copied, err := c.run(ctx, source, target)
	if err := errors.Join(err, target.close()); err != nil {
		return fmt.Errorf("after %s: %w; it can be repeated", copied, err)
	}
	_, err = fmt.Fprintf(out, "%s to %s: %s\n", source.name, target.name, copied)
	return err
}

// copier has what both stores need to be opened.
type copier struct {
	app     *App
	box     *seal.Box
	storage certmagic.Storage
}

// copyConfig is what counts of a configuration.
type copyConfig struct {
	StorageRaw json.RawMessage            `caddy:"namespace=caddy.storage inline_key=module" json:"storage"`
	Apps       map[string]json.RawMessage `json:"apps"`
}

// openCopier reads the configuration as `wxgate run` does, and starts none of it.
// The caller calls done when nothing of it is used any more.
func openCopier(ctx context.Context, file, adapter string) (c *copier, done func(), err error) {
	text, _, _, err := caddycmd.LoadConfig(file, adapter)
	if err != nil {
		return nil, nil, err
	}
	var config copyConfig
	if len(text) > 0 {
		if err := json.Unmarshal(text, &config); err != nil {
			return nil, nil, fmt.Errorf("reading the configuration: %w", err)
		}
	}
	if config.Apps[appName] == nil {
		return nil, nil, errCopyConfig
	}
	c = &copier{app: &App{logger: caddy.Log()}, storage: caddy.DefaultStorage}
	if err := caddy.StrictUnmarshalJSON(config.Apps[appName], c.app); err != nil {
		return nil, nil, fmt.Errorf("reading the wxgate app of the configuration: %w", err)
	}
	// A storage may be a module with a connection, which ends with the context.
	moduleCtx, cancel := caddy.NewContext(caddy.Context{Context: ctx})
	if err := c.provision(moduleCtx, &config); err != nil {
		cancel()
		return nil, nil, err
	}
	return c, cancel, nil
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
	repl := caddy.NewReplacer()
	if err := errors.Join(c.app.complete(), c.app.provisionSecrets(repl), c.app.provisionStore(repl)); err != nil {
		return err
	}
	secrets := c.app.secrets
	if len(secrets) == 0 {
		secret, err := item{c.storage, secretItem}.Load(ctx)
		if err != nil {
			return err
		}
		if secret == nil {
			return errCopyRoot
		}
		secrets = [][]byte{secret}
	}
	var err error
	c.box, err = seal.New(secrets...)
	return err
}

// copyEnd is an opened store, on either side.
type copyEnd struct {
	name  string // with nothing secret in it
	store interface {
		Export(ctx context.Context, do func(session.Entry) error) error
		Import(ctx context.Context, e session.Entry) error
	}
	keys  token.Storage
	close func() error
}

// open opens bolt:[<path>] or redis:[<url>]. A source must be there.
func (c *copier) open(ctx context.Context, target string, source bool) (*copyEnd, error) {
	kind, where, _ := strings.Cut(target, ":")
	switch {
	case kind == storeBolt:
		return c.openBolt(where, source)
	case kind == storeRedis && strings.HasPrefix(where, "//"), kind == "rediss":
		return c.openRedis(ctx, target)
	case kind == storeRedis:
		return c.openRedis(ctx, where)
	}
	return nil, errCopyTarget
}

func (c *copier) openBolt(path string, source bool) (*copyEnd, error) {
	cfg := StoreConfig{Kind: storeBolt, Path: path}
	if path == "" && c.app.Store.Kind == storeBolt {
		cfg.Path = c.app.Store.Path
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(cfg.Path); err != nil && source {
		return nil, err // opening would make it
	}
	file, err := bolt.Open(cfg.Path, session.Options{})
	if err != nil {
		return nil, err
	}
	store, err := file.Store(c.box, time.Now)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &copyEnd{storeBolt + ":" + cfg.Path, store, item{c.storage, keysItem}, file.Close}, nil
}

func (c *copier) openRedis(ctx context.Context, address string) (*copyEnd, error) {
	opening := c.app.Store.redis
	if address != "" {
		cfg := StoreConfig{Kind: storeRedis, Redis: &RedisConfig{URLs: []string{address}}}
		if err := cfg.complete(); err != nil {
			return nil, err
		}
		var err error
		if opening, err = cfg.Redis.resolve(caddy.NewReplacer(), c.app.logger); err != nil {
			return nil, err
		}
	}
	if opening == nil {
		return nil, errCopyTarget
	}
	client, err := redis.Open(ctx, opening.config, session.Options{})
	if err != nil {
		return nil, err
	}
	store, err := client.Store(ctx, c.box, time.Now)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &copyEnd{storeRedis + ":" + strings.Join(opening.config.Addresses, ","), store, client.Value(keysValue), client.Close}, nil
}
