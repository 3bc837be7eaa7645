package dfa

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Parts of formats.
const (
	leapYear = `([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)`
	date     = `([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|` +
		leapYear + `-02-29)`
	clock = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`

	octet    = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	ipv4     = octet + `(\.` + octet + `){3}`
	h16      = `[0-9a-fA-F]{1,4}`
	ipv6     = `((` + h16 + `:){7}` + h16 + `|(` + h16 + `:){1,7}:|:(:` + h16 + `){1,7}|::` + ipv6Gaps + `)`
	ipv6Gaps = `|(` + h16 + `:){1,6}:` + h16 + `|(` + h16 + `:){1,5}(:` + h16 + `){2}|(` + h16 + `:){1,4}(:` + h16 + `){3}` +
		`|(` + h16 + `:){1,3}(:` + h16 + `){4}|(` + h16 + `:){1,2}(:` + h16 + `){5}|` + h16 + `:(:` + h16 +
		`){6}|::(ffff:)?` + ipv4

	// At most 253 characters in all, 64 before the @: fewer and shorter parts than may be.
	label    = `[a-zA-Z0-9]([a-zA-Z0-9-]{0,38}[a-zA-Z0-9])?`
	hostname = label + `(\.` + label + `){0,5}`
	atom     = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}"
	email    = atom + `(\.` + atom + `){0,2}@` + label + `(\.` + label + `){1,4}`

	unreserved = `[a-zA-Z0-9._~!$&'()*+,;=-]|%[0-9a-fA-F]{2}`
	pchar      = `(` + unreserved + `|[:@])`
	authority  = `((` + unreserved + `|:)*@)?(` + hostname + `|` + ipv4 + `)(:[0-9]{1,4})?`
	rest       = `(\?(` + pchar + `|[/?])*)?(#(` + pchar + `|[/?])*)?`
	uri        = `[a-zA-Z][a-zA-Z0-9+.-]*:(//` + authority + `(/` + pchar + `*)*|/(` + pchar + `+(/` + pchar + `*)*)?|` +
		pchar + `+(/` + pchar + `*)*)` + rest
	reference = `(//` + authority + `(/` + pchar + `*)*|/(` + pchar + `+(/` + pchar + `*)*)?|(` + unreserved + `|@)+(/` + pchar + `*)*)?` + rest

	days     = `([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)`
	hours    = `T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)`
	duration = `P([0-9]+W|` + days + `(` + hours + `)?|` + hours + `)`
)

// formats are those of strings that are kept: of some the common texts only.
var formats = map[string]string{
	"date": date, "time": clock, "date-time": date + `T` + clock, "duration": duration,
	"uuid": `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`,
	"ipv4": ipv4, "ipv6": ipv6, "hostname": hostname,
	"email": email, "uri": uri, "uri-reference": reference,
	"json-pointer": `(/([^/~]|~[01])*)*`, "relative-json-pointer": `(0|[1-9][0-9]*)(#|(/([^/~]|~[01])*)*)`,
}

// ofNumbers are formats of numbers.
var ofNumbers = []string{"int32", "int64", "float", "double"}

// OfNumbers reports whether a format is one of numbers.
func OfNumbers(name string) bool { return slices.Contains(ofNumbers, name) }

// saysNothing are formats that do not say which texts they have.
var saysNothing = []string{"password", "binary", "path", "file-path", "directory-path"}

// made are the automata of formats that were needed so far.
var made sync.Map

// formatWork is enough for each of the formats.
const formatWork = 10_000_000

// Format returns the automaton of a format, nil if it says nothing about a string.
func Format(name string) (*DFA, error) {
	if d, ok := made.Load(name); ok {
		return d.(*DFA), nil
	}
	pattern, ok := formats[name]
	if slices.Contains(saysNothing, name) || OfNumbers(name) {
		return nil, nil
	}
	if !ok {
		known := slices.Sorted(maps.Keys(formats))
		return nil, fmt.Errorf("the format %q is not supported: %s are", name, strings.Join(known, ", "))
	}
	d, err := Whole(NewBudget(formatWork), pattern)
	if err != nil {
		return nil, err
	}
	made.Store(name, d)
	return d, nil
}
