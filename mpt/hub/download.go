package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxXet is the largest file, in bytes, that the site also serves by a plain request.
const maxXet = 50_000_000_000

// Progress says how far a download is.
type Progress struct {
	Done, Total       int64 // bytes
	Files, TotalFiles int   // that are whole
}

// Download makes files of a commit appear in the cache and returns the folder that they
// are in, which is that of all files of the commit. What is there already is not fetched
// again; if all is, nothing is asked. Progress, if not nil, is told how far it is, in
// calls that do not overlap. If Download fails or ctx ends, what has come is kept for the
// next time.
func (c *Client) Download(ctx context.Context, rev *Revision, files []File, progress func(Progress)) (dir string, err error) {
	c.start()
	if err := checkFiles(files); err != nil {
		return "", fmt.Errorf("hub: %s: %w: %w", rev.Repo, err, ErrHostile)
	}
	d := &download{c: c, rev: rev, files: len(files), show: progress}
	for _, f := range files {
		if !c.present(rev, f) {
			d.missing = append(d.missing, f)
		}
	}
	d.whole.Add(int64(len(files) - len(d.missing)))
	if err := d.run(ctx); err != nil {
		return "", fmt.Errorf("hub: %s: %w", rev.Repo, err)
	}
	c.writeRef(rev)
	return c.Dir(rev), nil
}

// Missing returns those of files that the cache does not hold, and their bytes; files
// of which the site does not say the size count as none.
func (c *Client) Missing(rev *Revision, files []File) (missing []File, bytes int64) {
	c.start()
	counted := map[string]bool{}
	for _, f := range files {
		if c.present(rev, f) {
			continue
		}
		missing = append(missing, f)
		if f.Size > 0 && !counted[f.Hash] && (f.Hash == "" || !hasSize(c.blob(rev.Repo, f.Hash), f.Size)) {
			bytes += f.Size
			counted[f.Hash] = f.Hash != ""
		}
	}
	return missing, bytes
}

// A download is several files that are fetched together.
type download struct {
	c       *Client
	rev     *Revision
	missing []File
	files   int // all of them, with those that are there
	show    func(Progress)

	total int64
	come  atomic.Int64
	whole atomic.Int64 // files
}

func (d *download) run(ctx context.Context) error {
	if len(d.missing) == 0 {
		return nil
	}
	if d.c.Offline {
		return fmt.Errorf("%w, and the network is not to be used: %s", ErrOffline, names(d.missing))
	}
	groups, err := d.group(ctx)
	if err != nil {
		return err
	}
	if err := d.checkSpace(groups); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer d.watch()()
	queue := make(chan []File)
	var wg sync.WaitGroup
	for range d.c.Connections {
		wg.Go(func() {
			for g := range queue {
				if err := d.fetch(ctx, g); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, g := range groups {
		select {
		case queue <- g:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	wg.Wait()
	return context.Cause(ctx)
}

// group returns the missing files by content: what is there twice is fetched once.
func (d *download) group(ctx context.Context) (groups [][]File, err error) {
	place := map[string]int{}
	for _, f := range d.missing {
		if f.Hash == "" || f.Size < 0 {
			if f, err = d.c.askFile(ctx, d.rev, f); err != nil {
				return nil, err
			}
		}
		if f.Xet != "" && f.Size > maxXet {
			return nil, fmt.Errorf("%s: files of more than %s are served by the Xet protocol alone, which this program does not speak: %w",
				f.Path, gigabytes(maxXet), errors.ErrUnsupported)
		}
		if i, ok := place[f.Hash]; ok && groups[i][0].Size == f.Size {
			groups[i] = append(groups[i], f)
			continue
		}
		place[f.Hash] = len(groups)
		groups = append(groups, []File{f})
	}
	return groups, nil
}

// checkSpace returns an error if what is missing does not fit on the disk. What has come
// already is not missing.
func (d *download) checkSpace(groups [][]File) error {
	var need int64
	for _, g := range groups {
		d.total += g[0].Size
		if !hasSize(d.c.blob(d.rev.Repo, g[0].Hash), g[0].Size) {
			need += g[0].Size - partBytes(d.c.blob(d.rev.Repo, g[0].Hash))
		}
	}
	return checkSpace(d.c.Cache, max(0, need))
}

// fetch makes the files of a group appear, which are equal.
func (d *download) fetch(ctx context.Context, g []File) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fresh, err := d.c.fetchBlob(ctx, d.rev, g[0], &d.come)
	if err != nil {
		return err
	}
	for i, f := range g {
		if err := d.c.link(d.rev, f, f.Hash, fresh && i == len(g)-1); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		d.whole.Add(1)
	}
	return nil
}

// watch shows the progress now and then until the function is called that it returns.
func (d *download) watch() (stop func()) {
	if d.show == nil {
		return func() {}
	}
	show := func() {
		d.show(Progress{min(d.come.Load(), d.total), d.total, int(d.whole.Load()), d.files})
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(d.c.Times.Progress)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				show()
			case <-end:
				show()
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// askFile asks for the size and the hash of one file, which the list did not say.
func (c *Client) askFile(ctx context.Context, rev *Revision, f File) (File, error) {
	p := patience{c: c}
	for {
		h, size, err := c.askHead(ctx, rev, f.Path)
		if err == nil {
			f.Hash = h
			if f.Size < 0 {
				f.Size = size
			}
			return f, nil
		}
		if err := p.after(ctx, err); err != nil {
			return f, c.explain(err, rev.Repo, rev.Name, f.Path)
		}
	}
}

// askHead returns what the site says of a file, by the headers of huggingface_hub.
func (c *Client) askHead(ctx context.Context, rev *Revision, path string) (hash string, size int64, err error) {
	a, err := c.send(ctx, http.MethodHead, c.fileURL(rev, path), nil, true)
	if err != nil {
		return "", 0, err
	}
	a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return "", 0, newStatusError(a)
	}
	size = a.ContentLength
	if _, err := fmt.Sscan(first2(a.site.Get("X-Linked-Size"), "-"), &size); err != nil {
		size = a.ContentLength
	}
	hash = cleanETag(first2(a.site.Get("X-Linked-Etag"), a.site.Get("ETag")))
	if hash == "" || size < 0 {
		return "", 0, fmt.Errorf("%s: the site tells neither size nor hash: %w", path, ErrAnswer)
	}
	return hash, size, nil
}

func first2(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// cleanETag returns a mark of a version as the name of a blob; "" if it is none.
func cleanETag(s string) string {
	s = strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "W/"), `"`)
	if h := strings.ToLower(s); isHash(h) {
		return h
	}
	if checkPath(s) != nil || strings.ContainsAny(s, "/ ") || len(s) < 8 || len(s) > 128 {
		return ""
	}
	return s
}

// names lists a few files.
func names(files []File) string {
	var list []string
	for _, f := range files {
		if len(list) == 5 {
			list = append(list, fmt.Sprintf("and %d more", len(files)-5))
			break
		}
		list = append(list, f.Path)
	}
	return strings.Join(list, ", ")
}
