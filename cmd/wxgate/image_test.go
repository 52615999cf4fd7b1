package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// imageLayout is an OCI image layout with one image of one layer, as deploy/image makes it.
type imageLayout struct {
	config imageConfig
	layer  []layerFile
}

// imageConfig is the part of the configuration of an image that the test reads.
type imageConfig struct {
	Architecture, OS string
	Config           struct {
		User, WorkingDir      string
		Entrypoint, Cmd, Env  []string
		ExposedPorts, Volumes map[string]struct{}
		Labels                map[string]string
	}
}

type layerFile struct {
	header  *tar.Header
	content []byte
}

// descriptor names a blob.
type descriptor struct {
	MediaType, Digest string
	Size              int64
}

// readLayout reads an archive, and checks the size and digest of every blob.
func readLayout(t *testing.T, archive []byte) imageLayout {
	t.Helper()
	blobs := map[string][]byte{}
	for _, file := range untar(t, bytes.NewReader(archive)) {
		blobs[file.header.Name] = file.content
	}
	blob := func(d descriptor) []byte {
		algorithm, digest, _ := strings.Cut(d.Digest, ":")
		content := blobs["blobs/"+algorithm+"/"+digest]
		sum := sha256.Sum256(content)
		if algorithm != "sha256" || hex.EncodeToString(sum[:]) != digest || int64(len(content)) != d.Size {
			t.Fatalf("the blob %s of %d bytes does not match its descriptor", d.Digest, d.Size)
		}
		return content
	}
	var layout struct{ ImageLayoutVersion string }
	decode(t, blobs["oci-layout"], &layout)
	var index struct{ Manifests []descriptor }
	decode(t, blobs["index.json"], &index)
	if layout.ImageLayoutVersion != "1.0.0" || len(index.Manifests) != 1 {
		t.Fatalf("layout %+v, index %+v", layout, index)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	decode(t, blob(index.Manifests[0]), &manifest)
	if len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != "application/vnd.oci.image.layer.v1.tar+gzip" {
		t.Fatalf("layers: %+v", manifest.Layers)
	}
	var image imageLayout
	decode(t, blob(manifest.Config), &image.config)
	if image.config.OS != "linux" || image.config.Architecture != runtime.GOARCH {
		t.Errorf("the image is for %s/%s", image.config.OS, image.config.Architecture)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	image.layer = untar(t, unzipped)
	return image
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func untar(t *testing.T, r io.Reader) []layerFile {
	t.Helper()
	var files []layerFile
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, layerFile{header, content})
	}
}

// unpack writes the layer to a folder. If the test runs as root, it also sets the owners.
func (image imageLayout) unpack(t *testing.T, root string) {
	t.Helper()
	for _, file := range image.layer {
		name := filepath.Join(root, filepath.FromSlash(file.header.Name))
		mode := file.header.FileInfo().Mode().Perm()
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		switch {
		case err != nil:
		case file.header.Typeflag == tar.TypeDir:
			err = os.Mkdir(name, mode)
		default:
			err = os.WriteFile(name, file.content, mode)
		}
		if err == nil && os.Geteuid() == 0 {
			err = os.Chown(name, file.header.Uid, file.header.Gid)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
