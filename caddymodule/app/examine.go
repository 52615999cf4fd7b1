package app

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Examined is what `wxgate doctor` looks at: the resolved configuration, of which nothing was
// opened.
type Examined struct {
	Apps    []ExaminedApp
	Store   string   // the file of store bolt, or empty
	Redis   string   // the addresses of store redis, without credentials, or empty
	Storage string   // the folder of Caddy's storage, or empty if it is no folder
	Files   []string // that have secrets or sessions
	Literal []string // the secrets that the configuration has literally, by name

	config *StoreConfig
}

// ExaminedApp is one mini program.
type ExaminedApp struct {
	ID     auth.AppID
	API    string         // the URL of the platform's API
	Client *wechat.Client // the caller closes it
}

// Examine reads the configuration, in JSON, that `wxgate run` would start with.
func Examine(text []byte) (*Examined, error) {
	a, config, err := decodeApp(text)
	if err != nil {
		return nil, err
	}
	repl := caddy.NewReplacer()
	if err := errors.Join(a.provisionApps(repl, nil), a.provisionStore(repl)); err != nil {
		return nil, err
	}
	e := &Examined{Store: a.Store.Path, Storage: storageFolder(config.StorageRaw), Literal: a.literals(), config: a.Store}
	if e.Store != "" {
		e.Files = append(e.Files, e.Store)
	}
	if opening := a.Store.opening; opening != nil {
		e.Redis = strings.Join(opening.Config.Addresses, ",")
	}
	if e.Storage != "" {
		e.Files = append(e.Files, filepath.Join(e.Storage, secretItem), filepath.Join(e.Storage, keysItem))
	}
	for _, m := range a.MiniPrograms {
		pooled, err := newPooledClient(m, nil)
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		e.Apps = append(e.Apps, ExaminedApp{m.id, pooled.client.API(), pooled.client})
	}
	return e, nil
}

// Close closes the clients.
func (e *Examined) Close() error {
	for _, app := range e.Apps {
		app.Client.Close()
	}
	return nil
}

// RedisServer connects to Redis and returns what it reports about how it keeps data.
func (e *Examined) RedisServer(ctx context.Context) (redis.Server, error) {
	client, err := redis.Open(ctx, e.config.opening.Config, session.Options{OnError: func(error) {}})
	if err != nil {
		return redis.Server{}, err
	}
	server, err := client.Server(ctx)
	return server, errors.Join(err, client.Close())
}

// storageFolder returns the folder of Caddy's storage, or nothing if the configuration has a
// storage that is none.
func storageFolder(raw json.RawMessage) string {
	var storage struct{ Module, Root string }
	if len(raw) > 0 && (json.Unmarshal(raw, &storage) != nil || storage.Module != "file_system") {
		return ""
	}
	if storage.Root != "" {
		return storage.Root
	}
	return caddy.AppDataDir()
}

// literals returns the names of the secrets that are in the configuration itself.
func (a *App) literals() []string {
	var names []string
	add := func(name string, values ...string) {
		for _, value := range values {
			if value != "" && secret.IsLiteral(value) {
				names = append(names, name)
			}
		}
	}
	add("the root secret", a.Secret...)
	add("the signing key", a.Token.Key)
	for _, m := range a.MiniPrograms {
		add("the AppSecret of "+string(m.id), m.Secret)
		if m.Callback != nil {
			add("the callback token of "+string(m.id), m.Callback.Token)
			add("the EncodingAESKey of "+string(m.id), m.Callback.EncodingAESKey)
		}
	}
	if server := a.Store.Redis; server != nil {
		add("the password of Redis", server.Password, server.SentinelPassword)
		for _, address := range server.URLs {
			if strings.Contains(address, "@") {
				add("the URL of Redis", address)
			}
		}
	}
	return names
}
