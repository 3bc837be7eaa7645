package pull

import (
	"context"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt/hub"
)

// hubSource is a checkpoint on the hub: its small files in the cache, its weights
// nowhere. It implements convert.Remote.
type hubSource struct {
	*pull
	ctx  context.Context
	of   map[string]hub.File
	here string // the folder with the small files
}

// smallBytes is the size up to which a file of a checkpoint is downloaded before the
// conversion: all but weights.
const smallBytes = 64 << 20

// source gets the small files of a checkpoint.
func (u *pull) source(ctx context.Context, ckpt []hub.File) (*hubSource, error) {
	s := &hubSource{pull: u, ctx: ctx, of: map[string]hub.File{}}
	var small []hub.File
	for _, f := range ckpt {
		s.of[f.Path] = f
		if !isWeights(f.Path) && f.Size <= smallBytes {
			small = append(small, f)
		}
	}
	var err error
	s.here, err = u.Download(ctx, u.rev, small, nil)
	return s, err
}

// isWeights reports whether a file of a checkpoint holds tensors.
func isWeights(path string) bool {
	ext := filepath.Ext(path)
	return ext == ".safetensors" || ext == ".bin"
}

func (s *hubSource) Dir() string { return s.here }
func (s *hubSource) ID() string  { return s.rev.Repo + "@" + s.rev.Commit }

func (s *hubSource) Has(name string) bool {
	_, ok := s.of[name]
	return ok
}

func (s *hubSource) File(name string) ([]byte, error) {
	if !s.Has(name) {
		return nil, fmt.Errorf("%s: %s: %w", s.rev.Repo, name, fs.ErrNotExist)
	}
	if s.of[name].Size > smallBytes {
		return nil, fmt.Errorf("%s: %s: it is larger than %s", s.rev.Repo, name, console.ByteSize(smallBytes))
	}
	return os.ReadFile(filepath.Join(s.here, name))
}

func (s *hubSource) Weights(name string) (io.ReaderAt, int64, error) {
	if !s.Has(name) {
		return nil, 0, fmt.Errorf("%s: %s: %w", s.rev.Repo, name, fs.ErrNotExist)
	}
	r, err := s.Open(s.ctx, s.rev, s.of[name])
	if err != nil {
		return nil, 0, err
	}
	return r, r.Size(), nil
}

func (s *hubSource) Stream(ctx context.Context, name string, from int64) (io.ReadCloser, error) {
	return s.pull.Stream(ctx, s.rev, s.of[name], from)
}

func (s *hubSource) Hash(name string) (hash.Hash, string) {
	f := s.of[name]
	return hub.NewHash(f), f.Hash
}
