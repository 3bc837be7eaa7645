package jinja

// expr is a part of an expression.
type expr interface{ eval(*state, *scope) any }

type (
	constant   struct{ value any }
	variable   struct{ name string }
	listExpr   struct{ items []expr }
	tupleExpr  struct{ items []expr }
	dictExpr   struct{ keys, values []expr }
	condExpr   struct{ cond, yes, no expr } // no may be nil
	notExpr    struct{ x expr }
	comparison struct {
		first expr
		ops   []string
		rest  []expr
		line  int
	}
	unary struct {
		op   string
		x    expr
		line int
	}
	binary struct {
		op   string
		x, y expr
		line int

		negated bool // see folded
	}
	attribute struct {
		x    expr
		name string
		line int
	}
	index struct {
		x, at  expr
		line   int
		folded bool // see there
	}
	sliceExpr struct{ from, to, step expr } // each may be nil; only inside an index
	call      struct {
		f    expr
		args arguments
		line int
	}
	filterExpr struct {
		x    expr
		name string
		args arguments
		line int
	}
	testExpr filterExpr
	capture  struct{} // the text of a block, which a filter is given
)

// arguments are those of a call, as they are written.
type arguments struct {
	list        []expr
	names       []string
	named       []expr
	star, stars expr // after * and **, or nil
}

// stmt is a tag with what belongs to it, or the text between tags.
type stmt interface {
	run(*state, *scope, *builder) jump
}

// jump is how a statement ends.
type jump byte

const (
	onward jump = iota
	breaks
	continues
)

type (
	textStmt   struct{ s string }
	outputStmt struct{ x expr }
	blockStmt  struct {
		body  []stmt
		frame *frame
	}
	jumpStmt struct{ breaks bool }
	ifStmt   struct {
		cond    expr
		yes, no []stmt
	}
	forStmt struct {
		target      target
		items, cond expr // cond may be nil
		recursive   bool
		body, none  []stmt
		line        int

		frame, test, noneFrame *frame
	}
	setStmt struct {
		target target
		value  expr
		block  bool // the value is that of body
		body   []stmt
		line   int
		frame  *frame
	}
	filterStmt struct {
		filter expr
		body   []stmt
		frame  *frame
	}
	withStmt struct {
		targets []target
		values  []expr
		body    []stmt
		frame   *frame
	}
	macroStmt struct{ def *macroDef }
	callStmt  struct {
		call   *call
		caller *macroDef
	}
)

// macroDef is what a macro consists of; defaults may be nil.
type macroDef struct {
	name     string
	params   []string
	defaults []expr
	body     []stmt
	uses     map[string]bool // the variables that the body names
	frame    *frame
}

// target is what is assigned to: a name, a field of a namespace, or several targets
// that take the parts of a list.
type target struct {
	name, field string
	items       []target
	several     bool
}
