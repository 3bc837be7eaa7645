package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// materials writes a bill of materials for each platform, by what the binary says itself
// that it was built of.
func (r *release) materials() error {
	for _, t := range r.targets {
		name := "mpt"
		if t.os == "windows" {
			name += ".exe"
		}
		bom, err := r.bom(filepath.Join(r.bin(t, false), name))
		if err != nil {
			return err
		}
		out := "mpt_" + r.version + "_" + t.String() + ".cdx.json"
		if err := r.create(out, func(w io.Writer) error {
			return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) bom(binary string) (*cdx.BOM, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sum, err := fileSum(binary)
	if err != nil {
		return nil, err
	}
	main := cdx.Component{Type: cdx.ComponentTypeApplication, BOMRef: "mpt", Name: "mpt", Version: r.version,
		PackageURL: "pkg:golang/mptgo@v" + r.version,
		Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}},
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}}
	std := strings.TrimPrefix(info.GoVersion, "go")
	list := []cdx.Component{{Type: cdx.ComponentTypeLibrary, BOMRef: "std", Name: "std", Version: std,
		PackageURL: "pkg:golang/std@" + std}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: "pkg:golang/" +
			m.Path + "@" + m.Version}
		c.BOMRef = c.PackageURL
		if b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.Sum, "h1:")); err == nil && len(b) == sha256.Size {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(b)}}
		}
		list = append(list, c)
	}
	var needs []string
	for _, c := range list {
		needs = append(needs, c.BOMRef)
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: r.time.Format("2006-01-02T15:04:05Z"), Component: &main}
	bom.Components, bom.Dependencies = &list, &[]cdx.Dependency{{Ref: "mpt", Dependencies: &needs}}
	return bom, nil
}

// sums writes SHA256SUMS of all files of the release.
func (r *release) sums() error {
	list, err := os.ReadDir(r.out) // in the order of names
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, e := range list {
		sum, err := fileSum(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s  %s\n", sum, e.Name())
	}
	return r.create("SHA256SUMS", func(w io.Writer) error {
		_, err := io.WriteString(w, text.String())
		return err
	})
}

func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
