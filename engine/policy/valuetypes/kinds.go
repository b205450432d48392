package valuetypes

import (
	"math/bits"
	"strings"
)

// kinds is a set of Rego's types. They are in the order in which Rego compares values of
// different types.
type kinds uint8

const (
	nullKind kinds = 1 << iota
	boolKind
	numberKind
	textKind
	arrayKind
	objectKind
	setKind
	allKinds = 1<<iota - 1

	containers = arrayKind | objectKind | setKind
)

var kindNames = map[kinds]string{
	nullKind: "null", boolKind: "a boolean", numberKind: "a number", textKind: "a string",
	arrayKind: "an array", objectKind: "an object", setKind: "a set",
}

// each calls visit for each kind of the set, in Rego's order.
func (k kinds) each(visit func(kinds)) {
	for k != 0 {
		one := kinds(1) << bits.TrailingZeros8(uint8(k))
		visit(one)
		k &^= one
	}
}

// String lists the kinds, as "null or a number".
func (k kinds) String() string {
	if k == allKinds {
		return "any value"
	}
	var names []string
	k.each(func(one kinds) { names = append(names, kindNames[one]) })
	return strings.Join(names, " or ")
}

// below reports whether each kind of a is before each kind of b in Rego's order.
func below(a, b kinds) bool {
	return a != 0 && b != 0 && bits.Len8(uint8(a)) <= bits.TrailingZeros8(uint8(b))
}
