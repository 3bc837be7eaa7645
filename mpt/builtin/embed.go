//go:build !nobuiltin

package builtin

import _ "embed" // for the model

// Included reports whether the model is in this build.
const Included = true

// The model was trained for this project; its weights are licensed like it.
//
//go:embed mpt-stories.gguf
var model string
