// Package hub downloads models from HuggingFace's hub, or a mirror of it, into the
// cache that Python's huggingface_hub and llama.cpp use.
//
// A file is named by a repository (USER/MODEL), a revision and a path. A revision is
// resolved to a commit once; from then on only the commit is used, so that a branch
// that moves in the meantime cannot mix two versions.
//
// Every file is verified before it gets its name in the cache: those in Git LFS by
// their SHA-256, the others by the SHA-1 of git. A download that was cut off, by a
// network that failed or a process that was killed, is taken up where it stopped.
// Lists of files come from strangers: names that lead out of the folder, or that some
// system cannot have, are refused.
//
//	c := hub.FromEnv()
//	rev, err := c.Resolve(ctx, "mosaicml/mpt-7b-chat", "main")
//	files, err := c.Files(ctx, rev)
//	dir, err := c.Download(ctx, rev, hub.ChooseCheckpoint(files), nil)
//
// This package is not stable yet: names may change from one minor version to the next.
package hub
