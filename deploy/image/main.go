// Command image makes the image of deploy/docker/Dockerfile without Docker: an archive with
// an OCI image layout, from a binary that was built before. The same binary makes the same
// archive.
//
//	go run . -arch amd64 -o wxgate.tar path/to/wxgate
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// options are the command line.
type options struct {
	out, root, name, arch, binary string
}

func main() {
	var o options
	flag.StringVar(&o.out, "o", "wxgate.tar", "the archive to write")
	flag.StringVar(&o.root, "root", filepath.Join("..", ".."), "the module's root, which has LICENSE and deploy/docker/Caddyfile")
	flag.StringVar(&o.name, "name", "wxgate:latest", "the image's name, which docker load and podman load give it")
	flag.StringVar(&o.arch, "arch", runtime.GOARCH, "the binary's architecture, as GOARCH")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "image: expected one argument, the path of a binary for Linux")
		os.Exit(2)
	}
	o.binary = flag.Arg(0)
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run writes the archive.
func run(o options) error {
	image, err := newImage(o)
	if err != nil {
		return err
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
		Platform:    &v1.Platform{OS: "linux", Architecture: o.arch},
		Annotations: map[string]string{"org.opencontainers.image.ref.name": o.name},
	}})
	dir, err := os.MkdirTemp("", "wxgate-image-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := layout.Write(dir, index); err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	return archive(dir, o.out)
}
