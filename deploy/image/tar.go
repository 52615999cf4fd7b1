package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the time of every file: the archive depends on nothing but its content.
var epoch = time.Unix(0, 0)

// newLayer makes the image's one layer.
func newLayer(root, binary string) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, entry := range []struct {
		name, from string // from is empty for a folder
		mode       int64
		owner      int
	}{
		{"etc/wxgate/Caddyfile", filepath.Join(root, "deploy", "docker", "Caddyfile"), 0o644, 0},
		{"run/wxgate/", "", 0o700, user},
		{"usr/local/bin/wxgate", binary, 0o755, 0},
		{"usr/share/doc/wxgate/LICENSE", filepath.Join(root, "LICENSE"), 0o644, 0},
		{"var/lib/wxgate/", "", 0o700, user},
	} {
		header := &tar.Header{Name: entry.name, Mode: entry.mode, Uid: entry.owner, Gid: entry.owner, ModTime: epoch, Typeflag: tar.TypeDir}
		var content []byte
		if entry.from != "" {
			var err error
			if content, err = os.ReadFile(entry.from); err != nil {
				return nil, err
			}
			header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
		}
		if err := write(w, header, content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
}

// archive writes a folder to a tar file.
func archive(dir, out string) (err error) {
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	w := tar.NewWriter(file)
	folder := os.DirFS(dir)
	err = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error { // in lexical order
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: epoch, Typeflag: tar.TypeReg}
		return write(w, header, content)
	})
	if err != nil {
		return err
	}
	return w.Close()
}

func write(w *tar.Writer, header *tar.Header, content []byte) error {
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("writing %s: %w", header.Name, err)
	}
	if _, err := w.Write(content); err != nil {
		return fmt.Errorf("writing %s: %w", header.Name, err)
	}
	return nil
}
