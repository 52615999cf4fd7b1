package main

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is the user and group of the process, which no system uses for another purpose.
const user = 65532

// containerConfig is what the last stage of the Dockerfile says.
var containerConfig = v1.Config{
	User:         "65532:65532",
	WorkingDir:   "/var/lib/wxgate",
	Entrypoint:   []string{"/usr/local/bin/wxgate"},
	Cmd:          []string{"run", "--config", "/etc/wxgate/Caddyfile"},
	Env:          []string{"XDG_DATA_HOME=/var/lib/wxgate", "XDG_CONFIG_HOME=/var/lib/wxgate"},
	ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9180/tcp": {}},
	Volumes:      map[string]struct{}{"/var/lib/wxgate": {}},
	Labels: map[string]string{
		"org.opencontainers.image.title":       "wxgate",
		"org.opencontainers.image.description": "WeChat identity in front of any HTTP API",
		"org.opencontainers.image.source":      "https://github.com/wxgate/wxgate",
		"org.opencontainers.image.licenses":    "Apache-2.0",
	},
}

// newImage makes the image with its one layer.
func newImage(o options) (v1.Image, error) {
	layer, err := newLayer(o.root, o.binary)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", o.arch, containerConfig
	return mutate.ConfigFile(image, file)
}
