package jinja

import "slices"

// folded reports whether Jinja computes an expression when it reads the template, and
// writes its value into the program that it makes. If that is a negative number to the
// power of something, the program takes the power of the positive one and negates it.
// A slice that cannot be is undefined there, and an error where the program runs.
func folded(x expr) bool {
	all := func(list ...expr) bool {
		return !slices.ContainsFunc(list, func(x expr) bool { return x != nil && !folded(x) })
	}
	switch x := x.(type) {
	case constant:
		return true
	case *unary:
		return folded(x.x)
	case *notExpr:
		return folded(x.x)
	case *binary:
		return all(x.x, x.y)
	case *comparison:
		return all(x.first) && all(x.rest...)
	case *condExpr:
		return x.no != nil && all(x.cond, x.yes, x.no)
	case *tupleExpr:
		return all(x.items...)
	case *listExpr:
		return all(x.items...)
	case *dictExpr:
		return all(x.keys...) && all(x.values...)
	case *index:
		return all(x.x, x.at)
	case *sliceExpr:
		return all(x.from, x.to, x.step)
	case *filterExpr:
		return all(x.x) && all(x.args.list...) && all(x.args.named...) && x.args.star == nil && x.args.stars == nil &&
			!slices.Contains([]string{"map", "select", "selectattr", "reject", "rejectattr"}, x.name)
	}
	return false
}
