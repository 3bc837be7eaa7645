package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
)

// layout is a file that is to be written.
type layout struct {
	header []byte   // up to the data section, padding included
	parts  []extent // of each tensor
	size   int64    // of the file
}

// extent is the place of a tensor in a file.
type extent struct {
	name        string
	start, size int64
}

// Encode returns a whole file, of version 3. The tensors lie in the order
// given, and data[i] is the content of tensors[i]. For the limits on keys and
// tensors see [Create].
func Encode(meta []KV, tensors []TensorInfo, data [][]byte) ([]byte, error) {
	l, err := plan(meta, tensors)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	if len(data) != len(tensors) {
		return nil, fmt.Errorf("gguf: data of %d tensors, want %d", len(data), len(tensors))
	}
	for i, p := range l.parts {
		if int64(len(data[i])) != p.size {
			return nil, fmt.Errorf("gguf: tensor %q: %d bytes of data, want %d", p.name, len(data[i]), p.size)
		}
	}
	b := make([]byte, l.size)
	copy(b, l.header)
	for i, p := range l.parts {
		copy(b[p.start:], data[i])
	}
	return b, nil
}

// FileBytes returns the size of the file that [Create] starts.
func FileBytes(meta []KV, tensors []TensorInfo) (int64, error) {
	l, err := plan(meta, tensors)
	if err != nil {
		return 0, fmt.Errorf("gguf: %w", err)
	}
	return l.size, nil
}

// plan lays out a file. What it accepts, the reader does.
func plan(meta []KV, tensors []TensorInfo) (*layout, error) {
	h := binary.LittleEndian.AppendUint32([]byte(magic), 3)
	h = binary.LittleEndian.AppendUint64(h, uint64(len(tensors)))
	h = binary.LittleEndian.AppendUint64(h, uint64(len(meta)))
	h, err := appendMeta(h, meta)
	if err != nil {
		return nil, err
	}
	l := &layout{parts: make([]extent, len(tensors))}
	if h, err = l.appendTensors(h, tensors); err != nil {
		return nil, err
	}
	if len(h) > maxHeader-alignDefault {
		return nil, fmt.Errorf("the header has %d bytes: the limit is %d", len(h), maxHeader-alignDefault)
	}
	start := int64(alignUp(uint64(len(h)), alignDefault))
	if l.size > math.MaxInt64-start {
		return nil, fmt.Errorf("%d bytes of tensors: too many", l.size)
	}
	for i := range l.parts {
		l.parts[i].start += start
	}
	l.header = append(h, make([]byte, start-int64(len(h)))...)
	l.size += start
	return l, nil
}

func appendMeta(b []byte, meta []KV) ([]byte, error) {
	if len(meta) > maxKeys {
		return nil, fmt.Errorf("%d keys: the limit is %d", len(meta), maxKeys)
	}
	seen := map[string]bool{}
	for _, kv := range meta {
		switch {
		case kv.Key == "" || len(kv.Key) > maxKey:
			return nil, fmt.Errorf("key of %d bytes: want 1 to %d", len(kv.Key), maxKey)
		case seen[kv.Key]:
			return nil, fmt.Errorf("key %q appears twice", kv.Key)
		case kv.Key == KeyAlignment && kv.Value != uint32(alignDefault):
			return nil, fmt.Errorf("key %q: is %v, but files are written with %d: leave the key out", kv.Key, kv.Value, alignDefault)
		}
		seen[kv.Key] = true
		b = appendString(b, kv.Key)
		var err error
		if b, err = appendValue(b, kv.Value); err != nil {
			return nil, fmt.Errorf("key %q: %w", kv.Key, err)
		}
	}
	return b, nil
}

// appendTensors appends the descriptions of the tensors and sets the parts and
// size of l, relative to the data section.
func (l *layout) appendTensors(b []byte, tensors []TensorInfo) ([]byte, error) {
	if len(tensors) > maxTensors {
		return nil, fmt.Errorf("%d tensors: the limit is %d", len(tensors), maxTensors)
	}
	seen := map[string]bool{}
	for i, t := range tensors {
		switch {
		case t.Name == "" || len(t.Name) > maxName:
			return nil, fmt.Errorf("tensor %q: name of %d bytes: want 1 to %d", t.Name, len(t.Name), maxName)
		case seen[t.Name]:
			return nil, fmt.Errorf("tensor %q appears twice", t.Name)
		}
		seen[t.Name] = true
		size, err := sizeOf(t.Type, t.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if int64(size) > math.MaxInt64-alignDefault-l.size {
			return nil, fmt.Errorf("tensor %q: %d bytes after %d of others: too many", t.Name, size, l.size)
		}
		l.parts[i] = extent{t.Name, l.size, int64(size)}
		b = appendTensor(b, t, l.size)
		l.size = int64(alignUp(uint64(l.size)+uint64(size), alignDefault))
	}
	return b, nil
}

func appendTensor(b []byte, t TensorInfo, offset int64) []byte {
	b = appendString(b, t.Name)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.Shape)))
	for _, v := range t.Shape {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(t.Type))
	return binary.LittleEndian.AppendUint64(b, uint64(offset))
}

// appendValue appends the type of v and v.
func appendValue(b []byte, v any) ([]byte, error) {
	t, array, err := typeOf(v)
	if err != nil {
		return nil, err
	}
	if array {
		n := reflect.ValueOf(v).Len()
		if n > maxElements {
			return nil, fmt.Errorf("%d elements: the limit is %d", n, maxElements)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(typeArray))
		b = binary.LittleEndian.AppendUint32(b, uint32(t))
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(t))
	}
	switch v := v.(type) {
	case string:
		return appendTexts(b, v)
	case []string:
		return appendTexts(b, v...)
	}
	return binary.Append(b, binary.LittleEndian, v)
}

func appendTexts(b []byte, list ...string) ([]byte, error) {
	for _, s := range list {
		if len(s) > maxText {
			return nil, fmt.Errorf("string of %d bytes: the limit is %d", len(s), maxText)
		}
		b = appendString(b, s)
	}
	return b, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}
