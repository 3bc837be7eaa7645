//go:build nobuiltin

package builtin

// Included reports whether the model is in this build.
const Included = false

const model = ""
