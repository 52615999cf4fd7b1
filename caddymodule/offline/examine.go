package offline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/wxgate/wxgate/caddymodule/app"
	"github.com/wxgate/wxgate/caddymodule/redisstore"
	"github.com/wxgate/wxgate/caddymodule/secret"
	"github.com/wxgate/wxgate/caddymodule/storage"
	"github.com/wxgate/wxgate/internal/auth"
	"github.com/wxgate/wxgate/internal/session"
	"github.com/wxgate/wxgate/internal/session/redis"
	"github.com/wxgate/wxgate/internal/wechat"
)

// Examined is the resolved configuration that `wxgate doctor` checks. No store is open.
type Examined struct {
	Apps    []ExaminedApp
	Store   string   // the file of store bolt, or empty
	Redis   string   // the addresses of store redis, without credentials, or empty
	Storage string   // the folder of Caddy's storage, or empty if the storage is not a folder
	Files   []string // the files with secrets or sessions that a gateway writes
	Named   []string // the files that placeholders of the configuration name, as {file.X}
	Literal []string // the names of the secrets that the configuration has as literals

	opening *redisstore.Opening
}

// ExaminedApp is one mini program, service account or website.
type ExaminedApp struct {
	ID      auth.AppID
	API     string         // the URL of the platform's API
	Client  *wechat.Client // the caller closes it
	Website bool           // a website has no access token, so its secret cannot be checked
}

// Examine reads the configuration, in JSON, that `wxgate run` would start with.
func Examine(text []byte) (*Examined, error) {
	a, config, err := decodeApp(text)
	if err != nil {
		return nil, err
	}
	if err := a.Resolve(); err != nil {
		return nil, err
	}
	if err := a.ResolveApps(); err != nil {
		return nil, err
	}
	e := &Examined{Store: a.Store.Path, Storage: storageFolder(config.StorageRaw), Named: namedFiles(a, config.Apps[app.Name]), Literal: literals(a), opening: a.Store.Opening()}
	if e.Store != "" {
		e.Files = append(e.Files, e.Store)
	}
	if e.opening != nil {
		e.Redis = strings.Join(e.opening.Config.Addresses, ",")
	}
	if e.Storage != "" {
		e.Files = append(e.Files, filepath.Join(e.Storage, storage.SecretName), filepath.Join(e.Storage, storage.KeysName))
	}
	for _, m := range a.MiniPrograms {
		client, err := m.NewClient(nil)
		if err != nil {
			e.Close()
			return nil, err
		}
		e.Apps = append(e.Apps, ExaminedApp{m.ID(), client.API(), client, client.Kind() == wechat.Website})
	}
	return e, nil
}

// Close closes the clients.
func (e *Examined) Close() {
	for _, mini := range e.Apps {
		mini.Client.Close()
	}
}

// RedisServer connects to Redis and returns what it reports about how it keeps data,
// and as refused_commands which commands the ACL user may not run.
func (e *Examined) RedisServer(ctx context.Context) (map[string]string, error) {
	client, err := redis.Open(ctx, e.opening.Config, session.Options{OnError: func(error) {}})
	if err != nil {
		return nil, err
	}
	info, err := client.Persistence(ctx)
	if err == nil {
		conn, prefix := client.Connection()
		var refused []string
		refused, err = conn.RefusedOfAll(ctx, prefix+":doctor")
		info["refused_commands"] = strings.Join(refused, ", ")
	}
	return info, errors.Join(err, client.Close())
}

// storageFolder returns the folder of Caddy's storage, or "" if the configured storage is not a
// folder.
func storageFolder(raw json.RawMessage) string {
	var folder struct{ Module, Root string }
	if len(raw) > 0 && (json.Unmarshal(raw, &folder) != nil || folder.Module != "file_system") {
		return ""
	}
	if folder.Root != "" {
		return folder.Root
	}
	return caddy.AppDataDir()
}

// filePlaceholder is a placeholder that Caddy replaces with the content of a file.
var filePlaceholder = regexp.MustCompile(`\{file\.([^{}]+)\}`)

// namedFiles returns the files with secrets that the app's configuration names. Every file that
// a placeholder reads counts as a secret: a URL may contain one.
func namedFiles(a *app.App, raw []byte) []string {
	var files []string
	tokens := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := tokens.Token()
		if err != nil {
			break // io.EOF; the JSON was decoded before
		}
		text, _ := token.(string)
		for _, found := range filePlaceholder.FindAllStringSubmatch(text, -1) {
			files = append(files, found[1])
		}
	}
	if server := a.Store.Redis; server != nil && server.TLS != nil && server.TLS.Key != "" {
		files = append(files, caddy.NewReplacer().ReplaceAll(server.TLS.Key, ""))
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// literals returns the names of the secrets that the configuration has as literals.
func literals(a *app.App) []string {
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
		add("the AppSecret of "+string(m.ID()), m.Secret)
		if m.Callback != nil {
			add("the callback token of "+string(m.ID()), m.Callback.Token)
			add("the EncodingAESKey of "+string(m.ID()), m.Callback.EncodingAESKey)
		}
		if m.APISecurity != nil {
			add("a key of api_security of "+string(m.ID()), m.APISecurity.Encrypt.Value, m.APISecurity.Sign.Value)
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
