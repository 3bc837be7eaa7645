package convert

import (
	"path/filepath"
	"strings"
)

// modelName returns what a model in the folder dir is called: the name of the folder, or,
// in the cache of HuggingFace's hub, where folders are named for commits, that of the
// repository: models--USER--NAME/snapshots/COMMIT.
func modelName(dir string) string {
	snapshots := filepath.Dir(dir)
	folder := filepath.Base(filepath.Dir(snapshots))
	if repo, ok := strings.CutPrefix(folder, "models--"); ok && filepath.Base(snapshots) == "snapshots" {
		parts := strings.Split(repo, "--")
		return parts[len(parts)-1]
	}
	return filepath.Base(dir)
}
