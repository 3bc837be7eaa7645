package eval

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
)

// Stories is the name of the tasks that are built in: they fit the small model that is.
const Stories = "stories"

//go:embed stories
var stories embed.FS

// LoadStories returns the tasks that are built in.
func LoadStories() ([]*Task, error) {
	return Load("stories/tasks.yaml", LoadOptions{files: stories})
}

// read returns the content of a file.
func (o *LoadOptions) read(path string) ([]byte, error) {
	if o.files == nil {
		return readFile(path)
	}
	return fs.ReadFile(o.files, filepath.ToSlash(path))
}

// stat reports an error if there is no such file.
func (o *LoadOptions) stat(path string) error {
	if o.files == nil {
		_, err := os.Stat(path)
		return err
	}
	_, err := fs.Stat(o.files, filepath.ToSlash(path))
	return err
}

// Find returns the tasks of a name: those of a file, or one with that label in the YAML
// files of the data folder, or [Stories].
func Find(name string, opt LoadOptions) ([]*Task, error) {
	if opt.stat(name) == nil || filepath.Ext(name) != "" {
		return Load(name, opt)
	}
	if name == Stories {
		return LoadStories()
	}
	opt.only = name
	for _, pattern := range []string{"*.yaml", "*.yml", "yamls/*.yaml", "eval/yamls/*.yaml",
		"scripts/eval/yamls/*.yaml"} {
		if opt.DataDir == "" {
			break
		}
		files, err := filepath.Glob(filepath.Join(opt.DataDir, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if !opt.names(f) {
				continue
			}
			return Load(f, opt)
		}
	}
	return nil, &fs.PathError{Op: "find the tasks of", Path: name, Err: fs.ErrNotExist}
}
