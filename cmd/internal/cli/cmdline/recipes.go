package cmdline

import "mptgo/quantize"

// RecipeNames returns the names that --type takes.
func RecipeNames() []string {
	var names []string
	for _, r := range quantize.Recipes() {
		names = append(names, r.Name)
	}
	return names
}
