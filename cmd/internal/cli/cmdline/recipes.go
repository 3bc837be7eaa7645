package cmdline

import "mptgo/quantize/recipes"

// RecipeNames returns the names that --type takes.
func RecipeNames() []string {
	var names []string
	for _, r := range recipes.All() {
		names = append(names, r.Name)
	}
	return names
}
