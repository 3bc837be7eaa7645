package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// image writes a container image for all platforms of Linux, as a layout of OCI in a tar
// file: one layer with the binary, the certificates for mpt pull, and empty folders.
func (r *release) image() error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	n := 0
	for _, t := range r.targets {
		if t.os != "linux" {
			continue
		}
		img, err := r.imageOf(t)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: t.os, Architecture: t.arch}}})
		n++
	}
	if n == 0 {
		return nil
	}
	dir := filepath.Join(r.work, "image")
	outer := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: index,
			Descriptor: v1.Descriptor{Annotations: map[string]string{"org.opencontainers.image.ref.name": r.version}}})
	if _, err := layout.Write(dir, outer); err != nil {
		return err
	}
	return r.packLayout(dir)
}

// packLayout writes a folder as a tar file, in the order of names.
func (r *release) packLayout(dir string) error {
	var list []entry
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		list = append(list, entry{filepath.ToSlash(name), p, 0o644})
		return err
	})
	if err != nil {
		return err
	}
	return r.create("mpt_"+r.version+"_image.tar", func(w io.Writer) error { return writeTar(w, list, r.time) })
}

func (r *release) imageOf(t target) (v1.Image, error) {
	b, err := r.layer(t)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(base,
		mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "mpt release", Created: v1.Time{Time: r.time}}})
	if err != nil {
		return nil, err
	}
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Created = t.os, t.arch, v1.Time{Time: r.time}
	c.Config = v1.Config{
		Entrypoint: []string{"/mpt"}, User: "65532:65532", WorkingDir: "/models", Volumes: map[string]struct{}{"/models": {}},
		Env: []string{"PATH=/", "HOME=/tmp", "HF_HOME=/models"},
		// For Docker, where the container is a server; Kubernetes has probes of its own.
		Healthcheck: &v1.HealthConfig{
			Test: []string{"CMD", "/mpt", "serve", "--check", "http://127.0.0.1:8080"}, StartPeriod: 10 * time.Minute,
			Interval: 30 * time.Second, Timeout: 10 * time.Second,
		},
		Labels: map[string]string{"org.opencontainers.image.title": "mpt", "org.opencontainers.image.version": r.version,
			"org.opencontainers.image.licenses": "Apache-2.0"},
	}
	return mutate.ConfigFile(img, c)
}

// owner is the user of the image, who is nobody in particular.
const owner = 65532

// layer returns the files of the image as a tar.
func (r *release) layer(t target) ([]byte, error) {
	mpt, err := os.ReadFile(filepath.Join(r.bin(t, false), "mpt"))
	if err != nil {
		return nil, err
	}
	licence, err := os.ReadFile(r.source("LICENSE"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		name string
		mode int64
		uid  int
		text []byte
	}{
		{"LICENSE", 0o644, 0, licence}, {"etc/", 0o755, 0, nil}, {"etc/ssl/", 0o755, 0, nil}, {"etc/ssl/certs/", 0o755, 0, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, 0, certificates()}, {"models/", 0o755, owner, nil},
		{"mpt", 0o755, 0, mpt}, {"tmp/", 0o1777, 0, nil},
	} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Uid: f.uid, Gid: f.uid,
			Size:    int64(len(f.text)),
			ModTime: r.time, Format: tar.FormatUSTAR}
		if f.text == nil {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.text); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

// certificates returns Mozilla's roots in PEM, but those that are trusted under conditions
// that a file cannot state.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return b.Bytes()
}
