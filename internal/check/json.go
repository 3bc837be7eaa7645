package check

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// OrderedJSON reads JSON as nil, bool, int, float64, []any and [][2]any, which has the
// keys and values of an object in their order, and texts as the function makes them.
func OrderedJSON(data []byte, text func(string) any) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return orderedJSON(d, text)
}

func orderedJSON(d *json.Decoder, text func(string) any) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch x := t.(type) {
	case string:
		return text(x), nil
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return int(i), nil
		}
		return x.Float64()
	case json.Delim:
		if x == '{' {
			return object(d, text)
		}
		return array(d, text)
	}
	return t, nil
}

func object(d *json.Decoder, text func(string) any) (any, error) {
	pairs := [][2]any{}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := orderedJSON(d, text)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", k, err)
		}
		pairs = append(pairs, [2]any{k, v})
	}
	_, err := d.Token()
	return pairs, err
}

func array(d *json.Decoder, text func(string) any) (any, error) {
	list := []any{}
	for d.More() {
		v, err := orderedJSON(d, text)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}
