package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mptgo/mpt/checkpoint"
	"mptgo/mpt/tokenizer"
)

// binary returns the content of a file of the checkpoint, or nil if there is no such
// file.
func (f files) binary(name string) ([]byte, error) {
	b, err := f.file(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// optional returns the content of a text file without its byte order mark, or nil if
// there is no such file.
func (f files) optional(name string) ([]byte, error) {
	b, err := f.text(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// text returns the content of a text file without its byte order mark.
func (f files) text(name string) ([]byte, error) {
	b, err := f.file(name)
	if err != nil {
		return nil, err
	}
	return plainText(name, b)
}

// plainText removes the byte order mark that some editors write, and refuses UTF-16.
func plainText(name string, b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return nil, fmt.Errorf("%s: %w: it is UTF-16: save it as UTF-8", name, checkpoint.ErrFormat)
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil
}

// templateFolder holds further templates, each in a file NAME.jinja.
const templateFolder = "additional_chat_templates"

// maxTemplate bounds the size of such a file.
const maxTemplate = 16 << 20

// templates reads the chat templates that are in files of their own. As in the
// reference they replace those of tokenizer_config.json.
func (f files) templates(v *tokenizer.Vocab) error {
	main, err := f.optional("chat_template.jinja")
	if err != nil {
		return err
	}
	if main != nil {
		v.ChatTemplate = string(main)
	}
	named, err := f.named()
	if err != nil {
		return err
	}
	if named != nil {
		v.Templates = named
	}
	if main == nil {
		f.noteTemplates(v, named != nil)
	}
	return nil
}

// named reads the templates of the folder for them, nil if there are none.
func (f files) named() (map[string]string, error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, templateFolder))
	if err != nil {
		return nil, ignoreMissing(err)
	}
	var all map[string]string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".jinja")
		if !ok {
			continue
		}
		path := templateFolder + "/" + e.Name()
		switch info, err := os.Stat(filepath.Join(f.dir, path)); {
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular() || info.Size() > maxTemplate:
			return nil, fmt.Errorf("%s: %w: it is no file of at most %d bytes", path, checkpoint.ErrFormat, maxTemplate)
		}
		b, err := os.ReadFile(filepath.Join(f.dir, path))
		if err == nil {
			b, err = plainText(path, b)
		}
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = string(b)
	}
	return all, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// noteTemplates says what the reference would make of the templates otherwise, where
// there is no chat_template.jinja.
func (f files) noteTemplates(v *tokenizer.Vocab, more bool) {
	if text, ok := v.Templates["default"]; ok && more {
		v.ChatTemplate = text
		delete(v.Templates, "default")
		return
	}
	if more && v.ChatTemplate != "" {
		f.logf("%s: there is no chat_template.jinja beside it; that of tokenizer_config.json is used, "+
			"which transformers would not do", templateFolder)
	}
	if _, err := f.file("chat_template.json"); err == nil && v.ChatTemplate == "" {
		f.logf("chat_template.json is not read: it belongs to a processor of images or sound, not to a tokenizer")
	}
}
