package eval

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// The examples that CPython draws, by both rules.
func TestFewshotVectors(t *testing.T) {
	for _, dir := range vectorFolders(t) {
		b, err := os.ReadFile(filepath.Join(dir, "fewshot.json"))
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Fewshot []struct {
				Rules       string
				Rows, Shots int
				Seed        uint64
				First       [][]int
			}
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		if len(v.Fewshot) == 0 {
			t.Fatalf("%s: no vectors", dir)
		}
		for _, c := range v.Fewshot {
			got := foundryShots(len(c.First), c.Rows, c.Shots, c.Seed)
			if c.Rules == "lm-eval" {
				if got, err = lmShots(len(c.First), c.Rows, c.Shots, c.Seed); err != nil {
					t.Error(err)
					continue
				}
			}
			if n := len(c.First); !reflect.DeepEqual(got[:n], c.First) {
				t.Errorf("%s, %d rows, %d shots, seed %d: %v, want %v", c.Rules, c.Rows, c.Shots, c.Seed, got[:n], c.First)
			}
		}
	}
}

// lmShots returns the examples of a task whose rows are their own pool.
func lmShots(first, rows, shots int, seed uint64) ([][]int, error) {
	t := &lmTask{excludes: true, seed: seed}
	for i := range rows {
		t.pool = append(t.pool, textRow(fmt.Sprint(i)))
	}
	t.rows = t.pool[:first]
	return t.fewshot(shots)
}

// Rows that are equal to the one that is asked are no examples for it; with the sampler
// first_n the others come in order.
func TestFewshotExclusion(t *testing.T) {
	rows := []*row{textRow("a"), textRow("b"), textRow("a"), textRow("c")}
	task := &lmTask{excludes: true, seed: 1, rows: rows, pool: rows}
	task.FewshotConfig.Sampler = "first_n"
	got, err := task.fewshot(2)
	if want := [][]int{{1, 3}, {0, 2}, {1, 3}, {0, 1}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := task.fewshot(3); err == nil {
		t.Error("3 examples for a row that only 2 differ from")
	}
}

func textRow(s string) *row {
	return &row{file: &dataset{path: "rows.jsonl"}, text: s, fields: map[string]any{"text": s}}
}
