package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // a format that nfpm writes
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // a format that nfpm writes
)

const description = `Runs MosaicML's MPT language models on this CPU
Converts HuggingFace checkpoints to GGUF files with 4- to 16-bit weights and
chats with them. A small model that writes stories is built in.`

// packages writes packages for Debian and Fedora, and what descends from them.
func (r *release) packages() error {
	for _, t := range r.targets {
		if t.os != "linux" {
			continue
		}
		for _, format := range []string{"deb", "rpm"} {
			if err := r.pack(t, format); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *release) pack(t target, format string) error {
	p, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	contents, err := r.contents(t)
	if err != nil {
		return err
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "mpt", Arch: t.arch, Platform: "linux", Version: r.version, Release: "1",
		Section: "science", Priority: "optional", Maintainer: "The mptgo authors <mptgo@localhost>",
		Description: description, License: "Apache-2.0", MTime: r.time,
		Overridables: nfpm.Overridables{
			Contents: contents,
			RPM:      nfpm.RPM{Summary: "Runs MosaicML's MPT language models on this CPU", BuildHost: "localhost", Compression: "gzip:9"},
			Deb:      nfpm.Deb{Compression: "gzip"},
		},
	})
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	return r.create(p.ConventionalFileName(info), func(w io.Writer) error { return p.Package(info, w) })
}

// contents says where files of a package go. Its times and owners are fixed.
func (r *release) contents(t target) (list files.Contents, err error) {
	add := func(src, dst, typ string, mode uint32) {
		list = append(list, &files.Content{Source: src, Destination: dst, Type: typ,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: os.FileMode(mode), MTime: r.time}})
	}
	for _, name := range []string{"mpt", "mpt-quantize"} {
		add(filepath.Join(r.bin(t, false), name), "/usr/bin/"+name, "", 0o755)
		done := filepath.Join(r.work, "completions")
		add(filepath.Join(done, name+".bash"), "/usr/share/bash-completion/completions/"+name, "", 0o644)
		add(filepath.Join(done, "_"+name), "/usr/share/zsh/vendor-completions/_"+name, "", 0o644)
		add(filepath.Join(done, name+".fish"), "/usr/share/fish/vendor_completions.d/"+name+".fish", "", 0o644)
	}
	pages, err := filepath.Glob(filepath.Join(r.work, "man", "*.1"))
	for _, p := range pages {
		add(p, "/usr/share/man/man1/"+filepath.Base(p), "", 0o644)
	}
	add(r.source("deploy/systemd/mpt-server.service"), "/usr/lib/systemd/system/mpt-server.service", "", 0o644)
	add(r.source("deploy/systemd/mpt.default"), "/etc/default/mpt", "config|noreplace", 0o644)
	add(r.source("LICENSE"), "/usr/share/doc/mpt/copyright", "", 0o644)
	return list, err
}
