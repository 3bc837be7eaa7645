package hub_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"mptgo/internal/fakehub"
	"mptgo/mpt/hub"
)

func Example() {
	site := fakehub.Start() // in your program: hub.FromEnv alone
	defer site.Close()
	site.Add("mosaicml/mpt-7b", &fakehub.Repo{Files: map[string]fakehub.Content{
		"config.json": fakehub.Text("{}"), "model.safetensors": fakehub.Noise(100_000, 1), "modeling_mpt.py": fakehub.Text("pass"),
	}})
	cache, err := os.MkdirTemp("", "hub")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(cache)
	c := hub.FromEnv()
	c.Endpoint, c.Cache, c.Offline = site.URL, cache, false

	ctx := context.Background()
	rev, err := c.Resolve(ctx, "mosaicml/mpt-7b", "main")
	if err != nil {
		log.Fatal(err)
	}
	files, err := c.Files(ctx, rev)
	if err != nil {
		log.Fatal(err)
	}
	dir, err := c.Download(ctx, rev, hub.ChooseCheckpoint(files), nil)
	if err != nil {
		log.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range found {
		fmt.Println(filepath.Base(path))
	}
	// Output:
	// config.json
	// model.safetensors
}
