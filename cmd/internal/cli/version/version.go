// Package version knows which version of the program this is: see [String].
package version

import "runtime/debug"

// release is set by release builds:
// -ldflags "-X mptgo/cmd/internal/cli/version.release=v1.2.3"
var release string

// String returns the version of a release, or the module version, and the commit if
// the build knows it.
func String() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	var commit, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " commit " + s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " with local changes"
		}
	}
	return version + commit + modified
}
