package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/eval"
)

// modelInfo tells which model it is.
func (f *evalFlags) modelInfo(m *mpt.Model) (info eval.ModelInfo, err error) {
	info = eval.ModelInfo{Path: f.model.Path, Context: m.Config().Context, Type: mainType(m)}
	for _, u := range m.Adapters() {
		sum, err := pathHash(u.Adapter.Path())
		if err != nil {
			return info, err
		}
		info.Adapters = append(info.Adapters, fmt.Sprintf("%s:%v %s", u.Adapter.Path(), u.Scale, sum))
	}
	if f.model.Path == "" {
		info.Path, info.SHA256 = builtin.Name, builtin.SHA256()
		return info, nil
	}
	info.SHA256, err = fileHash(shards(f.model.Path)...)
	return info, err
}

// mainType is the type that takes the most bytes.
func mainType(m *mpt.Model) string {
	by := map[string]int64{}
	best := ""
	for _, t := range m.File().Tensors() {
		name := t.Type.String()
		by[name] += int64(t.Size())
		if best == "" || by[name] > by[best] {
			best = name
		}
	}
	return best
}

// fileHash returns the SHA-256 of files, one behind the other.
func fileHash(paths ...string) (string, error) {
	h := sha256.New()
	for _, path := range paths {
		in, err := os.Open(path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// pathHash is fileHash of a file, or of the files in a folder.
func pathHash(path string) (string, error) {
	list, err := os.ReadDir(path)
	if err != nil {
		return fileHash(path)
	}
	var files []string
	for _, e := range list {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return fileHash(files...)
}

// shards returns all files of a model of which path is the first.
func shards(path string) []string {
	before, count, ok := strings.Cut(path, "-00001-of-")
	if !ok {
		return []string{path}
	}
	var n int
	if _, err := fmt.Sscanf(count, "%05d.gguf", &n); err != nil || n < 1 || n > 1<<16 {
		return []string{path}
	}
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%05d-of-%s", before, i+1, count)
	}
	return all
}
