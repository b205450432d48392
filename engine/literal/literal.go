// Package literal has the type for a JSON value of which a text tells only a part: a rule
// of a policy writes `{"replicas": wanted, "kind": "HTTPRoute"}`, and what wanted is will be
// known when the rule is evaluated.
//
// The package that reads a text builds the values, and the one that knows what a value has
// to be checks them. This one decides nothing and imports only the standard library. Start
// reading at Value.
package literal

// Kind is the kind of a Value.
type Kind int

// The kinds. Computed is the zero value: nothing is known.
const (
	Computed Kind = iota
	Scalar
	Array
	Object
)

// Value is a JSON value as far as a text tells it.
type Value struct {
	Kind Kind
	// Line and Column are the place of the value in its file, from 1; 0 is unknown.
	Line, Column int
	// Type is the JSON type that a Computed value will have: boolean, number, string,
	// array or object; "" if the text does not tell.
	Type string
	// JSON is the value of a Scalar: nil, a bool, a string or a json.Number.
	JSON any
	// Items are the elements of an Array, all of them.
	Items []Value
	// Fields are the known fields of an Object. An Open object may have others.
	Fields []Field
	Open   bool
}

// Field is a field of an object. Line and Column are the place of its key.
type Field struct {
	Key          string
	Line, Column int
	Value        Value
}

// Field returns a field of an object; false if it is not known to have it.
func (v Value) Field(key string) (Field, bool) {
	for _, f := range v.Fields {
		if f.Key == key {
			return f, true
		}
	}
	return Field{}, false
}

// Text returns the string that the value is; false if it is none, or not known.
func (v Value) Text() (string, bool) {
	text, ok := v.JSON.(string)
	return text, ok && v.Kind == Scalar
}
